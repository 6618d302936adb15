"""The Flow IR: a flow as structured, typed, frozen nodes, one for each thing that is durable.

Comes out of the front end, goes into code targets and into the lowering to Machine IR.

Control that holds no operation stays Python: a `Pure` statement keeps its `ast` nodes whole, with
facts about them. Control that holds operations is spelled out (`If`, `For`, `Try`, ...). The form
is A-normal only at operations: every operation is a statement that binds at most one slot, and
temporaries named `_1`, `_2`, ... keep Python's order of evaluation around it
(`total += await f()` reads `total` first).

Expressions are `ast.expr` nodes without `await` and without operations; they and the code of `Pure`
are the *instrumented* ones: a read of the clock is `__perdure__.now(...)`, `print` is
`__perdure__.print(...)`. They are shared and must never be mutated. Slots are the names of locals;
two variables that Python keeps apart (a comprehension's and the function's) have different names.

Nodes are named tuples: frozen dataclasses cost a small compile a third of its time, at import.
Two nodes with equal fields are equal, so whoever means one place in the tree uses `id`.
"""

import ast
from enum import StrEnum
from typing import NamedTuple, final

from perdure.runtime.site import Site
from perdure.source import Span

type Expr = ast.expr
type Slot = str


@final
class Ref(NamedTuple):
    """A function or class of a module: `flows.triage:classify`; nested ones `mod:outer.inner`."""

    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}:{self.qualname}"


@final
class Facts(NamedTuple):
    """What a piece of pure code does to slots; conservative."""

    reads: frozenset[Slot] = frozenset()
    """Slots whose value from before is looked at; one that is surely bound here first is none."""
    writes: frozenset[Slot] = frozenset()
    """Names that may be bound (or deleted) here; mutating a container is a read."""
    binds: frozenset[Slot] = frozenset()
    """Those of `writes` that surely have a value when the code ends normally."""
    may_raise: bool = True
    records: bool = False
    """Reads a clock or randomness, or writes a log record: runs exactly once per pass, in order."""
    loops: bool = False
    """Holds a loop or calls a project function: its cost is not bounded by its length."""


class OpKind(StrEnum):
    """What an operation asks of the engine."""

    STEP = "step"
    FLOW = "flow"
    TABLE = "table"
    VALUE = "value"
    EVENT = "event"
    SLEEP = "sleep"
    PROGRESS = "progress"
    REPLY = "reply"
    START = "start"
    SEND = "send"
    ASK = "ask"
    CANCEL = "cancel"
    RESULT = "result"


@final
class Argument(NamedTuple):
    """One argument as written: `x`, `name=x`, `*xs` (star "*"), `**kw` (star "**")."""

    value: Expr
    name: str | None = None
    star: str | None = None


@final
class Pure(NamedTuple):
    """Statements without operations, run by CPython as they stand."""

    code: tuple[ast.stmt, ...]
    facts: Facts
    span: Span


@final
class Op(NamedTuple):
    """`target = await operation(arguments)`: recorded once, keyed by scope path and label.

    `callee` is the expression called, where it is not one known function: the subscript of a
    TABLE. For VALUE it gives the coroutine value or task that is awaited (a local,
    `__perdure__.call(...)`), and there are no arguments; `label` is "" where only the value knows
    it. `candidates` are the steps, flows and helpers it may be: exactly one for STEP and FLOW, the
    members for TABLE, all that can flow here for VALUE (empty: unknown). Operands of natives are in
    `arguments` under the names of their signature (`event`: name, type, timeout; `sleep`: duration
    or until, result of `asyncio.sleep`; `reply`: name, value; `progress`: value; `send`, `ask`,
    `cancel`, `result`: handle first; `start`: flow first when it is not in `candidates`).
    """

    kind: OpKind
    label: str
    target: Slot | None
    arguments: tuple[Argument, ...]
    candidates: tuple[Ref, ...]
    callee: Expr | None
    options: tuple[Argument, ...]
    """Of `f.options(...)`, per call."""
    facts: Facts
    """Of evaluating callee, options and arguments."""
    span: Span
    natives: tuple[str, ...] = ()
    """For VALUE: natives that it may be too, and "create_task" for a task of a group."""
    items: tuple[tuple[Ref, ...], tuple[str, ...]] = ((), ())
    """For VALUE that may be a fork: candidates and natives of its branches."""


@final
class Call(NamedTuple):
    """`target = await helper(arguments)`: an undecorated coroutine function, compiled in."""

    helper: Ref
    label: str
    target: Slot | None
    arguments: tuple[Argument, ...]
    facts: Facts
    span: Span


