"""Statements become nodes: control that holds an operation, or that leaves it, is spelled out."""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.frontend.build import assignments, contexts, expressions, matches, operations
from perdure.frontend.build.lowering import Lowering, NotYetError, located
from perdure.frontend.build.scan import defaults_of
from perdure.ir import (
    YIELD,
    Argument,
    Block,
    Call,
    Exit,
    ExitKind,
    For,
    Handler,
    Try,
    Unlowered,
    While,
)
from perdure.uses import bound_by_target, uses

if TYPE_CHECKING:
    from perdure.ir import Expr

__all__ = ["block"]


def block(low: Lowering, code: Sequence[ast.stmt]) -> None:
    """Write statements, those without operations in runs as long as can be."""
    run: list[ast.stmt] = []
    for node in code:
        if id(node) not in low.marks.spelled and not isinstance(node, ast.Raise):
            if not _says_nothing(node):
                run.append(node)
            continue
        if run:
            low.code(*run)
            run = []
        _spell(low, node)
    if run:
        low.code(*run)


def _says_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Nonlocal) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _spell(low: Lowering, node: ast.stmt) -> None:
    """Write one statement; what cannot be taken apart stays whole, and takes back what was
    begun.
    """
    length, replaced = len(low.out), dict(low.replaced)
    bound = None if low.bound is None else set(low.bound)
    try:
        _statement(low, node)
    except NotYetError as problem:
        del low.out[length:]
        low.replaced.clear()
        low.replaced.update(replaced)
        low.bound = bound
        lowered = _for_machines(low, node) if problem.machines else ()
        low.add(Unlowered(problem.what, (node,), low.span(node), lowered))
        found = uses([node])
        if found.binds is None:
            low.bound = None
        low.bind(found.binds or ())


def _for_machines(low: Lowering, node: ast.stmt) -> Block:
    """The statement as machines take it apart, () where they cannot either."""
    replaced = dict(low.replaced)
    low.machines = True
    try:
        with low.block() as lowered:
            _statement(low, node)
    except NotYetError:
        return ()
    finally:
        low.machines = False
        low.replaced.clear()
        low.replaced.update(replaced)
    return tuple(lowered)


def _statement(low: Lowering, node: ast.stmt) -> None:
    match node:
        case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Delete():
            assignments.write(low, node)
        case ast.Expr(value=ast.Await() as awaited):
            operations.wait(low, awaited, None)
        case ast.Expr(value=ast.Call() as call) if (
            fact := low.fact(call)
        ) and fact.native == "create_task":
            operations.prepare(low, call, hold=False)(None)
        case ast.Expr(value=ast.Yield(value=value)):
            _yield(low, node, value)
        case ast.Expr(value=value):
            expressions.take_out(low, value)
            low.code(node)
        case ast.Return() | ast.Raise() | ast.Break() | ast.Continue():
            _exit(low, node)
        case ast.Assert():
            _assert(low, node)
        case ast.If():
            _if(low, node)
        case ast.While():
            _while(low, node)
        case ast.For():
            _for(low, node)
        case ast.Try() | ast.TryStar():
            _try(low, node)
        case ast.With() | ast.AsyncWith():
            contexts.write(low, node)
        case ast.Match():
            matches.write(low, node)
        case ast.AsyncFunctionDef():
            _nested(low, node)
        case ast.FunctionDef():
            expressions.in_order(low, defaults_of(node))
            low.code(node)
        case ast.AsyncFor():
            raise NotYetError("`async for`")
        case _:
            raise NotYetError(f"an operation in a `{type(node).__name__}` statement")


def _yield(low: Lowering, node: ast.stmt, value: ast.expr | None) -> None:
    """Where the body of a manager's `with` runs."""
    given = located(ast.Constant(None), node) if value is None else value
    expressions.in_order(low, [given])
    pure = low.pure(given)
    facts = low.facts([given], [pure])
    low.add(Call(YIELD, "yield", None, (Argument(pure),), facts, low.span(node)))


def _exit(low: Lowering, node: ast.Return | ast.Raise | ast.Break | ast.Continue) -> None:
    value: ast.expr | None = None
    cause: ast.expr | None = None
    match node:
        case ast.Return():
            kind, value = ExitKind.RETURN, node.value
        case ast.Raise():
            kind, value, cause = ExitKind.RAISE, node.exc, node.cause
        case ast.Break():
            kind = ExitKind.BREAK
        case ast.Continue():
            kind = ExitKind.CONTINUE
    parts = [part for part in (value, cause) if part is not None]
    expressions.in_order(low, parts)
    low.add(_exit_node(low, kind, value, cause, node))
    low.bound = None


