"""The user's code with its operations, recorded reads and log records in their `__perdure__`
forms.

Trees and an `Analysis` come in; fresh trees go out in which only the calls that perdure must see
are replaced; every node keeps its position, so tracebacks point at the user's lines. What holds
no replaced call is shared with the original tree. Same analysis, same tree.

    await classify(x)            -> await __perdure__.call(__sites__[0], classify, x)
    datetime.now(UTC)            -> __perdure__.now(UTC)
    random.choice(xs)            -> __perdure__.rng().choice(xs)
    print(x); log.info(x)        -> __perdure__.print(x); __perdure__.log(log, 'info', x)
    x = MADE[kind]()             -> x = __perdure__.carried(MADE[kind]())
    x = [*MADE[kind](), 1]       -> x = [*__perdure__.carried([*MADE[kind]()]), 1]

The last two where an operation may have to carry the value (`perdure.frontend.crossing`).
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import cast, final

from perdure.frontend import known
from perdure.frontend.analysis import Analysis, CallFact, CallKind, FunctionKind
from perdure.frontend.depth import PASSES, room
from perdure.modules import Module

__all__ = ["changed", "expression", "module", "statements"]

PERDURE = "__perdure__"
SITES = "__sites__"

_WITH_RECEIVER = frozenset({"start", "send", "ask", "cancel", "result"})
_WITHOUT_SITE = frozenset({"this_run", "semaphore"})
_AS_WRITTEN = frozenset({"create_task", "run"})


def expression(
    node: ast.expr, analysis: Analysis, replaced: Mapping[int, ast.expr] | None = None
) -> ast.expr:
    """One expression; nodes whose `id()` is in `replaced` come out as what is there."""
    return _Copier(analysis, replaced or {}).expression(node)


def statements(
    body: Sequence[ast.stmt], analysis: Analysis, replaced: Mapping[int, ast.expr] | None = None
) -> list[ast.stmt]:
    """Some statements of one function."""
    copier = _Copier(analysis, replaced or {})
    return [copier.statement(node) for node in body]


def module(source: Module, analysis: Analysis) -> ast.Module:
    """The whole module: code that flows reach is replaced, all other code is as written."""
    copier = _Copier(analysis, {})
    with room(PASSES):
        body = [copier.top(node) for node in source.tree.body]
    return ast.Module(body, source.tree.type_ignores)


def changed(source: Module, analysis: Analysis) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """The statements that differ, of classes their members; flows and helpers with operations are
    left out.
    """
    copier = _Copier(analysis, {})
    for node in source.tree.body:
        info = analysis.function(node) if isinstance(node, ast.AsyncFunctionDef) else None
        if info is None or info.kind not in (FunctionKind.FLOW, FunctionKind.HELPER):
            yield from _differing(node, copier.top(node))


def _differing(node: ast.stmt, new: ast.stmt) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """The innermost ones: what stands around a function that differs is as it was."""
    inner = list(zip(_inside(node), _inside(new), strict=True))
    for member, copied in inner:
        yield from _differing(member, copied)
    if new is not node and not inner:
        yield node, new


def _inside(node: ast.stmt) -> list[ast.stmt]:
    """The statements in a class or a block at the top; none of a function."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    handlers: list[ast.ExceptHandler] = getattr(node, "handlers", [])
    blocks: list[list[ast.stmt]] = [
        getattr(node, "body", []),
        *(handler.body for handler in handlers),
        getattr(node, "orelse", []),
        getattr(node, "finalbody", []),
    ]
    return [child for block in blocks for child in block]


