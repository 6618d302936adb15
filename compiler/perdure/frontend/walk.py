"""One pass over every function that the entry flow reaches: names, calls, and what a flow may not
do.

Functions come in through `reach`; states with classified calls go out. Every problem goes to the
report and the walk goes on. Functions reached only by the name of a method are `uncertain`: they
are read for the sake of the instrumentation, and nothing in them is refused.
"""

import ast
from collections import deque
from typing import final

from perdure.diagnostics import Report, Rule, Secondary
from perdure.frontend.analysis import FunctionKind, FunctionNode
from perdure.frontend.meanings import (
    Class,
    External,
    Func,
    Instance,
    Scope,
    Table,
)
from perdure.frontend.reader import Reader
from perdure.frontend.resolver import Resolver
from perdure.frontend.state import State
from perdure.frontend.symbols import names_of
from perdure.ir import Ref
from perdure.modules import Module
from perdure.project import Project
from perdure.source import Span

__all__ = ["Walk"]


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
        self.sets_given: list[tuple[Func, str]] = []
        """Helpers, and the parameters that some call gives a set."""
        self.fixed: dict[Ref, bool] = {}
        self.global_statements: dict[str, frozenset[str]] = {}
        self.changed: frozenset[Ref] | None = None
        """The module-level containers that some code changes; None until somebody asks."""
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

    def around(self, state: State, span: Span) -> tuple[Secondary, ...]:
        """A second place for a problem: the head of the function it is in."""
        return around(state, span)

    def problem(self, state: State, rule: Rule, node: ast.AST, **values: object) -> None:
        """Refuse a place, if flow code reaches it for certain."""
        if state.certain:
            span = span_of(state.module, node)
            self.report.error(rule, span, also=around(state, span), **values)


def declared(walk: Walk, func: Func) -> Reader:
    """A reader for the head of a step or flow, whose body is not read."""
    node = func.node or ast.parse("lambda: None", mode="eval").body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    return Reader(walk, State(func, node, Scope(func.module, None, {}), certain=True))


def _again(ref: Ref) -> Ref:
    return Ref(ref.module, f"{ref.qualname}'")


def around(state: State, span: Span) -> tuple[Secondary, ...]:
    """The head of the function that a problem is in, unless the problem is there."""
    node = state.node
    if isinstance(node, ast.Lambda):
        return ()
    head = state.module.source.header_span(node)
    label = "in this flow" if state.func.kind is FunctionKind.FLOW else "in this helper"
    return (Secondary(head, label),) if span.line > head.line else ()


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
