"""What the front end knows about one flow and everything it reaches.

`check.check` makes an `Analysis`; the builder of the Flow IR, the instrumentation and the loader
read it. Facts about calls are keyed by `id()` of the `ast.Call` in the module's tree, which the
analysis keeps alive; nobody mutates these trees. A function is looked up by its `Ref` or by
`id()` of its node.
"""

import ast
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.frontend.secret_readers import Readers

if TYPE_CHECKING:
    from perdure.diagnostics import Report
    from perdure.ir import Ref, Trigger
    from perdure.modules import Module
    from perdure.project import Project
    from perdure.runtime.site import Site

__all__ = [
    "OPERATIONS",
    "Analysis",
    "CallFact",
    "CallKind",
    "FunctionInfo",
    "FunctionKind",
    "FunctionNode",
    "StepFact",
    "TableFact",
]

type FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class CallKind(StrEnum):
    """What a call in flow code is."""

    STEP = "step"
    """`classify(x)` or `classify.options(...)(x)`: makes a coroutine value of one step."""
    FLOW = "flow"
    """`other(x)`: a coroutine value of a child flow (or the tail hand-over `return await
    main(...)`)."""
    HELPER = "helper"
    """An undecorated coroutine function of the project, nested ones and methods too."""
    TABLE = "table"
    """`TOOLS[name](...)`: one of the members of a module-level table, in `refs`."""
    VALUE = "value"
    """A call of a local or unknown callable whose result is awaited or used as a coroutine."""
    NATIVE = "native"
    """perdure's or asyncio's own; `native` names it."""
    READ = "read"
    """A recorded read of clock, uuid or randomness; `native` names the form of `__perdure__`."""
    LOG = "log"
    """`print(...)` (`native` "print") or a logging method (`native` "info", ...)."""
    PURE = "pure"
    """Anything else: builtins, stdlib of the allow-table, pure project functions, methods of
    values."""


OPERATIONS: frozenset[CallKind] = frozenset(
    {
        CallKind.STEP,
        CallKind.FLOW,
        CallKind.TABLE,
        CallKind.VALUE,
        CallKind.NATIVE,
    }
)
"""Kinds that are durable themselves (a HELPER is when its function `has_operations`)."""


@final
class CallFact(NamedTuple):
    """One classified call.

    `native` for NATIVE is one of: event sleep gather race quorum progress reply timeout
    timeout_at wait_for task_group create_task start send ask cancel result this_run run; for READ
    one of: now utcnow today date_today time time_ns monotonic monotonic_ns perf_counter
    perf_counter_ns uuid4 uuid1 random rng; for LOG print or the name of the logger's method.
    """

    kind: CallKind
    label: str
    """Of an operation, as the structural path shows it; "" for READ, LOG, PURE and HELPER without
    operations."""
    site: "Site | None"
    refs: "tuple[Ref, ...]"
    """The functions it may call: exactly one for STEP, FLOW, HELPER and a pure project function."""
    native: str | None
    may_raise: bool
    options: ast.Call | None = None
    """The call `f.options(...)`, when that is what is called."""
    site_index: int = -1
    """Index in `__sites__` of the module; -1 without a site."""
    receiver: ast.expr | None = None
    """`handle` in `handle.send(...)`, `group` in `group.create_task(...)`, `logger` in
    `logger.info(...)`."""
    awaited: bool = False
    """Whether the call is the operand of `await` (or the context of `async with`) as it stands."""


class FunctionKind(StrEnum):
    """What a function is to a flow."""

    FLOW = "flow"
    HELPER = "helper"
    """An undecorated `async def` (or a nested one, or an async method)."""
    PURE = "pure"
    """A plain `def` or lambda (it may make coroutine values, and read the clock)."""
    STEP = "step"
    MANAGER = "manager"
    """A generator function under `contextmanager` or `asynccontextmanager`."""


@final
class FunctionInfo(NamedTuple):
    """A function reached from the entry flow. Step bodies are known by name only, never looked
    into."""

    ref: "Ref"
    kind: FunctionKind
    module: "Module"
    node: FunctionNode
    qualname: str
    """As `__qualname__` without `<locals>`; a lambda's last part is `lambda`."""
    has_operations: bool
    """It awaits operations itself or through helpers it calls; or makes coroutine values."""
    parameters: tuple[str, ...]
    locals: frozenset[str]
    """Names bound in its own scope (parameters too), without those of comprehensions."""
    free: frozenset[str]
    """Names it reads or writes in enclosing functions' scopes."""
    nonlocals: frozenset[str]
    """Those of `free` that it assigns."""
    parent: "Ref | None"
    """The function it is nested in."""
    owner: "Ref | None"
    """The class it is a method of."""
    recursive: bool
    """It awaits itself, directly or through other helpers (then it becomes a child flow)."""


@final
class StepFact(NamedTuple):
    """A step: `@step async def f`, `f = step(g)`, or `step` on a method."""

    ref: "Ref"
    name: str
    """The name shown and scripted: `name=` of the decorator, else the function's name."""
    module: "Module"
    node: ast.FunctionDef | ast.AsyncFunctionDef | None
    """None for `fetch = step(client.get)`."""
    decorator: ast.expr
    """`step` or `step(...)` as written."""
    group: str | None


@final
class TableFact(NamedTuple):
    """A module-level dict, list or tuple of steps, flows or functions."""

    ref: "Ref"
    members: "tuple[Ref, ...]"
    keys: "tuple[tuple[object, Ref], ...]"
    """Constant keys (or indices) with their member, where they are literals."""


@final
class Analysis:
    """All facts about the entry flow; refused programs have them in `report`, and hold what could
    be found."""

    def __init__(self, project: "Project", entry: "Ref", report: "Report") -> None:
        self.project = project
        self.entry = entry
        self.report = report
        self.closure: tuple[Module, ...] = ()
        """The project modules that importing the entry module needs, by path."""
        self.modules: dict[str, Module] = {}
        """By name, every project module reached, entry module first."""
        self.functions: dict[Ref, FunctionInfo] = {}
        """Entry flow first, then in order of first mention."""
        self.by_node: dict[int, FunctionInfo] = {}
        self.calls: dict[int, CallFact] = {}
        self.steps: dict[Ref, StepFact] = {}
        self.tables: dict[Ref, TableFact] = {}
        self.sites: dict[str, tuple[Site, ...]] = {}
        """Of each module, what `__sites__` holds."""
        self.names: Mapping[int, Ref | str] = {}
        """For `id(ast.Name)` or `id(ast.Attribute)` that means a module-level thing: its `Ref` in
        the project, or the dotted name of a module member elsewhere ("asyncio.TimeoutError",
        "builtins.len")."""

        self.asked: set[int] = set()
        """The `id()` of expressions whose values may have to cross an operation, and of which only
        run time knows whether they have a codec: the instrumented code asks."""

        self.triggers: tuple[Trigger, ...] = ()
        """What starts the entry flow from outside."""
        self.secrets: tuple[str, ...] = ()
        """The secrets that the sources name, sorted."""
        self.readers = Readers()
        """Who reads them."""
        self.links = False
        """Whether the sources make approval links."""

    @property
    def ok(self) -> bool:
        """Whether nothing was refused."""
        return self.report.ok

    def call(self, node: ast.Call) -> CallFact | None:
        """The fact about a call of reached flow code; None for one elsewhere."""
        return self.calls.get(id(node))

    def function(self, node: FunctionNode) -> FunctionInfo | None:
        """The info of a reached function's node."""
        return self.by_node.get(id(node))