class ForkKind(StrEnum):
    """How a fork ends: with all branches, the first, or the first `k` to succeed.

    `GROUP` is what a machine makes of a `Group`: all branches, or the first that fails.
    """

    ALL = "all"
    RACE = "race"
    QUORUM = "quorum"
    GROUP = "group"


@final
class Branch(NamedTuple):
    """One branch, closure-converted: `body` reads `params` and `captures`, and ends in `value`.

    `name` is the keyword in `race(name=...)`, the index as text otherwise. Arguments were evaluated
    before the fork, into the captured temporaries.
    """

    name: str
    params: tuple[Slot, ...]
    captures: tuple[Slot, ...]
    body: "Block"
    value: Expr | None
    span: Span


@final
class Fork(NamedTuple):
    """`target = await gather|race|quorum(...)`.

    Static: `branches` as written, `over` is None. Map: exactly one branch, run once for each item
    of `over`, an expression that gives a list; the item (a tuple when the branch has several
    params) binds its params; a branch without params runs once per item and ignores it. A race over
    computed names is a map whose items are pairs of name and coroutine value; its first param is
    the name.
    """

    kind: ForkKind
    label: str
    target: Slot | None
    branches: tuple[Branch, ...]
    over: Expr | None
    limit: Expr | None
    return_exceptions: Expr | None
    fail_fast: Expr | None
    quorum: Expr | None
    facts: Facts
    """Of evaluating over, limit, return_exceptions, fail_fast and quorum."""
    span: Span
    label_of: Expr | None = None
    """Of a fork that was a value: its label, which only the value knows."""


@final
class Task(NamedTuple):
    """`name = group.create_task(...)`: a branch of the group that starts here."""

    group: str
    target: Slot | None
    branch: Branch
    span: Span
    named: Expr | None = None
    """`name=`, what `get_name()` says: a constant or a slot. Without it: `Task-` and the index."""


@final
class Group(NamedTuple):
    """`async with TaskGroup() as name:` joins at its end what `Task`s of `body` started."""

    label: str
    name: Slot | None
    body: "Block"
    span: Span


@final
class Deadline(NamedTuple):
    """`async with timeout(delay) as name`; also `wait_for`. `absolute` is `timeout_at`."""

    label: str
    delay: Expr
    absolute: bool
    body: "Block"
    facts: Facts
    span: Span
    name: Slot | None = None
    wait_for: bool = False
    """It is a `wait_for`: without time left nothing of the body begins."""


@final
class Handler(NamedTuple):
    """`except type as name:`; `type` None is the bare one."""

    type: Expr | None
    name: Slot | None
    body: "Block"
    span: Span


@final
class Try(NamedTuple):
    """`try` with operations somewhere inside; `star` for `except*`."""

    body: "Block"
    handlers: tuple[Handler, ...]
    orelse: "Block"
    final: "Block"
    star: bool
    span: Span


@final
class If(NamedTuple):
    """A test (pure; awaits in it were taken out) and two blocks."""

    label: str
    test: Expr
    then: "Block"
    orelse: "Block"
    facts: Facts
    span: Span


@final
class Case(NamedTuple):
    """`case pattern if guard:`; the guard is pure here (guards with operations become `If`)."""

    label: str
    pattern: ast.pattern
    guard: Expr | None
    body: "Block"
    span: Span


@final
class Match(NamedTuple):
    """`match subject:` with operations in its cases."""

    label: str
    subject: Expr
    cases: tuple[Case, ...]
    facts: Facts
    span: Span


@final
class While(NamedTuple):
    """`while test:`; `before` is what the test needs computed (operations taken out of it)."""

    label: str
    before: "Block"
    test: Expr
    body: "Block"
    orelse: "Block"
    facts: Facts
    span: Span


@final
class For(NamedTuple):
    """`for target in iterable:` with operations in it: a cursor on the live container."""

    label: str
    target: Expr
    """An assignment target (`Store` context)."""
    iterable: Expr
    body: "Block"
    orelse: "Block"
    facts: Facts
    span: Span


class ExitKind(StrEnum):
    """The ways out of a block."""

    RETURN = "return"
    BREAK = "break"
    CONTINUE = "continue"
    RAISE = "raise"


@final
class Exit(NamedTuple):
    """`return value`, `break`, `continue`, `raise value from cause`."""

    kind: ExitKind
    value: Expr | None
    cause: Expr | None
    facts: Facts
    span: Span


