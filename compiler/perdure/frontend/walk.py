"""One pass over every function that the entry flow reaches: names, calls, and what a flow may not do.

Functions come in through `reach`; states with classified calls go out. Every problem goes to the report and
the walk goes on. Functions reached only by the name of a method are `uncertain`: they are read for the sake of
the instrumentation, and nothing in them is refused.
"""

import ast
from collections import deque
from collections.abc import Iterable
from typing import final

from perdure import rules
from perdure.diagnostics import Report, Rule
from perdure.flow import Ref
from perdure.frontend import calls, checks
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
    Member,
    ProjectModule,
    Resolver,
    Scope,
    Table,
)
from perdure.frontend.state import FoundCall, State, Use
from perdure.frontend.symbols import Binding, BindingKind, names_of, target_names
from perdure.modules import Module
from perdure.project import Project
from perdure.source import Span

__all__ = ["Walk"]

type Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@final
class Walk:
    """The pass over one entry flow's program."""

    def __init__(self, project: Project, resolver: Resolver, report: Report) -> None:
        self.project = project
        self.resolver = resolver
        self.report = report
        self.allowed = project.settings.pure
        self.states: dict[Ref, State] = {}
        self.by_node: dict[int, State] = {}
        self.steps: dict[Ref, Func] = {}
        self.tables: dict[Ref, Table] = {}
        self.values: dict[Ref, Func] = {}
        """Coroutine functions that are mentioned as values."""
        self.names: dict[int, Ref | str] = {}
        self.classes: dict[Ref, Class] = {}
        self.methods: set[str] = set()
        """Names of methods called on values of unknown type."""
        self.modules: dict[str, Module] = {}
        self.fixed: dict[Ref, bool] = {}
        self.global_statements: dict[str, frozenset[str]] = {}
        self.changed: dict[str, frozenset[str]] = {}
        self._by_method: dict[str, list[Func]] | None = None
        self._fields: set[str] = set()
        self._pending: deque[State] = deque()

    # Reaching functions

    def reach(self, func: Func, parent: State | None = None, *, certain: bool = True) -> None:
        """Look into a function, once."""
        self.modules.setdefault(func.module.name, func.module)
        if func.kind is FunctionKind.STEP:
            self.steps.setdefault(func.ref, func)
            return
        node = func.node
        if node is None or id(node) in self.by_node:
            return
        ref = func.ref
        while ref in self.states:  # two functions of one name, one after the other
            ref = _again(ref)
        func = func._replace(ref=ref)
        names = names_of(node)
        scope = Scope(func.module, func.scope, names.bindings, names, ref.qualname)
        if func.owner is not None and names.parameters and not _is_static(node):
            cls_method = _is_class_method(node)
            scope.cache[names.parameters[0]] = func.owner if cls_method else Instance(func.owner)
        certain = certain and (parent is None or parent.certain)
        state = State(func, node, scope, certain=certain)
        state.parent = parent.ref if parent else None
        self.states[ref] = self.by_node[id(node)] = state
        self._pending.append(state)

    def async_methods(self, name: str) -> list[Func]:
        """The coroutine methods of that name, of all classes of the project's modules."""
        return [func for func in self.all_methods(name) if func.kind is FunctionKind.HELPER]

    def all_methods(self, name: str) -> list[Func]:
        """The methods of that name, of all classes of the project's modules."""
        return self._methods().get(name, [])

    def is_field(self, name: str) -> bool:
        """Whether some class of the project declares a field of that name."""
        self._methods()
        return name in self._fields

    def _methods(self) -> dict[str, list[Func]]:
        if self._by_method is None:
            self._by_method = {}
            for module in self.resolver.graph.modules.values():
                for node in module.tree.body:
                    if isinstance(node, ast.ClassDef):
                        self._index_class(Class(Ref(module.name, node.name), node, module))
        return self._by_method

    def _index_class(self, cls: Class) -> None:
        assert self._by_method is not None
        scope = Scope(cls.module, None, {})
        for statement in cls.node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                ref = Ref(cls.ref.module, f"{cls.ref.qualname}.{statement.name}")
                func = self.resolver.function(statement, scope, ref, cls)
                self._by_method.setdefault(statement.name, []).append(func)
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._fields.add(statement.target.id)

    def run(self) -> None:
        """Walk until nothing new is reached; what only a method's name reaches comes last."""
        self._drain()
        while True:
            before = len(self.states)
            for name in sorted(self.methods):
                for func in self.all_methods(name):
                    self.reach(func, certain=False)
            for cls in [*self.classes.values()]:
                self._reach_class(cls)
            self._drain()
            if len(self.states) == before:
                return

    def _reach_class(self, cls: Class) -> None:
        """What Python calls by itself: special methods, properties, default factories."""
        for base in self.resolver.bases(cls):
            scope = Scope(base.module, None, {})
            for statement in base.node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    if statement.name.startswith("__"):
                        ref = Ref(base.ref.module, f"{base.ref.qualname}.{statement.name}")
                        func = self.resolver.function(statement, scope, ref, base)
                        self.reach(func, certain=False)
                elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
                    self._reach_factory(base, statement.value, scope)

    def _reach_factory(self, cls: Class, value: ast.expr, scope: Scope) -> None:
        if not isinstance(value, ast.Call):
            return
        for keyword in value.keywords:
            if keyword.arg != "default_factory":
                continue
            if isinstance(keyword.value, ast.Lambda):
                ref = Ref(cls.ref.module, f"{cls.ref.qualname}.lambda")
                func = Func(ref, FunctionKind.PURE, keyword.value, cls.module)
                self.reach(func, certain=False)
                continue
            meaning = self.resolver.expression(keyword.value, scope)
            if isinstance(meaning, Func):
                self.reach(meaning, certain=False)
            elif isinstance(meaning, External):
                self.names[id(keyword.value)] = meaning.dotted

    def _drain(self) -> None:
        while self._pending:
            state = self._pending.popleft()
            Reader(self, state).read()

    def problem(self, state: State, rule: Rule, node: ast.AST, **values: object) -> None:
        """Refuse a place, if flow code reaches it for certain."""
        if state.certain:
            self.report.error(rule, span_of(state.module, node), also=(), **values)


