"""What is said of states on Step Functions: where they run, why, and what they cost.

A transition is each entry of a state, retries included (the pricing page); the events of a state
are those that GetExecutionHistory lists. A site that ends its scope needs no state for that; what
fails without a handler ends the execution in the state it happened in.
"""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never, final

from perdure.explain.counting import plus, times
from perdure.explain.graph import Inside, Kind, Left
from perdure.explain.model import Counts, FlowExplained, Price, Unit
from perdure.explain.notes import Said
from perdure.explain.words import WORK, is_plain_sleep, rides_in, why_alone
from perdure.machine.chains import follows, swallowed
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
from perdure.machine.loops import heads
from perdure.machine.policies import Policies
from perdure_aws.asl_ends import TOGETHER, End, Ending, ending_of
from perdure_aws.limits import value_of
from perdure_aws.prices import PRICES

__all__ = ["AwsExplainer"]

UNITS: Final = (
    Unit("transitions", "each state that a run enters, retries too"),
    Unit("events", "each entry of the execution's history, which has 25,000 at most"),
    Unit("requests", "each invocation of a site's function"),
)
RUN: Final[Counts] = {"events": 2}
"""ExecutionStarted, and how it ended."""
TASK: Final[Counts] = {"transitions": 1, "events": 4, "requests": 1}
"""Entered, Scheduled, Started, Succeeded or Failed; leaving it is one more."""
TOKEN: Final[Counts] = {"transitions": 1, "events": 5, "requests": 1}
"""The same with TaskSubmitted."""
PLAIN: Final[Counts] = {"transitions": 1, "events": 2}
"""Choice, Pass, Wait, Succeed."""
FAIL: Final[Counts] = {"transitions": 1, "events": 1}
EXITED: Final[Counts] = {"events": 1}


