"""The trace of a run: what it did, in a form that is equal on every engine (contract C2).

`compare` says in words how two traces differ. It ignores the interleaving across branches,
the wall clock and the number of attempts; a cancelled branch compares as a prefix.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from perdure.runtime.engine import Json
from perdure.runtime.site import Site

__all__ = ["TRACE_VERSION", "End", "Kind", "Trace", "TraceEntry", "compare"]

TRACE_VERSION = 1

type Kind = Literal["step", "flow", "event", "sleep", "reply", "send", "ask", "cancel", "start"]


class TraceEntry(NamedTuple):
    """One operation. `outcome` is {"value": ...}, {"error": {"type", "message"}} or "cancelled"."""

    path: str
    kind: Kind
    name: str
    arguments: Mapping[str, Json]
    attempts: int
    outcome: Json
    span: Site
    time: float


class End(NamedTuple):
    """How a run ended: "completed", "failed", "cancelled" or "waiting"."""

    status: str
    result: Json = None
    error: Mapping[str, Json] | None = None


class Trace(NamedTuple):
    """All operations of a run, in the order in which they ended, and its end."""

    entries: Sequence[TraceEntry]
    end: End


def compare(left: Trace, right: Trace) -> list[str]:
    """Differences, one line each; empty if the traces are equal."""
    raise NotImplementedError