@final
class _Copier:
    """Copies what changes; `replaced` wins over everything."""

    def __init__(self, analysis: Analysis, replaced: Mapping[int, ast.expr]) -> None:
        self.analysis = analysis
        self.replaced = replaced

    # Module level: only functions that flows reach

    def top(self, node: ast.stmt) -> ast.stmt:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(node)
            case ast.ClassDef():
                return self._same_or(node, body=[self._member(child) for child in node.body])
            case ast.If() | ast.Try() | ast.TryStar() | ast.With() | ast.For() | ast.While():
                return self._blocks(node)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self._same_or(node, value=self._value(value))
            case _:
                return node

    def _value(self, node: ast.expr) -> ast.expr:
        """Lambdas of flow code in a module-level value (tables of them, too)."""
        match node:
            case ast.Lambda() if self.analysis.function(node) is not None:
                return self.expression(node)
            case ast.Dict(values=values):
                return self._same_or(node, values=[self._value(value) for value in values])
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return self._same_or(node, elts=[self._value(value) for value in elts])
            case _:
                return node

    def _blocks(self, node: ast.stmt) -> ast.stmt:
        changes: dict[str, object] = {}
        for field in ("body", "orelse", "finalbody"):
            inner: list[ast.stmt] | None = getattr(node, field, None)
            if inner:
                changes[field] = [self.top(child) for child in inner]
        handlers: list[ast.ExceptHandler] | None = getattr(node, "handlers", None)
        if handlers:
            changes["handlers"] = [
                self._same_or(item, body=[self.top(child) for child in item.body])
                for item in handlers
            ]
        return self._same_or(node, **changes)

    def _member(self, node: ast.stmt) -> ast.stmt:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._function(node)
            case ast.AnnAssign(value=ast.Call() as value):
                keywords = [self._factory(keyword) for keyword in value.keywords]
                return self._same_or(node, value=self._same_or(value, keywords=keywords))
            case _:
                return node

    def _factory(self, keyword: ast.keyword) -> ast.keyword:
        if keyword.arg != "default_factory":
            return keyword
        value = keyword.value
        reached = not isinstance(value, ast.Lambda) or self.analysis.function(value) is not None
        return self._same_or(keyword, value=self.expression(value)) if reached else keyword

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
        info = self.analysis.function(node)
        if info is None or info.kind is FunctionKind.STEP:
            return node
        return self._same_or(node, body=[self.statement(child) for child in node.body])

    # Flow code

    def statement(self, node: ast.stmt) -> ast.stmt:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                copied = self._function(node)
                args = self._node(node.args)
                return self._same_or(copied, args=args)
            case ast.ClassDef() | ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal():
                return node
            case ast.AnnAssign(annotation=annotation):
                return self._fields(node, (annotation,))
            case _:
                return self._fields(node)

    def expression(self, node: ast.expr) -> ast.expr:
        given = self.replaced.get(id(node))
        if given is not None:
            return given
        copied = self._copied(node)
        is_target = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
        if is_target or id(node) not in self.analysis.asked:
            return copied
        if isinstance(copied, ast.Starred):  # what it leaves in the display, not the iterator
            items = _at(node, ast.List([copied], ast.Load()))
            return _at(node, ast.Starred(self._carried(node, items), ast.Load()))
        return self._carried(node, copied)

    def _carried(self, node: ast.expr, value: ast.expr) -> ast.expr:
        return _at(node, ast.Call(_form_name(node, "carried"), [value], []))

    def _copied(self, node: ast.expr) -> ast.expr:
        match node:
            case ast.Constant():
                return node
            case ast.Call():
                return self._call(node)
            case ast.Name() | ast.Attribute():
                read = self._read_value(node)
                return read if read is not None else self._fields(node)
            case _:
                return self._fields(node)

    def _node[N: ast.AST](self, node: N) -> N:
        copied: object
        if isinstance(node, ast.expr):
            copied = self.expression(node)
        elif isinstance(node, ast.stmt):
            copied = self.statement(node)
        else:
            copied = self._fields(node)
        return copied  # type: ignore[return-value]  # each kind of node is copied as its kind

    def _fields[N: ast.AST](self, node: N, keep: tuple[ast.AST, ...] = ()) -> N:
        """The node with copied children; itself if nothing in it changed."""
        changes: dict[str, object] = {}
        for field in node._fields:
            value: object = getattr(node, field, None)
            if isinstance(value, ast.AST):
                if value not in keep:
                    copied: object = self._node(value)
                    if copied is not value:
                        changes[field] = copied
            elif isinstance(value, list) and value:
                items = cast("list[object]", value)  # typed as such by `ast` alone
                new = [self._node(item) if isinstance(item, ast.AST) else item for item in items]
                if any(a is not b for a, b in zip(new, items, strict=True)):
                    changes[field] = new
        return _changed(node, changes) if changes else node

    def _same_or[N: ast.AST](self, node: N, **changes: object) -> N:
        real = {name: new for name, new in changes.items() if not _same(getattr(node, name), new)}
        return _changed(node, real) if real else node

    # Calls

    def _call(self, node: ast.Call) -> ast.expr:
        fact = self.analysis.call(node)
        if fact is None:
            return self._fields(node)
        match fact.kind:
            case CallKind.STEP | CallKind.FLOW | CallKind.TABLE | CallKind.VALUE:
                return self._made(node, fact)
            case CallKind.HELPER:
                return self._fields(node) if fact.awaited else self._made(node, fact)
            case CallKind.NATIVE:
                return self._native(node, fact)
            case CallKind.READ:
                return self._read(node, fact)
            case CallKind.LOG:
                return self._log(node, fact)
            case CallKind.PURE:
                return self._fields(node) if fact.native != "map" else self._map(node, fact)

    def _made(self, node: ast.Call, fact: CallFact) -> ast.expr:
        first = (_site(fact, node), self.expression(node.func))
        return self._form(node, "call", first)

    def _map(self, node: ast.Call, fact: CallFact) -> ast.expr:
        """`map(fetch, xs)`: each call of `fetch` has the site of the `map`."""
        first = node.args[0]
        rest = _at(node, ast.Starred(_at(node, ast.Name("_", ast.Load())), ast.Load()))
        made = [_site(fact, node), self.expression(first), rest]
        body = _at(node, ast.Call(_form_name(node, "call"), made, []))
        parameters = ast.arguments([], [], _at(node, ast.arg("_")), [], [], None, [])
        function = _at(node, ast.Lambda(parameters, body))
        args = [function, *(self.expression(argument) for argument in node.args[1:])]
        return _at(node, ast.Call(self.expression(node.func), args, node.keywords))

    def _native(self, node: ast.Call, fact: CallFact) -> ast.expr:
        native = fact.native
        assert native is not None
        if native in _AS_WRITTEN:
            return self._fields(node)
        if native in _WITHOUT_SITE:
            return self._form(node, native, ())
        first: tuple[ast.expr, ...] = (_site(fact, node),)
        if native in _WITH_RECEIVER and fact.receiver is not None:
            first = (*first, self.expression(fact.receiver))
        return self._form(node, native, first)

    def _read(self, node: ast.Call, fact: CallFact) -> ast.expr:
        assert fact.native is not None
        if fact.native != "rng":
            return self._form(node, fact.native, ())
        name = str(self.analysis.names[id(node.func)]).rpartition(".")[2]
        rng = _at(node, ast.Call(_form_name(node, "rng"), [], []))
        func = _at(node, ast.Attribute(rng, name, ast.Load()))
        return self._with_arguments(node, func, ())

    def _log(self, node: ast.Call, fact: CallFact) -> ast.expr:
        assert fact.native is not None
        if fact.native == "print":
            return self._form(node, "print", ())
        logger: ast.expr = _at(node, ast.Constant(None))
        if fact.receiver is not None:
            logger = self.expression(fact.receiver)
        return self._form(node, "log", (logger, _at(node, ast.Constant(fact.native))))

    def _form(self, node: ast.Call, name: str, first: tuple[ast.expr, ...]) -> ast.Call:
        return self._with_arguments(node, _form_name(node, name), first)

    def _with_arguments(
        self, node: ast.Call, func: ast.expr, first: tuple[ast.expr, ...]
    ) -> ast.Call:
        args = [*first, *(self.expression(argument) for argument in node.args)]
        keywords = [self._node(keyword) for keyword in node.keywords]
        return _at(node, ast.Call(func, args, keywords))

    def _read_value(self, node: ast.Name | ast.Attribute) -> ast.expr | None:
        """A read or `print` that is mentioned, not called."""
        dotted = self.analysis.names.get(id(node))
        if not isinstance(dotted, str):
            return None
        if dotted == "builtins.print":
            return _form_name(node, "print")
        native = known.READS.get(dotted)
        if native is None:
            return None
        if native != "rng":
            return _form_name(node, native)
        method = _at(node, ast.Constant(dotted.rpartition(".")[2]))
        return _at(node, ast.Call(_form_name(node, "rng_method"), [method], []))


def _same(old: object, new: object) -> bool:
    if isinstance(old, list) and isinstance(new, list):
        olds, news = cast("list[object]", old), cast("list[object]", new)  # children of a node
        return all(a is b for a, b in zip(olds, news, strict=True))
    return old is new


def _changed[N: ast.AST](node: N, changes: Mapping[str, object]) -> N:
    values: dict[str, object] = {name: getattr(node, name, None) for name in node._fields}
    values.update(changes)
    copied = type(node)(**values)
    return ast.copy_location(copied, node)


def _at[N: ast.AST](node: ast.AST, made: N) -> N:
    return ast.copy_location(made, node)


def _form_name(node: ast.AST, name: str) -> ast.expr:
    perdure = _at(node, ast.Name(PERDURE, ast.Load()))
    return _at(node, ast.Attribute(perdure, name, ast.Load()))


def _site(fact: CallFact, node: ast.AST) -> ast.expr:
    sites = _at(node, ast.Name(SITES, ast.Load()))
    index = _at(node, ast.Constant(fact.site_index))
    return _at(node, ast.Subscript(sites, index, ast.Load()))
