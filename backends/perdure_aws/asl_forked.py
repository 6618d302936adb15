"""Branches that are executions of their own, as states (see `perdure.sites.forked`).

    "walk.gather"              Task with a token: starts an execution for each branch
    the first state            perdure.Entered[...] -> the first state of the branch
    "walk.gather[*]/failed"    Task: a branch has ended with an error that no site of it saw

The states of the branch stand beside those of the flow, once, wherever forks come to it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.codec import Json
from perdure.machine.graph import scopes
from perdure.machine.ir import Failed, Machine, Scope, Spawn
from perdure.machine.loops import heads
from perdure.sites.error_names import LOST, entered
from perdure_aws import asl_waits as waits
from perdure_aws import expressions as jsonata
from perdure_aws.asl_ends import Ending, ending_of
from perdure_aws.expressions import RESULT, expression

if TYPE_CHECKING:
    from perdure_aws.asl import ScopeStates

__all__ = ["Forked", "fork", "forked_catchers", "forked_scopes", "lost_branch"]


@final
class Forked(NamedTuple):
    """A scope whose branches are executions; `ending`: what its sites are told of the fork."""

    scope: Scope
    ending: Ending


def forked_scopes(machine: Machine) -> tuple[Forked, ...]:
    """Those of a machine, outermost first."""
    found: list[Forked] = []
    for scope in scopes(machine.root):
        for state in scope.states:
            if isinstance(state, Spawn) and state.forked:
                wins = ending_of(state.fork).wins
                # Of a quorum the fork itself counts, where ties are settled.
                ending = Ending(None if wins == "quorum" else wins, "data", "data")
                found.extend(Forked(branch, ending) for branch in state.branches)
    return tuple(found)


def fork(scope: "ScopeStates", state: Spawn) -> dict[str, Json]:
    """The Task that stands for the branches; the site that follows reads how they ended."""
    edge = state.next
    return {
        **waits.waiting(scope, state, state.name, fork=state.pc),
        "Output": jsonata.along(
            edge.at, edge.bind, "forked", "true", origin=state.pc, kind=str(state.fork.kind)
        ),
        "Next": scope.name(edge.to),
    }


def forked_catchers(scope: "ScopeStates") -> Iterator[Json]:
    """Catchers of the first state of the machine: an execution may be that of a branch."""
    said = expression(jsonata.cause("next"))
    for one in scope.whole.forked:
        assert one.scope.start is not None, "its states are placed"
        for head in dict.fromkeys((one.scope.start.to, *heads(one.scope))):
            to = scope.whole.names.of(one.scope, head)
            yield {"ErrorEquals": [entered(head)], "Output": said, "Next": to}


def lost_branch(scope: "ScopeStates", state: Failed) -> dict[str, Json]:
    """The end of a branch with an error; the site notes it, if none has before."""
    task = scope.task(state, state.name, waits.INVOKE, None, over=True)
    lost: Json = {
        "ErrorEquals": list(LOST),
        "IntervalSeconds": 1,
        "MaxAttempts": waits.LOST_ATTEMPTS,
        "BackoffRate": 2,
    }
    output = expression(f"{RESULT}.Payload.next.end")
    return {**task, "Retry": [lost], "Output": output, "End": True}
