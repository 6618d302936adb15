"""Where the tree of a run comes from: the local event log, or a deployed environment.

Both give a `Journal`, the state that the tree is drawn from, so that a run looks the same
wherever it was.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, final

from perdure.local.journal import Journal, Lost, OperationState
from perdure.runtime.engine import Completed, Failed, LogRecord
from perdure.runtime.site import Site
from perdure.runtime.usage import usage_from
from perdure.store.match import live_waiters
from perdure.store.protocol import Json, RunRecord, RunStore
from perdure.store.runs import find_run

if TYPE_CHECKING:
    from perdure.deployment import Runs
    from perdure.store.sqlite import SqliteStore

__all__ = ["DeployedHistory", "History", "LocalHistory"]


class History(Protocol):
    """The runs of one place, and what each of them did."""

    @property
    def store(self) -> RunStore:
        """The run store."""
        ...

    def journal(self, run: str) -> Journal:
        """What a run did."""
        ...


@final
class LocalHistory:
    """On this machine."""

    def __init__(self, store: "SqliteStore") -> None:
        self.store = store

    def journal(self, run: str) -> Journal:
        """Out of the event log."""
        from perdure.local.log import EventLog

        return Journal(run, EventLog(self.store).read(run))


@final
class DeployedHistory:
    """In an environment."""

    def __init__(self, runs: "Runs") -> None:
        self._runs = runs
        self.store = runs.store
        self._read: dict[str, Journal] = {}

    def journal(self, run: str) -> Journal:
        """Out of what the engine and the store keep; read once."""
        if run not in self._read:
            self._read[run] = self._journal(find_run(self.store, run))
        return self._read[run]

    def _journal(self, record: RunRecord) -> Journal:
        found = self._runs.happened(record)
        journal = Journal(record.run)
        for number, said in enumerate(found.operations):
            state = _operation(said)
            key = state.path if state.path not in journal.operations else f"{state.path}~{number}"
            journal.operations[key] = state
            if state.ended is not None:
                journal.ended.append(state)
        for waiter in live_waiters(self.store, record.run) if record.end is None else ():
            for name in waiter.names:
                path = waiter.path if len(waiter.names) == 1 else f"{waiter.path}/{name}"
                state = _state(path, "event", name, waiter.since)
                state.due = waiter.deadline
                journal.operations[path] = state
        for number, log in enumerate((*found.logs, *map(_decision, found.decisions))):
            line, began = _log(log), _number(log.get("time"))
            journal.logs[line.scope, number] = (began, line)
        if record.progress is not None:
            journal.progress[""] = record.progress
        return journal


def _operation(said: Mapping[str, Json]) -> OperationState:
    """An operation as it was recorded, or as far as it came."""
    state = _state(
        str(said["path"]), str(said["kind"]), str(said["name"]), _number(said.get("began"))
    )
    state.arguments = said.get("arguments")
    ended = said.get("time")
    state.ended = None if ended is None else _number(ended)
    state.attempts = int(_number(said.get("attempts"))) - 1
    state.site = _site(said)
    state.usage = usage_from(said.get("usage"))
    outcome = said.get("outcome")
    if isinstance(outcome, dict):
        state.outcome = (
            Completed(outcome["value"]) if "value" in outcome else Failed(outcome.get("error"))
        )
    elif outcome == "cancelled":
        state.interrupted = True
    failures = said.get("failures")
    for failure in failures if isinstance(failures, list) else ():
        if isinstance(failure, dict):
            number, time = int(_number(failure["attempt"])), _number(failure["time"])
            state.failures.append(Lost(number, time, failure["error"]))
    return state


def _state(path: str, kind: str, name: str, began: float) -> OperationState:
    return OperationState(path, kind, name, path.rpartition("/")[0], began)


def _site(said: Mapping[str, Json]) -> Site | None:
    file, _, line = str(said.get("line") or "").rpartition(":")
    if not file or not line.isdigit():
        return None
    return Site(str(said["name"]), file, int(line), 0, int(line), 0)


def _log(log: Mapping[str, Json]) -> LogRecord:
    logger = log.get("logger")
    return LogRecord(
        str(log.get("scope", "")),
        int(_number(log.get("ordinal"))),
        None if logger is None else str(logger),
        str(log.get("level", "info")),
        str(log.get("text", "")),
    )


def _decision(said: Mapping[str, Json]) -> Mapping[str, Json]:
    """A way that was taken, as a line of the tree."""
    place = f"  {said['line']}" if said.get("line") else ""
    return {"text": f"{said['state']} -> {said['to']}{place}", "time": said["time"]}


def _number(value: Json) -> float:
    return value if isinstance(value, int | float) else 0.0
