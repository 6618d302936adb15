"""Names and scopes: what a module and a function bind, and where.

A tree comes in; `ModuleSymbols` and `ScopeNames` go out. Nothing here knows what a name means:
`meanings` does.
"""

import ast
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple, cast, final

from perdure.frontend.analysis import FunctionNode

__all__ = ["Binding", "BindingKind", "ModuleSymbols", "ScopeNames", "names_of"]

type Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class BindingKind(StrEnum):
    """How a name gets its value."""

    IMPORT = "import"
    """`import a.b as c`, `from a import b`: `target` is the dotted name."""
    FUNCTION = "function"
    CLASS = "class"
    VALUE = "value"
    """`name = value`."""
    ITEM = "item"
    """A part of a value: loops, unpacking, patterns."""
    CONTEXT = "context"
    """`with value as name`."""
    PARAMETER = "parameter"
    ERROR = "error"
    """`except value as name`."""
    UNKNOWN = "unknown"
    """Changed in place: `name += 1`, `del name`."""


@final
class Binding(NamedTuple):
    """One place that binds a name."""

    kind: BindingKind
    node: ast.AST
    value: ast.expr | None = None
    target: str = ""
    annotation: ast.expr | None = None
    level: int = 0
    """Dots of a relative import; `target` is then relative to the package."""
    statement: ast.stmt | None = None


type Bindings = dict[str, list[Binding]]


@final
class ModuleSymbols:
    """What the statements at the top level of a module bind."""

    def __init__(self, tree: ast.Module) -> None:
        self.bindings: Bindings = {}
        self.stars: list[ast.ImportFrom] = []
        for name, binding in _statements(tree.body, self.stars):
            self.bindings.setdefault(name, []).append(binding)


@final
class ScopeNames(NamedTuple):
    """What a function's own code binds; comprehensions and nested functions have their own."""

    parameters: tuple[str, ...]
    bindings: Bindings
    globals: frozenset[str]
    nonlocals: frozenset[str]


def names_of(node: FunctionNode) -> ScopeNames:
    """The names of one function."""
    bindings: Bindings = {}
    parameters = tuple(parameter.arg for parameter in all_parameters(node.args))
    for parameter in all_parameters(node.args):
        annotation = _annotation(node.args, parameter)
        found = Binding(BindingKind.PARAMETER, parameter, annotation=annotation)
        bindings.setdefault(parameter.arg, []).append(found)
    global_names: set[str] = set()
    nonlocal_names: set[str] = set()
    if isinstance(node, ast.Lambda):
        found_names: Iterable[tuple[str, Binding]] = _walrus(node.body, None)
    else:
        found_names = _statements(node.body, [])
        for statement in every_statement(node.body):
            if isinstance(statement, ast.Global):
                global_names.update(statement.names)
            elif isinstance(statement, ast.Nonlocal):
                nonlocal_names.update(statement.names)
    for name, binding in found_names:
        bindings.setdefault(name, []).append(binding)
    elsewhere = global_names | nonlocal_names
    own = {name: found for name, found in bindings.items() if name not in elsewhere}
    return ScopeNames(parameters, own, frozenset(global_names), frozenset(nonlocal_names))


def _annotation(args: ast.arguments, parameter: ast.arg) -> ast.expr | None:
    """What a parameter is: of `*names: str` and `**ages: int` the annotation is that of an item."""
    if parameter is args.vararg:
        return ast.Name("tuple", ast.Load())
    if parameter is args.kwarg:
        return ast.Name("dict", ast.Load())
    return parameter.annotation


def all_parameters(args: ast.arguments) -> Iterator[ast.arg]:
    """Every parameter, in the order of the signature."""
    yield from args.posonlyargs
    yield from args.args
    if args.vararg:
        yield args.vararg
    yield from args.kwonlyargs
    if args.kwarg:
        yield args.kwarg


def target_names(target: ast.expr) -> Iterator[str]:
    """The names that an assignment target binds."""
    pending = [target]
    while pending:
        found = pending.pop()
        if isinstance(found, ast.Name):
            yield found.id
        elif isinstance(found, ast.Tuple | ast.List):
            pending.extend(reversed(found.elts))
        elif isinstance(found, ast.Starred):
            pending.append(found.value)


