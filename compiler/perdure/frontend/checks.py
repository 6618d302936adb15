"""What a flow may not do, as seen at one place: called by the walk while it reads a function.

Each function takes the reader and a node, and reports. What depends on operations elsewhere is in
`after`.
"""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend import fixed, holders, known
from perdure.frontend.analysis import FunctionKind, FunctionNode
from perdure.frontend.meanings import (
    UNDEFINED,
    Class,
    Coroutine,
    External,
    Func,
    GlobalValue,
    Instance,
    Meaning,
    ProjectModule,
    Scope,
    Table,
    absolute,
    is_set,
)
from perdure.frontend.symbols import BindingKind

if TYPE_CHECKING:
    from perdure.frontend.reader import Reader

_ERROR_ATTRIBUTES = frozenset({"__cause__", "__context__", "__traceback__", "with_traceback"})
_DATA_TYPES = frozenset(
    f"builtins.{name}"
    for name in ("bool", "bytes", "dict", "float", "int", "list", "NoneType", "set", "str", "tuple")
)
_TEXT = frozenset(f"builtins.{name}" for name in ("str", "repr", "ascii", "format"))
_TIES = frozenset({"builtins.sorted", "builtins.min", "builtins.max"})
_WORLD = frozenset(
    {"os.environ", "sys.argv", "sys.path", "sys.modules", "sys.stdin", "sys.stdout", "sys.stderr"}
)


# Functions


