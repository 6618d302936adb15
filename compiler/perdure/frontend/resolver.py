"""Names and expressions to meanings, through imports and the project's own modules.

A scope and an expression come in; a `Meaning` goes out, or None where only run time knows.
Re-exports are followed; everything outside the project is an `External` dotted name.
"""

import ast
import builtins
from typing import final

import perdure
from perdure.frontend import known, properties, sets
from perdure.frontend.analysis import FunctionKind, FunctionNode
from perdure.frontend.meanings import (
    FLOW,
    HANDLE,
    LOGGER,
    SET,
    STEP,
    TASK_GROUP,
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
    absolute,
    is_flow,
    is_logger,
    is_set,
)
from perdure.frontend.symbols import Binding, BindingKind, ModuleSymbols
from perdure.ir import Ref
from perdure.modules import Module, ModuleGraph

__all__ = ["Resolver"]

_BUILTINS = frozenset(dir(builtins))
_MODULE_NAMES = frozenset({"__name__", "__doc__", "__file__", "__package__", "__spec__"})


@final
class Resolver:
    """Meanings in one project; caches belong to one compilation."""

    def __init__(self, graph: ModuleGraph) -> None:
        self.graph = graph
        self._symbols: dict[str, ModuleSymbols] = {}
        self._modules: dict[tuple[str, str], Meaning | None] = {}
        self._expressions: dict[int, Meaning | None] = {}
        self.returns: dict[int, Instance | None] = {}

    def symbols(self, module: Module) -> ModuleSymbols:
        """The module-level bindings of a module."""
        found = self._symbols.get(module.name)
        if found is None:
            found = self._symbols[module.name] = ModuleSymbols(module.tree)
        return found

    # Names

    def name(self, scope: Scope, name: str) -> Meaning | None:
        """What a name read in a scope means."""
        found = scope.finding(name)
        return self.local(found, name) if found else self.module_name(scope.module, name)

    def module_name(self, module: Module, name: str) -> Meaning | None:
        """What a name read at the top level of a module means."""
        if name in _BUILTINS and name not in self.symbols(module).bindings:
            return External(f"builtins.{name}")
        meaning = self.member(module, name)
        if meaning is not UNDEFINED:
            return meaning
        if name in _MODULE_NAMES:
            return None
        return UNDEFINED

    def is_starred(self, module: Module, name: str) -> bool:
        """Whether only a star import of another package can have brought a name."""
        symbols = self.symbols(module)
        if not symbols.stars or name in symbols.bindings or name in _BUILTINS:
            return False
        return name not in _MODULE_NAMES and self.member(module, name) is None

    def member(self, module: Module, name: str) -> Meaning | None:
        """What `module.name` means."""
        key = (module.name, name)
        if key not in self._modules:
            self._modules[key] = None  # a cycle of re-exports has no meaning
            self._modules[key] = self._member(module, name)
        return self._modules[key]

    def _member(self, module: Module, name: str) -> Meaning | None:
        symbols = self.symbols(module)
        bindings = symbols.bindings.get(name)
        if bindings:
            return self._module_binding(module, name, tuple(bindings))
        submodule = self.graph.find(f"{module.name}.{name}")
        if submodule is not None:
            return ProjectModule(submodule)
        unknown = False
        for star in symbols.stars:
            package = absolute(module, star.module or "", star.level)
            starred = self.graph.find(package)
            if package == "perdure" and name in perdure.__all__:
                return External(f"perdure.{name}")
            if starred is None:
                unknown = True
            elif (found := self.member(starred, name)) is not UNDEFINED:
                return found
        return None if unknown else UNDEFINED

    def _module_binding(
        self, module: Module, name: str, bindings: tuple[Binding, ...]
    ) -> Meaning | None:
        scope = Scope(module, None, {})
        ref = Ref(module.name, name)
        last = bindings[-1]
        meanings = {self._bound(binding, scope, ref) for binding in bindings}
        if len(meanings) == 1:
            meaning = meanings.pop()
            if isinstance(meaning, External | ProjectModule | Class | Func | Table | GlobalValue):
                return meaning
            instance = meaning if isinstance(meaning, Instance) else None
            return GlobalValue(ref, bindings, module, instance)
        if all(binding.kind in (BindingKind.FUNCTION, BindingKind.CLASS) for binding in bindings):
            return self._bound(last, scope, ref)  # overloads, and a name defined twice
        imports = [b for b in bindings if b.kind is BindingKind.IMPORT]
        if len(imports) == len(bindings):
            return self._bound(imports[0], scope, ref)
        return GlobalValue(ref, bindings, module, None)

    def local(self, scope: Scope, name: str) -> Meaning | None:
        """What a local name means, if all its bindings agree."""
        if name in scope.cache:
            return scope.cache[name]
        scope.cache[name] = None
        inner = scope.parent if scope.names is None and scope.parent else scope
        prefix = f"{scope.qualname}." if scope.qualname else ""
        ref = Ref(scope.module.name, prefix + name)
        found = [self._bound(binding, inner, ref) for binding in scope.bindings[name]]
        first = found[0]
        agreed = first if all(meaning == first for meaning in found[1:]) else None
        if agreed is UNDEFINED:  # its value is written in a scope inside this one
            agreed = None
        scope.cache[name] = agreed
        return agreed

    def _bound(self, binding: Binding, scope: Scope, ref: Ref) -> Meaning | None:
        match binding.kind:
            case BindingKind.IMPORT:
                return self.dotted(absolute(scope.module, binding.target, binding.level))
            case BindingKind.FUNCTION:
                assert isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef)
                return self.function(binding.node, scope, ref)
            case BindingKind.CLASS:
                assert isinstance(binding.node, ast.ClassDef)
                return Class(ref, binding.node, scope.module)
            case BindingKind.VALUE:
                return self._value(binding, scope, ref)
            case BindingKind.PARAMETER:
                return self.annotation(binding.annotation, scope) if binding.annotation else None
            case BindingKind.CONTEXT:
                value = self.expression(binding.value, scope) if binding.value else None
                group = isinstance(value, Instance) and value.type == TASK_GROUP
                return value if group else None
            case BindingKind.ITEM:
                return self._item(binding, scope)
            case BindingKind.ERROR | BindingKind.UNKNOWN:
                return None

    def _item(self, binding: Binding, scope: Scope) -> Meaning | None:
        value = self.expression(binding.value, scope) if binding.value else None
        if isinstance(value, Table) and isinstance(binding.node, ast.For | ast.comprehension):
            return Member(value) if isinstance(binding.node.target, ast.Name) else None
        return None

    def _value(self, binding: Binding, scope: Scope, ref: Ref) -> Meaning | None:
        if binding.value is None:
            return self.annotation(binding.annotation, scope) if binding.annotation else None
        made = self._made(binding.value, scope, ref)
        if made is not None:
            return made
        meaning = self.expression(binding.value, scope)
        if meaning is None and binding.annotation is not None:
            return self.annotation(binding.annotation, scope)
        return meaning

    def _made(self, value: ast.expr, scope: Scope, ref: Ref) -> Meaning | None:
        """`step(f)`, `step(retry=3)(f)`, `other.options(...)`, a lambda, a table."""
        module = scope.module
        enclosing = scope if scope.names is not None else None
        if isinstance(value, ast.Lambda):
            return Func(ref, FunctionKind.PURE, value, module, enclosing)
        if isinstance(value, ast.Dict | ast.List | ast.Tuple | ast.Set):
            return self._table(value, scope, ref)
        if not isinstance(value, ast.Call):
            return None
        maker = self.expression(value.func, scope)
        if isinstance(value.func, ast.Call):
            maker = self.expression(value.func.func, scope)
        if maker == STEP and (value.args or isinstance(value.func, ast.Call)):
            return Func(ref, FunctionKind.STEP, self._plain(value, scope), module, policy=value)
        if maker == FLOW and value.args:
            node = self._plain(value, scope)
            if node is not None:
                return Func(ref, FunctionKind.FLOW, node, module, policy=value)
        if isinstance(value.func, ast.Attribute) and value.func.attr == "options":
            base = self.expression(value.func.value, scope)
            if isinstance(base, Func) and base.kind is FunctionKind.STEP and enclosing is None:
                return Func(ref, FunctionKind.STEP, base.node, module, policy=value)
        return None

    def _plain(self, call: ast.Call, scope: Scope) -> FunctionNode | None:
        wrapped = self.expression(call.args[0], scope) if call.args else None
        # A method has its parameters with or without `self`: only what wraps it knows.
        return wrapped.node if isinstance(wrapped, Func) and wrapped.owner is None else None

    def _table(
        self, value: ast.Dict | ast.List | ast.Tuple | ast.Set, scope: Scope, ref: Ref
    ) -> Table | None:
        if isinstance(value, ast.Set):
            return None
        if isinstance(value, ast.Dict):
            keys = [key.value if isinstance(key, ast.Constant) else key for key in value.keys]
            values = value.values
        else:
            keys, values = [*range(len(value.elts))], value.elts
        members: list[tuple[object, Func]] = []
        for key, item in zip(keys, values, strict=True):
            found = self.expression(item, scope)
            if isinstance(found, Table) and key is None:
                members.extend(found.keys)
            elif isinstance(found, Func):
                members.append((key, found))
            else:
                return None
        return Table(ref, tuple(members)) if members else None

    # Functions

    def function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef,
        scope: Scope,
        ref: Ref,
        owner: Class | None = None,
    ) -> Func:
        """The meaning of a `def`, by its decorators."""
        kind = FunctionKind.PURE if isinstance(node, ast.FunctionDef) else FunctionKind.HELPER
        policy: ast.expr | None = None
        for decorator in node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            meaning = self.expression(called, scope)
            if meaning == STEP:
                kind, policy = FunctionKind.STEP, decorator
            elif meaning == FLOW:
                kind, policy = FunctionKind.FLOW, decorator
            elif isinstance(meaning, External) and meaning.dotted in known.MANAGERS:
                kind = FunctionKind.MANAGER
        enclosing = scope if scope.names is not None else None
        return Func(ref, kind, node, scope.module, enclosing, owner, policy)

    def method(self, owner: Class, name: str) -> Func | None:
        """A method of a project class, its project bases included."""
        for cls in self.bases(owner):
            for statement in cls.node.body:
                if (
                    isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
                    and statement.name == name
                ):
                    ref = Ref(cls.ref.module, f"{cls.ref.qualname}.{name}")
                    return self.function(statement, Scope(cls.module, None, {}), ref, cls)
        return None

    def bases(self, owner: Class) -> tuple[Class, ...]:
        """A class and the classes of the project that it derives from."""
        found: list[Class] = []
        pending: list[Class] = [owner]
        while pending:
            cls = pending.pop(0)
            if cls in found:
                continue
            found.append(cls)
            scope = Scope(cls.module, None, {})
            for base in cls.node.bases:
                inner = base.value if isinstance(base, ast.Subscript) else base
                meaning = self.expression(inner, scope)
                if isinstance(meaning, Class):
                    pending.append(meaning)
        return tuple(found)

    def external_bases(self, owner: Class) -> frozenset[str]:
        """The dotted names of the bases outside the project, of the class and its bases."""
        found: set[str] = set()
        for cls in self.bases(owner):
            scope = Scope(cls.module, None, {})
            for base in cls.node.bases:
                inner = base.value if isinstance(base, ast.Subscript) else base
                meaning = self.expression(inner, scope)
                if isinstance(meaning, External):
                    found.add(meaning.dotted)
                elif not isinstance(meaning, Class):
                    found.add("?")
        return frozenset(found)

    # Expressions

    def dotted(self, target: str) -> Meaning | None:
        """What an absolute dotted name means."""
        module = self.graph.find(target)
        if module is not None:
            return ProjectModule(module)
        head, _, last = target.rpartition(".")
        parent = self.graph.find(head) if head else None
        if parent is not None:
            return self.member(parent, last)
        return External(target)

    def expression(self, node: ast.expr | None, scope: Scope) -> Meaning | None:
        """What an expression means; None where only run time knows."""
        if not isinstance(node, ast.Call | ast.Attribute | ast.BinOp | ast.IfExp):
            return self._expression(node, scope)
        key = id(node)  # the trees outlive the resolver
        if key not in self._expressions:
            self._expressions[key] = self._expression(node, scope)
        return self._expressions[key]

    def _expression(self, node: ast.expr | None, scope: Scope) -> Meaning | None:
        match node:
            case ast.Name(id=name):
                return self.name(scope, name)
            case ast.Attribute(value=value, attr=attr):
                return self.attribute(self.expression(value, scope), attr)
            case ast.Call():
                return self._called(node, scope)
            case ast.Await(value=value):
                return self._awaited(value, scope)
            case ast.Subscript(value=value):
                table = self.expression(value, scope)
                return Member(table) if isinstance(table, Table) else None
            case ast.Set() | ast.SetComp():
                return SET
            case ast.List() | ast.ListComp():
                return Instance(External("builtins.list"))
            case ast.Dict() | ast.DictComp():
                return Instance(External("builtins.dict"))
            case ast.JoinedStr():
                return Instance(External("builtins.str"))
            case ast.GeneratorExp():
                return Instance(External("types.GeneratorType"))
            case ast.Constant(value=value):
                return Instance(External(f"builtins.{type(value).__name__}"))
            case ast.NamedExpr(value=value):
                return self.expression(value, scope)
            case ast.IfExp(body=body, orelse=orelse):
                then = self.expression(body, scope)
                return then if then == self.expression(orelse, scope) else None
            case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
                sides = (left, node.right)
                return SET if any(sets.is_setlike(self, side, scope) for side in sides) else None
            case _:
                return None

    def attribute(self, base: Meaning | None, attr: str) -> Meaning | None:
        """What `base.attr` means."""
        match base:
            case External(dotted=dotted):
                module = self.graph.find(f"{dotted}.{attr}")
                return ProjectModule(module) if module else External(f"{dotted}.{attr}")
            case ProjectModule(module=module):
                return self.module_name_of(module, attr)
            case Class():
                return self.method(base, attr) or self._field(base, attr)
            case Instance(type=Class() as cls):
                found = properties.property_of(self, base, attr)
                if found is not None and isinstance(found.node, ast.FunctionDef):
                    return self.annotation(found.node.returns, Scope(found.module, None, {}))
                return self.method(cls, attr) or self._field(cls, attr)
            case GlobalValue(instance=Instance() as instance):
                return self.attribute(instance, attr)
            case _:
                return None

    def module_name_of(self, module: Module, attr: str) -> Meaning | None:
        """`module.attr`, where the module is the project's."""
        return self.member(module, attr)

    def _field(self, cls: Class, attr: str) -> Meaning | None:
        for base in self.bases(cls):
            for statement in base.node.body:
                match statement:
                    case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if (
                        name == attr
                    ):
                        return self.annotation(annotation, Scope(base.module, None, {}))
                    case _:
                        pass
        return None

    def _called(self, node: ast.Call, scope: Scope) -> Meaning | None:
        func = node.func
        if isinstance(func, ast.Attribute):
            if func.attr == "options":
                base = self.expression(func.value, scope)
                if isinstance(base, Func | Member):
                    return base
            if func.attr == "get" and isinstance(self.expression(func.value, scope), Table):
                table = self.expression(func.value, scope)
                return Member(table) if isinstance(table, Table) else None
            if func.attr == "run" and is_flow(self.expression(func.value, scope)):
                return HANDLE
        callee = self.expression(func, scope)
        match callee:
            case Class():
                return Instance(callee)
            case Func(kind=FunctionKind.STEP | FunctionKind.FLOW | FunctionKind.HELPER):
                return Coroutine(node)
            case Func(node=ast.FunctionDef(returns=ast.expr() as returns), module=module):
                return self.annotation(returns, Scope(module, None, {}))
            case Func(kind=FunctionKind.PURE):
                return sets.returned(self, callee)
            case Member():
                return Coroutine(node)
            case External(dotted=dotted):
                return self._external_call(dotted, node)
            case _:
                return self._method_result(func, scope)

    def _external_call(self, dotted: str, node: ast.Call) -> Meaning | None:
        native = known.NATIVES.get(dotted)
        if native == "task_group":
            return Instance(TASK_GROUP)
        if native in ("timeout", "timeout_at", "this_run"):
            return None
        if native is not None:
            return Coroutine(node)
        if dotted.rpartition(".")[2] in known.LOGGER_FACTORIES or dotted in known.LOGGERS:
            return LOGGER
        return Instance(External(dotted))

    def _method_result(self, func: ast.expr, scope: Scope) -> Meaning | None:
        if not isinstance(func, ast.Attribute):
            return None
        base = self.expression(func.value, scope)
        if func.attr in known.LOGGER_FACTORIES and is_logger(base):
            return LOGGER
        same = ("union", "intersection", "difference", "symmetric_difference", "copy")
        return SET if func.attr in same and is_set(base) else None

    def _awaited(self, node: ast.expr, scope: Scope) -> Meaning | None:
        if not isinstance(node, ast.Call):
            return None
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr == "start":
            return HANDLE if is_flow(self.expression(func.value, scope)) else None
        callee = self.expression(func, scope)
        if isinstance(callee, Func) and callee.node is not None:
            returns = None if isinstance(callee.node, ast.Lambda) else callee.node.returns
            if returns is None and callee.kind is FunctionKind.HELPER:
                return sets.returned(self, callee)
            return self.annotation(returns, Scope(callee.module, None, {})) if returns else None
        if callee == External("perdure.event") and len(node.args) > 1:
            return self.annotation(node.args[1], scope)
        return None

    def annotation(self, node: ast.expr | None, scope: Scope) -> Instance | None:
        """The values that an annotation declares, where it names one type."""
        match node:
            case ast.Constant(value=str() as text):
                try:
                    return self.annotation(ast.parse(text, mode="eval").body, scope)
                except (SyntaxError, ValueError, RecursionError, MemoryError):
                    return None
            case ast.BinOp(op=ast.BitOr(), left=left, right=ast.Constant(value=None)):
                return self.annotation(left, scope)
            case ast.Subscript(value=value, slice=inner):
                meaning = self.expression(value, scope)
                if meaning == External("typing.Annotated") and isinstance(inner, ast.Tuple):
                    return self.annotation(inner.elts[0], scope)
                if meaning == External("typing.Optional"):
                    return self.annotation(inner, scope)
                return Instance(meaning) if isinstance(meaning, Class | External) else None
            case ast.Name() | ast.Attribute():
                meaning = self.expression(node, scope)
                if meaning == External("builtins.object") or meaning == External("typing.Any"):
                    return None
                return Instance(meaning) if isinstance(meaning, Class | External) else None
            case _:
                return None
