"""What a name or an expression can mean, as far as the source tells; and the scopes names are
found in."""

import ast
from typing import NamedTuple, final

from perdure.frontend import known
from perdure.frontend.analysis import FunctionKind, FunctionNode
from perdure.frontend.symbols import Binding, ScopeNames
from perdure.ir import Ref
from perdure.modules import Module

__all__ = [
    "UNDEFINED",
    "Class",
    "Coroutine",
    "External",
    "Func",
    "GlobalValue",
    "Instance",
    "Meaning",
    "ProjectModule",
    "Scope",
    "Table",
    "Undefined",
]


@final
class External(NamedTuple):
    """Something outside the project: `asyncio.sleep`, `builtins.len`."""

    dotted: str


@final
class ProjectModule(NamedTuple):
    """A module of the project."""

    module: Module


@final
class Class(NamedTuple):
    """A class of the project."""

    ref: Ref
    node: ast.ClassDef
    module: Module


@final
class Func(NamedTuple):
    """A function of the project: step, flow, helper or pure."""

    ref: Ref
    kind: FunctionKind
    node: FunctionNode | None
    module: Module
    scope: "Scope | None" = None
    """The scope it is written in; None at module level and for methods."""
    owner: Class | None = None
    policy: ast.expr | None = None
    """The decorator, or the call that made it."""


@final
class Table(NamedTuple):
    """A module-level container of functions."""

    ref: Ref
    keys: tuple[tuple[object, Func], ...]


@final
class Member(NamedTuple):
    """An item of a table."""

    table: Table


@final
class Instance(NamedTuple):
    """A value of a known type."""

    type: Class | External


@final
class Coroutine(NamedTuple):
    """A coroutine value, made by this call."""

    call: ast.Call


@final
class GlobalValue(NamedTuple):
    """A module-level name bound to a value."""

    ref: Ref
    bindings: tuple[Binding, ...]
    module: Module
    instance: Instance | None


@final
class Undefined(NamedTuple):
    """No scope binds the name."""


UNDEFINED = Undefined()

type Meaning = (
    External
    | ProjectModule
    | Class
    | Func
    | Table
    | Member
    | Instance
    | Coroutine
    | GlobalValue
    | Undefined
)


@final
class Scope:
    """One scope on the way outward; `names` None is a comprehension's."""

    __slots__ = ("bindings", "cache", "function", "module", "names", "parent", "qualname")

    def __init__(
        self,
        module: Module,
        parent: "Scope | None",
        bindings: dict[str, list[Binding]],
        names: ScopeNames | None = None,
        qualname: str = "",
    ) -> None:
        self.module = module
        self.parent = parent
        self.bindings = bindings
        self.names = names
        self.qualname = qualname
        self.cache: dict[str, Meaning | None] = {}

    def finding(self, name: str) -> "Scope | None":
        """The scope that binds a name; None is the module's (or builtins)."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings:
                return scope
            if scope.names is not None and name in scope.names.globals:
                return None
            scope = scope.parent
        return None

    @property
    def body(self) -> "Scope":
        """The function scope that a comprehension is in, or itself."""
        scope = self
        while scope.names is None and scope.parent is not None:
            scope = scope.parent
        return scope


STEP = External("perdure.step")
FLOW = External("perdure.flow")
TASK_GROUP = External("asyncio.TaskGroup")
SET = Instance(External("builtins.set"))
LOGGER = Instance(External("logging.Logger"))
HANDLE = Instance(External("perdure.Handle"))


def absolute(module: Module, target: str, level: int) -> str:
    """The absolute dotted name of an import."""
    if not level:
        return target
    parts = module.package.split(".") if module.package else []
    base = parts[: max(len(parts) - (level - 1), 0)]
    return ".".join([*base, *([target] if target else [])])


def is_set(meaning: Meaning | None) -> bool:
    """Whether a value is known to be a set."""
    if isinstance(meaning, GlobalValue):
        meaning = meaning.instance
    match meaning:
        case Instance(type=External(dotted=dotted)):
            return dotted in known.SETS
        case _:
            return False


def is_logger(meaning: Meaning | None) -> bool:
    """Whether a value is known to be a logger."""
    match meaning:
        case GlobalValue(instance=instance):
            return instance == LOGGER
        case External(dotted=dotted):
            return dotted in known.LOGGERS or dotted == "logging"
        case Instance(type=External(dotted=dotted)):
            return dotted in {"logging.Logger", "logging.LoggerAdapter", "structlog.BoundLogger"}
        case _:
            return False


def is_flow(meaning: Meaning | None) -> bool:
    """Whether a value is a flow."""
    return isinstance(meaning, Func) and meaning.kind is FunctionKind.FLOW
