"""`match` with operations; a guard with operations splits the cases into two.

match s:                        _1 = s
    case A(): ...               match _1:
    case B(x) if await g(x):        case A(): ...; _2 = True
        ...            ->           case B(x): _3 = await g(x); if _3: ...; _2 = True  else: _2
        = False
    case C(): ...                   case _: _2 = False
                                if not _2: match _1: case C(): ...
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.frontend.build import expressions, statements
from perdure.frontend.build.lowering import Lowering, load, located
from perdure.ir import Case, Match
from perdure.uses import bound_by_target

if TYPE_CHECKING:
    from perdure.ir import Slot

__all__ = ["write"]


def write(low: Lowering, node: ast.Match) -> None:
    """Write a `match` that holds an operation or an exit."""
    expressions.take_out(low, node.subject)
    if any(case.guard is not None and low.holds(case.guard) for case in node.cases):
        expressions.settle(low, node.subject)
    _cases(low, node, node.cases)


def _cases(low: Lowering, node: ast.Match, cases: Sequence[ast.match_case]) -> None:
    split = next(
        (at for at, case in enumerate(cases) if case.guard is not None and low.holds(case.guard)),
        None,
    )
    if split is None:
        _match(low, node, cases, None)
        return
    done = low.fresh()
    _match(low, node, cases[: split + 1], done)
    low.bind([done])
    rest = cases[split + 1 :]
    if not rest:
        return
    missed = located(ast.UnaryOp(ast.Not(), load(done, node)), node)
    expressions.choose(low, missed, lambda: _cases(low, node, rest), lambda: None, node)


def _match(
    low: Lowering, node: ast.Match, cases: Sequence[ast.match_case], done: "Slot | None"
) -> None:
    subject = low.pure(node.subject)
    facts = low.facts([node.subject], [subject])
    written: list[Case] = []
    ends: list[set[str]] = []
    for case in cases:
        with low.block() as body:
            low.bind(bound_by_target(case.pattern))
            guard = None
            if case.guard is not None and low.holds(case.guard):
                _guarded(low, case, case.guard, done)
            else:
                guard = None if case.guard is None else low.pure(case.guard)
                _mark(low, node, done, found=True)
                statements.block(low, case.body)
            if low.bound is not None:
                ends.append(low.bound)
        label = expressions.label_of(low, "case", case.pattern)
        span = low.span(case.pattern)
        written.append(Case(label, case.pattern, guard, tuple(body), span))
    if not _is_open(cases[-1]):
        low.bound = set[str].intersection(*ends) if ends else None
    elif done is not None:
        with low.block() as body:
            _mark(low, node, done, found=False)
        written.append(
            Case("case _", located(ast.MatchAs(), node), None, tuple(body), low.span(node))
        )
    label = expressions.label_of(low, "match", node.subject)
    low.add(Match(label, subject, tuple(written), facts, low.span(node)))


def _guarded(low: Lowering, case: ast.match_case, guard: ast.expr, done: "Slot | None") -> None:
    condition = expressions.test(low, guard)

    def matched() -> None:
        _mark(low, guard, done, found=True)
        statements.block(low, case.body)

    expressions.choose(low, condition, matched, lambda: _mark(low, guard, done, found=False), guard)


def _mark(low: Lowering, at: ast.expr | ast.stmt, done: "Slot | None", *, found: bool) -> None:
    if done is not None:
        low.keep(done, located(ast.Constant(found), at), at)


def _is_open(case: ast.match_case) -> bool:
    """Whether control may get past the case because it does not match."""
    match case.pattern:
        case ast.MatchAs(pattern=None):
            return case.guard is not None and not _is_await_guard(case)
        case _:
            return True


def _is_await_guard(case: ast.match_case) -> bool:
    return any(isinstance(node, ast.Await) for node in ast.walk(case.guard or ast.Constant(None)))
