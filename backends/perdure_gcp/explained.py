"""What is said of steps on Workflows: where they run, why, and what they cost.

Counted is each step that is executed, also within the routines of every workflow: `try`, `except`
and `raise` each count, and each branch of a parallel step; a jump alone does not. The routines are
those of `perdure_gcp.routines`; this table says what one passage of each executes.
"""

from collections.abc import Iterator, Sequence
from typing import Final, assert_never, final

from perdure.explain.counting import plus
from perdure.explain.graph import Inside, Kind, Left
from perdure.explain.model import Counts, FlowExplained, Price, Unit
from perdure.explain.notes import Said
from perdure.explain.words import WORK, is_plain_sleep, rides_in, why_alone
from perdure.machine.chains import follows, swallowed
from perdure.machine.graph import scopes
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
from perdure_gcp.branches import is_forked
from perdure_gcp.prices import PRICES
from perdure_gcp.workflows.limits import value_of

__all__ = ["LATE", "ROUND", "GcpExplainer"]

UNITS: Final = (
    Unit("internal", "each step that is executed, also of the routines `site`, `wait`, `pause`"),
    Unit("external", "each time that a callback is awaited"),
    Unit("requests", "each request to the sites' service"),
)


def _steps(count: int) -> Counts:
    return {"internal": count}


REQUEST: Final[Counts] = {"internal": 4, "requests": 1}
"""Of `site`: the try, the request, the switch on what it answered, and how it leaves."""
SITE: Final = plus(_steps(1), REQUEST)
"""The call, and `site`."""
ASKED: Final = plus(_steps(6), REQUEST)
"""Of `wait`, when there is nothing to wait for: first, make, tell with its site, decided, over;
and the call of it.
"""
ROUND: Final = plus({"internal": 5, "external": 1}, REQUEST)
"""One more round of `wait`: listen (the try, the callback), next_round, make, tell, decided."""
LATE: Final = _steps(2)
"""What a round has more that heard no ring: the except, no_ring."""
AGAIN: Final = plus(_steps(4), {"internal": 3, "requests": 1})
"""Another attempt after a plain sleep: doze, how, sleep, rested; the request again."""
MOST_CASES: Final = 50


