"""Whether a module-level name is one fixed value, the same in every process that a run goes
through."""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure.frontend import known
from perdure.frontend.meanings import (
    Class,
    External,
    Func,
    GlobalValue,
    ProjectModule,
    Scope,
    Table,
    is_logger,
)
from perdure.frontend.symbols import BindingKind, names_of
from perdure.ir import Ref
from perdure.modules import Module

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["is_changed", "is_fixed", "is_fixed_expression"]

_CONTAINERS = (ast.Dict, ast.List, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


def is_fixed(walk: "Walk", value: GlobalValue) -> bool:
    """Whether flow code may read the global."""
    cached = walk.fixed.get(value.ref)
    if cached is None:
        walk.fixed[value.ref] = True  # a cycle cannot bring a changing part in
        cached = walk.fixed[value.ref] = _is_fixed(walk, value)
    return cached


def is_fixed_expression(walk: "Walk", node: ast.expr, scope: Scope) -> bool:
    """Whether an expression at module level gives one fixed value."""
    return _expression(walk, node, scope)


def _is_fixed(walk: "Walk", value: GlobalValue) -> bool:
    if is_logger(value):
        return True
    if len(value.bindings) != 1 or value.ref.qualname in _global_statements(walk, value.module):
        return False
    binding = value.bindings[0]
    if isinstance(binding.node, ast.TypeAlias):
        return True
    if binding.kind is not BindingKind.VALUE or binding.value is None:
        return False
    scope = Scope(value.module, None, {})
    if not _expression(walk, binding.value, scope):
        return False
    mutable = isinstance(binding.value, _CONTAINERS) or _makes_container(walk, binding.value, scope)
    return not (mutable and is_changed(walk, value.ref))


def _makes_container(walk: "Walk", node: ast.expr, scope: Scope) -> bool:
    if not isinstance(node, ast.Call):
        return False
    meaning = walk.resolver.expression(node.func, scope)
    return meaning in (External("builtins.dict"), External("builtins.list"))


def _expression(walk: "Walk", node: ast.expr, scope: Scope) -> bool:
    match node:
        case ast.Constant() | ast.Lambda():
            return True
        case ast.Name() | ast.Attribute():
            return _name(walk, node, scope)
        case ast.Call():
            return _call(walk, node, scope)
        case ast.Compare() | ast.BinOp() | ast.UnaryOp() | ast.BoolOp() | ast.IfExp():
            return _children(walk, node, scope)
        case ast.Tuple() | ast.List() | ast.Set() | ast.Dict() | ast.Starred():
            return _children(walk, node, scope)
        case ast.JoinedStr() | ast.FormattedValue() | ast.Subscript() | ast.Slice():
            return _children(walk, node, scope)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return _comprehension(walk, node, scope)
        case _:
            return False


def _children(walk: "Walk", node: ast.AST, scope: Scope) -> bool:
    return all(
        _expression(walk, child, scope)
        for child in ast.iter_child_nodes(node)
        if isinstance(child, ast.expr)
    )


def _comprehension(
    walk: "Walk",
    node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
    scope: Scope,
) -> bool:
    names = {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    inner = Scope(scope.module, scope, {name: [] for name in names})
    parts = [generator.iter for generator in node.generators]
    parts += [test for generator in node.generators for test in generator.ifs]
    elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    return all(_expression(walk, part, inner) for part in (*parts, *elements))


def _name(walk: "Walk", node: ast.Name | ast.Attribute, scope: Scope) -> bool:
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    if isinstance(root, ast.Name) and root.id in scope.bindings:
        return True
    meaning = walk.resolver.expression(node, scope)
    match meaning:
        case GlobalValue():
            return is_fixed(walk, meaning)
        case Table(ref=ref):
            return not is_changed(walk, ref)
        case Class() | Func() | ProjectModule():
            return True
        case External(dotted=dotted):
            return dotted not in _CHANGING and not dotted.startswith(_CHANGING_PREFIXES)
        case _:
            # An attribute of a class: an enum member, a constant of the class.
            return isinstance(node, ast.Attribute) and _name_of_class(walk, node, scope)


def _name_of_class(walk: "Walk", node: ast.Attribute, scope: Scope) -> bool:
    base = walk.resolver.expression(node.value, scope)
    return isinstance(base, Class | External) or (
        isinstance(base, GlobalValue) and is_fixed(walk, base)
    )


_CHANGING = frozenset({"os.environ", "sys.argv", "sys.path", "sys.stdin", "sys.stdout"})
_CHANGING_PREFIXES = ("os.environ.",)


def _call(walk: "Walk", node: ast.Call, scope: Scope) -> bool:
    arguments = (*node.args, *(keyword.value for keyword in node.keywords))
    if not all(_expression(walk, argument, scope) for argument in arguments):
        return False
    meaning = walk.resolver.expression(node.func, scope)
    match meaning:
        case External(dotted=dotted):
            last = dotted.rpartition(".")[2]
            pure = dotted in known.FROZEN_CALLS or dotted in walk.allowed
            return pure or last in known.LOGGER_FACTORIES
        case Class():
            return is_frozen_class(walk, meaning)
        case Func():
            return meaning.kind.value in ("step", "flow")
        case _:
            # A method of a fixed value: `"a b".split()`, `timedelta(...).total_seconds()`.
            return isinstance(node.func, ast.Attribute) and _expression(
                walk, node.func.value, scope
            )


def is_frozen_class(walk: "Walk", cls: Class) -> bool:
    """A frozen dataclass, a NamedTuple, an Enum, a frozen pydantic model."""
    bases = walk.resolver.external_bases(cls)
    if bases & {"typing.NamedTuple", "enum.Enum", "enum.StrEnum", "enum.IntEnum", "enum.Flag"}:
        return True
    keywords = [key for base in walk.resolver.bases(cls) for key in base.node.keywords]
    for decorator in cls.node.decorator_list:
        if isinstance(decorator, ast.Call):
            keywords.extend(decorator.keywords)
    keywords.extend(_model_config(cls))
    return any(
        key.arg == "frozen" and isinstance(key.value, ast.Constant) and key.value.value is True
        for key in keywords
    )


def _model_config(cls: Class) -> list[ast.keyword]:
    for statement in cls.node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="model_config")], value=ast.Call(keywords=keys)):
                return keys
            case _:
                pass
    return []


