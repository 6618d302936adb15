"""What a call in flow code is: step, child flow, helper, operation, recorded read, log record or
pure.

A call and the use of its value come in; a `FoundCall` is noted in the state, its arguments are
read, and what a flow may not call is refused.
"""

import ast
import sys
from typing import TYPE_CHECKING

from perdure import rules
from perdure.diagnostics import Rule
from perdure.frontend import arguments, checks, known, shapes
from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.hints import undefined_hint, unknown_hint
from perdure.frontend.meanings import (
    HANDLE,
    TASK_GROUP,
    UNDEFINED,
    Class,
    External,
    Func,
    GlobalValue,
    Instance,
    Meaning,
    Member,
    Table,
    is_flow,
    is_logger,
    is_set,
)
from perdure.frontend.state import FoundCall, Use

if TYPE_CHECKING:
    from perdure.frontend.reader import Reader

__all__ = ["call"]

_FUNCTION_KINDS = {
    FunctionKind.STEP: CallKind.STEP,
    FunctionKind.FLOW: CallKind.FLOW,
    FunctionKind.HELPER: CallKind.HELPER,
    FunctionKind.PURE: CallKind.PURE,
    FunctionKind.MANAGER: CallKind.PURE,
}
_NO_AWAITABLE = frozenset(
    f"builtins.{name}"
    for name in [
        "abs",
        "all",
        "any",
        "bool",
        "bytes",
        "dict",
        "enumerate",
        "float",
        "int",
        "len",
        "list",
        "range",
        "repr",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
    ]
)
_HANDLE_METHODS = frozenset({"send", "ask", "cancel", "result"})
_BRANCHING = frozenset({"gather", "race", "quorum", "wait_for", "create_task"})
_NOT_AWAITED = frozenset({"this_run", "run", "create_task", "semaphore"})
_STREAMS = (External("sys.stdout"), External("sys.stderr"), Instance(External("builtins.NoneType")))
_CONTEXTS = frozenset({"timeout", "timeout_at", "task_group", "semaphore"})


def call(reader: "Reader", node: ast.Call, use: Use) -> None:
    """Classify one call and read what it holds."""
    options = _options(reader, node.func)
    target = options.func.value if options and isinstance(options.func, ast.Attribute) else None
    func = target if target is not None else node.func
    if options is not None:
        arguments.check_options(reader, options)
        _arguments(reader, options, Use.DATA)
    found = _classify(reader, node, func, reader.meaning(func), use)
    if found is None:
        _arguments(reader, node, Use.KEEP)
        return
    found.options = options
    found.scope = reader.scope
    found.fork = reader.forks[-1] if reader.forks and use is Use.BRANCH else None
    reader.state.calls.append(found)
    _check_use(reader, found)
    inner = _inner_use(found)
    if inner is Use.BRANCH:
        reader.forks.append(found)
    _arguments(reader, node, inner)
    if inner is Use.BRANCH:
        reader.forks.pop()


def _options(reader: "Reader", func: ast.expr) -> ast.Call | None:
    """`f.options(...)`, where that is what is called."""
    if not isinstance(func, ast.Call) or not isinstance(func.func, ast.Attribute):
        return None
    if func.func.attr != "options":
        return None
    base = reader.meaning(func.func.value)
    return func if isinstance(base, Func | Member) else None


def _inner_use(found: FoundCall) -> Use:
    if found.kind is CallKind.NATIVE and found.native in _BRANCHING:
        return Use.BRANCH
    dotted = found.base if found.kind is CallKind.PURE else ""
    if dotted.startswith("builtins.") and dotted not in known.CONSUMES_COROUTINES:
        return Use.DATA
    return Use.DATA if found.kind in (CallKind.LOG, CallKind.READ) else Use.KEEP


def _arguments(reader: "Reader", node: ast.Call, use: Use) -> None:
    for argument in node.args:
        reader.expression(argument, use)
    for keyword in node.keywords:
        reader.expression(keyword.value, use)


def _check_use(reader: "Reader", found: FoundCall) -> None:
    """A coroutine that is dropped, or looked into, was meant to be awaited."""
    makes = found.kind in (CallKind.STEP, CallKind.FLOW, CallKind.HELPER, CallKind.TABLE)
    native = found.kind is CallKind.NATIVE and found.native not in _NOT_AWAITED | _CONTEXTS
    if (makes or native) and found.use in (Use.DATA, Use.DROP):
        reader.problem(rules.MISSING_AWAIT, found.node, call=ast.unparse(found.node.func))
    builtin = found.kind is CallKind.PURE and found.base in _NO_AWAITABLE
    if builtin and found.use is Use.AWAIT:
        reader.problem(rules.NOT_AWAITABLE, found.node, what=ast.unparse(found.node))