@final
class GcpExplainer:
    """See `perdure.explain.explained.Explainer`."""

    units: tuple[Unit, ...] = UNITS
    prices: tuple[Price, ...] = PRICES

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def begun(self, machine: Machine) -> Counts:
        """`begin`; before it, which of its ways in an execution takes, where there are several."""
        forks = (
            is_forked(scope, state)
            for scope in scopes(machine.root)
            for state in scope.states
            if isinstance(state, Spawn)
        )
        return _steps(1 + int(any(forks) or bool(heads(machine.root))))

    def passed(self, inside: Inside, state: State) -> Counts:
        """Of entering a state, up to where it leads."""
        match state:
            case Run() | Route():
                return SITE
            case Choose() if state.name in swallowed(inside.scope):
                return {}
            case Choose():
                return _steps(1)
            case Sleep() if is_plain_sleep(inside, state):
                return _steps(2)
            case Sleep() | Await():
                return plus(ASKED, ROUND)
            case Child():
                retried = self._policies.may_retry(state.op)
                return plus(ASKED, ROUND, _steps(int(retried)))
            case Spawn() if is_forked(inside.scope, state):
                return plus(ASKED, ROUND, _steps(1))
            case Spawn():
                return _steps(3 if state.branches else 2)
            case Done():
                return _steps(1)
            case Failed():
                return {}
            case _:
                assert_never(state)

    def performed(self, inside: Inside, state: State) -> Counts:
        """A state costs the same if its operation never begins."""
        return {}

    def left(self, inside: Inside, state: State, kind: Kind, name: str, to: State) -> Left:
        """`went` is a switch behind what may lead to several places."""
        match state:
            case Run() | Route() if kind == "raised" and not name:
                return Left(_failing(inside), ends=True)
            case Run() | Route():
                went = _steps(int(_has_ways(inside, state)))
                return Left(plus(went, _steps(int(kind == "lost"))))
            case Choose() if kind == "decided":
                through = follows(state, dict(state.exits)[name], to)
                return Left(_steps(-int(through and to.name not in swallowed(inside.scope))))
            case Choose() if kind == "raised":
                if not name:
                    return Left(_failing(inside), ends=True)
                return Left(_steps(1))
            case Await():
                ways = any(way.handler for way in state.on_raise)
                return Left(_steps(int(ways) + int(kind == "next")))
            case Sleep() if is_plain_sleep(inside, state):
                return Left({})
            case Child() | Sleep():
                return Left(_steps(int(kind == "next")))
            case _:
                return Left({})

    def again(self, inside: Inside, state: State) -> Counts:
        """`site` asks again after a pause."""
        if not isinstance(state, Run | Child) or not self._policies.may_retry(state.op):
            return {}
        native = inside.is_root and not inside.is_guarded(state.on_error)
        if isinstance(state, Run) and native:
            return AGAIN
        paused = plus(_steps(3), ASKED, ROUND)
        if isinstance(state, Run):
            return plus(paused, {"internal": 3, "requests": 1})
        return plus(paused, ASKED, ROUND, _steps(1))

    def each(self, inside: Inside, state: Spawn) -> Counts:
        """A branch: itself, the try, which one it is, the call, begin, its end."""
        if is_forked(inside.scope, state):
            # An execution: which, begin's assign, the try, which routine, the call, ended, over.
            return plus(_steps(7), SITE)
        return _steps(6 if len(state.branches) > 1 else 5)

    # --- what is said -----------------------------------------------------------------------------

    def said(self, inside: Inside, state: State) -> Said | None:
        """Of a step that a run comes to."""
        name = f"`{state.name}`"
        match state:
            case Run(op=op) if op.kind in WORK:
                return Said(f"call site {name}", "the body of a step is Python")
            case Run(op=op):
                return Said(f"call site {name}", f"`{op.kind}` writes to the run store")
            case Route():
                return Said(f"call site {name}", why_alone(inside, state))
            case Choose() if state.name in swallowed(inside.scope):
                return Said("switch before it", "a site has decided both at once")
            case Choose():
                return Said(f"switch {name}", "a site has decided; the step entries show it")
            case Sleep() if is_plain_sleep(inside, state):
                return Said(f"sys.sleep_until {name}", "a plain wait: native")
            case Sleep():
                return Said(f"call wait {name}", "code may run at its cancel: a callback ends it")
            case Await():
                return Said(f"call wait {name}", "the event rings a callback; sites look what came")
            case Child():
                return Said(f"call wait {name}", "the child is a run of its own, and rings")
            case Spawn() if is_forked(inside.scope, state):
                why = "branches that may be ended, or wait in numbers, are executions"
                return Said(f"call wait {name}", why)
            case Spawn():
                return Said(f"parallel {name}", "branches are the engine's")
            case Done() | Failed():
                return None
            case _:
                assert_never(state)

    def site(self, names: tuple[str, ...]) -> str:
        """Pure code rides with a call of `site`."""
        return rides_in(names)

    def remarks(self, machines: Machines, flows: Sequence[FlowExplained]) -> Iterator[str]:
        """Limits, rounds, and what is in no figure."""
        yield (
            "A wait is counted with one round: it begins, and is rung once. It listens for 30 "
            "seconds, a minute, and so on up to six hours at a time; each further round is "
            f"{ROUND['internal'] + LATE['internal']} internal steps and one external."
        )
        most = value_of("steps")
        if any(heads(machine.root) for machine in machines.machines):
            yield (
                f"An execution has {most:,} steps at most: before that a loop goes on in another"
                " one."
            )
        else:
            yield f"An execution has {most:,} steps at most."
        yield (
            "Not in the cost: what models and tools charge, the service's time (vCPU and memory "
            "seconds), the run store (Firestore) and logs. A failed run costs what it passed."
        )


def _failing(inside: Inside) -> Counts:
    """Of an error that leaves the scope: in a branch, what catches it there."""
    if inside.spawn is None or inside.outer is None:
        return {}
    return {} if is_forked(inside.outer.scope, inside.spawn) else _steps(1)


def _decides(inside: Inside, state: Run | Route) -> bool:
    """Whether a decision follows, which says so too where the run is handed over."""
    following = None if state.next is None else inside.state(state.next.to)
    return isinstance(following, Choose) and len(following.exits) > 1


def _has_ways(inside: Inside, state: Run | Route) -> bool:
    """Whether a switch stands behind a site (see `Routine._site`)."""
    if any(way.handler for way in state.on_raise) or inside.is_guarded(state.on_error):
        return True
    if inside.is_root and state.name in heads(inside.scope) and not _decides(inside, state):
        return True
    for native in inside.scope.states:
        if not isinstance(native, Await | Sleep | Spawn | Child):
            continue
        if native.next.to != state.name:
            continue
        if native.on_error.to != state.name and inside.is_guarded(native.on_error):
            return True
        if isinstance(native, Spawn) and is_forked(inside.scope, native):
            return True
        node = inside.scope.nodes[native.pc]
        if isinstance(native, Child) and getattr(node, "timed", False):
            return True
    return False
