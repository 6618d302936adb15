"""Operations out of expressions, in Python's order of evaluation.

`take_out` leaves an expression whose operations are temporaries; what Python evaluates before an
operation is kept in temporaries too, unless nothing can change it meanwhile:

    f(a.b, await g(), c.d)      ->      _1 = a.b; _2 = await g(); f(_1, _2, c.d)

`and`, `or`, conditional expressions and chained comparisons with operations in parts that may not
run become `If`.
"""

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from perdure.frontend.build import comprehensions, operations
from perdure.frontend.build.lowering import Lowering, NotYetError, load, located, store
from perdure.frontend.build.scan import defaults_of
from perdure.ir import If

if TYPE_CHECKING:
    from perdure.ir import Slot

__all__ = ["choose", "in_order", "into", "label_of", "settle", "take_out", "test"]


def take_out(low: Lowering, node: ast.expr) -> None:
    """Write the operations in `node`; afterwards `low.pure(node)` is what is left of it."""
    if not low.holds(node):
        return
    match node:
        case ast.Await():
            _into_temporary(low, node, lambda target: operations.wait(low, node, target))
        case ast.BoolOp():
            _into_temporary(low, node, lambda target: _bool_op(low, node, node.values, target))
        case ast.IfExp():
            _into_temporary(low, node, lambda target: _if_exp(low, node, target))
        case ast.Compare() if any(low.holds(part) for part in node.comparators[1:]):
            _into_temporary(low, node, lambda target: _compare(low, node, target, as_test=False))
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            if not comprehensions.is_free_inside(low, node):
                _into_temporary(low, node, lambda target: comprehensions.write(low, node, target))
        case ast.Call() if (fact := low.fact(node)) and fact.native == "create_task":
            _into_temporary(low, node, operations.prepare(low, node, hold=False))
        case ast.Call():
            _call(low, node)
        case ast.FormattedValue(format_spec=ast.expr() as spec) if low.holds(spec):
            _format_late(low, node, spec)
        case ast.Dict() if any(key is None for key in node.keys):
            _into_temporary(low, node, lambda target: _display(low, node, target))
        case _:
            in_order(low, _operands(node))
    low.marks.operations.discard(id(node))


def into(low: Lowering, node: ast.expr, target: "Slot") -> None:
    """Write `target = node`, without a detour through another temporary."""
    if low.holds(node):
        match node:
            case ast.Await():
                operations.wait(low, node, target)
                return
            case ast.BoolOp():
                _bool_op(low, node, node.values, target)
                return
            case ast.IfExp():
                _if_exp(low, node, target)
                return
            case ast.Call() if (fact := low.fact(node)) and fact.native == "create_task":
                operations.prepare(low, node, hold=False)(target)
                return
            case _:
                take_out(low, node)
    low.keep(target, node, node)


def in_order(low: Lowering, nodes: Sequence[ast.expr]) -> None:
    """Take the operations out of expressions that are evaluated from left to right."""
    last = max((at for at, node in enumerate(nodes) if low.holds(node)), default=-1)
    if last < 0:
        return
    for node in nodes[:last]:
        settle(low, node)
    take_out(low, nodes[last])


def settle(low: Lowering, node: ast.expr) -> None:
    """Evaluate an operand now: afterwards it is a temporary, a constant, or a name that nothing
    rebinds.
    """
    take_out(low, node)
    if _is_steady(low, node):
        return
    match node:
        case ast.Starred(value=inner):
            name = low.fresh()
            low.keep(name, located(ast.List([node], ast.Load()), node), node)
            low.replaced[id(inner)] = load(name, inner)
        case ast.FormattedValue():
            _format(low, node)
        case ast.Slice():
            for part in (node.lower, node.upper, node.step):
                if part is not None:
                    settle(low, part)
        case _:
            name = low.fresh()
            low.keep(name, node, node)
            low.replaced[id(node)] = load(name, node)