def _classify(
    reader: "Reader", node: ast.Call, func: ast.expr, meaning: Meaning | None, use: Use
) -> FoundCall | None:
    match meaning:
        case Func():
            return _function(reader, node, func, meaning, use)
        case Class():
            return _class(reader, node, meaning, use)
        case Member(table=table):
            reader.expression(func, Use.DATA)
            return _member(reader, node, func, table, use)
        case External(dotted=dotted):
            reader.root(func)
            return _external(reader, node, func, dotted, use)
        case _ if meaning is UNDEFINED:
            name = func.id if isinstance(func, ast.Name) else ast.unparse(func)
            bound = reader.resolver.symbols(reader.state.module).bindings
            hint = undefined_hint(name, reader.state.node, bound)
            reader.problem(rules.UNDEFINED_NAME, func, name=name, hint=hint)
            return None
        case _:
            return _value(reader, node, func, meaning, use)


def _function(
    reader: "Reader", node: ast.Call, func: ast.expr, meaning: Func, use: Use
) -> FoundCall:
    walk, state = reader.walk, reader.state
    reader.receiver(func)
    walk.reach(meaning, state if meaning.scope is not None else None, certain=state.certain)
    kind = _FUNCTION_KINDS[meaning.kind]
    if kind in (CallKind.HELPER, CallKind.PURE):
        state.callees.append(meaning.ref)
        _sets_given(reader, node, meaning)
    if kind in (CallKind.STEP, CallKind.FLOW) and meaning.owner is None:
        arguments.check(reader, node, meaning)
    return FoundCall(node, kind, use, base=base_name(func), refs=(meaning.ref,))


