"""Tests of flows: one call, any target, virtual time, no cloud, no keys.

from perdure.testing import run, after

r = run("flows/triage.py:triage", {"issue": {...}}, target="reference",
        steps={"classify": lambda title: "bug", "notify": [TimeoutError("busy"), after("2s")]},
        events=[("2h", "approval", {"approved": True})])
assert r.status == "done"
"""

from perdure.diagnostics import Refused
from perdure.testing.request import Request, Result, ScriptedEvent
from perdure.testing.runner import run
from perdure.testing.scripts import ScriptError, after

__all__ = ["Refused", "Request", "Result", "ScriptError", "ScriptedEvent", "after", "run"]
