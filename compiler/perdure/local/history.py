"""What a run did, from its log: the trace that every engine is compared by."""

from collections.abc import Iterator, Mapping

from perdure.local.journal import Journal, OperationState
from perdure.local.log import EventLog
from perdure.runtime.engine import Completed, Failed
from perdure.runtime.site import NOWHERE
from perdure.store.protocol import RunRecord, RunStore, Status
from perdure.store.runs import find_run, get_run
from perdure.store.sqlite import SqliteStore
from perdure.trace import End, Trace, TraceEntry, error_json, outcome_json

__all__ = ["children_of", "end_of", "trace_of"]

_ENDS = {Status.COMPLETED: "done", Status.FAILED: "failed", Status.CANCELLED: "cancelled"}


def trace_of(store: SqliteStore, run: str) -> Trace:
    """Return the trace of a run; the operations of its children lie below their paths.

    Which branches ended by themselves the logs of runs say that have ended.
    """
    whole = set[str]()
    entries = tuple(_entries(store, EventLog(store), run, "", whole))
    return Trace(entries, end_of(find_run(store, run)), frozenset(whole))


def end_of(record: RunRecord) -> End:
    """Return how a run ended, as a trace says it; "waiting" if it did not."""
    if record.end is None:
        return End("waiting")
    error = error_json(Failed(record.end.error)) if record.end.error is not None else None
    return End(_ENDS[record.end.status], record.end.value, error)


def children_of(store: RunStore, run: str, state: OperationState) -> list[str]:
    """Return the ids of the runs that an operation started as children, one per attempt."""
    if state.kind != "flow":
        return []
    first = f"{run}/{state.path}"
    names = [first, *(f"{first}~{number}" for number in range(2, state.attempts + 2))]
    return [name for name in names if get_run(store, name) is not None]


def _entries(
    store: SqliteStore, log: EventLog, run: str, prefix: str, whole: set[str]
) -> Iterator[TraceEntry]:
    """The entries of a run and its children, in order; `whole` gets their branches."""
    journal = Journal(run, log.read(run))
    whole.update(prefix + branch for branch in journal.branches)
    for state in journal.ended:
        for child in children_of(store, run, state):
            yield from _entries(
                store, log, child, prefix + child.removeprefix(f"{run}/") + "/", whole
            )
        if state.kind != "timeout":
            yield _entry(state, prefix)
    for state in journal.operations.values():
        if state.ended is None:
            for child in children_of(store, run, state):
                below = prefix + child.removeprefix(f"{run}/") + "/"
                yield from _entries(store, log, child, below, whole)


def _entry(state: OperationState, prefix: str) -> TraceEntry:
    lost = state.returned or (state.interrupted and not isinstance(state.outcome, Completed))
    kept = state.outcome if state.kind == "step" or not lost else None
    return TraceEntry(
        prefix + state.path,
        state.kind,
        state.name,
        state.arguments if isinstance(state.arguments, Mapping) else {},
        state.attempts + 1,
        outcome_json(None if state.returned else kept),
        state.site or NOWHERE,
        state.ended or state.began,
        state.usage,
    )
