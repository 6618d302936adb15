"""Which expressions surely give a value that no codec carries.

An expression and its scope come in; what is made, and what to write instead, goes out. Only what is
plain from the source is told: a class of the project that is no data, a class of the standard
library that the codec refuses, an iterator, a view of a dict.
"""

import ast
import sys
from typing import NamedTuple, final

from perdure.frontend import known
from perdure.frontend.meanings import Class, External, Func, GlobalValue, Instance, Scope
from perdure.frontend.resolver import Resolver
from perdure.frontend.symbols import every_statement

__all__ = ["Made", "gives_iterator", "made_by"]

_PLAIN_BASES = frozenset({"builtins.object", "abc.ABC", "typing.Generic", "typing.Protocol"})
_ITERATORS = frozenset({"builtins.iter", "re.finditer", "csv.reader", "csv.DictReader"})
_VIEWS = frozenset({"keys", "items", "values"})
_INSTEAD = {
    "builtins.object": "write a text or an Enum member as the mark",
    "io.StringIO": "collect the lines in a list, and join them",
    "io.BytesIO": "collect the parts in a list, and join them",
    "random.Random": "call the functions of `random` themselves: they are recorded",
}
_AGAIN = "keep the data it is made of, and make it again after line {line}"


@final
class Made(NamedTuple):
    """A value without a codec: where it is made and what it is."""

    node: ast.expr
    type: str
    instead: str
    """What to write; `{line}` is the operation's."""
    iterator: bool = False
    asked: bool = False
    """Only run time knows whether it has a codec: the code asks where the value is bound."""


def made_by(resolver: Resolver, node: ast.expr, scope: Scope) -> Made | None:
    """What an expression makes, if no codec carries it."""
    if isinstance(node, ast.GeneratorExp):
        return _iterator(node)
    if not isinstance(node, ast.Call):
        return None
    match resolver.expression(node.func, scope):
        case Class() as cls:
            return _of_class(resolver, node, cls)
        case External(dotted=dotted):
            return _of_library(node, dotted)
        case Func() as func if gives_iterator(func):
            return _iterator(node)
        case Func(node=ast.FunctionDef(returns=ast.expr())):
            made = resolver.expression(node, scope)
            returned = made.type if isinstance(made, Instance) else None
            if not isinstance(returned, Class) or _is_base(resolver, returned):
                return None
            return _of_class(resolver, node, returned)
        case _:
            return _of_method(resolver, node, scope)


def gives_iterator(func: Func) -> bool:
    """Whether a function of the project returns a generator expression."""
    if not isinstance(func.node, ast.FunctionDef):
        return isinstance(func.node, ast.Lambda) and isinstance(func.node.body, ast.GeneratorExp)
    return any(
        isinstance(statement, ast.Return) and isinstance(statement.value, ast.GeneratorExp)
        for statement in every_statement(func.node.body)
    )


def _iterator(node: ast.expr) -> Made:
    return Made(node, "iterator", f"write `list({ast.unparse(node)})`", iterator=True)


def _of_class(resolver: Resolver, node: ast.expr, cls: Class) -> Made | None:
    if not _is_plain(resolver, cls):
        return None
    name = cls.ref.qualname
    return Made(node, name, f"write `@dataclass` above `class {name}`")


def _is_plain(resolver: Resolver, cls: Class) -> bool:
    """Whether a class is surely neither data nor a value that says how it is kept; a context
    manager is kept as a local."""
    if resolver.external_bases(cls) - _PLAIN_BASES:
        return False
    own = ("__new__", "__perdure_encode__", "__perdure_ref__", "__exit__", "__aexit__")
    return not any(
        base.node.decorator_list or base.node.keywords for base in resolver.bases(cls)
    ) and not any(resolver.attribute(cls, name) for name in own)


def _is_base(resolver: Resolver, cls: Class) -> bool:
    """Whether another class of the project may derive from it."""
    return any(
        isinstance(base, ast.Name | ast.Attribute | ast.Subscript)
        and cls.node.name in {getattr(part, "id", getattr(part, "attr", "")) for part in _in(base)}
        for module in resolver.graph.modules.values()
        for other in module.tree.body
        if isinstance(other, ast.ClassDef)
        for base in other.bases
    )


def _in(node: ast.expr) -> list[ast.AST]:
    return [*ast.walk(node)]


def _of_library(node: ast.Call, dotted: str) -> Made | None:
    if dotted in _ITERATORS:
        return _iterator(node)
    if dotted.startswith("hashlib.") or dotted in ("hmac.new", "csv.writer"):
        return Made(node, dotted, _AGAIN)
    cls = _library_class(dotted)
    from perdure.codec import has_codec  # the whole codec, which few programs need here

    if cls is None or has_codec(cls):
        return None
    if hasattr(cls, "__next__") and dotted not in _INSTEAD:
        return _iterator(node)
    return Made(node, dotted.removeprefix("builtins."), _INSTEAD.get(dotted, _AGAIN))


def _library_class(dotted: str) -> type | None:
    """A class of those modules of the standard library that flows may use."""
    module, _, name = dotted.rpartition(".")
    known_module = module.partition(".")[0] in sys.stdlib_module_names and module in known.WHOLE
    if not known_module or module == "pathlib":  # `Path(...)` gives an object of another class
        return None
    found: object = getattr(__import__(module, fromlist=[name]), name, None)
    return found if isinstance(found, type) else None


def _of_method(resolver: Resolver, node: ast.Call, scope: Scope) -> Made | None:
    func = node.func
    if not isinstance(func, ast.Attribute):
        return None
    base = resolver.expression(func.value, scope)
    if isinstance(base, GlobalValue):
        base = base.instance
    if func.attr == "finditer" and base == Instance(External("re.compile")):
        return _iterator(node)
    view = func.attr in _VIEWS and not node.args and base == Instance(External("builtins.dict"))
    return _iterator(node) if view else None
