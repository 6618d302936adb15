"""What is said of a flow on Durable Functions: where it runs, why, and what it costs.

The flow stays one function, the orchestrator, which runs from its first line after every event; so
pure code costs no action, and the history is what grows. An action is what the scheduler bills: a
message that it dispatches (its billing page). The events of an operation are those that
Microsoft's own backend writes for it when nothing else happens at that moment.
"""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never, final

from perdure.explain.counting import plus
from perdure.explain.graph import Inside, Kind, Left
from perdure.explain.model import Counts, FlowExplained, Price, Unit
from perdure.explain.notes import Said
from perdure.explain.words import WORK
from perdure.ir import Op, OpKind
from perdure.machine.ir import (
    Await,
    Child,
    Choose,
    Done,
    Failed,
    Machine,
    Machines,
    Route,
    Run,
    Sleep,
    Spawn,
    State,
)
from perdure.machine.policies import Policies
from perdure.runtime.episode import LONGEST
from perdure_azure.prices import PRICES

__all__ = ["AzureExplainer"]

UNITS: Final = (
    Unit("actions", "each message that the scheduler dispatches: a start, a call and its result,"
         " a timer, an event"),
    Unit("events", "each entry of the history, all of which is replayed after every new one"),
    Unit("activities", "each execution of a function for a step"),
)  # fmt: skip
RUN: Final[Counts] = {"actions": 1, "events": 4}
"""The first and the last two of a history, and the start."""
ACTIVITY: Final[Counts] = {"actions": 2, "events": 4, "activities": 1, "changes": 2}
"""Scheduled, an episode's end and the next one's begin, completed. `changes` are those that
`Durable` counts for a hand-over: tasks that began or ended."""
TIMER: Final[Counts] = {"actions": 1, "events": 4, "changes": 2}
"""Created, the episodes' border, fired."""
EVENT: Final[Counts] = {"actions": 1, "events": 3, "changes": 2}
"""Raised, and the episodes' border."""
CHILD: Final[Counts] = {"actions": 2, "events": 4, "changes": 2}
CREATED: Final[Counts] = {"events": 1}
"""A timer that may be overtaken."""
TOLD: Final[Counts] = {"events": 1}
"""What is sent to another run."""


@final
class AzureExplainer:
    """See `perdure.explain.explained.Explainer`."""

    units: tuple[Unit, ...] = UNITS
    prices: tuple[Price, ...] = PRICES

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def begun(self, machine: Machine) -> Counts:
        """Of each run."""
        return RUN

    def passed(self, inside: Inside, state: State) -> Counts:
        """What is between operations is code of the orchestrator."""
        return {}

    def performed(self, inside: Inside, state: State) -> Counts:
        """Of an operation."""
        match state:
            case Run(op=op):
                return _work(op)
            case Sleep():
                return TIMER
            case Await(alternatives=alternatives):
                return _first_of([one.op for one in alternatives])
            case Child(op=op):
                return CHILD if op.kind is not OpKind.ASK else EVENT
            case Route() | Choose() | Spawn() | Done() | Failed():
                return {}
            case _:
                assert_never(state)

    def left(self, inside: Inside, state: State, kind: Kind, name: str, to: State) -> Left:
        """Ways cost nothing."""
        is_end = isinstance(state, Run | Route) and kind == "raised" and not name
        return Left({}, ends=is_end and inside.is_root)

    def again(self, inside: Inside, state: State) -> Counts:
        """A timer, and the activity again."""
        if isinstance(state, Run | Child) and self._policies.may_retry(state.op):
            return plus(TIMER, ACTIVITY if isinstance(state, Run) else CHILD)
        return {}

    def each(self, inside: Inside, state: Spawn) -> Counts:
        """A branch is a coroutine."""
        return {}

    # --- what is said -----------------------------------------------------------------------------

    def said(self, inside: Inside, state: State) -> Said | None:
        """Of an operation."""
        match state:
            case Run(op=op) if op.kind in WORK:
                return Said("activity", "a step may do anything; its result is kept in the history")
            case Run(op=op):
                return Said(_native(op), _NATIVE[op.kind])
            case Sleep():
                return Said("durable timer", "nothing runs until it is due")
            case Await():
                return Said("external event", _limits(state))
            case Child(op=op) if op.kind is OpKind.ASK:
                return Said("external event", "the answer of another run is a message to this one")
            case Child():
                return Said("sub-orchestration", "the child is a run of its own")
            case Spawn():
                return Said("orchestrator", "branches are coroutines of the one orchestrator")
            case Route() | Choose() | Done() | Failed():
                return None
            case _:
                assert_never(state)

    def site(self, names: tuple[str, ...]) -> str:
        """Pure code stays where it stands."""
        return "in the orchestrator"

    def remarks(self, machines: Machines, flows: Sequence[FlowExplained]) -> Iterator[str]:
        """How the history grows, and what is in no figure."""
        for flow in flows:
            for row in flow.rows:
                changes, events = row.counts.get("changes", 0), row.counts.get("events", 0)
                if row.kind == "turn" and changes and not row.name.startswith("…"):
                    turns = -(-LONGEST // changes)  # the open wait for messages is one more
                    yield (
                        f"`{flow.flow}`, line {row.span.line}: {row.name} adds {events} events. A"
                        f" loop that can hand over does so once {LONGEST} tasks began or ended:"
                        f" after about {turns} such turns and {turns * events:,} events; it goes on"
                        " with an empty history."
                    )
        yield (
            "Pure code runs in the orchestrator, again in every replay: it costs time there, and "
            "no action. Where several things happen at one moment a history has fewer events; a "
            "race may need a timer more, which settles who came first."
        )
        yield (
            "Not in the cost: what models and tools charge, the functions' time (GB-seconds), "
            "storage and logs. A failed run costs what it passed."
        )


_NATIVE: Final = {
    OpKind.PROGRESS: "the custom status",
    OpKind.REPLY: "a message to the run that asked",
    OpKind.START: "only a client can see whether the run exists",
    OpKind.SEND: "a message to the other run",
    OpKind.CANCEL: "a message to the other run",
}


def _native(op: Op) -> str:
    return "activity" if op.kind is OpKind.START else "orchestrator"


def _work(op: Op) -> Counts:
    match op.kind:
        case OpKind.PROGRESS | OpKind.REPLY:
            return {}  # a reply is sent only where a run has asked
        case OpKind.SEND | OpKind.CANCEL:
            return TOLD
        case _:
            return ACTIVITY


def _first_of(ops: Sequence[Op]) -> Counts:
    """One of them comes; the timers of all are created."""
    timers = sum(_is_timed(op) for op in ops)
    return {"actions": 1, "events": 3 + timers, "changes": 2 + timers}


def _is_timed(op: Op) -> bool:
    return op.kind is OpKind.SLEEP or any(argument.name == "timeout" for argument in op.arguments)


def _limits(state: Await) -> str:
    if any(_is_timed(one.op) for one in state.alternatives):
        return "whoever sends it resumes the run; a durable timer limits the wait"
    return "whoever sends it resumes the run"
