"""Which forks have branches that are executions of their own, and how such an execution begins."""

import ast
from typing import Final

from perdure.codec import Json
from perdure.ir import Fork, ForkKind
from perdure.machine.ir import Await, Child, ForkNode, Scope, Sleep, Spawn
from perdure_gcp.routines import NOW, step
from perdure_gcp.workflows.limits import value_of

__all__ = ["REPLY", "is_forked", "wins_of", "with_branches", "with_ways_in"]

REPLY: Final[dict[str, Json]] = {"reply": {"state": "${input.state}", "time": NOW}}
"""What the first site of an execution is told."""

WINS: Final = {ForkKind.RACE: "race", ForkKind.GROUP: "group"}


def wins_of(fork: Fork) -> str | None:
    """What the sites of a branch are told of their fork; None: all branches end."""
    if fork.kind is ForkKind.QUORUM and _is_one(fork.quorum):
        return "first"
    if fork.kind is ForkKind.QUORUM:
        return None  # `perdure_gcp.forks` counts, where ties are settled
    if fork.kind is ForkKind.ALL and not _is_false(fork.fail_fast):
        return "fail_fast"
    return WINS.get(fork.kind)


def is_early(fork: Fork) -> bool:
    """Whether it may end before all its branches have."""
    return fork.kind is ForkKind.QUORUM or wins_of(fork) is not None


def is_forked(scope: Scope, state: Spawn) -> bool:
    """Whether the branches are executions: they may be ended, wait in numbers, or lie too deep."""
    if state.forked or is_early(state.fork) or scope.id.count("[") >= value_of("parallel_depth"):
        return True
    node = scope.nodes[state.pc]
    if isinstance(node, ForkNode) and node.timed and state.fork.limit is not None:
        return True  # which branches have begun when a deadline comes is seen by the flow
    many = state.fork.over is not None or len(state.branches) > value_of("concurrent_branches")
    return many and any(map(_waits, state.branches))


def _waits(branch: Scope) -> bool:
    return any(isinstance(state, Await | Sleep | Spawn | Child) for state in branch.states)


def _is_false(written: ast.expr | None) -> bool:
    return written is None or (isinstance(written, ast.Constant) and written.value is False)


def _is_one(written: ast.expr | None) -> bool:
    return isinstance(written, ast.Constant) and written.value == 1 and written.value is not True


def with_branches(main: dict[str, Json], routines: list[str], flow: str) -> dict[str, Json]:
    """`main` of a workflow whose executions may be branches too: `input.branch` says which."""
    steps = main["steps"]
    assert isinstance(steps, list), "steps are a list"
    first = step("branch", {"assign": [{"finished": None}]})
    ask: Json = {"flow": flow, "scope": "", "site": "branch_over", "line": "", "over": True}
    told: Json = {
        "state": "${input.state}",
        "time": NOW,
        "fork": "${input.fork}",
        "index": "${input.index}",
        "end": "${finished.end}",
        "won": "${finished.won}",
    }
    lost: Json = {"end": '${map.get(e, "end")}', "won": '${map.get(e, "won")}'}
    tried: dict[str, Json] = {
        "try": {"steps": _calls(routines)},
        "except": {"as": "e", "steps": [step("branch_failed", {"assign": [{"finished": lost}]})]},
    }
    over: dict[str, Json] = {"call": "site", "args": {"ask": ask, "state": told}, "next": "end"}
    return {
        **main,
        "steps": [*steps, first, step("branch_try", tried), step("branch_over", over)],
    }


def with_ways_in(main: dict[str, Json], heads: list[str], switches: list[str]) -> dict[str, Json]:
    """`main` of a workflow that does not always begin with its first step; `switches`: names of
    the steps that choose among the heads of loops.
    """
    steps = main["steps"]
    assert isinstance(steps, list), "steps are a list"
    ways: list[Json] = []
    if any(isinstance(one, dict) and "branch" in one for one in steps):
        ways.append({"condition": '${("branch" in input)}', "next": "branch"})
    if not heads:
        begin = [step("which", {"switch": ways, "next": "begin"})] if ways else []
        return {**main, "steps": [*begin, *steps]}
    ways.append({"condition": '${("resume" in input)}', "next": "resume"})
    most = value_of("conditions")
    found: list[Json] = [step("resume", {"assign": [REPLY]})]
    for number, switch in enumerate(switches):
        cases: list[Json] = [
            {"condition": f'${{(input.resume == "{name}")}}', "next": name}
            for name in heads[number * most : (number + 1) * most]
        ]
        found.append(step(switch, {"switch": cases}))
    lost = step("resume_nowhere", {"raise": "no such step"})
    which = step("which", {"switch": ways, "next": "begin"})
    return {**main, "steps": [which, *steps, *found, lost]}


def _calls(routines: list[str]) -> list[Json]:
    """The routine that `input.branch` names: a switch for each of as many as one may have."""
    most = value_of("conditions")
    steps: list[Json] = []
    for first in range(0, len(routines), most):
        cases: list[Json] = [
            {"condition": f'${{(input.branch == "{name}")}}', "next": f"branch_{name}"}
            for name in routines[first : first + most]
        ]
        steps.append(step(f"branch_which_{first // most}", {"switch": cases}))
    for name in routines:
        args: Json = {"reply": {"state": "${input.state}"}}
        steps.append(
            step(
                f"branch_{name}",
                {"call": name, "args": args, "result": "finished", "next": "branch_ended"},
            )
        )
    return [*steps, step("branch_ended", {"assign": [{"over": True}]})]
