"""`gather`, `race` and `quorum` become `Fork`.

Static branches as written; a single starred comprehension over one function becomes a map over its
arguments; everything else (starred lists, mixtures, tables, computed names) a map over coroutine
values:

    gather(*[quote(item, "EUR") for item in items])
        -> over [item for item in items], branch (_1): quote(_1, "EUR")
    gather(first(), *others)
        -> over [first(), *others], branch (_1): await _1
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from perdure.frontend.analysis import CallKind
from perdure.frontend.build import comprehensions, expressions, operations
from perdure.frontend.build.lowering import Emit, Lowering, NotYetError, load, located
from perdure.frontend.build.signatures import fits
from perdure.ir import Branch, Exit, ExitKind, Facts, Fork, ForkKind, Slot
from perdure.operations import NO_BRANCHES
from perdure.passes.merge_pure import together
from perdure.uses import bound_by_target

if TYPE_CHECKING:
    from perdure.frontend.analysis import CallFact
    from perdure.ir import Expr

__all__ = ["prepare_fork"]

_KINDS = {"gather": ForkKind.ALL, "race": ForkKind.RACE, "quorum": ForkKind.QUORUM}
_OPTIONS = ("limit", "return_exceptions", "fail_fast")


class _Plan(NamedTuple):
    """A fork whose operands were evaluated: named branches, or a map of `over`, with the facts of
    that.
    """

    static: list[tuple[str, Emit, ast.expr]]
    over: "Expr | None" = None
    mapped: Branch | None = None
    facts: Facts = Facts(may_raise=False)


def prepare_fork(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    """Evaluate the operands of a fork's coroutines, then its options."""
    kind = _KINDS[fact.native or "gather"]
    coroutines, options = list(node.args), dict[str, ast.expr]()
    if kind is ForkKind.RACE and not (node.args or node.keywords):
        return lambda _: _nothing_to_race(low, node)
    if kind is ForkKind.RACE:
        plan = _plan_race(low, node, hold=hold)
    else:
        if kind is ForkKind.QUORUM:
            options["quorum"] = _quorum_count(low, coroutines)
        options |= _options(node)
        plan = _plan(low, node, coroutines, hold=hold or any(map(low.holds, options.values())))
        operations.operands(low, list(options.values()), hold=hold)

    def emit(target: Slot | None) -> None:
        branches = tuple(
            operations.branch_of(low, name, run, low.span(at)) for name, run, at in plan.static
        )
        if plan.mapped is not None:
            branches = (plan.mapped,)
        chosen = {name: low.pure(value) for name, value in options.items()}
        facts = low.facts(options.values(), list(chosen.values()))
        low.add(
            Fork(
                kind,
                fact.label,
                target,
                branches,
                plan.over,
                chosen.get("limit"),
                chosen.get("return_exceptions"),
                chosen.get("fail_fast"),
                chosen.get("quorum"),
                together(plan.facts, facts),
                low.span(node),
            )
        )
        low.bind([target])

    return emit


def _nothing_to_race(low: Lowering, node: ast.Call) -> None:
    """`await race()` raises what the run time raises."""
    text = located(ast.Constant(NO_BRANCHES), node)
    error = located(ast.Call(located(ast.Name("ValueError", ast.Load()), node), [text], []), node)
    low.add(Exit(ExitKind.RAISE, error, None, low.facts([error], [error]), low.span(node)))
    low.bound = None


def _quorum_count(low: Lowering, coroutines: list[ast.expr]) -> ast.expr:
    if not coroutines or isinstance(coroutines[0], ast.Starred):
        raise NotYetError("`quorum` whose count is unpacked")
    count = coroutines.pop(0)
    expressions.settle(low, count)
    return count


def _options(node: ast.Call) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    for keyword in node.keywords:
        if keyword.arg not in _OPTIONS:
            raise NotYetError("`gather` with unpacked options")
        found[keyword.arg] = keyword.value
    return found


def _plan(low: Lowering, node: ast.Call, coroutines: list[ast.expr], *, hold: bool) -> _Plan:
    match coroutines:
        case [ast.Starred(value=ast.ListComp() | ast.GeneratorExp() as items)] if not low.holds(
            items
        ) or comprehensions.is_free_inside(low, items):
            low.marks.operations.discard(id(coroutines[0]))
            return _map_over_arguments(low, items, hold=hold) or _map_over_values(
                low, node, coroutines, hold=hold
            )
        case _ if any(isinstance(each, ast.Starred) for each in coroutines):
            return _map_over_values(low, node, coroutines, hold=hold)
        case _:
            return _Plan(
                [
                    (str(at), operations.prepare(low, each, hold=True), each)
                    for at, each in enumerate(coroutines)
                ]
            )


