"""Neighbouring pure statements become one, so that targets see whole stretches of Python.

| _1 = order.id           | _1 = order.id
|. total = 0         ->   | total = 0
x = op step charge(_1)    x = op step charge(_1)
"""

from perdure.ir import Block, Facts, Program, Pure, Stmt
from perdure.passes.blocks import rewrite_blocks
from perdure.uses import uses

__all__ = ["merge_pure", "together"]


def merge_pure(program: Program) -> Program:
    """Merge runs of `Pure` in every block."""
    return rewrite_blocks(program, _merge)


def together(first: Facts, second: Facts) -> Facts:
    """The facts of two pieces of code, one after the other."""
    return Facts(
        reads=first.reads | (second.reads - first.binds),
        writes=first.writes | second.writes,
        binds=(first.binds - (second.writes - second.binds)) | second.binds,
        may_raise=first.may_raise or second.may_raise,
        records=first.records or second.records,
        loops=first.loops or second.loops,
    )


def _merge(block: Block) -> Block:
    found: list[Stmt] = []
    run: list[Pure] = []
    for statement in block:
        if isinstance(statement, Pure):
            run.append(statement)
            continue
        found += _joined(run)
        run = []
        found.append(statement)
    return (*found, *_joined(run))


def _joined(run: list[Pure]) -> list[Pure]:
    if len(run) < 2:
        return run
    facts = run[0].facts
    for each in run[1:]:
        facts = together(facts, each.facts)
    code = tuple(node for each in run for node in each.code)
    if any(each.facts.writes - each.facts.binds for each in run):
        # What one deletes another may read: only the whole says whether it is bound there.
        slots = frozenset[str]().union(*(each.facts.reads for each in run))
        facts = facts._replace(reads=uses(code).reads & slots)
    last = run[-1].span
    span = run[0].span._replace(end_line=last.end_line, end_column=last.end_column)
    return [Pure(code, facts, span)]