def test(low: Lowering, node: ast.expr) -> ast.expr:
    """Take the operations out of a condition; gives what to test, once, in its place.

    `a and await b()` as a condition never asks `a` for its truth a second time, as CPython's jumps
    do not.
    """
    if not low.holds(node):
        return node
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return located(ast.UnaryOp(ast.Not(), test(low, operand)), node)
        case ast.BoolOp() | ast.IfExp():
            pass
        case ast.Compare() if any(low.holds(part) for part in node.comparators[1:]):
            pass
        case _:
            take_out(low, node)
            return node
    name = low.fresh()
    _truth_into(low, node, name)
    return load(name, node)


def _truth_into(low: Lowering, node: ast.expr, target: "Slot") -> None:
    """Write a value into `target` that is as true as `node`, and may be asked once more."""
    match node:
        case ast.BoolOp() if low.holds(node):
            _bool_test(low, node, node.values, target)
        case ast.IfExp() if low.holds(node):
            choose(
                low,
                test(low, node.test),
                lambda: _truth_into(low, node.body, target),
                lambda: _truth_into(low, node.orelse, target),
                node,
            )
        case ast.Compare() if any(low.holds(part) for part in node.comparators[1:]):
            _compare(low, node, target, as_test=True)
        case _:
            low.keep(target, _once(test(low, node)), node)


def _once(condition: ast.expr) -> ast.expr:
    """A value for the truth of a condition whose parts would be asked twice."""
    match condition:
        case ast.BoolOp() | ast.IfExp():
            pass
        case ast.Compare(ops=ops) if len(ops) > 1:
            pass
        case _:
            return condition
    yes, no = (located(ast.Constant(value), condition) for value in (True, False))
    return located(ast.IfExp(condition, yes, no), condition)


def choose(
    low: Lowering,
    condition: ast.expr,
    then: Callable[[], None],
    orelse: Callable[[], None],
    at: ast.expr | ast.stmt,
) -> None:
    """Write an `If` on a condition without operations."""
    instrumented = low.pure(condition)
    facts = low.facts([condition], [instrumented])
    low.bind(facts.binds)
    first, second = low.alternatives(then, orelse)
    low.add(If(label_of(low, "if", condition), instrumented, first, second, facts, low.span(at)))


def label_of(low: Lowering, word: str, node: ast.expr | ast.pattern) -> str:
    """A name for people: the keyword and the start of what was written."""
    span = low.span(node)
    text = low.source.excerpt(span).split("\n", 1)[0].strip()
    return f"{word} {text}" if len(text) <= 60 else f"{word} {text[:57]}..."


def _into_temporary(low: Lowering, node: ast.expr, write: Callable[["Slot"], None]) -> None:
    name = low.fresh()
    write(name)
    low.replaced[id(node)] = load(name, node)


def _is_steady(low: Lowering, node: ast.expr) -> bool:
    if id(node) in low.replaced:
        return True
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return is_steady_name(low, name)
        case ast.Attribute(value=value):
            return _is_global(low, value)
        case ast.Tuple(elts=parts):
            return all(
                not isinstance(part, ast.Starred) and _is_steady(low, part) for part in parts
            )
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
        case _:
            return False


def _is_global(low: Lowering, node: ast.expr) -> bool:
    """A module-level thing, or a part of one: bound once, frozen."""
    match node:
        case ast.Name(id=name):
            return not low.is_slot(name) and id(node) not in low.replaced
        case ast.Attribute(value=value):
            return _is_global(low, value)
        case _:
            return False


def is_steady_name(low: Lowering, name: str) -> bool:
    """Whether a name means the same, and cannot be unbound, until the statement ends."""
    if name in low.temporaries:
        return True
    if name in low.info.locals:
        return low.is_bound(name) and name not in low.marks.unsteady
    # Globals are bound once; another scope's variable may change while this function waits.
    return name not in low.info.free


def _call(low: Lowering, node: ast.Call) -> None:
    """A call of something pure, with operations in its arguments (or in what is called)."""
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    later = any(low.holds(argument) for argument in arguments)
    match node.func:
        case ast.Attribute(value=receiver, attr=method) if later and not _is_steady(low, node.func):
            _bind_method(low, node.func, receiver, method)
        case _:
            if later:
                settle(low, node.func)
            else:
                take_out(low, node.func)
    _in_order_of_call(low, node)