def _plan_race(low: Lowering, node: ast.Call, *, hold: bool) -> _Plan:
    if node.args:
        raise NotYetError("`race` with positional arguments")
    if node.keywords and all(keyword.arg is not None for keyword in node.keywords):
        return _Plan(
            [
                (
                    keyword.arg or "",
                    operations.prepare(low, keyword.value, hold=True),
                    keyword.value,
                )
                for keyword in node.keywords
            ]
        )
    names = node.keywords[0].value
    expressions.in_order(low, [keyword.value for keyword in node.keywords])
    given = list(node.keywords)
    called = located(ast.Call(located(ast.Name("dict", ast.Load()), names), [], given), names)
    method = located(ast.Attribute(called, "items", ast.Load()), names)
    items = located(ast.Call(method, [], []), names)
    pairs = located(ast.List([located(ast.Starred(items, ast.Load()), names)], ast.Load()), names)
    key, value = low.fresh(), low.fresh()
    return _mapped(low, pairs, (key, value), value, node, hold=hold)


def _map_over_values(
    low: Lowering, node: ast.Call, coroutines: list[ast.expr], *, hold: bool
) -> _Plan:
    expressions.in_order(low, coroutines)
    match coroutines:
        case [ast.Starred(value=ast.ListComp() as items)]:
            values: ast.expr = items
        case _:
            values = located(ast.List(coroutines, ast.Load()), node)
    item = low.fresh()
    return _mapped(low, values, (item,), item, node, hold=hold)


def _mapped(
    low: Lowering,
    values: ast.expr,
    params: tuple[Slot, ...],
    item: Slot,
    node: ast.Call,
    *,
    hold: bool,
) -> _Plan:
    if hold:
        expressions.settle(low, values)
    over = low.pure(values)
    facts = low.facts([values], [over])
    return _Plan([], over, operations.value_branch(low, "", params, item, node), facts)


def _map_over_arguments(
    low: Lowering, items: ast.ListComp | ast.GeneratorExp, *, hold: bool
) -> _Plan | None:
    """The plan when the element is a call of one step, flow or helper whose arguments surely
    fit.
    """
    call = items.elt
    fact = low.fact(call)
    if (
        fact is None
        or not isinstance(call, ast.Call)
        or not _is_simple(low, call, fact)
        or any(generator.is_async for generator in items.generators)
    ):
        return None
    own = {name for generator in items.generators for name in bound_by_target(generator.target)}
    own |= {part.target.id for part in ast.walk(items) if isinstance(part, ast.NamedExpr)}
    arguments = operations.argument_nodes(call)
    varying = [part for part in arguments if not _is_fixed(low, part, own)]
    params = tuple(low.fresh() for _ in varying)
    over = _items(items, varying)
    if hold:
        expressions.settle(low, over)
    instrumented = low.pure(over)
    facts = low.facts([over], [instrumented])
    for part, param in zip(varying, params, strict=True):
        low.replaced[id(part)] = load(param, part)
    emit = operations.prepare(low, call, hold=True)
    branch = operations.branch_of(low, "", emit, low.span(call), params)
    return _Plan([], instrumented, branch, facts)


def _is_simple(low: Lowering, call: ast.Call, fact: "CallFact") -> bool:
    if operations.has_stars(call) or fact.options is not None:
        return False
    match fact.kind:
        case CallKind.STEP | CallKind.FLOW | CallKind.HELPER:
            return fits(low.analysis, fact, call)
        case CallKind.NATIVE:
            return fact.native in ("event", "sleep")
        case _:
            return False


def _is_fixed(low: Lowering, node: ast.expr, own: set[str]) -> bool:
    """The same for every item: a constant, or a name from outside."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name not in own and expressions.is_steady_name(low, name)
        case _:
            return False


def _items(items: ast.ListComp | ast.GeneratorExp, varying: Sequence[ast.expr]) -> ast.expr:
    """The comprehension that gives the arguments."""
    at = items.elt
    match varying:
        case []:
            element: ast.expr = located(ast.Constant(None), at)
        case [one]:
            element = one
        case _:
            element = located(ast.Tuple(list(varying), ast.Load()), at)
    if isinstance(items, ast.ListComp):
        return located(ast.ListComp(element, items.generators), items)
    inner = located(ast.GeneratorExp(element, items.generators), items)
    return located(ast.List([located(ast.Starred(inner, ast.Load()), items)], ast.Load()), items)
