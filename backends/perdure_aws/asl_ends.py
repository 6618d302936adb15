"""Whether the end of one branch ends its fork.

A Parallel or Map ends before all its branches have only when one of them fails. So a branch that
decides fails, and says in the cause what it knows; every other ends with data.

    race(...)                  each end decides
    gather(fail_fast=True)     a failure decides; written otherwise than as True or False: asked
    TaskGroup                  likewise
    quorum(1, ...)             a success decides; the last failure is the end of all
    quorum(k, ...)             asked: the site that ends a branch counts in the run store
"""

import ast
from typing import Literal, NamedTuple

from perdure.codec import Json
from perdure.ir import Fork, ForkKind
from perdure_aws.expressions import INPUT, expression

__all__ = ["TOGETHER", "End", "Ending", "concurrency", "ending_of", "lost_end"]

type End = Literal["data", "fail", "asked"]


class Ending(NamedTuple):
    """`wins`: what sites of the branch are told; how its `done` and its `failed` end it."""

    wins: str | None
    done: End
    failed: End


CANCELLED_TYPE = "asyncio.exceptions:CancelledError"
TOGETHER = Ending(None, "data", "data")


def ending_of(fork: Fork) -> Ending:
    """How branches of this fork end it."""
    match fork.kind:
        case ForkKind.RACE:
            return Ending("race", "fail", "fail")
        case ForkKind.QUORUM if _is_literal(fork.quorum, 1):
            return Ending("first", "fail", "data")
        case ForkKind.QUORUM:
            return Ending("quorum", "asked", "asked")
        case ForkKind.GROUP:
            # A task that was cancelled has failed, but its group goes on.
            return Ending("group", "data", "asked")
        case ForkKind.ALL if fork.fail_fast is None or _is_literal(fork.fail_fast, False):
            return TOGETHER
        case ForkKind.ALL:
            is_sure = _is_literal(fork.fail_fast, True)
            return Ending("fail_fast", "data", "fail" if is_sure else "asked")


def lost_end(ending: Ending, error: str) -> str:
    """How a branch ends with an error (an expression) that no site saw, and decides, if it does."""
    end = f"'end': {{'error': {error}}}"
    if ending.failed == "data" or ending.wins == "quorum":
        return f"{{{end}}}"
    branch = f"{INPUT}.branch"
    said = f"{{'name': {branch}.name, 'index': {branch}.index, 'error': {error}}}"
    won = f"{{{end}, 'won': $string({said})}}"
    if ending.wins == "group":
        # A task that was cancelled does not end its group.
        ended = f"{{'end': {{'error': {error}, 'index': {branch}.index}}}}"
        return f"({error}.type = '{CANCELLED_TYPE}' ? {ended} : {won})"
    is_sure = ending.failed == "fail"
    return won if is_sure else f"({branch}.fast ? {won} : {{{end}}})"


def _is_literal(written: ast.expr | None, value: object) -> bool:
    return isinstance(written, ast.Constant) and written.value is value


def concurrency(limit: ast.expr | None) -> dict[str, Json]:
    """How many iterations run at once: a number where it is written as one."""
    match limit:
        case None | ast.Constant(value=None):
            return {}
        case ast.Constant(value=int(number)) if number > 0:
            return {"MaxConcurrency": number}
        case _:
            return {"MaxConcurrency": expression(f"{INPUT}.operands.limit")}
