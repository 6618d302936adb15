"""The trace of a run: what it did, in a form that is equal on every engine (contract C2).

An entry per operation, in the order in which they ended; the operations of a child flow lie
below its path. `compare` says in words how two traces differ: it ignores the interleaving
across branches, the wall clock and the number of attempts; a cancelled branch compares as a
prefix, because how far it came before it was overtaken is nobody's promise.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from perdure.codec.text import Json
from perdure.runtime.engine import Completed, Failed, Outcome, Timer
from perdure.runtime.site import NOWHERE, Site

__all__ = [
    "CANCELLED",
    "TRACE_VERSION",
    "End",
    "Kind",
    "Trace",
    "TraceEntry",
    "compare",
    "from_json",
    "outcome_json",
    "sleep_arguments",
    "to_json",
]

TRACE_VERSION = 1
CANCELLED = "cancelled"

type Kind = Literal["step", "flow", "event", "sleep", "reply", "send", "ask", "cancel", "start"]


class TraceEntry(NamedTuple):
    """One operation. `outcome`: {"value": ...}, {"error": {"type", "message"}} or "cancelled"."""

    path: str
    kind: str
    name: str
    arguments: Mapping[str, Json]
    attempts: int
    outcome: Json
    span: Site
    time: float
    """Engine time, in seconds since the epoch, at which it ended."""


class End(NamedTuple):
    """How a run ended: "done", "failed", "cancelled", or "waiting" for what never comes."""

    status: str
    result: Json = None
    error: Mapping[str, Json] | None = None
    """{"type": "module:qualname", "message": ...} of a failed run."""


class Trace(NamedTuple):
    """All operations of a run, in the order in which they ended, and its end."""

    entries: tuple[TraceEntry, ...]
    end: End


def outcome_json(outcome: Outcome | None) -> Json:
    """The `outcome` of an entry; None is cancelled."""
    if isinstance(outcome, Completed):
        return {"value": outcome.value}
    return CANCELLED if outcome is None else {"error": error_json(outcome)}


def error_json(failed: Failed) -> dict[str, Json]:
    """Type and message of an encoded error: what traces compare."""
    error = failed.error
    if not isinstance(error, Mapping):
        raise TypeError(f"not an encoded error: {error!r}")
    return {"type": error.get("type"), "message": error.get("message")}


def sleep_arguments(timer: Timer) -> dict[str, Json]:
    """The arguments of a sleep in a trace: whole seconds as integers."""
    if timer.until is not None:
        return {"until": _number(timer.until)}
    return {"seconds": _number(timer.seconds)}


def compare(left: Trace, right: Trace) -> list[str]:
    """Differences, one line each; empty if the traces are equal."""
    differences = _compare_ends(left.end, right.end)
    ours, theirs = _by_scope(left), _by_scope(right)
    overtaken = _overtaken(left) | _overtaken(right)
    for scope in [*ours, *(scope for scope in theirs if scope not in ours)]:
        pair = ours.get(scope, []), theirs.get(scope, [])
        compare_scope = _compare_prefix if _lies_in(scope, overtaken) else _compare_all
        lines = compare_scope(*pair)
        if lines and _another_won(scope, ours, theirs):
            lines = _compare_prefix(*pair)
        elif lines and left.end.status == CANCELLED:
            # A wait that was given up is written only where code of the flow sees it.
            lines = _compare_all(*(_ended(entries) for entries in pair))
        differences.extend(lines)
    return differences


type _Scopes = Mapping[str, Sequence[TraceEntry]]


def _another_won(scope: str, ours: _Scopes, theirs: _Scopes) -> bool:
    """Whether the scope lies in a branch that lost: beside it, one is equal on both sides.

    A branch that ends at the very instant of the winner, too late to be asked, leaves entries
    on one engine and none on another.
    """
    while scope:
        fork, bracket, _ = scope.rpartition("[")
        if scope.endswith("]") and bracket and _is_contest(fork):
            inside = [s for s in ours if s.startswith(f"{fork}[") and not _is_below(s, scope)]
            if any(s in theirs and not _compare_all(ours[s], theirs[s]) for s in inside):
                return True
        scope = scope.rpartition("/")[0]
    return False


def _is_contest(fork: str) -> bool:
    """Whether the label of a fork is that of a race or quorum: `helper.race.2#3`."""
    names = fork.rpartition("/")[2].partition("#")[0].split(".")
    if names[-1].isdigit():
        names.pop()
    return names[-1:] in (["race"], ["quorum"])


def _is_below(scope: str, branch: str) -> bool:
    return scope == branch or scope.startswith(f"{branch}/")


def to_json(trace: Trace) -> dict[str, Json]:
    """The versioned form; see `from_json`."""
    return {
        "version": TRACE_VERSION,
        "entries": [_entry_json(entry) for entry in trace.entries],
        "end": {
            "status": trace.end.status,
            "result": trace.end.result,
            "error": dict(trace.end.error) if trace.end.error is not None else None,
        },
    }


def from_json(data: Mapping[str, Json]) -> Trace:
    """The trace that `to_json` wrote; ValueError for a newer version."""
    version = data.get("version")
    if not isinstance(version, int) or version > TRACE_VERSION:
        raise ValueError(
            f"trace version {version} is newer than this perdure reads ({TRACE_VERSION})"
        )
    entries, end = data["entries"], data["end"]
    if not isinstance(entries, list) or not isinstance(end, dict):
        raise ValueError("not a trace: `entries` or `end` is missing")
    error = end.get("error")
    return Trace(
        tuple(_entry_from(entry) for entry in entries if isinstance(entry, dict)),
        End(str(end["status"]), end.get("result"), error if isinstance(error, dict) else None),
    )


def _compare_ends(left: End, right: End) -> list[str]:
    if left.status != right.status:
        return [
            f"end: {left.status} {left.error or left.result!r} "
            f"against {right.status} {right.error or right.result!r}"
        ]
    if left.error != right.error:
        return [f"error: {left.error} against {right.error}"]
    return (
        []
        if same(left.result, right.result)
        else [f"result: {left.result!r} against {right.result!r}"]
    )


def _by_scope(trace: Trace) -> dict[str, list[TraceEntry]]:
    scopes: dict[str, list[TraceEntry]] = {}
    for entry in trace.entries:
        scopes.setdefault(entry.path.rpartition("/")[0], []).append(entry)
    return scopes


def _overtaken(trace: Trace) -> frozenset[str]:
    """Branches in which the last that happened, also further down, was cancelled."""
    last: dict[str, TraceEntry] = {}
    for entry in trace.entries:
        scope = entry.path
        while scope := scope.rpartition("/")[0]:
            if scope.endswith("]"):
                last[scope] = entry
    return frozenset(scope for scope, entry in last.items() if entry.outcome == CANCELLED)


def _lies_in(scope: str, branches: frozenset[str]) -> bool:
    while scope:
        if scope in branches:
            return True
        scope = scope.rpartition("/")[0]
    return False


def _compare_prefix(left: Sequence[TraceEntry], right: Sequence[TraceEntry]) -> list[str]:
    ours, theirs = _ended(left), _ended(right)
    shorter = min(len(ours), len(theirs))
    return _compare_all(ours[:shorter], theirs[:shorter])


def _ended(entries: Sequence[TraceEntry]) -> list[TraceEntry]:
    return [entry for entry in entries if entry.outcome != CANCELLED]


def _compare_all(left: Sequence[TraceEntry], right: Sequence[TraceEntry]) -> list[str]:
    """One scope: its operations are sequential, so their order counts."""
    theirs = {entry.path: entry for entry in right}
    ours = {entry.path for entry in left}
    lines = [f"{entry.path}: missing on the right" for entry in left if entry.path not in theirs]
    lines += [f"{entry.path}: missing on the left" for entry in right if entry.path not in ours]
    for entry in left:
        if entry.path in theirs:
            lines += _compare_entries(entry, theirs[entry.path])
    if not lines and [e.path for e in left] != [e.path for e in right]:
        lines.append(f"order: {[e.path for e in left]} against {[e.path for e in right]}")
    return lines


def _compare_entries(left: TraceEntry, right: TraceEntry) -> list[str]:
    read: tuple[tuple[str, Callable[[TraceEntry], object]], ...] = (
        ("kind", lambda entry: entry.kind),
        ("name", lambda entry: entry.name),
        ("arguments", lambda entry: entry.arguments),
        ("outcome", lambda entry: entry.outcome),
    )
    lines = [
        f"{left.path}: {what} {of(left)!r} against {of(right)!r}"
        for what, of in read
        if not same(of(left), of(right))
    ]
    if NOWHERE not in (left.span, right.span) and left.span[1:] != right.span[1:]:
        lines.append(f"{left.path}: span {left.span[1:]} against {right.span[1:]}")
    return lines


def same(left: object, right: object) -> bool:
    """Equality of JSON that tells 1 from True and 1.0, and keeps the order of keys."""
    return repr(left) == repr(right)


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _entry_json(entry: TraceEntry) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "path": entry.path,
        "kind": entry.kind,
        "name": entry.name,
        "arguments": dict(entry.arguments),
        "attempts": entry.attempts,
        "outcome": entry.outcome,
        "span": list(entry.span),
        "time": entry.time,
    }
    return fields


def _entry_from(data: Mapping[str, Json]) -> TraceEntry:
    label, file, *numbers = _list(data["span"])
    line, column, end_line, end_column = (int(str(number)) for number in numbers)
    arguments = data["arguments"]
    return TraceEntry(
        str(data["path"]),
        str(data["kind"]),
        str(data["name"]),
        arguments if isinstance(arguments, dict) else {},
        int(str(data["attempts"])),
        data["outcome"],
        Site(str(label), str(file), line, column, end_line, end_column),
        float(str(data["time"])),
    )


def _list(data: Json) -> list[Json]:
    if not isinstance(data, list):
        raise ValueError("not a trace: a span is a list")
    return data