def _bind_method(low: Lowering, node: ast.Attribute, receiver: ast.expr, method: str) -> None:
    """Evaluate `receiver.method` before the arguments.

    A bound method is no value that can wait, so the receiver waits; that it has the method is
    asked now.
    """
    settle(low, receiver)
    if isinstance(receiver, ast.Name):
        kind = low.marks.container(receiver.id)
        if kind is not None and hasattr(kind, method):
            return
    if isinstance(receiver, ast.Constant) and hasattr(receiver.value, method):
        return
    low.code(located(ast.Expr(node), node))


def _in_order_of_call(low: Lowering, node: ast.Call) -> None:
    operands: list[ast.expr] = [*node.args]
    last = max(
        (at for at, keyword in enumerate(node.keywords) if low.holds(keyword.value)), default=-1
    )
    for keyword in node.keywords[: max(last, 0)]:
        if keyword.arg is None:
            raise NotYetError("an operation in an argument after `**`")
    operands += [keyword.value for keyword in node.keywords]
    in_order(low, operands)


def _operands(node: ast.expr) -> list[ast.expr]:
    """The parts of an expression that are all evaluated, in order."""
    match node:
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Compare(left=left, comparators=comparators):
            # Operations are in the first two: the others run only if these compare true.
            return [left, comparators[0]]
        case ast.Subscript(value=value, slice=index):
            return [value, index]
        case ast.Slice(lower=lower, upper=upper, step=step):
            return [part for part in (lower, upper, step) if part is not None]
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.Dict(keys=keys, values=values):
            return _dict_operands(keys, values)
        case ast.JoinedStr(values=parts):
            return parts
        case ast.Lambda():
            return defaults_of(node)
        case (
            ast.UnaryOp(operand=value)
            | ast.Attribute(value=value)
            | ast.Starred(value=value)
            | ast.NamedExpr(value=value)
            | ast.FormattedValue(value=value)
        ):
            return [value]
        case _:
            raise NotYetError(f"an operation in a `{type(node).__name__}` expression")


def _display(low: Lowering, node: ast.Dict, target: "Slot") -> None:
    """`{**d, "k": await f()}`: what stands before an operation is merged before it."""
    kept: list[tuple[ast.expr | None, ast.expr]] = []

    def merged() -> ast.expr:
        return located(ast.Dict([key for key, _ in kept], [value for _, value in kept]), node)

    for key, value in zip(node.keys, node.values, strict=True):
        parts = [value] if key is None else [key, value]
        if kept and any(map(low.holds, parts)):
            name = low.fresh()
            low.keep(name, merged(), node)
            kept = [(None, load(name, node))]
        in_order(low, parts)
        kept.append((key, value))
    low.keep(target, merged(), node)


def _dict_operands(keys: Sequence[ast.expr | None], values: Sequence[ast.expr]) -> list[ast.expr]:
    return [part for pair in zip(keys, values, strict=True) for part in pair if part is not None]


def _format(low: Lowering, node: ast.FormattedValue) -> None:
    """Format a part of an f-string now; a text formatted without a format is itself."""
    name = low.fresh()
    low.keep(name, located(ast.JoinedStr([node]), node), node)
    low.replaced[id(node)] = located(ast.FormattedValue(load(name, node), -1, None), node)


def _format_late(low: Lowering, node: ast.FormattedValue, spec: ast.expr) -> None:
    """Evaluate and convert the value of `{value!r:{await width()}}` before its format."""
    take_out(low, node.value)
    if node.conversion == -1:
        settle(low, node.value)
        take_out(low, spec)
        return
    name = low.fresh()
    converted = ast.FormattedValue(node.value, node.conversion, None)
    text = located(ast.JoinedStr([located(converted, node)]), node)
    low.keep(name, text, node)
    take_out(low, spec)
    low.replaced[id(node)] = located(ast.FormattedValue(load(name, node), -1, low.pure(spec)), node)


