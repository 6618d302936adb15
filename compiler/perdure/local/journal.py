"""What the event log of one run says, as state: entries come in, operations and reads come out.

The engine applies an entry the moment it appends it, `show` applies what it reads: both see the
same state by the same code.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, final

from perdure.local.log import Entry
from perdure.runtime.engine import Completed, Failed, LogRecord, Outcome
from perdure.runtime.site import Site
from perdure.runtime.usage import Usage, added, usage_from
from perdure.store.protocol import Json

__all__ = ["NO_SYNC", "Journal", "Lost", "OperationState", "TakenEvent"]

NO_SYNC: Final = frozenset({"begin", "attempt", "released", "log", "progress"})
"""Kinds that may be lost with the power: whoever repeats the run makes them again, equal."""


class TakenEvent(NamedTuple):
    """The event that an event wait took."""

    id: str
    sequence: int
    asks: bool


class Lost(NamedTuple):
    """An attempt that failed, or vanished (`error` is None): not the last one."""

    number: int
    time: float
    error: Json
    traceback: str = ""


@final
class OperationState:
    """One operation: what it is, how far it came."""

    __slots__ = (
        "arguments",
        "attempts",
        "began",
        "child",
        "due",
        "ended",
        "event",
        "failures",
        "interrupted",
        "kind",
        "lost",
        "name",
        "outcome",
        "path",
        "retry_at",
        "returned",
        "scope",
        "site",
        "traceback",
        "under_way",
        "usage",
    )

    def __init__(self, path: str, kind: str, name: str, scope: str, began: float) -> None:
        self.path = path
        self.kind = kind
        self.name = name
        self.scope = scope
        self.arguments: Json = None
        self.site: Site | None = None
        self.began = began
        self.ended: float | None = None
        self.due: float | None = None
        self.child: str | None = None
        self.attempts = 0
        """Attempts that ended with an error and count."""
        self.lost = 0
        """Attempts in a row that vanished without an outcome."""
        self.under_way = False
        """An attempt began and its outcome is not recorded."""
        self.retry_at: float | None = None
        self.failures: list[Lost] = []
        self.outcome: Outcome | None = None
        self.traceback = ""
        """Where a step raised, in its own lines."""
        self.interrupted = False
        """Cancelled while it waited, or before the flow saw its outcome."""
        self.event: TakenEvent | None = None
        self.usage: tuple[Usage, ...] = ()
        """What its attempts reported to have spent."""
        self.returned = False
        """The event it took was given back."""


@final
class Journal:
    """The state of one run."""

    def __init__(self, run: str, entries: Iterable[Entry] = ()) -> None:
        self.run = run
        self.operations: dict[str, OperationState] = {}
        self.ended: list[OperationState] = []
        """Operations in the order in which they ended or were interrupted."""
        self.clocks: dict[tuple[str, int], float] = {}
        self.latest = 0.0
        """What the newest read of the clock gave."""
        self.decisions: dict[str, Json] = {}
        self.branches: set[str] = set()
        """Branches of forks that ended by themselves; known once the run has ended."""
        self.logs: dict[tuple[str, int], tuple[float, LogRecord]] = {}
        self.progress: dict[str, Json] = {}
        self.cancelled = False
        """The cancellation reached the flow."""
        self.overtaken = False
        """It was no cancellation of the run, but of the operation that started it as a child."""
        self.raised = ""
        """Where the flow itself raised the error it ended with, in its own lines."""
        self.length = 0
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Take the next entry into account; one of a kind it does not know is refused."""
        self.length += 1
        match entry.kind:
            case "begin":
                self._begin(entry)
            case "attempt":
                self._attempt(self._operation(entry), entry)
            case "failed":
                self._failed(self._operation(entry), entry)
            case "released":
                self._operation(entry).under_way = False
            case "end":
                self._end(self._operation(entry), entry)
            case "interrupt":
                self._interrupt(self._operation(entry), entry)
            case "clock":
                self.latest = entry.number("value")
                self.clocks[entry.text("scope"), entry.integer("ordinal")] = self.latest
            case "decision":
                self.decisions[entry.text("path")] = entry.fields.get("value")
            case "log":
                self._log(entry)
            case "progress":
                self.progress[entry.text("path")] = entry.fields.get("value")
            case "returned":
                self._returned(entry)
            case "cancel":
                self.cancelled = True
                self.overtaken = bool(entry.fields.get("overtaken"))
            case "raised":
                self.raised = entry.text("traceback")
            case "branches":
                self.branches.update(_texts(entry, "paths"))
            case "retried":
                self._retried(entry)
            case "moved":
                self._forget(entry)
            case other:
                raise ValueError(f"the event log of {self.run} has an unknown entry {other!r}")

    def _operation(self, entry: Entry) -> OperationState:
        return self.operations[entry.text("path")]

    def _begin(self, entry: Entry) -> None:
        path = entry.text("path")
        state = OperationState(
            path, entry.text("operation"), entry.text("name"), entry.text("scope"), entry.time
        )
        state.arguments = entry.fields.get("arguments")
        state.site = _site(entry.fields.get("site"))
        if entry.fields.get("due") is not None:
            state.due = entry.number("due")
        if entry.fields.get("child") is not None:
            state.child = entry.text("child")
        state.under_way = entry.fields.get("attempt") is not None
        self.operations[path] = state

    def _attempt(self, state: OperationState, entry: Entry) -> None:
        if state.under_way:
            # It began once more without an outcome of the last time.
            state.lost += 1
            state.failures.append(Lost(entry.integer("number"), entry.time, None))
        state.under_way = True
        if entry.fields.get("child") is not None:
            state.child = entry.text("child")

    def _failed(self, state: OperationState, entry: Entry) -> None:
        state.under_way = False
        state.lost = 0
        state.attempts = entry.integer("number")
        state.retry_at = entry.number("retry_at")
        state.usage = added((*state.usage, *usage_from(entry.fields.get("usage"))))
        error, trace = entry.fields.get("error"), str(entry.fields.get("traceback") or "")
        state.failures.append(Lost(state.attempts, entry.time, error, trace))

    def _end(self, state: OperationState, entry: Entry) -> None:
        state.under_way = False
        state.ended = entry.time
        state.usage = added((*state.usage, *usage_from(entry.fields.get("usage"))))
        if "error" in entry.fields:
            state.outcome = Failed(entry.fields["error"])
            state.traceback = str(entry.fields.get("traceback") or "")
        else:
            state.outcome = Completed(entry.fields.get("value"))
        if entry.fields.get("event") is not None:
            state.event = TakenEvent(
                entry.text("event"), entry.integer("sequence"), bool(entry.fields.get("asks"))
            )
        state.interrupted = bool(entry.fields.get("interrupted"))
        self.ended.append(state)

    def _interrupt(self, state: OperationState, entry: Entry) -> None:
        state.under_way = False
        state.interrupted = True
        if state.outcome is None:
            state.ended = entry.time
            self.ended.append(state)

    def _log(self, entry: Entry) -> None:
        logger = entry.fields.get("logger")
        record = LogRecord(
            entry.text("scope"),
            entry.integer("ordinal"),
            None if logger is None else str(logger),
            entry.text("level"),
            entry.text("text"),
        )
        self.logs[record.scope, record.ordinal] = (entry.time, record)

    def _returned(self, entry: Entry) -> None:
        for path in _texts(entry, "paths"):
            self.operations[path].returned = True

    def _retried(self, entry: Entry) -> None:
        """What is to be done again was never done, for all that follows."""
        self.raised = ""
        self.branches.clear()
        self.cancelled = self.overtaken = False
        self._forget(entry)
        for path in _texts(entry, "restored"):
            self.operations[path].interrupted = False
        for path in _texts(entry, "decisions"):
            self.decisions.pop(path, None)

    def _forget(self, entry: Entry) -> None:
        for path in _texts(entry, "paths"):
            state = self.operations.pop(path, None)
            if state in self.ended:
                self.ended.remove(state)

    def deadline(self, state: OperationState) -> float | None:
        """Return until when an operation waits: its own due time, or that of a timeout around."""
        around = [
            other.due
            for other in self.operations.values()
            if other.kind == "timeout" and other.ended is None and _holds(other.scope, state.scope)
        ]
        return min((due for due in [state.due, *around] if due is not None), default=None)

    def unanswered(self, scope: str, name: str) -> OperationState | None:
        """Return the oldest message that a scope took under a name and did not answer yet."""
        answered = {
            state.child
            for state in self.operations.values()
            if state.kind == "reply" and state.child
        }
        for state in self.ended:
            if state.kind != "event" or state.name != name or state.scope != scope:
                continue
            taken = state.event is not None and not state.returned and not state.interrupted
            if taken and state.event is not None and state.event.id not in answered:
                return state
        return None


def _texts(entry: Entry, name: str) -> list[str]:
    values = entry.fields.get(name)
    return [str(value) for value in values] if isinstance(values, list) else []


def _holds(outer: str, scope: str) -> bool:
    """Whether a scope is another one, or lies in it."""
    return not outer or scope == outer or scope.startswith(f"{outer}/")


def _site(value: Json) -> Site | None:
    if not isinstance(value, list) or len(value) != 6:
        return None
    label, file, *places = value
    line, column, end_line, end_column = (int(str(place)) for place in places)
    return Site(str(label), str(file), line, column, end_line, end_column)
