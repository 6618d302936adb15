"""Forks as states: a Parallel of given branches, a Map over a list, or executions of their own."""

from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.machine.ir import Spawn
from perdure.sites.error_names import WON
from perdure_aws import expressions as jsonata
from perdure_aws.asl_ends import concurrency, ending_of
from perdure_aws.asl_forked import fork
from perdure_aws.expressions import INPUT, RESULT, expression

if TYPE_CHECKING:
    from perdure_aws.asl import ScopeStates

__all__ = ["spawn"]


def spawn(scope: "ScopeStates", state: Spawn) -> dict[str, Json]:
    """The state of a fork; of no branches, it gives what there is."""
    if state.forked:
        return fork(scope, state)
    machine = scope.whole
    is_empty = state.fork.over is None and not state.branches
    onward: dict[str, Json] = {
        "Output": jsonata.along(
            state.next.at,
            state.next.bind,
            "outcomes",
            "[]" if is_empty else RESULT,
            origin=state.pc,
            kind=str(state.fork.kind),
        ),
        "Next": scope.name(state.next.to),
    }
    if is_empty:  # a Parallel has at least one branch
        return {"Type": "Pass", **onward}
    ending = ending_of(state.fork)
    guarded = scope.is_guarded(state.on_error)
    if ending.wins is not None:
        won = "$parse($states.errorOutput.Cause)"
        onward["Catch"] = [
            {
                "ErrorEquals": [WON],
                "Output": jsonata.along(
                    state.next.at,
                    state.next.bind,
                    "won",
                    won,
                    origin=state.pc,
                    kind=str(state.fork.kind),
                ),
                "Next": scope.name(state.next.to),
            }
        ]
    branches = expression(f"{INPUT}.operands.branches")
    if state.fork.over is None:
        graphs: list[Json] = [
            machine.graph(branch, number, ending, guarded=guarded)
            for number, branch in enumerate(state.branches)
        ]
        return {"Type": "Parallel", "Arguments": branches, "Branches": graphs, **onward}
    limit = concurrency(state.fork.limit)
    return {
        "Type": "Map",
        "Items": branches,
        **limit,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            **machine.graph(state.branches[0], None, ending, guarded=guarded),
        },
        **onward,
    }
