"""What is awaited becomes a node: `Op`, `Call`, `Fork`, `Deadline` or `Task`.

Two steps: `prepare` evaluates the operands of a coroutine expression (all of them into temporaries
when it will run in a branch, `hold`), and gives an `Emit` that writes the node. So the arguments
of coroutines that are given to a fork are evaluated before it.
"""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from perdure.frontend.analysis import CallKind
from perdure.frontend.build import expressions, forks
from perdure.frontend.build.lowering import Emit, Lowering, NotYetError, load, located
from perdure.frontend.build.methods import methods_called
from perdure.frontend.build.signatures import fits
from perdure.frontend.known import GIVES_AN_ITEM
from perdure.ir import Argument, Block, Branch, Call, Deadline, Op, OpKind, Stmt, Task
from perdure.liveness import needed

if TYPE_CHECKING:
    from perdure.frontend.analysis import CallFact, FunctionInfo
    from perdure.ir import Expr, Slot
    from perdure.source import Span

__all__ = ["branch_of", "prepare", "wait"]

_KINDS = {CallKind.STEP: OpKind.STEP, CallKind.FLOW: OpKind.FLOW, CallKind.TABLE: OpKind.TABLE}
_SIGNATURES = {
    "event": ("name", "type", "timeout"),
    "sleep": ("duration", "result"),
    "progress": ("value",),
    "reply": ("name", "value"),
    "start": (),
    "send": ("name", "payload"),
    "ask": ("name", "payload"),
    "cancel": (),
    "result": (),
}
"""Names of the positional parameters of each native operation, without the receiver."""


def wait(low: Lowering, node: ast.Await, target: "Slot | None") -> None:
    """Write `target = await ...`."""
    prepare(low, node.value, hold=False)(target)


def prepare(low: Lowering, node: ast.expr, *, hold: bool) -> Emit:
    """Evaluate the operands of a coroutine expression; what is given back awaits it."""
    fact = low.fact(node)
    match node:
        case ast.Call() if fact is not None:
            return _prepare_call(low, node, fact, hold=hold)
        case ast.IfExp() if not hold and id(node) not in low.replaced:
            return _prepare_choice(low, node)
        case _:
            return _prepare_value(low, node, hold=hold)


def branch_of(
    low: Lowering, name: str, emit: Emit, span: "Span", params: Sequence["Slot"] = ()
) -> Branch:
    """A branch that runs one coroutine; the operands are evaluated already."""
    value = low.fresh()
    with low.block() as body:
        low.bind(params)
        emit(value)
    block: Block = tuple(body)
    return Branch(
        name=name,
        params=tuple(params),
        captures=tuple(sorted(needed(block) - set(params))),
        body=block,
        value=_plain_load(value, span),
        span=span,
    )


def _plain_load(name: "Slot", span: "Span") -> ast.Name:
    node = ast.Name(name, ast.Load())
    node.lineno, node.col_offset = span.line, span.column
    node.end_lineno, node.end_col_offset = span.end_line, span.end_column
    return node


