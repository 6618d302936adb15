"""Reads one function: every statement and expression once, with the use of each value.

Names are resolved, calls handed to `calls`, and what a flow may not do to `checks`; both report
through the reader. Nested functions are handed back to the walk.
"""

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING, final

from perdure import rules
from perdure.diagnostics import Rule
from perdure.frontend import calls, checks
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.hints import undefined_hint
from perdure.frontend.holders import functions_in
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
    Scope,
    Table,
)
from perdure.frontend.properties import property_of
from perdure.frontend.state import FoundCall, State, Use
from perdure.frontend.symbols import Binding, BindingKind, target_names
from perdure.ir import Ref
from perdure.source import Span

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["Reader"]

type Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@final
class Reader:
    """Reads one function."""

    def __init__(self, walk: "Walk", state: State) -> None:
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
        """Refuse a place in this function."""
        self.walk.problem(self.state, rule, node, **values)

    def meaning(self, node: ast.expr | None) -> Meaning | None:
        """What an expression means here."""
        return self.resolver.expression(node, self.scope)

    # Statements

    def block(self, body: Iterable[ast.stmt]) -> None:
        """Read statements that run one after the other."""
        outer = self.path
        for index, statement in enumerate(body):
            if not index:
                self.path = (*outer, id(statement))
            self.statement(statement)
        self.path = outer

    def statement(self, node: ast.stmt) -> None:
        """Read one statement."""
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
            also = self.walk.around(self.state, span)
            self.walk.report.error(rule, span, also=also, **values)

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
            self._manager(item.context_expr)
            self.expression(item.context_expr, Use.AWAIT if is_async else Use.DATA)
            if item.optional_vars is not None:
                self.target(item.optional_vars)
        self.block(node.body)

    def _manager(self, node: ast.expr) -> None:
        """`with` calls these methods of a class of the project by itself."""
        meaning = self.meaning(node)
        if not isinstance(meaning, Instance) or not isinstance(meaning.type, Class):
            return
        for name in ("__enter__", "__exit__", "__aenter__", "__aexit__"):
            method = self.resolver.method(meaning.type, name)
            if method is not None:
                self.walk.reach(method, certain=self.state.certain)
                self.state.callees.append(method.ref)

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
        """Read what is assigned to, or deleted."""
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
        """Read one expression, whose value is used like this."""
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
            case ast.Subscript(value=value, slice=index) if self._looked_up(value):
                self.expression(index, Use.DATA)
                return
            case ast.FormattedValue(value=value):
                checks.shown(self, value)
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expression(child, Use.DATA)

    def _looked_up(self, node: ast.expr) -> bool:
        """`TOOLS[...]`: one member is taken out; the table itself is not passed on."""
        meaning = self.meaning(node)
        if not isinstance(meaning, Table):
            return False
        self.walk.names[id(node)] = meaning.ref
        self.root(node)
        checks.table_read(self, node, meaning)
        self.table(meaning, as_value=False)
        return True

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
                checks.async_comprehension(self, generator.target)
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
                for inner, func in functions_in(self.resolver, meaning):
                    self._function_value(inner, func)
            case External(dotted=dotted):
                self.walk.names[id(node)] = dotted
                checks.external_value(self, node, dotted)
            case Table(ref=ref):
                self.walk.names[id(node)] = ref
                checks.table_read(self, node, meaning)
                self.table(meaning)
            case Class(ref=ref):
                self.walk.names[id(node)] = ref
                self.walk.classes.setdefault(ref, meaning)
                self.walk.modules.setdefault(meaning.module.name, meaning.module)
            case Coroutine(call=made):
                self._coroutine(node, made, use)
            case _ if meaning is UNDEFINED:
                name = node.id if isinstance(node, ast.Name) else node.attr
                known = self.resolver.symbols(self.state.module).bindings
                hint = undefined_hint(name, self.state.node, known)
                self.problem(rules.UNDEFINED_NAME, node, name=name, hint=hint)
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

    def table(self, table: Table, *, as_value: bool = True) -> None:
        """A dispatch table is used: all its members are reached."""
        self.walk.tables.setdefault(table.ref, table)
        for _, func in table.keys:
            self.walk.reach(func)
            if as_value and func.kind is not FunctionKind.PURE:
                self.walk.values.setdefault(func.ref, func)

    def _attribute(self, node: ast.Attribute, use: Use) -> None:
        checks.attribute(self, node)
        self.walk.methods.add(node.attr)
        meaning = self.meaning(node)
        self.base(node, meaning)
        computed = property_of(self.resolver, self.meaning(node.value), node.attr)
        if computed is not None:
            self.walk.reach(computed, certain=self.state.certain)
            self.state.callees.append(computed.ref)
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