def every_statement(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body at every depth; functions and classes in it are not entered."""
    pending = body[::-1]
    while pending:
        statement = pending.pop()
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend(reversed([*inner_statements(statement)]))


def inner_statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements of the blocks of a compound statement, in source order."""
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        children: list[ast.AST] = getattr(statement, field, None) or []
        for child in children:
            if isinstance(child, ast.stmt):
                yield child
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from child.body


def _statements(body: list[ast.stmt], stars: list[ast.ImportFrom]) -> Iterator[tuple[str, Binding]]:
    for statement in every_statement(body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from _imports(statement, stars)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement.name, Binding(BindingKind.FUNCTION, statement)
        elif isinstance(statement, ast.ClassDef):
            yield statement.name, Binding(BindingKind.CLASS, statement)
        else:
            yield from _bound_by(statement)
            for expression in own_expressions(statement):
                yield from _walrus(expression, statement)


def _imports(
    node: ast.Import | ast.ImportFrom, stars: list[ast.ImportFrom]
) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            target = alias.name if alias.asname else name
            yield name, Binding(BindingKind.IMPORT, node, target=target)
        return
    for alias in node.names:
        if alias.name == "*":
            stars.append(node)
            continue
        target = f"{node.module}.{alias.name}" if node.module else alias.name
        found = Binding(BindingKind.IMPORT, node, target=target, level=node.level)
        yield alias.asname or alias.name, found


def _bound_by(statement: ast.stmt) -> Iterator[tuple[str, Binding]]:
    match statement:
        case ast.Assign():
            for target in statement.targets:
                yield from _assigned(target, statement.value, statement)
        case ast.AnnAssign(target=ast.Name(id=name)):
            found = Binding(
                BindingKind.VALUE,
                statement,
                statement.value,
                annotation=statement.annotation,
                statement=statement,
            )
            yield name, found
        case ast.AugAssign(target=ast.Name(id=name)):
            yield name, Binding(BindingKind.UNKNOWN, statement, statement=statement)
        case ast.For() | ast.AsyncFor():
            yield from _items(statement.target, statement.iter, statement)
        case ast.With() | ast.AsyncWith():
            for item in statement.items:
                if isinstance(item.optional_vars, ast.Name):
                    found = Binding(BindingKind.CONTEXT, statement, item.context_expr)
                    yield item.optional_vars.id, found
                elif item.optional_vars is not None:
                    yield from _items(item.optional_vars, item.context_expr, statement)
        case ast.Try() | ast.TryStar():
            for handler in statement.handlers:
                if handler.name:
                    yield handler.name, Binding(BindingKind.ERROR, handler, handler.type)
        case ast.Match():
            for case in statement.cases:
                for name in pattern_names(case.pattern):
                    yield name, Binding(BindingKind.ITEM, case.pattern, statement.subject)
        case ast.Delete():
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, Binding(BindingKind.UNKNOWN, statement, statement=statement)
        case ast.TypeAlias(name=ast.Name(id=name)):
            yield name, Binding(BindingKind.VALUE, statement, statement=statement)
        case _:
            pass


def _assigned(
    target: ast.expr, value: ast.expr, statement: ast.stmt
) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, ast.Name):
        yield target.id, Binding(BindingKind.VALUE, statement, value, statement=statement)
    elif (
        isinstance(target, ast.Tuple | ast.List)
        and isinstance(value, ast.Tuple | ast.List)
        and len(target.elts) == len(value.elts)
        and not any(isinstance(part, ast.Starred) for part in (*target.elts, *value.elts))
    ):
        for part, part_value in zip(target.elts, value.elts, strict=True):
            yield from _assigned(part, part_value, statement)
    else:
        yield from _items(target, value, statement)


def _items(target: ast.expr, value: ast.expr, statement: ast.stmt) -> Iterator[tuple[str, Binding]]:
    for name in target_names(target):
        yield name, Binding(BindingKind.ITEM, statement, value, statement=statement)


def pattern_names(pattern: ast.pattern) -> Iterator[str]:
    """The names that a `case` pattern captures."""
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def own_expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement, without those of the blocks in it."""
    for field in statement._fields:
        value: object = getattr(statement, field, None)
        yield from _expressions_in(value)


def _expressions_in(value: object) -> Iterator[ast.expr]:
    if isinstance(value, ast.expr):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):  # a field of a node: `ast` says no more
            if isinstance(item, ast.expr):
                yield item
            elif isinstance(item, ast.withitem):
                yield item.context_expr
                if item.optional_vars is not None:
                    yield item.optional_vars
            elif isinstance(item, ast.ExceptHandler) and item.type is not None:
                yield item.type
            elif isinstance(item, ast.match_case) and item.guard is not None:
                yield item.guard


def _walrus(expression: ast.expr, statement: ast.stmt | None) -> Iterator[tuple[str, Binding]]:
    pending: list[ast.AST] = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Constant | ast.Name | ast.Lambda):
            continue
        if isinstance(node, ast.NamedExpr):
            found = Binding(BindingKind.VALUE, node, node.value, statement=statement)
            yield node.target.id, found
        pending.extend(ast.iter_child_nodes(node))