@final
class AwsExplainer:
    """See `perdure.explain.explained.Explainer`."""

    units: tuple[Unit, ...] = UNITS
    prices: tuple[Price, ...] = PRICES

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def begun(self, machine: Machine) -> Counts:
        """Of each run."""
        return RUN

    def passed(self, inside: Inside, state: State) -> Counts:
        """Of entering a state, up to where it leads."""
        match state:
            case Run() | Route():
                return TASK
            case Choose() if state.name in swallowed(inside.scope):
                return {}
            case Choose():
                return PLAIN
            case Sleep():
                return PLAIN if is_plain_sleep(inside, state) else TOKEN
            case Await() | Child():
                return TOKEN
            case Spawn() if state.forked:
                return TOKEN
            case Spawn() if state.fork.over is None and not state.branches:
                return PLAIN
            case Spawn():
                return {"transitions": 1, "events": 3}
            case Done():
                return _end(_ending(inside).done)
            case Failed() if inside.is_forked:
                return plus(TASK, EXITED)
            case Failed():
                return FAIL if inside.is_root else _end(_ending(inside).failed)
            case _:
                assert_never(state)

    def performed(self, inside: Inside, state: State) -> Counts:
        """A state costs the same if its operation never begins."""
        return {}

    def left(self, inside: Inside, state: State, kind: Kind, name: str, to: State) -> Left:
        """A site ends its scope by itself; Choice, Pass and Wait have one event more, counted."""
        if isinstance(state, Choose) and kind == "decided":
            return Left(_looked_through(inside, state, name, to))
        is_site = isinstance(state, Run | Route)
        if is_site and kind == "next" and isinstance(to, Done) and _ending(inside).done == "data":
            return Left(EXITED, ends=True)
        if kind == "raised" and not name and inside.is_root and not isinstance(state, Choose):
            return Left({}, ends=True)
        plain = isinstance(state, Choose) or (
            isinstance(state, Sleep) and is_plain_sleep(inside, state)
        )
        return Left({} if plain else EXITED)

    def again(self, inside: Inside, state: State) -> Counts:
        """The state again, and the wait before."""
        if not isinstance(state, Run | Child) or not self._policies.may_retry(state.op):
            return {}
        native = isinstance(state, Run) and inside.is_root and not inside.is_guarded(state.on_error)
        task = 5 if isinstance(state, Run) else 6
        requests = 1 if native else 2
        return {"transitions": 2, "events": task + (2 if native else 6), "requests": requests}

    def each(self, inside: Inside, state: Spawn) -> Counts:
        """Iterations of a Map have two events of their own; executions begin with the flow's first
        state, which finds out where they go on.
        """
        if state.forked:
            return plus(RUN, TASK, EXITED)
        return {"events": 2} if state.fork.over is not None else {}

    # --- what is said -----------------------------------------------------------------------------

    def said(self, inside: Inside, state: State) -> Said | None:
        """Of a state that a run enters."""
        match state:
            case Run(op=op) if op.kind in WORK:
                return Said(f"Task `{state.name}`", "the body of a step is Python")
            case Run(op=op):
                return Said(f"Task `{state.name}`", f"`{op.kind}` writes to the run store")
            case Route():
                return Said(f"Task `{state.name}`", why_alone(inside, state))
            case Choose() if state.name in swallowed(inside.scope):
                return Said("Choice before it", "a site has decided both at once")
            case Choose() if state.decision is None:
                return Said(f"Choice `{state.name}`", "an error behind the step leads elsewhere")
            case Choose():
                return Said(f"Choice `{state.name}`", "a site has decided; the history shows it")
            case Sleep() if is_plain_sleep(inside, state):
                return Said(
                    f"Wait `{state.name}`", "nothing of the flow runs at its cancel: native"
                )
            case Sleep():
                return Said(f"Task `{state.name}`", f"{_TOKEN}, for code may run at its cancel")
            case Await():
                return Said(f"Task `{state.name}`", _waits(state))
            case Child():
                return Said(f"Task `{state.name}`", f"{_TOKEN}; the child is a run of its own")
            case Spawn() if state.forked:
                why = f"{_TOKEN}; branches come to this fork again: they are executions"
                return Said(f"Task `{state.name}`", why)
            case Spawn():
                return Said(f"{_fork(state)} `{state.name}`", "branches are the engine's")
            case Done() | Failed():
                return None
            case _:
                assert_never(state)

    def site(self, names: tuple[str, ...]) -> str:
        """Pure code rides with a Task."""
        return rides_in(names)

    def remarks(self, machines: Machines, flows: Sequence[FlowExplained]) -> Iterator[str]:
        """Hand-over, and what is in no figure."""
        events = value_of("history_events")
        if any(heads(machine.root) for machine in machines.machines):
            yield (
                f"A history has {events:,} events at most: before that a loop goes on in another "
                "execution, which costs 2 transitions more."
            )
        yield (
            "Not in the cost: what models and tools charge, the functions' time (GB-seconds), the "
            "run store (DynamoDB, S3) and logs. A failed run costs what it passed."
        )


_TOKEN: Final = "waits under a token"


def _waits(state: Await) -> str:
    if state.prologue:
        return f"{_TOKEN}; all it is given is constant, so no Python comes before it"
    return f"{_TOKEN}; the site before it computes what it is given"


def _fork(state: Spawn) -> str:
    if state.fork.over is not None:
        return "Map"
    return "Parallel" if state.branches else "Pass"


def _looked_through(inside: Inside, state: Choose, name: str, to: State) -> Counts:
    """A Choice looks through to the one behind its last exit, which may stand for others too."""
    edge = dict(state.exits)[name]
    through = follows(state, edge, to) and to.name not in swallowed(inside.scope)
    return times(-1, PLAIN) if through else {}


def _ending(inside: Inside) -> Ending:
    if inside.spawn is None or inside.is_forked:
        return TOGETHER
    return ending_of(inside.spawn.fork)


def _end(way: End) -> Counts:
    """Of the states that end a scope: a Succeed, a Fail, or a Choice between them."""
    if way == "asked":
        return {"transitions": 2, "events": 4}
    return PLAIN if way == "data" else FAIL