def _prepare_call(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    match fact.kind:
        case CallKind.STEP | CallKind.FLOW | CallKind.TABLE:
            return _prepare_step(low, node, fact, hold=hold)
        case CallKind.HELPER:
            return _prepare_helper(low, node, fact, hold=hold)
        case CallKind.NATIVE:
            return _prepare_native(low, node, fact, hold=hold)
        case _:
            return _prepare_value(low, node, hold=hold)


def operands(low: Lowering, nodes: Sequence[ast.expr], *, hold: bool) -> None:
    """Evaluate operands: all of them now, or only what must come before an operation in them."""
    if hold:
        for node in nodes:
            expressions.settle(low, node)
    else:
        expressions.in_order(low, nodes)


def arguments_of(low: Lowering, call: ast.Call) -> tuple[Argument, ...]:
    """The arguments of a call as they are now, operations taken out."""
    return tuple(argument for argument, _ in _arguments(low, call))


def _arguments(low: Lowering, call: ast.Call) -> list[tuple[Argument, ast.expr]]:
    found: list[tuple[Argument, ast.expr]] = []
    for node in call.args:
        if isinstance(node, ast.Starred):
            found.append((Argument(low.pure(node.value), star="*"), node.value))
        else:
            found.append((Argument(low.pure(node)), node))
    for keyword in call.keywords:
        star = "**" if keyword.arg is None else None
        argument = Argument(low.pure(keyword.value), keyword.arg, star)
        found.append((argument, keyword.value))
    return found


def argument_nodes(call: ast.Call) -> list[ast.expr]:
    """The argument expressions of a call, in order of evaluation."""
    return [*call.args, *(keyword.value for keyword in call.keywords)]


def has_stars(call: ast.Call) -> bool:
    """Whether a call unpacks arguments."""
    return any(isinstance(node, ast.Starred) for node in call.args) or any(
        keyword.arg is None for keyword in call.keywords
    )


def _prepare_step(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    table = fact.kind is CallKind.TABLE
    if hold and (table or has_stars(node) or not fits(low.analysis, fact, node)):
        # Looking up and binding can fail, and must do so before the fork.
        return _prepare_value(low, node, hold=hold)
    options = argument_nodes(fact.options) if fact.options is not None else []
    called = _called(node, fact.options)
    nodes = [*([called] if table else []), *options, *argument_nodes(node)]
    operands(low, nodes, hold=hold)

    def emit(target: "Slot | None") -> None:
        callee = low.pure(called) if table else None
        chosen = () if fact.options is None else arguments_of(low, fact.options)
        arguments = arguments_of(low, node)
        used = [] if callee is None else [callee]
        used += [argument.value for argument in (*chosen, *arguments)]
        facts = low.facts(nodes, used)
        low.add(
            Op(
                _KINDS[fact.kind],
                fact.label,
                target,
                arguments,
                fact.refs,
                callee,
                chosen,
                facts,
                low.span(node),
            )
        )
        low.bind([target])

    return emit


def _called(node: ast.Call, options: ast.Call | None) -> ast.expr:
    """`f` in `f(x)` and in `f.options(...)(x)`."""
    if options is not None and isinstance(options.func, ast.Attribute):
        return options.func.value
    return node.func


def _prepare_helper(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    if hold and (has_stars(node) or not fits(low.analysis, fact, node)):
        return _prepare_value(low, node, hold=hold)
    info = low.analysis.functions.get(fact.refs[0]) if fact.refs else None
    nested = info is not None and info.parent is not None
    receiver = None
    if info is not None and info.owner is not None:
        what = "a coroutine method of the project's own class"
        receiver = _receiver(low, node, info)
        if not low.machines:
            raise NotYetError(what, machines=True)
        if receiver is None:
            return _prepare_method(low, node, fact, hold=hold)
    if nested and not _is_defined(low, node.func, info):
        raise NotYetError("a nested coroutine function that may not be defined yet")
    nodes = [*([] if receiver is None else [receiver]), *argument_nodes(node)]
    operands(low, nodes, hold=hold)

    def emit(target: "Slot | None") -> None:
        arguments = arguments_of(low, node)
        if receiver is not None:
            arguments = (Argument(low.pure(receiver)), *arguments)
        facts = low.facts(nodes, [argument.value for argument in arguments])
        low.add(Call(fact.refs[0], fact.label, target, arguments, facts, low.span(node)))
        low.bind([target])

    return emit


def _prepare_method(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    """A method of which only the object knows whose it is: called, then awaited as a value."""
    operands(low, [node.func, *argument_nodes(node)], hold=hold)
    candidates = dict.fromkeys((*methods_called(low.analysis, node), *fact.refs))

    def emit(target: "Slot | None") -> None:
        runtime = located(ast.Name("__perdure__", ast.Load()), node)
        branch = located(ast.Attribute(runtime, "branch", ast.Load()), node)
        made = located(ast.Call(branch, [node.func, *node.args], node.keywords), node)
        callee = low.pure(made)
        facts, span = low.facts([node], [callee]), low.span(node)
        kind = OpKind.VALUE
        low.add(Op(kind, "", target, (), tuple(candidates), callee, (), facts, span))
        low.bind([target])

    return emit


def _receiver(low: Lowering, node: ast.Call, info: "FunctionInfo") -> ast.expr | None:
    """`self` of a method's call, where it surely is that method and no other of the name."""
    func, name = node.func, info.qualname.rpartition(".")[2]
    others = [
        other
        for other in low.analysis.functions.values()
        if other.owner is not None and other.qualname.rpartition(".")[2] == name
    ]
    decorated = isinstance(info.node, ast.AsyncFunctionDef) and bool(info.node.decorator_list)
    if not isinstance(func, ast.Attribute) or decorated or len(others) != 1:
        return None
    match func.value:
        case ast.Call(func=ast.Name(id="super")):
            return None
        case ast.Name(id=known) if not low.is_slot(known):
            return None  # the class itself, or a value of the module
        case receiver:
            return receiver


def _is_defined(low: Lowering, called: ast.expr, info: "FunctionInfo | None") -> bool:
    """Whether a nested function surely exists where it is called."""
    if not isinstance(called, ast.Name) or info is None:
        return False
    if called.id in low.info.locals:
        return low.is_bound(called.id)
    return info.node.lineno <= low.info.node.lineno or _is_made_in_time(low, info)


def _is_made_in_time(low: Lowering, info: "FunctionInfo") -> bool:
    """Whether a sibling that stands further down is there whenever this function is called: the
    function around defines it, and names this one only behind that.
    """
    around = None if info.parent is None else low.analysis.functions.get(info.parent)
    if around is None or low.info.parent != info.parent or info.node not in _body(around.node):
        return False
    name, first, own = low.info.qualname.rpartition(".")[2], info.node.lineno, low.info.node
    inside = range(own.lineno, (own.end_lineno or own.lineno) + 1)
    return all(
        part.lineno >= first or part.lineno in inside
        for part in ast.walk(around.node)
        if isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load)
    )


def _body(node: ast.AST) -> list[ast.stmt]:
    return node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []


def _prepare_native(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    match fact.native:
        case "gather" | "race" | "quorum":
            return forks.prepare_fork(low, node, fact, hold=hold)
        case "wait_for":
            return _prepare_wait_for(low, node, fact, hold=hold)
        case "create_task":
            return _prepare_task(low, node, fact)
        case str(name) if name in _SIGNATURES:
            return _prepare_operation(low, node, fact, OpKind(name), hold=hold)
        case _:
            return _prepare_value(low, node, hold=hold)


def _prepare_operation(
    low: Lowering, node: ast.Call, fact: "CallFact", kind: OpKind, *, hold: bool
) -> Emit:
    if has_stars(node):
        raise NotYetError(f"`{kind.value}` with unpacked arguments")
    names = _SIGNATURES[kind.value]
    known = kind is OpKind.START and bool(fact.refs)
    receiver = None if known else fact.receiver
    given = {keyword.arg for keyword in node.keywords}
    if kind is OpKind.SLEEP and (len(node.args) > 1 or "result" in given):
        return _prepare_sleep(low, node, fact)
    if len(node.args) > len(names) and kind is not OpKind.START:
        return _prepare_value(low, node, hold=hold)
    nodes = [*([] if receiver is None else [receiver]), *argument_nodes(node)]
    operands(low, nodes, hold=hold)

    def emit(target: "Slot | None") -> None:
        arguments = list(arguments_of(low, node))
        for at, name in enumerate(names[: len(node.args)]):
            arguments[at] = Argument(arguments[at].value, name)
        if receiver is not None:
            name = "flow" if kind is OpKind.START else "handle"
            arguments.insert(0, Argument(low.pure(receiver), name))
        facts = low.facts(nodes, [argument.value for argument in arguments])
        span = low.span(node)
        low.add(Op(kind, fact.label, target, tuple(arguments), fact.refs, None, (), facts, span))
        low.bind([target])

    return emit


def _prepare_sleep(low: Lowering, node: ast.Call, fact: "CallFact") -> Emit:
    """`asyncio.sleep(delay, result)`: the value is the result, evaluated before."""
    given = {keyword.arg: keyword.value for keyword in node.keywords}
    given.update(zip(("delay", "result"), node.args, strict=False))
    operands(low, argument_nodes(node), hold=True)
    delay, result = given["delay"], given["result"]

    def emit(target: "Slot | None") -> None:
        duration = low.pure(delay)
        facts, span = low.facts([delay], [duration]), low.span(node)
        arguments = (Argument(duration, "duration"),)
        low.add(Op(OpKind.SLEEP, fact.label, None, arguments, (), None, (), facts, span))
        if target is not None:
            low.keep(target, result, node)

    return emit


def _prepare_value(low: Lowering, node: ast.expr, *, hold: bool) -> Emit:
    """An expression that gives a coroutine value or a task."""
    fact = low.fact(node)
    known = fact.refs if fact is not None and fact.kind in _KINDS | {CallKind.HELPER: None} else ()
    operands(low, [node], hold=hold)

    def emit(target: "Slot | None") -> None:
        callee: Expr = low.pure(node)
        label = "" if fact is None or _is_taken_out(node) else fact.label
        facts = low.facts([node], [callee])
        methods = () if fact is None else methods_called(low.analysis, node)
        candidates = (*methods, *(ref for ref in known or low.candidates if ref not in methods))
        natives = () if known else low.natives
        span = low.span(node)
        kind = OpKind.VALUE
        low.add(
            Op(kind, label, target, (), candidates, callee, (), facts, span, natives, low.items)
        )
        low.bind([target])

    return emit


def _prepare_choice(low: Lowering, node: ast.IfExp) -> Emit:
    """`await (f(x) if c else g(x))` awaits inside the arms."""

    def emit(target: "Slot | None") -> None:
        condition = expressions.test(low, node.test)
        expressions.choose(
            low,
            condition,
            lambda: prepare(low, node.body, hold=False)(target),
            lambda: prepare(low, node.orelse, hold=False)(target),
            node,
        )

    return emit


def _prepare_wait_for(low: Lowering, node: ast.Call, fact: "CallFact", *, hold: bool) -> Emit:
    nodes = dict(zip(("fut", "timeout"), node.args, strict=False))
    nodes |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg is not None}
    if has_stars(node) or nodes.keys() != {"fut", "timeout"}:
        return _prepare_value(low, node, hold=hold)
    delay = nodes["timeout"]
    if next(iter(nodes)) != "fut":
        expressions.settle(low, delay)
    inner = prepare(low, nodes["fut"], hold=True)
    operands(low, [delay], hold=hold)

    def emit(target: "Slot | None") -> None:
        instrumented = low.pure(delay)
        facts = low.facts([delay], [instrumented])
        with low.block() as body:
            inner(target)
        block: tuple[Stmt, ...] = tuple(body)
        span = low.span(node)
        low.add(Deadline(fact.label, instrumented, False, block, facts, span, None, wait_for=True))
        low.bind([target])

    return emit


def _prepare_task(low: Lowering, node: ast.Call, fact: "CallFact") -> Emit:
    group = fact.receiver
    if not isinstance(group, ast.Name) or group.id not in low.groups:
        raise NotYetError("`create_task` of a group that is not opened in this function")
    if len(node.args) != 1 or any(keyword.arg != "name" for keyword in node.keywords):
        raise NotYetError("`create_task` with more than a coroutine")
    inner = prepare(low, node.args[0], hold=True)
    for keyword in node.keywords:
        expressions.settle(low, keyword.value)
    given = [keyword.value for keyword in node.keywords if not _is_none(keyword.value)]
    name = group.id

    def emit(target: "Slot | None") -> None:
        span = low.span(node)
        named = low.pure(given[0]) if given else None
        low.add(Task(name, target, branch_of(low, "", inner, span), span, named))
        low.bind([target])

    return emit


def _is_taken_out(node: ast.expr) -> bool:
    """`await waiting.pop()`: only the coroutine that comes out knows its label."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in GIVES_AN_ITEM
    )


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def value_branch(
    low: Lowering, name: str, params: Sequence["Slot"], item: "Slot", at: ast.expr
) -> Branch:
    """The branch of a map over coroutine values: it awaits its item."""

    def emit(target: "Slot | None") -> None:
        callee = load(item, at)
        facts = low.facts([], [callee])
        span = low.span(at)
        known = low.candidates
        kind = OpKind.VALUE
        natives = low.natives
        low.add(Op(kind, "", target, (), known, callee, (), facts, span, natives, low.items))

    return branch_of(low, name, emit, low.span(at), params)
