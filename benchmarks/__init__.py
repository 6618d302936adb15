"""Measurements beside other tools: each module prints a table of its own."""