def _exit_node(
    low: Lowering,
    kind: ExitKind,
    value: ast.expr | None,
    cause: ast.expr | None,
    node: ast.stmt,
) -> Exit:
    parts = [part for part in (value, cause) if part is not None]
    instrumented: list[Expr] = [low.pure(part) for part in parts]
    facts = low.facts(parts, instrumented)
    return Exit(
        kind,
        instrumented[0] if value is not None else None,
        instrumented[-1] if cause is not None else None,
        facts,
        low.span(node),
    )


def _assert(low: Lowering, node: ast.Assert) -> None:
    if node.msg is None or not low.holds(node.msg):
        condition = expressions.test(low, node.test)
        low.code(located(ast.Assert(condition, node.msg), node))
        return
    message = node.msg
    condition = expressions.test(low, node.test)

    def fail() -> None:
        expressions.take_out(low, message)
        never = located(ast.Constant(False), node)
        low.code(located(ast.Assert(never, message), node))

    expressions.choose(low, condition, lambda: None, fail, node)


def _if(low: Lowering, node: ast.If) -> None:
    condition = expressions.test(low, node.test)
    expressions.choose(
        low, condition, lambda: block(low, node.body), lambda: block(low, node.orelse), node
    )


def _while(low: Lowering, node: ast.While) -> None:
    label = expressions.label_of(low, "while", node.test)
    with low.block() as before:
        condition = expressions.test(low, node.test)
        instrumented = low.pure(condition)
        facts = low.facts([condition], [instrumented])
        low.bind(facts.binds)
        with low.block() as body:
            block(low, node.body)
        with low.block() as orelse:
            block(low, node.orelse)
    low.add(
        While(
            label,
            tuple(before),
            instrumented,
            tuple(body),
            tuple(orelse),
            facts,
            low.span(node),
        )
    )


def _for(low: Lowering, node: ast.For) -> None:
    expressions.take_out(low, node.iter)
    if low.holds(node.target):
        raise NotYetError("an operation in a loop's target")
    target, iterable = low.pure(node.target), low.pure(node.iter)
    facts = low.facts([node.iter], [iterable])
    label = expressions.label_of(low, "for", node.target)
    with low.block() as body:
        low.bind(bound_by_target(target))
        block(low, node.body)
    with low.block() as orelse:
        block(low, node.orelse)
    low.add(For(label, target, iterable, tuple(body), tuple(orelse), facts, low.span(node)))


def _try(low: Lowering, node: ast.Try | ast.TryStar) -> None:
    handlers: list[Handler] = []
    ends: list[set[str]] = []
    before = None if low.bound is None else set(low.bound)
    with low.block() as body:
        block(low, node.body)
        with low.block() as orelse:
            block(low, node.orelse)
            if low.bound is not None:
                ends.append(low.bound)
    for each in node.handlers:
        with low.block():
            handlers.append(_handler(low, each))
            if low.bound is not None:
                ends.append(low.bound - {each.name or ""})
    with low.block() as final:
        low.bound = before
        block(low, node.finalbody)
        finished = low.bound
    low.add(
        Try(
            tuple(body),
            tuple(handlers),
            tuple(orelse),
            tuple(final),
            isinstance(node, ast.TryStar),
            low.span(node),
        )
    )
    after = set[str].intersection(*ends) if ends else None
    low.bound = None if after is None or finished is None else after | finished


def _handler(low: Lowering, node: ast.ExceptHandler) -> Handler:
    if node.type is not None and low.holds(node.type):
        raise NotYetError("an operation in the type of a handler")
    kind = None if node.type is None else low.pure(node.type)
    low.bind([node.name])
    block(low, node.body)
    return Handler(kind, node.name, tuple(low.out), low.span(node))


def _nested(low: Lowering, node: ast.AsyncFunctionDef) -> None:
    """A nested coroutine function is a function of the program; defining it evaluates its
    defaults.
    """
    info = low.analysis.function(node)
    if node.decorator_list:
        raise NotYetError("a decorated nested coroutine function")
    if info is None or len(low.marks.nested[node.name]) > 1 or node.name in low.marks.deleted:
        raise NotYetError("a nested coroutine function of which there are several")
    defaults = [*node.args.defaults, *(part for part in node.args.kw_defaults if part)]
    if not all(isinstance(part, ast.Constant) for part in defaults):
        raise NotYetError("a nested coroutine function with computed defaults")
    if node.name in low.marks.values:
        raise NotYetError("a nested coroutine function used as a value")
    low.bind([node.name])