def _if_exp(low: Lowering, node: ast.IfExp, target: "Slot") -> None:
    condition = test(low, node.test)
    choose(
        low,
        condition,
        lambda: into(low, node.body, target),
        lambda: into(low, node.orelse, target),
        node,
    )


def _first_holding(low: Lowering, values: Sequence[ast.expr]) -> int:
    return next(at for at, value in enumerate(values) if low.holds(value))


def _joined(op: ast.boolop, values: Sequence[ast.expr]) -> ast.expr:
    """`values` as one expression without operations."""
    if len(values) == 1:
        return values[0]
    whole = ast.BoolOp(op, list(values))
    first, last = values[0], values[-1]
    located(whole, first)
    whole.end_lineno, whole.end_col_offset = last.end_lineno, last.end_col_offset
    return whole


def _bool_op(low: Lowering, node: ast.BoolOp, values: Sequence[ast.expr], target: "Slot") -> None:
    """`target = a and await b() and c`: the value of the part that decided."""
    if not any(low.holds(value) for value in values):
        low.keep(target, _joined(node.op, values), node)
        return
    if len(values) == 1:
        into(low, values[0], target)
        return
    # One at a time: the one that decides is asked for its truth once, and is the value.
    decider = low.fresh()
    into(low, values[0], decider)

    def go_on() -> None:
        _bool_op(low, node, values[1:], target)

    def stop() -> None:
        low.keep(target, load(decider, node), node)

    then, orelse = (go_on, stop) if isinstance(node.op, ast.And) else (stop, go_on)
    choose(low, load(decider, values[0]), then, orelse, node)


def _bool_test(low: Lowering, node: ast.BoolOp, values: Sequence[ast.expr], target: "Slot") -> None:
    """`target` is as true as `a and await b()`; each part was asked at most once."""
    if not any(low.holds(value) for value in values):
        low.keep(target, _once(_joined(node.op, values)), node)
        return
    if len(values) == 1:
        _truth_into(low, values[0], target)
        return
    count = max(_first_holding(low, values), 1)
    condition = test(low, _joined(node.op, values[:count]))

    def go_on() -> None:
        _bool_test(low, node, values[count:], target)

    def stop() -> None:
        known = located(ast.Constant(isinstance(node.op, ast.Or)), node)
        low.keep(target, known, node)

    then, orelse = (go_on, stop) if isinstance(node.op, ast.And) else (stop, go_on)
    choose(low, condition, then, orelse, node)


def _compare(low: Lowering, node: ast.Compare, target: "Slot", *, as_test: bool) -> None:
    """`a < await b() < await c()`: the second comparison only if the first is true."""
    in_order(low, [node.left, node.comparators[0]])
    _compare_rest(low, node, node.left, 0, target, as_test=as_test)


def _compare_rest(
    low: Lowering, node: ast.Compare, left: ast.expr, at: int, target: "Slot", *, as_test: bool
) -> None:
    ops, comparators = node.ops[at:], node.comparators[at:]
    later = [place for place, part in enumerate(comparators) if place and low.holds(part)]
    if not later:
        last = located(ast.Compare(left, ops, comparators), node)
        low.keep(target, _once(last) if as_test else last, node)
        return
    # As a value, the comparison that decides is asked once: a chain before would ask it, too.
    count = later[0] if as_test else 1
    middle = low.fresh()
    kept = located(ast.NamedExpr(store(middle, node), comparators[count - 1]), node)
    before: ast.expr = ast.Compare(left, ops[:count], [*comparators[: count - 1], kept])
    located(before, node)
    decider = low.fresh()
    if not as_test:
        low.keep(decider, before, node)
        before = load(decider, node)

    def go_on() -> None:
        low.bind([middle])
        # The next comparator is evaluated while `middle` waits.
        take_out(low, comparators[count])
        _compare_rest(low, node, load(middle, node), at + count, target, as_test=as_test)

    def stop() -> None:
        known = located(ast.Constant(False), node) if as_test else load(decider, node)
        low.keep(target, known, node)

    choose(low, before, go_on, stop, node)
