"""What Python code without operations does to the names of its function.

Comes in: statements or expressions as `ast`. Goes out: `Uses`, with the names whose value from
before is looked at, those that may be bound, and those that surely are. One forward walk, linear.
Names of builtins and globals are among the reads; the caller keeps what is a slot. A nested
function reads what it captures where it is made, for this cannot be told later.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import NamedTuple, final

__all__ = ["Uses", "bound_by_target", "captured_names", "uses"]


@final
class Uses(NamedTuple):
    """Reads of values from before, possible writes (and `del`), sure bindings (None: control never
    gets past).
    """

    reads: frozenset[str]
    writes: frozenset[str]
    binds: frozenset[str] | None
    deletes: frozenset[str] = frozenset()
    """Those of `writes` that may lose their value: by `del`, or at the end of a handler."""


def uses(nodes: Iterable[ast.stmt | ast.expr]) -> Uses:
    """The uses of nodes that run one after the other."""
    walk = _Walk()
    for node in nodes:
        if isinstance(node, ast.stmt):
            walk.statement(node)
        else:
            walk.expression(node)
    binds = None if walk.bound is None else frozenset(walk.bound)
    return Uses(frozenset(walk.reads), frozenset(walk.writes), binds, frozenset(walk.deletes))


def bound_by_target(target: ast.AST) -> set[str]:
    """The names that an assignment target or a pattern binds."""
    names: set[str] = set()
    for node in ast.walk(target):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.MatchMapping(rest=str(name)):
                names.add(name)
            case _:
                pass
    return names


def captured_names(node: ast.AST) -> tuple[set[str], set[str]]:
    """Of a nested function: the names it may read from outside, and those it writes there
    (`nonlocal`).
    """
    match node:
        case ast.Lambda(args=arguments, body=body):
            inside = uses([body])
            nested_writes: set[str] = set()
        case (
            ast.FunctionDef(args=arguments, body=code)
            | ast.AsyncFunctionDef(args=arguments, body=code)
        ):
            inside = uses(code)
            nested_writes = _nonlocals(code)
        case _:
            return set(), set()
    own = {argument.arg for argument in _all_arguments(arguments)}
    own |= set(inside.writes) - nested_writes
    return (set(inside.reads) | nested_writes) - own, nested_writes


def _all_arguments(arguments: ast.arguments) -> list[ast.arg]:
    extra = [arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


def _nonlocals(code: Sequence[ast.stmt]) -> set[str]:
    names: set[str] = set()
    pending: list[ast.AST] = list(code)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Nonlocal):
            names.update(node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names |= captured_names(node)[1]
        elif not isinstance(node, ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))
    return names


class _Walk:
    """A forward walk; `bound` is None where control cannot come."""

    def __init__(self) -> None:
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.deletes: set[str] = set()
        self.bound: set[str] | None = set()

    def read(self, name: str) -> None:
        if self.bound is not None and name not in self.bound:
            self.reads.add(name)

    def bind(self, names: Iterable[str]) -> None:
        for name in names:
            self.writes.add(name)
            if self.bound is not None:
                self.bound.add(name)

    def unbind(self, name: str) -> None:
        self.read(name)
        self.writes.add(name)
        self.deletes.add(name)
        if self.bound is not None:
            self.bound.discard(name)

    def expressions(self, nodes: Iterable[ast.expr | None]) -> None:
        for node in nodes:
            if node is not None:
                self.expression(node)

    def expression(self, node: ast.expr) -> None:
        """Loads first, walrus targets after: only ever too many reads."""
        targets: list[str] = []
        pending: list[ast.AST] = [node]
        while pending:
            part = pending.pop()
            match part:
                case ast.Name(id=name, ctx=ast.Load()):
                    self.read(name)
                case ast.Name(id=name):
                    targets.append(name)
                case ast.Constant():
                    pass
                case ast.Lambda():
                    self._closure(part)
                    pending.extend(_defaults(part.args))
                case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                    self._comprehension(part)
                case _:
                    pending.extend(ast.iter_child_nodes(part))
        if targets:
            self.writes.update(targets)
            if self.bound is not None:
                self.bound |= _sure_targets(node)

    def _closure(self, node: ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        reads, writes = captured_names(node)
        for name in reads:
            self.read(name)
        self.writes |= writes

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    ) -> None:
        own: set[str] = set()
        for generator in node.generators:
            own |= bound_by_target(generator.target)
        self.expression(node.generators[0].iter)
        inner = _Walk()
        inner.bound = own if self.bound is None else self.bound | own
        for position, generator in enumerate(node.generators):
            if position:
                inner.expression(generator.iter)
            inner.expressions(_target_reads(generator.target))
            inner.expressions(generator.ifs)
        if isinstance(node, ast.DictComp):
            inner.expressions([node.key, node.value])
        else:
            inner.expression(node.elt)
        if self.bound is not None:
            self.reads |= inner.reads
        self.writes |= inner.writes

    def target(self, node: ast.expr) -> None:
        """What a target reads (`xs[i] = ...`), then what it binds."""
        if isinstance(node, ast.Name):
            self.bind([node.id])
            return
        self.expressions(_target_reads(node))
        self.bind(bound_by_target(node))

    def block(self, code: Sequence[ast.stmt]) -> None:
        for statement in code:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign():
                self.expression(node.value)
                for target in node.targets:
                    self.target(target)
            case ast.AugAssign():
                if isinstance(node.target, ast.Name):
                    self.read(node.target.id)
                self.expression(node.value)
                self.target(node.target)
            case ast.AnnAssign():
                if node.value is not None:
                    self.expression(node.value)
                    self.target(node.target)
            case ast.Delete():
                for target in node.targets:
                    self._delete(target)
            case ast.Expr(value=value):
                self.expression(value)
            case ast.Return() | ast.Raise():
                self.expressions(
                    [node.value] if isinstance(node, ast.Return) else [node.exc, node.cause]
                )
                self.bound = None
            case ast.Break() | ast.Continue():
                self.bound = None
            case ast.Assert():
                self.expression(node.test)
            case ast.Pass() | ast.Global() | ast.Nonlocal():
                pass
            case _:
                self._compound(node)
        if isinstance(node, ast.Assert) and node.msg is not None:
            self.expression(node.msg)

    def _delete(self, target: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                self.unbind(name)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self._delete(part)
            case _:
                self.expressions(_target_reads(target))

    def _compound(self, node: ast.stmt) -> None:
        match node:
            case ast.If():
                self.expression(node.test)
                self._either([node.body, node.orelse])
            case ast.For() | ast.AsyncFor():
                self.expression(node.iter)
                self._loop(node.target, node.body, node.orelse)
            case ast.While():
                self.expression(node.test)
                self._loop(None, node.body, node.orelse)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self._match(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.expressions([*node.decorator_list, *_defaults(node.args)])
                self._closure(node)
                self.bind([node.name])
            case ast.ClassDef():
                self._class(node)
            case ast.Import() | ast.ImportFrom():
                self.bind(alias.asname or alias.name.split(".")[0] for alias in node.names)
            case _:
                for part in ast.walk(node):
                    if isinstance(part, ast.Name):
                        self.read(part.id)

    def _either(self, blocks: Sequence[Sequence[ast.stmt]]) -> None:
        before = self.bound
        ends: list[set[str]] = []
        for code in blocks:
            self.bound = None if before is None else set(before)
            self.block(code)
            if self.bound is not None:
                ends.append(self.bound)
        self.bound = set[str].intersection(*ends) if ends else None

    def _loop(
        self, target: ast.expr | None, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]
    ) -> None:
        before = self.bound
        self.bound = None if before is None else set(before)
        if target is not None:
            self.target(target)
        self.block(body)
        self.bound = None if before is None else set(before)
        self.block(orelse)
        self.bound = before

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.expression(item.context_expr)
            if item.optional_vars is not None:
                self.target(item.optional_vars)
        before = None if self.bound is None else set(self.bound)
        self.block(node.body)
        # A manager may swallow the error: what the body binds is not sure.
        self.bound = before

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        before = None if self.bound is None else set(self.bound)
        self.block([*node.body, *node.orelse])
        ends = [] if self.bound is None else [self.bound]
        for handler in node.handlers:
            self.bound = None if before is None else set(before)
            if handler.type is not None:
                self.expression(handler.type)
            if handler.name is not None:
                self.bind([handler.name])
            self.block(handler.body)
            if handler.name is not None:
                self.deletes.add(handler.name)
                if self.bound is not None:
                    self.bound.discard(handler.name)
            if self.bound is not None:
                ends.append(self.bound)
        after = set[str].intersection(*ends) if ends else None
        self.bound = None if before is None else set(before)
        self.block(node.finalbody)
        if self.bound is not None:
            self.bound = None if after is None else after | self.bound

    def _match(self, node: ast.Match) -> None:
        self.expression(node.subject)
        before = self.bound
        ends = [] if before is None else [set(before)]
        for case in node.cases:
            self.bound = None if before is None else set(before)
            self.expressions(_pattern_reads(case.pattern))
            self.bind(bound_by_target(case.pattern))
            if case.guard is not None:
                self.expression(case.guard)
            self.block(case.body)
            if self.bound is not None:
                ends.append(self.bound)
        self.bound = set[str].intersection(*ends) if ends else None

    def _class(self, node: ast.ClassDef) -> None:
        self.expressions([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)])
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                self.read(part.id)
        self.bind([node.name])


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [
        *arguments.defaults,
        *(default for default in arguments.kw_defaults if default is not None),
    ]


def _target_reads(target: ast.expr) -> list[ast.expr]:
    """The expressions that an assignment target evaluates: container, index, object."""
    match target:
        case ast.Subscript(value=value, slice=index):
            return [value, index]
        case ast.Attribute(value=value):
            return [value]
        case ast.Starred(value=value):
            return _target_reads(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [read for part in parts for read in _target_reads(part)]
        case _:
            return []


def _pattern_reads(pattern: ast.pattern) -> list[ast.expr]:
    return [
        node
        for node in ast.walk(pattern)
        if isinstance(node, ast.expr) and not isinstance(node, ast.Constant)
    ]


def _sure_targets(node: ast.AST) -> set[str]:
    """Names that a walrus in an expression binds whatever its parts turn out to be."""
    parts: list[ast.AST]
    found: set[str] = set()
    match node:
        case ast.BoolOp(values=values):
            parts = [values[0]]
        case ast.IfExp(test=test):
            parts = [test]
        case ast.Compare(left=left, comparators=comparators):
            parts = [left, comparators[0]]
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            parts = []
        case ast.NamedExpr(target=target, value=value):
            found.add(target.id)
            parts = [value]
        case _:
            parts = list(ast.iter_child_nodes(node))
    for part in parts:
        found |= _sure_targets(part)
    return found