def _global_statements(walk: "Walk", module: Module) -> frozenset[str]:
    found = walk.global_statements.get(module.name)
    if found is None:
        names: set[str] = set()
        if "global" in module.source.text:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Global):
                    names.update(node.names)
        found = walk.global_statements[module.name] = frozenset(names)
    return found


def is_changed(walk: "Walk", ref: Ref) -> bool:
    """Whether some code of the project changes a module-level container in place."""
    if walk.changed is None:
        found: set[Ref] = set()
        for module in walk.resolver.graph.modules.values():
            found.update(_changed_in(walk, module))
        walk.changed = frozenset(found)
    return ref in walk.changed


def _changed_in(walk: "Walk", module: Module) -> Iterator[Ref]:
    scope = Scope(module, None, {})
    pending: list[tuple[ast.AST, frozenset[str]]] = [(module.tree, frozenset())]
    while pending:
        node, local = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            local |= {*names_of(node).bindings}
        for target in _changed_by(node):
            ref = _global_of(walk, target, local, scope)
            if ref is not None:
                yield ref
        pending.extend((child, local) for child in ast.iter_child_nodes(node))


def _global_of(walk: "Walk", target: ast.expr, local: frozenset[str], scope: Scope) -> Ref | None:
    """The module-level name that a changed expression belongs to."""
    chain = [target]
    while isinstance(chain[-1], ast.Subscript | ast.Attribute):
        chain.append(chain[-1].value)
    root = chain[-1]
    if not isinstance(root, ast.Name) or root.id in local:
        return None
    for part in reversed(chain):
        meaning = walk.resolver.expression(part, scope)
        if isinstance(meaning, GlobalValue | Table):
            return meaning.ref
    return None


def _changed_by(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return [target.value for target in targets if isinstance(target, ast.Subscript)]
        case ast.AugAssign(target=target):
            return [target.value if isinstance(target, ast.Subscript) else target]
        case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in known.MUTATORS:
            return [value]
        case _:
            return []
