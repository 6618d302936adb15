"""`with` and `async with` become `Deadline`, `Group`, `Try` (for `suppress`) and `With`."""

import ast
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.build import expressions, operations, statements
from perdure.frontend.build.lowering import Lowering, NotYetError, load, located
from perdure.ir import Deadline, Group, Handler, Try, Unlowered, With
from perdure.uses import bound_by_target, uses

if TYPE_CHECKING:
    from perdure.frontend.analysis import FunctionInfo

__all__ = ["write"]


def write(low: Lowering, node: ast.With | ast.AsyncWith) -> None:
    """Write a `with` that holds an operation or an exit."""
    _items(low, node, node.items)


def _items(low: Lowering, node: ast.With | ast.AsyncWith, items: Sequence[ast.withitem]) -> None:
    if not items:
        statements.block(low, node.body)
        return
    item, rest = items[0], items[1:]
    call = item.context_expr
    fact = low.fact(call)
    native = fact.native if fact is not None and fact.kind is CallKind.NATIVE else None
    if isinstance(call, ast.Call) and isinstance(node, ast.AsyncWith) and fact is not None:
        if native in ("timeout", "timeout_at"):
            _deadline(low, node, item, call, rest, absolute=native == "timeout_at")
            return
        if native == "task_group":
            _group(low, node, item, fact.label, rest)
            return
    manager = _manager(low, call)
    if manager is not None and (isinstance(node, ast.AsyncWith) or manager.has_operations):
        _whole(low, node, items, rest)
        return
    if isinstance(call, ast.Call) and low.imports.dotted(call.func) == "contextlib.suppress":
        _suppress(low, node, item, call, rest)
        return
    dotted = low.imports.dotted(call.func) if isinstance(call, ast.Call) else None
    if isinstance(call, ast.Call) and dotted == "contextlib.nullcontext":
        _null(low, node, item, call, rest)
        return
    if dotted is not None and dotted.partition(".")[0] in sys.stdlib_module_names:
        raise NotYetError(f"`{dotted}` around operations")
    if isinstance(node, ast.AsyncWith):
        _whole(low, node, items, rest)
        return
    _with(low, node, item, rest)


def _manager(low: Lowering, call: ast.expr) -> "FunctionInfo | None":
    """The generator function that makes the manager."""
    fact = low.fact(call)
    info = low.analysis.functions.get(fact.refs[0]) if fact is not None and fact.refs else None
    return info if info is not None and info.kind is FunctionKind.MANAGER else None


def _whole(
    low: Lowering,
    node: ast.With | ast.AsyncWith,
    items: Sequence[ast.withitem],
    rest: Sequence[ast.withitem],
) -> None:
    """Code targets keep the statement whole; machines take the manager apart too."""
    whole = node
    if len(items) != len(node.items):
        # What stands before is a statement of its own around this one.
        whole = located(type(node)(list(items), node.body), node)
    item = items[0]
    before = None if low.bound is None else set(low.bound)
    with low.block() as lowered:
        _with(low, node, item, rest)
    what = "a context manager that holds operations"
    low.add(Unlowered(what, (whole,), low.span(node), tuple(lowered)))
    found = uses([whole])
    low.bound = None if found.binds is None else before
    low.bind(found.binds or ())


def _deadline(
    low: Lowering,
    node: ast.AsyncWith,
    item: ast.withitem,
    call: ast.Call,
    rest: Sequence[ast.withitem],
    *,
    absolute: bool,
) -> None:
    name: str | None = None
    match item.optional_vars:
        case None:
            pass
        case ast.Name(id=name):
            pass
        case _:
            raise NotYetError("a timeout kept elsewhere than in a name")
    if operations.has_stars(call) or len(operations.argument_nodes(call)) != 1:
        raise NotYetError("`timeout` with unpacked arguments")
    delay = operations.argument_nodes(call)[0]
    expressions.take_out(low, delay)
    instrumented = low.pure(delay)
    facts = low.facts([delay], [instrumented])
    with low.block() as body:
        low.bind([name])
        _items(low, node, rest)
        bound = low.bound
    fact = low.fact(call)
    label = "" if fact is None else fact.label
    span = low.span(node)
    low.add(Deadline(label, instrumented, absolute, tuple(body), facts, span, name))
    low.bound = bound