def _sets_given(reader: "Reader", node: ast.Call, func: Func) -> None:
    """Note the parameters of a helper that are given sets here."""
    if func.node is None or any(isinstance(item, ast.Starred) for item in node.args):
        return
    args = func.node.args
    names = [parameter.arg for parameter in (*args.posonlyargs, *args.args)]
    if func.owner is not None:
        names = []  # which of them is `self` depends on how it is called
    given = [*zip(names, node.args, strict=False)]
    given += [(keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg]
    for name, value in given:
        if is_set(reader.meaning(value)):
            reader.walk.sets_given.append((func, name))


def _class(reader: "Reader", node: ast.Call, meaning: Class, use: Use) -> FoundCall:
    walk = reader.walk
    walk.classes.setdefault(meaning.ref, meaning)
    walk.modules.setdefault(meaning.module.name, meaning.module)
    reader.root(node.func)
    for name in ("__new__", "__init__", "__post_init__"):
        method = reader.resolver.method(meaning, name)
        if method is not None:
            walk.reach(method, certain=reader.state.certain)
            reader.state.callees.append(method.ref)
    return FoundCall(node, CallKind.PURE, use)


def _member(reader: "Reader", node: ast.Call, func: ast.expr, table: Table, use: Use) -> FoundCall:
    reader.table(table, as_value=False)
    refs = tuple(dict.fromkeys(member.ref for _, member in table.keys))
    kinds = {member.kind for _, member in table.keys}
    if kinds <= {FunctionKind.PURE, FunctionKind.MANAGER}:
        reader.state.callees.extend(refs)
        return FoundCall(node, CallKind.PURE, use, refs=refs)
    reader.state.callees.extend(
        member.ref for _, member in table.keys if member.kind is not FunctionKind.STEP
    )
    return FoundCall(node, CallKind.TABLE, use, base=base_name(func), refs=refs)


# Outside the project


def _external(
    reader: "Reader", node: ast.Call, func: ast.expr, dotted: str, use: Use
) -> FoundCall | None:
    native = known.NATIVES.get(dotted)
    if native is not None:
        arguments.check_native(reader, node, native)
        shapes.check(reader, node, dotted)
        return FoundCall(node, CallKind.NATIVE, use, base=native_base(node, native), native=native)
    if dotted == "asyncio.Semaphore":
        shapes.check(reader, node, dotted)
        return FoundCall(node, CallKind.NATIVE, use, native="semaphore")
    if dotted in known.SECRETS:
        border = f"the border of the {reader.kind.value} `{reader.state.ref.qualname}`"
        reader.problem(rules.SECRET_CANNOT_CROSS, node, type=ast.unparse(func), border=border)
    given = len(node.args) + len(node.keywords)
    if dotted in known.READS and given < known.NEEDS_ARGUMENT.get(dotted, given + 1):
        reader.walk.names[id(func)] = dotted
        return FoundCall(node, CallKind.READ, use, native=known.READS[dotted])
    log = _log(reader, node, func, dotted, use)
    if log is not None:
        return log
    if _allowed(reader, node, dotted):
        checks.pure_call(reader, node, dotted)
        return _mapped(reader, node, dotted, use) or FoundCall(
            node, CallKind.PURE, use, base=dotted
        )
    _refuse(reader, node, func, dotted)
    return None


def _mapped(reader: "Reader", node: ast.Call, dotted: str, use: Use) -> FoundCall | None:
    """`map(fetch, xs)` makes coroutines; other functions would call an operation out of sight."""
    made: Func | None = None
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        meaning = reader.meaning(argument)
        if isinstance(meaning, Func) and _FUNCTION_KINDS[meaning.kind] is not CallKind.PURE:
            if argument in node.args[:1] and dotted in known.MAPS:
                made = meaning
            elif dotted in known.CALLS_ITS_ARGUMENT:
                reader.problem(rules.OPERATION_AS_VALUE, argument, call=ast.unparse(argument))
    if made is None:
        return None
    if made.kind is FunctionKind.HELPER:
        reader.state.callees.append(made.ref)
    base = base_name(node.args[0])
    return FoundCall(node, CallKind.PURE, use, base=base, refs=(made.ref,), native="map")


def _log(
    reader: "Reader", node: ast.Call, func: ast.expr, dotted: str, use: Use
) -> FoundCall | None:
    if dotted == "builtins.print":
        checks.printed(reader, node)
        files = [keyword.value for keyword in node.keywords if keyword.arg == "file"]
        if all(reader.meaning(file) in _STREAMS for file in files):
            reader.written.update(id(file) for file in files)
            return FoundCall(node, CallKind.LOG, use, native="print")
        return None
    head, _, last = dotted.rpartition(".")
    if last in known.LOG_METHODS and (head == "logging" or head in known.LOGGERS):
        receiver = func.value if isinstance(func, ast.Attribute) else None
        return FoundCall(node, CallKind.LOG, use, native=last, receiver=receiver)
    return None


def _allowed(reader: "Reader", node: ast.Call, dotted: str) -> bool:
    many = any(isinstance(item, ast.Starred) for item in node.args)
    given = len(node.args) + len(node.keywords) + (9 if many else 0)
    if dotted in known.REFUSED:
        return False
    if known.is_pure(dotted, given, reader.walk.allowed):
        return True
    return reader.raising and dotted.rpartition(".")[2][:1].isupper()


def _refuse(reader: "Reader", node: ast.Call, func: ast.expr, dotted: str) -> None:
    written = ast.unparse(func)
    top = dotted.partition(".")[0]
    refused = known.REFUSED.get(dotted)
    if refused is not None:
        rule: Rule = getattr(rules, refused)
        reader.problem(rule, func, call=written, attribute=written)
    elif top in known.THREAD_MODULES:
        reader.problem(rules.THREADS, func, call=written)
    elif top == "asyncio":
        reader.problem(rules.OTHER_ASYNCIO, func, call=written)
    elif reader.context is node:
        reader.problem(rules.WITH_IO, func, what=written)
    elif top in sys.stdlib_module_names or top == "perdure":
        impure(reader, func, written)
    else:
        reader.problem(rules.UNKNOWN_CALL, func, call=written, hint=unknown_hint(top))


def impure(reader: "Reader", node: ast.AST, written: str) -> None:
    """Refuse what touches the world; a helper is told to become a step."""
    state = reader.state
    definition = state.node
    if isinstance(definition, ast.Lambda) or state.func.kind is FunctionKind.FLOW:
        reader.problem(rules.IMPURE_CALL, node, call=written)
        return
    line = min([definition.lineno, *(item.lineno for item in definition.decorator_list)])
    helper = definition.name
    reader.problem(rules.IMPURE_HELPER, node, helper=helper, call=written, line=line)


# Values


def _value(
    reader: "Reader", node: ast.Call, func: ast.expr, meaning: Meaning | None, use: Use
) -> FoundCall | None:
    if isinstance(func, ast.Attribute):
        return _method(reader, node, func, use)
    reader.expression(func, Use.DATA)
    if isinstance(meaning, Instance) and checks.is_data(meaning):
        return FoundCall(node, CallKind.PURE, use)
    if use in (Use.AWAIT, Use.BRANCH):
        return FoundCall(node, CallKind.VALUE, use, base=base_name(func))
    # Whether this makes a coroutine is known when all functions that are values are known.
    return FoundCall(node, CallKind.PURE, use, base="?")


def _method(reader: "Reader", node: ast.Call, func: ast.Attribute, use: Use) -> FoundCall | None:
    base = reader.meaning(func.value)
    name = func.attr
    checks.attribute(reader, func)
    checks.method(reader, node, func, base)
    reader.receiver(func)
    native = _method_native(base, name, use)
    if native == "result" and base is not None:
        reader.problem(rules.HANDLE_RESULT, node, call=ast.unparse(node))
    if native is not None:
        label = "" if native in ("create_task", "run") else native
        if base is not None:
            shapes.check(reader, node, native)
        if native == "start" and isinstance(base, Func):
            arguments.check(reader, node, base, start=True)
        refs = (base.ref,) if isinstance(base, Func) else ()
        return FoundCall(
            node, CallKind.NATIVE, use, base=label, refs=refs, native=native, receiver=func.value
        )
    if name in known.LOG_METHODS and (is_logger(base) or _looks_like_logger(base, func.value)):
        return FoundCall(node, CallKind.LOG, use, native=name, receiver=func.value)
    reader.walk.methods.add(name)
    if use is Use.AWAIT or (use is Use.BRANCH and base is None):
        return _awaited_method(reader, node, func, use)
    return FoundCall(node, CallKind.PURE, use)


def _method_native(base: Meaning | None, name: str, use: Use) -> str | None:
    if is_flow(base) and name in ("start", "run"):
        return name
    if base == Instance(TASK_GROUP):
        return "create_task" if name == "create_task" else None
    handle = base in (HANDLE, Instance(External("perdure.operations.Handle")))
    if name in _HANDLE_METHODS and (handle or (base is None and use is Use.AWAIT)):
        return name
    return "start" if name == "start" and base is None and use is Use.AWAIT else None


def _looks_like_logger(base: Meaning | None, value: ast.expr) -> bool:
    last = value.id if isinstance(value, ast.Name) else ""
    if isinstance(value, ast.Attribute):
        last = value.attr
    unknown = base is None or (isinstance(base, GlobalValue) and base.instance is None)
    return unknown and last in known.LOGGER_NAMES


def _awaited_method(
    reader: "Reader", node: ast.Call, func: ast.Attribute, use: Use
) -> FoundCall | None:
    """`await x.name(...)` where the type of `x` is unknown: a project's method, or a field."""
    candidates = reader.walk.async_methods(func.attr)
    if candidates:
        for method in candidates:
            reader.walk.reach(method, certain=False)
        refs = tuple(method.ref for method in candidates)
        reader.state.callees.extend(refs)
        kind = CallKind.HELPER if len(refs) == 1 else CallKind.VALUE
        return FoundCall(node, kind, use, base=base_name(func), refs=refs)
    if reader.walk.is_field(func.attr) or func.attr in known.GIVES_AN_ITEM:
        return FoundCall(node, CallKind.VALUE, use, base=base_name(func))
    reader.problem(rules.UNKNOWN_CALL, func, call=ast.unparse(func), hint=unknown_hint())
    return None


# Labels


def base_name(func: ast.expr) -> str:
    """What is called, as written: the last name in it."""
    match func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=attr):
            return attr
        case ast.Subscript(value=value):
            return base_name(value)
        case ast.Call(func=inner):
            if isinstance(inner, ast.Attribute) and inner.attr in ("options", "get"):
                return base_name(inner.value)
            return base_name(inner)
        case _:
            return "call"


def native_base(node: ast.Call, native: str) -> str:
    """The label's base of an operation of perdure or asyncio."""
    if native == "task_group":
        return "group"
    if native == "this_run":
        return ""
    if native != "event":
        return native
    name = node.args[0] if node.args else None
    for keyword in node.keywords:
        if keyword.arg == "name":
            name = keyword.value
    literal = isinstance(name, ast.Constant) and isinstance(name.value, str)
    return str(name.value) if literal and isinstance(name, ast.Constant) else "event"