def declared(walk: Walk, func: Func) -> "Reader":
    """A reader for the head of a step or flow, whose body is not read."""
    node = func.node or ast.parse("lambda: None", mode="eval").body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    return Reader(walk, State(func, node, Scope(func.module, None, {}), certain=True))


def _again(ref: Ref) -> Ref:
    return Ref(ref.module, f"{ref.qualname}'")


def span_of(module: Module, node: ast.AST) -> Span:
    """The span of any positioned node."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.With | ast.For):
        return module.source.header_span(node)
    assert isinstance(
        node, ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.pattern
    )
    return module.source.span(node)


def _is_static(node: FunctionNode) -> bool:
    return _has_decorator(node, "staticmethod")


def _is_class_method(node: FunctionNode) -> bool:
    return _has_decorator(node, "classmethod")


def _has_decorator(node: FunctionNode, name: str) -> bool:
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    return any(isinstance(item, ast.Name) and item.id == name for item in decorators)


@final
class Reader:
    """Reads one function."""

    def __init__(self, walk: Walk, state: State) -> None:
        self.walk = walk
        self.state = state
        self.resolver = walk.resolver
        self.scope = state.scope
        self.outer = state.func.scope or Scope(state.module, None, {})
        self.read_names: set[str] = set()
        self.forks: list[FoundCall] = []
        self.written: set[int] = set()
        """Nodes of globals already refused as written."""
        self.path: tuple[int, ...] = ()
        """The blocks around the statement read, outermost first."""
        self.context: ast.expr | None = None
        """What a `with` statement opens."""
        self.order_blind: set[int] = set()
        self.kind = state.func.kind
        self.raising = False
        """Inside the operand of `raise`: an error class may be called."""

    def read(self) -> None:
        """Read the whole function."""
        node = self.state.node
        if isinstance(node, ast.Lambda):
            self.expression(node.body, Use.KEEP)
            return
        checks.function(self, node)
        self.block(node.body)
        checks.coroutines_used(self)

    def problem(self, rule: Rule, node: ast.AST, **values: object) -> None:
        self.walk.problem(self.state, rule, node, **values)

    def meaning(self, node: ast.expr | None) -> Meaning | None:
        return self.resolver.expression(node, self.scope)

    # Statements

    def block(self, body: Iterable[ast.stmt]) -> None:
        outer = self.path
        for index, statement in enumerate(body):
            if not index:
                self.path = (*outer, id(statement))
            self.statement(statement)
        self.path = outer

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Expr(value=value):
                if not isinstance(value, ast.Constant):
                    self.expression(value, Use.DROP)
            case ast.Assign(targets=targets, value=value):
                checks.unpacking(self, targets, value)
                self.expression(value, Use.KEEP)
                for target in targets:
                    self.target(target)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self.expression(value, Use.KEEP)
                self.target(target)
            case ast.AugAssign(target=target, value=value):
                self.expression(value, Use.DATA)
                self.target(target)
            case ast.Return(value=value):
                if value is not None:
                    keeps = self.kind is not FunctionKind.FLOW
                    self.expression(value, Use.KEEP if keeps else Use.DATA)
            case ast.If(test=test, body=body, orelse=orelse):
                self.expression(test, Use.DATA)
                self.block(body)
                self.block(orelse)
            case ast.While(test=test, body=body, orelse=orelse):
                self.state.loops.append(node)
                self.expression(test, Use.DATA)
                self.block(body)
                self.block(orelse)
            case ast.For():
                self._for(node)
            case ast.AsyncFor():
                keyword = self.state.module.source.keyword_span(node, "async for")
                self._refuse_at(rules.ASYNC_FOR, keyword)
                self.block([*node.body, *node.orelse])
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.Match():
                self._match(node)
            case ast.Raise(exc=exc, cause=cause):
                self.raising = True
                for value in (exc, cause):
                    if value is not None:
                        self.expression(value, Use.DATA)
                self.raising = False
            case ast.Assert(test=test, msg=msg):
                self.expression(test, Use.DATA)
                if msg is not None:
                    self.expression(msg, Use.DATA)
            case ast.Delete(targets=targets):
                for target in targets:
                    self.target(target)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._nested(node)
            case ast.ClassDef(name=name):
                self.problem(rules.CLASS_IN_FLOW, node, name=name)
            case ast.Global(names=names):
                for name in names:
                    self.problem(rules.GLOBAL_WRITE, node, name=name)
            case ast.Import() | ast.ImportFrom():
                checks.local_import(self, node)
            case _:  # nonlocal, pass, break, continue, type aliases hold nothing to read
                pass

    def _refuse_at(self, rule: Rule, span: Span, **values: object) -> None:
        if self.state.certain:
            self.walk.report.error(rule, span, also=(), **values)

    def _for(self, node: ast.For) -> None:
        checks.iteration(self, node.iter)
        checks.loop(self, node)
        self.expression(node.iter, Use.DATA)
        self.target(node.target)
        self.block(node.body)
        self.block(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        if isinstance(node, ast.AsyncWith):
            self.state.pauses.append(node)
        for item in node.items:
            is_async = isinstance(node, ast.AsyncWith)
            self.context = item.context_expr
            self.expression(item.context_expr, Use.AWAIT if is_async else Use.DATA)
            if item.optional_vars is not None:
                self.target(item.optional_vars)
        self.block(node.body)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        self.state.tries.append(node)
        self.block(node.body)
        for handler in node.handlers:
            if handler.type is not None:
                self.expression(handler.type, Use.DATA)
            self.block(handler.body)
        self.block(node.orelse)
        self.block(node.finalbody)

    def _match(self, node: ast.Match) -> None:
        self.expression(node.subject, Use.DATA)
        for case in node.cases:
            for part in ast.walk(case.pattern):
                if isinstance(part, ast.MatchValue):
                    self.expression(part.value, Use.DATA)
                elif isinstance(part, ast.MatchClass):
                    self.expression(part.cls, Use.DATA)
                elif isinstance(part, ast.MatchMapping):
                    for key in part.keys:
                        self.expression(key, Use.DATA)
            if case.guard is not None:
                self.expression(case.guard, Use.DATA)
            self.block(case.body)

    def _nested(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._defaults(node.args)
        qualname = f"{self.scope.body.qualname}.{node.name}"
        ref = Ref(self.state.module.name, qualname)
        func = self.resolver.function(node, self.scope, ref)
        if func.kind in (FunctionKind.STEP, FunctionKind.FLOW):
            kind = func.kind.value
            self.problem(rules.NOT_AT_MODULE_LEVEL, node, kind=kind, name=node.name)
            return
        self.walk.reach(func, self.state)

    def _defaults(self, args: ast.arguments) -> None:
        for default in (*args.defaults, *args.kw_defaults):
            if default is not None:
                self.expression(default, Use.DATA)

    # Targets

    def target(self, node: ast.expr) -> None:
        match node:
            case ast.Name(id=name):
                self._outer(name)
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                for part in elts:
                    self.target(part)
            case ast.Starred(value=value):
                self.target(value)
            case ast.Attribute(value=value) | ast.Subscript(value=value):
                checks.changed(self, value)
                self.expression(value, Use.DATA)
                if isinstance(node, ast.Subscript):
                    self.expression(node.slice, Use.DATA)
            case _:
                self.expression(node, Use.DATA)

    def _outer(self, name: str) -> None:
        found = self.scope.finding(name)
        if found is None and self.resolver.is_starred(self.state.module, name):
            checks.starred_import(self)
        if found is not None and found.body is not self.state.scope:
            self.state.free.add(name)

    # Expressions

    def expression(self, node: ast.expr, use: Use) -> None:
        match node:
            case ast.Constant():
                pass
            case ast.Name():
                self._name(node, use)
            case ast.Attribute():
                self._attribute(node, use)
            case ast.Call():
                calls.call(self, node, use)
            case ast.Await(value=value):
                self.state.pauses.append(node)
                self._await(value)
            case ast.BinOp():
                self._binary(node)
            case ast.Lambda():
                self._lambda(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, use)
            case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
                inner = use if use is Use.BRANCH else Use.KEEP
                for element in elts:
                    self.expression(element, inner)
            case ast.Dict(keys=keys, values=values):
                for key in keys:
                    if key is not None:
                        self.expression(key, Use.DATA)
                for value in values:
                    self.expression(value, use if use is Use.BRANCH else Use.KEEP)
            case ast.Starred(value=value):
                checks.iteration(self, value)
                self.expression(value, use)
            case ast.NamedExpr(target=target, value=value):
                self.expression(value, Use.KEEP)
                self.target(target)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.expression(test, Use.DATA)
                self.expression(body, use)
                self.expression(orelse, use)
            case ast.BoolOp(values=values):
                for value in values:
                    self.expression(value, use)
            case ast.Yield() | ast.YieldFrom():
                self._yield(node)
            case _:
                self._other(node)

    def _other(self, node: ast.expr) -> None:
        match node:
            case ast.Compare():
                checks.comparison(self, node)
            case ast.FormattedValue(value=value):
                checks.shown(self, value)
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child, Use.DATA)

    def _binary(self, node: ast.BinOp) -> None:
        self.expression(node.left, Use.DATA)
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
            checks.formatted(self, node.right)
        self.expression(node.right, Use.DATA)

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        if self.kind is not FunctionKind.MANAGER or isinstance(node, ast.YieldFrom):
            span = self.state.module.source.keyword_span(node, "yield")
            self._refuse_at(rules.YIELD, span)
        if node.value is not None:
            self.expression(node.value, Use.DATA)

    def _await(self, value: ast.expr) -> None:
        meaning = self.meaning(value)
        if checks.is_data(meaning):
            self.problem(rules.NOT_AWAITABLE, value, what=ast.unparse(value))
        self.expression(value, Use.AWAIT)

    def _lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        qualname = f"{self.scope.body.qualname}.lambda"
        ref = Ref(self.state.module.name, qualname)
        func = Func(ref, FunctionKind.PURE, node, self.state.module, self.scope)
        self.walk.reach(func, self.state)

    def _comprehension(self, node: Comprehension, use: Use) -> None:
        outer = self.scope
        bindings: dict[str, list[Binding]] = {}
        inner = Scope(outer.module, outer, bindings, None, outer.qualname)
        for index, generator in enumerate(node.generators):
            checks.comprehended(self, node, generator)
            if generator.is_async:
                self.problem(rules.ASYNC_FOR, generator.target)
            self.expression(generator.iter, Use.DATA)
            if not index:
                self.scope = inner
            for name in target_names(generator.target):
                found = Binding(BindingKind.ITEM, generator, generator.iter)
                bindings.setdefault(name, []).append(found)
            self.target(generator.target)
            for condition in generator.ifs:
                self.expression(condition, Use.DATA)
        element = use if use is Use.BRANCH else Use.KEEP
        if isinstance(node, ast.DictComp):
            self.expression(node.key, Use.DATA)
            self.expression(node.value, element)
        else:
            self.expression(node.elt, element)
        self.scope = outer

    def _name(self, node: ast.Name, use: Use) -> None:
        self._outer(node.id)
        self.read_names.add(node.id)
        self.state.loads.setdefault(node.id, []).append(node)
        self.mentioned(node, self.resolver.name(self.scope, node.id), use)

    def mentioned(self, node: ast.Name | ast.Attribute, meaning: Meaning | None, use: Use) -> None:
        """A name or dotted name that is read, other than as what is called."""
        match meaning:
            case Func():
                self._function_value(node, meaning)
            case GlobalValue():
                self.walk.names[id(node)] = meaning.ref
                checks.global_read(self, node, meaning)
            case External(dotted=dotted):
                self.walk.names[id(node)] = dotted
                checks.external_value(self, node, dotted)
            case Table(ref=ref):
                self.walk.names[id(node)] = ref
                self.table(meaning)
            case Class(ref=ref):
                self.walk.names[id(node)] = ref
                self.walk.classes.setdefault(ref, meaning)
                self.walk.modules.setdefault(meaning.module.name, meaning.module)
            case Coroutine(call=made):
                self._coroutine(node, made, use)
            case _ if meaning is UNDEFINED:
                name = node.id if isinstance(node, ast.Name) else node.attr
                self.problem(rules.UNDEFINED_NAME, node, name=name)
            case _:
                pass

    def _coroutine(self, node: ast.Name | ast.Attribute, made: ast.Call, use: Use) -> None:
        """A local that holds a coroutine: looked into, or consumed."""
        if use in (Use.DATA, Use.DROP):
            self.problem(rules.MISSING_AWAIT, made, call=ast.unparse(made.func))
        elif use in (Use.AWAIT, Use.BRANCH) and isinstance(node, ast.Name):
            self.state.consumed.setdefault(node.id, []).append((node, self.path))

    def _function_value(self, node: ast.Name | ast.Attribute, func: Func) -> None:
        self.walk.names[id(node)] = func.ref
        self.walk.reach(func)
        if func.kind in (FunctionKind.STEP, FunctionKind.FLOW, FunctionKind.HELPER):
            self.walk.values.setdefault(func.ref, func)

    def table(self, table: Table) -> None:
        """A dispatch table is used: all its members are reached."""
        self.walk.tables.setdefault(table.ref, table)
        for _, func in table.keys:
            self.walk.reach(func)
            if func.kind is not FunctionKind.PURE:
                self.walk.values.setdefault(func.ref, func)

    def _attribute(self, node: ast.Attribute, use: Use) -> None:
        checks.attribute(self, node)
        self.walk.methods.add(node.attr)
        meaning = self.meaning(node)
        self.base(node, meaning)
        if meaning is None or isinstance(meaning, Instance | Coroutine | Member):
            return
        self.mentioned(node, meaning, use)

    def root(self, func: ast.expr) -> None:
        """The callee is known by name: only where the name comes from matters."""
        while isinstance(func, ast.Attribute):
            func = func.value
        if isinstance(func, ast.Name):
            self._outer(func.id)
            self.read_names.add(func.id)
            self.state.loads.setdefault(func.id, []).append(func)

    def receiver(self, func: ast.expr) -> None:
        """What stands before the last dot of a callee."""
        if isinstance(func, ast.Name):
            self.root(func)
        elif isinstance(func, ast.Attribute):
            self.base(func, self.meaning(func))
        else:
            self.expression(func, Use.DATA)

    def base(self, node: ast.Attribute, meaning: Meaning | None) -> None:
        """The part before the dot: a module's name is no value, everything else is read."""
        base = self.meaning(node.value)
        if isinstance(base, External | ProjectModule):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            if isinstance(root, ast.Name):
                self._outer(root.id)
                return
        if isinstance(base, ProjectModule) or (base is None and meaning is not None):
            return
        self.expression(node.value, Use.DATA)