def _group(
    low: Lowering, node: ast.AsyncWith, item: ast.withitem, label: str, rest: Sequence[ast.withitem]
) -> None:
    match item.optional_vars:
        case None:
            name = None
        case ast.Name(id=name):
            if _is_given_away(node, name):
                raise NotYetError("a task group that is more than the receiver of `create_task`")
            low.groups.append(name)
        case _:
            raise NotYetError("a task group kept elsewhere than in a name")
    with low.block() as body:
        low.bind([name])
        try:
            _items(low, node, rest)
        finally:
            if name is not None:
                low.groups.pop()
        bound = low.bound
    low.add(Group(label, name, tuple(body), low.span(node)))
    low.bound = bound


def _is_given_away(node: ast.AsyncWith, group: str) -> bool:
    """Whether the group is used otherwise than to create tasks where it is open."""
    tasks = {
        id(part.func.value)
        for part in ast.walk(node)
        if isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr == "create_task"
    }
    return any(
        isinstance(part, ast.Name)
        and part.id == group
        and isinstance(part.ctx, ast.Load)
        and id(part) not in tasks
        for part in ast.walk(node)
    )


def _suppress(
    low: Lowering,
    node: ast.With | ast.AsyncWith,
    item: ast.withitem,
    call: ast.Call,
    rest: Sequence[ast.withitem],
) -> None:
    """As `contextlib.suppress.__exit__`: also takes its errors out of a group, and raises the
    others.
    """
    if item.optional_vars is not None or call.keywords:
        raise NotYetError("`suppress(...) as name`")
    kinds = located(ast.Tuple(list(call.args), ast.Load()), call)
    expressions.in_order(low, call.args)
    expressions.settle(low, kinds)
    with low.block() as body:
        _items(low, node, rest)
    span = low.span(item.context_expr)
    caught = Handler(low.pure(kinds), None, (), span)
    group, split = low.fresh(), low.fresh()
    with low.block() as inside:
        low.bind([group])
        method = located(ast.Attribute(load(group, call), "split", ast.Load()), call)
        low.keep(split, located(ast.Call(method, [kinds], []), call), call)
        other = located(
            ast.Subscript(load(split, call), located(ast.Constant(1), call), ast.Load()), call
        )
        some = located(ast.Compare(other, [ast.IsNot()], [located(ast.Constant(None), call)]), call)
        raised = located(ast.Raise(other), node)
        expressions.choose(low, some, lambda: statements.block(low, [raised]), lambda: None, node)
    base = located(ast.Name("BaseExceptionGroup", ast.Load()), call)
    groups = Handler(low.pure(base), group, tuple(inside), span)
    low.add(Try(tuple(body), (caught, groups), (), (), False, low.span(node)))


def _null(
    low: Lowering,
    node: ast.With | ast.AsyncWith,
    item: ast.withitem,
    call: ast.Call,
    rest: Sequence[ast.withitem],
) -> None:
    """`nullcontext(value)` gives its value, and does nothing at the end."""
    given = operations.argument_nodes(call)
    if (
        operations.has_stars(call)
        or len(given) > 1
        or any(k.arg != "enter_result" for k in call.keywords)
    ):
        raise NotYetError("`nullcontext` with other arguments")
    value = given[0] if given else located(ast.Constant(None), call)
    expressions.in_order(low, [value])
    slot = low.fresh()
    low.keep(slot, value, call)
    if item.optional_vars is not None:
        assign = located(ast.Assign([item.optional_vars], load(slot, call)), call)
        statements.block(low, [assign])
    _items(low, node, rest)


def _with(
    low: Lowering,
    node: ast.With | ast.AsyncWith,
    item: ast.withitem,
    rest: Sequence[ast.withitem],
) -> None:
    info = _manager(low, item.context_expr)
    expressions.take_out(low, item.context_expr)
    name = item.optional_vars
    if name is not None and low.holds(name):
        raise NotYetError("an operation in the target of a `with`")
    manager = low.pure(item.context_expr)
    target = None if name is None else low.pure(name)
    facts = low.facts([item.context_expr], [manager])
    with low.block() as body:
        if name is not None:
            low.bind(bound_by_target(name))
        _items(low, node, rest)
    is_async = isinstance(node, ast.AsyncWith)
    ref = None if info is None else info.ref
    low.add(With(manager, ref, target, tuple(body), is_async, facts, low.span(node)))
