"""The trace of a run: what it did, in a form that is equal on every engine (contract C2).

An entry per operation, in the order in which they ended; the operations of a child flow lie
below its path. `compare` says in words how two traces differ: it ignores the interleaving
across branches, the wall clock and the number of attempts; a cancelled branch compares as a
prefix, because how far it came before it was overtaken is nobody's promise. Which branches were
cancelled the trace says itself: those that are not among the ones that `ended`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile
from typing import Literal, NamedTuple

from perdure.codec.text import Json
from perdure.runtime.engine import Completed, Failed, Outcome, Timer
from perdure.runtime.site import NOWHERE, Site
from perdure.runtime.usage import Usage, usage_from, usage_json

__all__ = [
    "CANCELLED",
    "TRACE_VERSION",
    "End",
    "Kind",
    "Trace",
    "TraceEntry",
    "compare",
    "from_json",
    "is_contest",
    "outcome_json",
    "sleep_arguments",
    "to_json",
]

TRACE_VERSION = 2
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
    usage: tuple[Usage, ...] = ()
    """What a step reported to have spent, one sum for each model; not compared."""


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
    ended: frozenset[str] | None = frozenset()
    """Paths of the branches that ended by themselves, with a value or an error; None in a trace of
    version 1, which does not say."""


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
    ended = _ended_branches(left), _ended_branches(right)
    busy = {branch for scope in (*ours, *theirs) for branch in _branches_around(scope)}
    differences.extend(_compare_branches(*ended, busy))
    for scope in [*ours, *(scope for scope in theirs if scope not in ours)]:
        branch = next(_branches_around(scope), None)
        is_whole = branch is None or all(branch in side for side in ended)
        compare_scope = _compare_all if is_whole else _compare_prefix
        differences.extend(compare_scope(ours.get(scope, []), theirs.get(scope, [])))
    return differences


def _ended_branches(trace: Trace) -> frozenset[str]:
    """What the trace says; in one that does not, all whose last operation was not cancelled."""
    if trace.ended is not None:
        return trace.ended
    last: dict[str, TraceEntry] = {}
    for entry in trace.entries:
        last.update(dict.fromkeys(_branches_around(entry.path), entry))
    return frozenset(branch for branch, entry in last.items() if entry.outcome != CANCELLED)


def _compare_branches(
    ours: frozenset[str], theirs: frozenset[str], busy: AbstractSet[str]
) -> Iterator[str]:
    """Branches that ended on one side alone.

    So may the loser of a race or quorum, at the very instant of the winner, or a task of a group
    at that of its failure; then one that ended on both sides is there. So may one inside a branch
    that was cancelled. (Branches in which no operation began are none of this: their code may have
    failed before the fork.)
    """
    for branch in sorted((ours ^ theirs) & busy):
        less, side = (theirs, "right") if branch in ours else (ours, "left")
        around = next(_branches_around(branch.rpartition("/")[0]), None)
        fork = branch.rpartition("[")[0]
        # A group may also fail by its body, whose error no branch shows.
        overtaken = is_contest(fork, "group") or (
            is_contest(fork, "race", "quorum")
            and any(other.rpartition("[")[0] == fork for other in ours & theirs)
        )
        if not overtaken and (around is None or around in less):
            yield f"{branch}: cancelled on the {side} alone"


def _branches_around(path: str) -> Iterator[str]:
    """The branches that a scope or an operation lies in, the innermost first."""
    while path:
        if path.endswith("]"):
            yield path
        path = path.rpartition("/")[0]


def is_contest(fork: str, *kinds: str) -> bool:
    """Whether the label is that of one of these forks: `helper.race.2#3`."""
    names = fork.rpartition("/")[2].partition("#")[0].split(".")
    if names[-1].isdigit():
        names.pop()
    return names[-1:] in [[kind] for kind in kinds]


def to_json(trace: Trace) -> dict[str, Json]:
    """The versioned form; see `from_json`."""
    ended: list[Json] | None = None if trace.ended is None else [*sorted(trace.ended)]
    return {
        "version": TRACE_VERSION,
        "entries": [_entry_json(entry) for entry in trace.entries],
        "ended": ended,
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
    error, ended = end.get("error"), data.get("ended")
    return Trace(
        tuple(_entry_from(entry) for entry in entries if isinstance(entry, dict)),
        End(str(end["status"]), end.get("result"), error if isinstance(error, dict) else None),
        frozenset(str(path) for path in ended) if isinstance(ended, list) else None,
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


def _compare_prefix(left: Sequence[TraceEntry], right: Sequence[TraceEntry]) -> list[str]:
    ours, theirs = _ended(left), _ended(right)
    shorter = min(len(ours), len(theirs))
    return _compare_all(ours[:shorter], theirs[:shorter])


def _ended(entries: Sequence[TraceEntry]) -> list[TraceEntry]:
    """Up to where it was overtaken: what a child's cleanup does then hangs on how far it came."""
    return [*takewhile(lambda entry: entry.outcome != CANCELLED, entries)]


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
    if entry.usage:
        fields["usage"] = usage_json(entry.usage)
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
        usage_from(data.get("usage")),
    )


def _list(data: Json) -> list[Json]:
    if not isinstance(data, list):
        raise ValueError("not a trace: a span is a list")
    return data
