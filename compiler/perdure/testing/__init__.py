"""Tests of flows: one call, any target, virtual time, no cloud."""