@final
class With(NamedTuple):
    """`with`/`async with` on the project's own context managers, where they hold operations."""

    manager: Expr
    helper: Ref | None
    name: Expr | None
    body: "Block"
    is_async: bool
    facts: Facts
    span: Span


YIELD = Ref("", "yield")
"""In a manager's body, `Call(YIELD, ...)` is where the body of its `with` runs; the one argument
is what `as` is given."""


@final
class Unlowered(NamedTuple):
    """What the reference and the local engine run, but no lowering takes apart yet.

    A target that meets it refuses the line with PDR390; it is never lowered as something else.
    """

    what: str
    code: tuple[ast.stmt, ...]
    span: Span
    lowered: "Block" = ()
    """The same for machines, where they can take it apart although code targets keep it whole."""


type Stmt = (
    Pure
    | Op
    | Call
    | Fork
    | Task
    | Group
    | Deadline
    | Try
    | If
    | Match
    | While
    | For
    | Exit
    | With
    | Unlowered
)
type Block = tuple[Stmt, ...]


@final
class Parameter(NamedTuple):
    """A parameter of a flow or helper; annotation and default as written (`None`: none)."""

    name: Slot
    annotation: Expr | None
    default: Expr | None
    kind: str
    """positional | keyword | var_positional | var_keyword."""


@final
class Function(NamedTuple):
    """A flow (`kind` "flow") or a helper with operations ("helper"), with all its body does."""

    ref: Ref
    kind: str
    parameters: tuple[Parameter, ...]
    returns: Expr | None
    body: Block
    slots: frozenset[Slot]
    """All locals and temporaries."""
    span: Span
    captures: frozenset[Slot] = frozenset()
    """Slots of the enclosing function that a nested one reads or writes by reference; no members of
    `slots`."""
    retried: bool = False
    """A flow whose decorator names a retry policy."""


@final
class StepInfo(NamedTuple):
    """What a target must know of a step; durations are in seconds, None is the default."""

    ref: Ref
    name: str
    parameters: tuple[Parameter, ...]
    returns: Expr | None
    decorator: Expr | None
    """The call `step(...)` as written, for its policy; evaluated at run time by the site."""
    group: str | None
    span: Span


@final
class WebhookTrigger(NamedTuple):
    """Deliveries to `path` start the flow, or send `event` to a run of it."""

    path: str
    scheme: str
    """The class of `perdure.webhooks.schemes` that checks them."""
    secrets: tuple[str, ...]
    event: str | None
    max_bytes: int
    span: Span


@final
class CronTrigger(NamedTuple):
    """The flow is started when a cron expression is due in a time zone."""

    expression: str
    tz: str
    input: object
    """The run's arguments as a literal gives them."""
    span: Span


type Trigger = WebhookTrigger | CronTrigger


@final
class EventType(NamedTuple):
    """An event that some wait of the program takes, and the type that is declared there."""

    name: str | None
    """None where the name is made up at run time."""
    module: str
    type: str
    """The expression as written, in the names of its module; "" where none is declared."""


@final
class Program(NamedTuple):
    """One flow with everything it reaches, ready for a target."""

    entry: Ref
    functions: tuple[Function, ...]
    """The entry flow first, then helpers with operations, child flows, as first mentioned."""
    steps: tuple[StepInfo, ...]
    sources: tuple[tuple[str, str], ...]
    """(path from the project root, text) of each module that importing the flow needs, by path."""
    digest: str
    """sha256 over `sources`."""
    sites: tuple[tuple[str, tuple[Site, ...]], ...] = ()
    """Of each module, by name: what `__sites__` holds there."""
    managers: tuple[Function, ...] = ()
    """Generator functions under `contextmanager` or `asynccontextmanager`: machines take them
    apart, with a call of `YIELD` for their `yield`."""
    recorded: tuple[tuple[str, str], ...] = ()
    """Those of `sources` that sites import in another form: what flows call of them reads clocks
    and logs through the engine."""
    triggers: tuple[Trigger, ...] = ()
    """What starts the entry flow from outside, in source order."""
    secrets: tuple[str, ...] = ()
    """The names of the secrets that the sources read, sorted."""
    read_by_steps: tuple[tuple[str | None, tuple[str, ...]], ...] = ()
    """Which of them the steps of each group may read; None: of those without one."""
    read_by_door: tuple[str, ...] = ()
    """Which of them the triggers may read."""
    links: bool = False
    """Whether some of the sources makes approval links."""
    events: tuple[EventType, ...] = ()
    """Which payloads its events take; only where something from outside reaches its runs."""