def function(reader: "Reader", node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """The head of a function: decorators and parameters."""
    for decorator in node.decorator_list:
        _decorator(reader, decorator)
    if reader.state.func.scope is None:
        holders.defaults(reader, node.args)
    if reader.kind is FunctionKind.FLOW:
        _flow(reader, node)


def _decorator(reader: "Reader", decorator: ast.expr) -> None:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(called, ast.Attribute) and called.attr in ("setter", "getter", "deleter"):
        return
    if isinstance(called, ast.Attribute) and called.attr == "register":
        return
    meaning = reader.resolver.expression(called, reader.outer)
    if isinstance(meaning, External):
        if meaning.dotted in known.DECORATORS or meaning.dotted in reader.walk.allowed:
            return
    elif meaning is None and reader.state.func.owner is not None:
        return
    reader.problem(
        rules.UNKNOWN_DECORATOR, decorator, decorator=ast.unparse(called), function=_name_of(reader)
    )


def _name_of(reader: "Reader") -> str:
    node = reader.state.node
    return "lambda" if isinstance(node, ast.Lambda) else node.name


def _flow(reader: "Reader", node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if isinstance(node, ast.FunctionDef):
        reader.problem(rules.FLOW_NOT_ASYNC, node, name=node.name)
    args = node.args
    for parameter in (*args.posonlyargs, args.vararg, args.kwarg):
        if parameter is not None:
            reader.problem(rules.FLOW_PARAMETER, parameter, name=parameter.arg)
    signature(reader, node)


def signature(reader: "Reader", node: FunctionNode) -> None:
    """The types in the signature of a flow or step: known, and such that their values cross."""
    if isinstance(node, ast.Lambda):
        return
    args = node.args
    parameters = (*args.posonlyargs, *args.args, *args.kwonlyargs)
    own = {getattr(parameter, "name", "") for parameter in node.type_params}
    for annotation in (*(item.annotation for item in parameters), node.returns):
        for part in _types_in(annotation):
            if not (isinstance(part, ast.Name) and part.id in own):
                _type(reader, part, node.name)


def _types_in(annotation: ast.expr | None) -> Iterator[ast.Name | ast.Attribute]:
    pending: list[ast.AST] = [annotation] if annotation is not None else []
    while pending:
        part = pending.pop(0)
        match part:
            case ast.Name() | ast.Attribute():
                yield part
            case ast.Constant(value=str() as text):
                pending += _written(part, text)
            case ast.Subscript(value=value, slice=inner):
                marks = {getattr(value, "id", ""), getattr(value, "attr", "")}
                if "Annotated" in marks and isinstance(inner, ast.Tuple):
                    inner = inner.elts[0]
                pending += [value] if "Literal" in marks else [value, inner]
            case _:
                pending.extend(ast.iter_child_nodes(part))


def _written(constant: ast.Constant, text: str) -> list[ast.AST]:
    """The type that a text names, at the place of the text."""
    try:
        parsed = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    for node in ast.walk(parsed):
        ast.copy_location(node, constant)
    return [parsed]


def _type(reader: "Reader", part: ast.Name | ast.Attribute, name: str) -> None:
    meaning = reader.resolver.expression(part, reader.outer)
    written = ast.unparse(part)
    border = f"the border of the {reader.kind.value} `{name}`"
    if meaning is UNDEFINED:
        reader.problem(rules.BAD_ANNOTATION, part, annotation=written)
    elif isinstance(meaning, External) and meaning.dotted in known.SECRETS:
        reader.problem(rules.SECRET_CANNOT_CROSS, part, type=written, border=border)
    elif isinstance(meaning, External) and meaning.dotted in known.CANNOT_CROSS:
        instead = "pass its name or its contents"
        reader.problem(rules.CANNOT_CROSS, part, type=written, border=border, instead=instead)


def coroutines_used(reader: "Reader") -> None:
    """A local that holds a coroutine and is never read: it never runs."""
    scope = reader.state.scope
    for name, bindings in scope.bindings.items():
        if bindings[0].kind is not BindingKind.VALUE or name in reader.read_names:
            continue
        if scope.names is not None and name in scope.names.nonlocals:
            continue
        for binding in bindings:
            meaning = reader.resolver.expression(binding.value, scope)
            if isinstance(meaning, Coroutine) and binding.value is meaning.call:
                call = ast.unparse(meaning.call.func)
                reader.problem(rules.MISSING_AWAIT, meaning.call, call=call)


def local_import(reader: "Reader", node: ast.Import | ast.ImportFrom) -> None:
    """An import inside a function is followed like one at the top."""
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        meaning = reader.resolver.name(reader.scope, name)
        if isinstance(meaning, ProjectModule):
            reader.walk.modules.setdefault(meaning.module.name, meaning.module)


# Sets and text


def iteration(reader: "Reader", node: ast.expr) -> None:
    """`for x in <node>`: the order of a set shows."""
    if is_set(reader.meaning(node)):
        reader.problem(rules.SET_ORDER, node, what=ast.unparse(node))


def starred_import(reader: "Reader") -> None:
    """A name that only `from somewhere import *` can have brought."""
    symbols = reader.resolver.symbols(reader.state.module)
    for statement in symbols.stars:
        target = absolute(reader.state.module, statement.module or "", statement.level)
        if reader.resolver.graph.find(target) is None:
            reader.problem(rules.STAR_IMPORT, statement, module=target)
            return


def unpacking(reader: "Reader", targets: list[ast.expr], value: ast.expr) -> None:
    """`a, b = <set>`."""
    if any(isinstance(target, ast.Tuple | ast.List) for target in targets):
        iteration(reader, value)


def comprehended(
    reader: "Reader",
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
    generator: ast.comprehension,
) -> None:
    """A comprehension over a set, unless its result has no order either."""
    if not isinstance(node, ast.SetComp) and id(node) not in reader.order_blind:
        iteration(reader, generator.iter)
    awaits = isinstance(node, ast.GeneratorExp) and _awaits_inside(node)
    if awaits and generator is node.generators[0]:
        reader.problem(rules.ASYNC_GENERATOR, node)


def async_comprehension(reader: "Reader", target: ast.expr) -> None:
    """`async for` in a comprehension: the words stand before what they bind."""
    span = reader.state.module.source.word_before(target, "async for")
    if reader.state.certain:
        also = reader.walk.around(reader.state, span)
        reader.walk.report.error(rules.ASYNC_FOR, span, also=also)


def _awaits_inside(node: ast.GeneratorExp) -> bool:
    first = node.generators[0].iter
    outside = {id(part) for part in ast.walk(first)}
    return any(isinstance(part, ast.Await) and id(part) not in outside for part in ast.walk(node))


def shown(reader: "Reader", node: ast.expr) -> None:
    """A value becomes text: in an f-string, `str()`, `print()`."""
    meaning = reader.meaning(node)
    if isinstance(meaning, GlobalValue) and meaning.instance is not None:
        meaning = meaning.instance
    if is_set(meaning):
        reader.problem(rules.SET_ORDER, node, what=ast.unparse(node))
    elif isinstance(node, ast.Lambda):
        reader.problem(rules.DEFAULT_REPR, node, what=ast.unparse(node), type="it")
    elif isinstance(node, ast.List | ast.Tuple):
        for part in node.elts:
            shown(reader, part)
    elif isinstance(meaning, Func):
        name = meaning.ref.qualname
        reader.problem(rules.DEFAULT_REPR, node, what=ast.unparse(node), type=name)
    elif isinstance(meaning, Instance) and isinstance(meaning.type, Class):
        if not _has_text(reader, meaning.type):
            name = meaning.type.ref.qualname
            reader.problem(rules.DEFAULT_REPR, node, what=ast.unparse(node), type=name)
    elif meaning == Instance(External("builtins.object")):
        reader.problem(rules.DEFAULT_REPR, node, what=ast.unparse(node), type="object")


def _has_text(reader: "Reader", cls: Class) -> bool:
    resolver = reader.resolver
    if resolver.external_bases(cls) - {"builtins.object", "abc.ABC", "typing.Generic"}:
        return True
    if any(base.node.decorator_list for base in resolver.bases(cls)):
        return True
    named = ("__repr__", "__str__", "__format__")
    return any(resolver.method(cls, name) is not None for name in named)


def formatted(reader: "Reader", node: ast.expr) -> None:
    """The right side of `"..." % value`."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    for part in parts:
        shown(reader, part)


def printed(reader: "Reader", node: ast.Call) -> None:
    """The arguments of `print`."""
    for argument in node.args:
        shown(reader, argument)


def pure_call(reader: "Reader", node: ast.Call, dotted: str) -> None:
    """A call of a pure function outside the project."""
    ties = dotted in _TIES and any(keyword.arg == "key" for keyword in node.keywords)
    if ties:  # equal keys come out in the order they went in
        for argument in node.args[:1]:
            iteration(reader, argument)
    elif dotted in known.ORDER_BLIND:
        reader.order_blind.update(id(argument) for argument in node.args)
        return
    if dotted in _TEXT:
        for argument in node.args[:1]:
            shown(reader, argument)
    elif dotted in known.MAPS and len(node.args) == 2 and _is_text(reader, node.args[0]):
        each = node.args[1]
        for argument in each.elts if isinstance(each, ast.List | ast.Tuple) else []:
            shown(reader, argument)
        iteration(reader, each)
    elif dotted in known.SHOWS_ORDER:
        for argument in node.args:
            iteration(reader, argument)
    elif dotted == "builtins.getattr" and len(node.args) > 1:
        name = node.args[1]
        if isinstance(name, ast.Constant) and name.value in _ERROR_ATTRIBUTES:
            reader.problem(rules.ERROR_ATTRIBUTE, name, attribute=name.value)


def _is_text(reader: "Reader", node: ast.expr) -> bool:
    meaning = reader.meaning(node)
    return isinstance(meaning, External) and meaning.dotted in _TEXT


# Values


def is_data(meaning: Meaning | None) -> bool:
    """Whether a value is plain data, which can be neither called nor awaited."""
    if not isinstance(meaning, Instance) or not isinstance(meaning.type, External):
        return False
    return meaning.type.dotted in _DATA_TYPES


def attribute(reader: "Reader", node: ast.Attribute) -> None:
    """Attributes of errors that do not outlive their process."""
    if node.attr in _ERROR_ATTRIBUTES:
        reader.problem(rules.ERROR_ATTRIBUTE, node, attribute=node.attr)


def comparison(reader: "Reader", node: ast.Compare) -> None:
    """`is` between values that may be mutable; refused if the function has operations."""
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.Is | ast.IsNot) and not (
            _is_single(reader, left) or _is_single(reader, right)
        ):
            reader.state.identities.append((node, operator, left, right))
        left = right


def _is_single(reader: "Reader", node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return value is None or value is ... or isinstance(value, bool)
        case ast.Call(func=ast.Name(id="type")):
            return True
        case _:
            pass
    meaning = reader.meaning(node)
    if isinstance(meaning, Class | Func | External):
        return True
    if isinstance(node, ast.Attribute):
        base = reader.meaning(node.value)
        return isinstance(base, Class | External) or node.attr == "__class__"
    return False


def changed(reader: "Reader", node: ast.expr) -> None:
    """`node[...] = x`, `node.a = x`: not on globals."""
    root: ast.expr = node
    while isinstance(root, ast.Attribute | ast.Subscript):
        meaning = reader.meaning(root)
        if isinstance(meaning, GlobalValue | Table):
            break
        root = root.value
    meaning = reader.meaning(root)
    if isinstance(meaning, GlobalValue | Table | ProjectModule | Class) or (
        isinstance(meaning, Func) and meaning.scope is None
    ):
        reader.problem(rules.GLOBAL_WRITE, node, name=ast.unparse(root))
        reader.written.add(id(root))


def method(reader: "Reader", node: ast.Call, func: ast.Attribute, base: Meaning | None) -> None:
    """A method of a value: changes of globals, order of sets, files."""
    name = func.attr
    if name in known.MUTATORS and _is_global(reader, func.value):
        reader.problem(rules.GLOBAL_WRITE, func.value, name=ast.unparse(func.value))
        reader.written.update(id(part) for part in ast.walk(func.value))
    if name == "pop" and not node.args and is_set(base):
        reader.problem(rules.SET_ORDER, func, what=ast.unparse(func.value))
    if name in ("join", "extend", "extendleft", "fromkeys", "writelines"):
        for argument in node.args:
            iteration(reader, argument)
    if name == "format" and base in (None, Instance(External("builtins.str"))):
        for argument in node.args:
            shown(reader, argument)
    if name in known.PATH_IO and base in _PATHS:
        from perdure.frontend.calls import impure

        impure(reader, func, ast.unparse(func))


_PATHS = frozenset({Instance(External("pathlib.Path")), Instance(External("pathlib.PosixPath"))})


def _is_global(reader: "Reader", node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(reader.meaning(node), GlobalValue | Table):
            return True
        node = node.value
    return isinstance(reader.meaning(node), GlobalValue | Table)


def global_read(reader: "Reader", node: ast.Name | ast.Attribute, meaning: GlobalValue) -> None:
    """A module-level value that flow code reads has to be one fixed value."""
    if id(node) not in reader.written and not fixed.is_fixed(reader.walk, meaning):
        name = ast.unparse(node)
        if _is_secret(reader, meaning):
            border = f"the border of the {reader.kind.value} `{reader.state.ref.qualname}`"
            reader.problem(rules.SECRET_CANNOT_CROSS, node, type=name, border=border)
        else:
            reader.problem(rules.GLOBAL_READ, node, name=name)
    elif id(node) not in reader.written:
        holders.constant(reader, meaning)


def _is_secret(reader: "Reader", meaning: GlobalValue) -> bool:
    """Whether a module binds the name to `secret(...)`."""
    scope = Scope(meaning.module, None, {})
    made = [binding.value for binding in meaning.bindings if isinstance(binding.value, ast.Call)]
    makers = [reader.resolver.expression(call.func, scope) for call in made]
    return any(isinstance(one, External) and one.dotted in known.SECRETS for one in makers)


def table_read(reader: "Reader", node: ast.expr, meaning: Table) -> None:
    """A dispatch table is what its literal says: nobody may change it."""
    if id(node) not in reader.written and fixed.is_changed(reader.walk, meaning.ref):
        reader.problem(rules.GLOBAL_READ, node, name=ast.unparse(node))


def external_value(reader: "Reader", node: ast.Name | ast.Attribute, dotted: str) -> None:
    """A name of another package that is read, not called."""
    written = ast.unparse(node)
    if id(node) in reader.written:
        return
    if dotted in known.NATIVES:
        reader.problem(rules.OPERATION_AS_VALUE, node, call=written)
    elif dotted in ("builtins.hash", "builtins.id"):
        rule = rules.HASH if dotted.endswith("hash") else rules.IDENTITY
        reader.problem(rule, node)
    elif dotted in _WORLD or dotted in ("builtins.open", "builtins.input"):
        from perdure.frontend.calls import impure

        impure(reader, node, written)


def loop(reader: "Reader", node: ast.For) -> None:
    """Remember what is gone over: after the walk it is known which loops hold operations."""
    reader.state.loops.append(node)
