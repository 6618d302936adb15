"""A run that failed goes on where it failed: `perdure retry RUN`.

The operation whose error the run ended with is done again, as if it had never been; all else stays
recorded. That is sound only while nothing followed from the error: where the flow handled it and
did more, a new run (`perdure fork`) is the way.
"""

from typing import NamedTuple

from perdure.local.journal import Journal, OperationState
from perdure.local.log import Entry, EventLog
from perdure.local.wakes import Wakes
from perdure.local.writes import forget_wait
from perdure.runtime.engine import Failed
from perdure.store.protocol import Json, RunRecord, Status
from perdure.store.runs import find_run, get_run, update_run
from perdure.store.sqlite import SqliteStore

__all__ = ["CannotRetry", "retry"]


class CannotRetry(ValueError):  # noqa: N818  # reads as what happened
    """Nothing can be done again here; the message says why, and what to do."""


class _Again(NamedTuple):
    """What is done again in one run: its operations and decisions that never were."""

    run: str
    paths: list[str]
    restored: list[str]
    """They had ended, and were cancelled before the flow saw that: now it does."""
    decisions: list[str]


def retry(store: SqliteStore, run: str, *, now: float) -> tuple[RunRecord, str]:
    """Let a failed run go on; its record, and the operation (in the run at the top) to do again."""
    record = find_run(store, run)
    if record.parent is not None:
        raise CannotRetry(f"`{run}` is a child: retry `{record.parent}`")
    if record.end is None:
        raise CannotRetry(f"run {run} has not ended: `perdure resume {run}` goes on with it")
    if record.end.status is Status.COMPLETED:
        raise CannotRetry(f"run {run} has completed: `perdure fork {run} --at STEP` begins anew")
    if record.end.status is Status.CANCELLED:
        raise CannotRetry(f"run {run} was cancelled: `perdure fork {run} --at STEP` begins anew")
    log = EventLog(store)
    plan = _plan(store, log, record)
    with store.transaction():
        for again in plan:
            _reopen(store, log, again, now)
        Wakes(store).add(find_run(store, run))
    return find_run(store, run), plan[0].paths[0]


def _plan(store: SqliteStore, log: EventLog, record: RunRecord) -> list[_Again]:
    """What to do again in the run, and in the child whose failure was its failure."""
    journal = Journal(record.run, log.read(record.run))
    error = None if record.end is None else record.end.error
    culprit = next((s for s in reversed(journal.ended) if _is_cause(s, error)), None)
    if culprit is None:
        raise CannotRetry(
            f"run {record.run} failed in the flow itself{_place(journal)}: it would again; mend"
            f" the flow, then `perdure fork {record.run} --at STEP --move`"
        )
    follow = _followed(journal, culprit)
    if follow is not None:
        raise CannotRetry(
            f"after `{culprit.path}` had failed the flow went on with `{follow.path}`:"
            f" `perdure fork {record.run} --at {culprit.path}` makes a new run from there"
        )
    forks = [path for path in _prefixes(culprit.path) if path]
    beside = [
        state
        for state in journal.operations.values()
        if state.interrupted
        and (state.ended or 0.0) >= (culprit.ended or 0.0)
        and state is not culprit
        and any(state.path.startswith(f"{fork}[") for fork in forks)
    ]
    again = _Again(
        record.run,
        [culprit.path, *(state.path for state in beside if state.outcome is None)],
        [state.path for state in beside if state.outcome is not None],
        [path for path in journal.decisions if path in forks],
    )
    plan = [again]
    for state in beside:
        if state.kind == "flow" and state.child is not None:
            plan += _uncancelled(store, log, state.child)
    child = None if culprit.child is None else get_run(store, culprit.child)
    if culprit.kind == "flow" and child is not None and child.end is not None:
        plan += _plan(store, log, child)
    return plan


def _uncancelled(store: SqliteStore, log: EventLog, run: str) -> list[_Again]:
    """What to undo in a child that was cancelled because the operation beside it failed."""
    record = get_run(store, run)
    if record is None or record.end is None or record.end.status is not Status.CANCELLED:
        return []
    entries = log.read(run)
    journal = Journal(run, entries)
    places = [number for number, entry in enumerate(entries) if entry.kind == "cancel"]
    for entry in entries[places[0] :] if places else ():
        if entry.kind == "begin":
            raise CannotRetry(
                f"the cancelled `{run}` did its cleanup: `perdure fork` makes a new run"
            )
    interrupted = [state for state in journal.operations.values() if state.interrupted]
    again = _Again(
        run,
        [state.path for state in interrupted if state.outcome is None],
        [state.path for state in interrupted if state.outcome is not None],
        [],
    )
    below = [state.child for state in interrupted if state.kind == "flow" and state.child]
    return [again, *(each for child in below for each in _uncancelled(store, log, child))]


def _prefixes(path: str) -> list[str]:
    """The forks that an operation lies in: `race` and `race[a]/gather` of `race[a]/gather[0]/x`."""
    return [path[:place] for place, sign in enumerate(path) if sign == "["]


def _is_cause(state: OperationState, error: Json) -> bool:
    return isinstance(state.outcome, Failed) and state.outcome.error == error


def _place(journal: Journal) -> str:
    lines = [line.strip() for line in journal.raised.splitlines() if line.startswith("  File ")]
    return f" ({lines[-1]})" if lines else ""


def _followed(journal: Journal, culprit: OperationState) -> OperationState | None:
    """What the flow began because of the error; branches beside it go on anyway."""
    after = culprit.ended or 0.0
    order = [*journal.operations.values()]
    for state in order[order.index(culprit) + 1 :]:
        around = state.scope == "" or culprit.path.startswith(f"{state.scope}/")
        if around and state.began >= after and state.kind != "timeout":
            return state
    return None


def _reopen(store: SqliteStore, log: EventLog, again: _Again, now: float) -> None:
    last = len(log.read(again.run))
    fields: dict[str, Json] = {
        "paths": list(again.paths),
        "restored": list(again.restored),
        "decisions": list(again.decisions),
    }
    entry = Entry("retried", now, fields)
    log.write([(again.run, last + 1, entry)])
    for path in again.paths:
        forget_wait(store, again.run, path)
    update_run(store, again.run, lambda old: old._replace(end=None, ended=None, cancel=None))
