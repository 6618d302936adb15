"""The Machine IR: flows as flat control-flow graphs, and the states that an orchestrator runs.

Comes out of `machine.lower` (Flow IR in), goes through `MACHINE_PASSES` into machine targets. Two
layers:

1. The *graph*: a `Machine` has a root `Scope`, and each branch of a fork is a `Scope` of its own. A
   scope maps a `Pc` (a readable name: "start", "if kind", "for item", "except TimeoutError") to a
   node. Pure nodes (`Block`, `Decision`, `Catch`) and the operands of the others are emitted as
   Python functions, by `emit`.
2. The *states* (`Scope.states`, made by `place`): what the orchestrator sees. Those that run Python
   are *sites*: `Run` (one operation with what leads to it and what the next decision needs) and
   `Route` (pure). The others are the orchestrator's own.

How a site and its orchestrator talk (the driver is `perdure.sites.driver`):

- A site is entered `at` a pc, with the live slots of that pc, and perhaps one value to bind first
  (`Edge.bind`): the result of the native state before it, or the error to handle.
- It reports where it stopped (`at`), the live slots of that pc, `decisions` ("if kind" -> "then")
  and, when an exception took it there, `raised`: the pc of the handler it was driven on from, or ""
  when the scope fails. `decisions` holds only what was decided after that handler.
- Stopping at a native operation it reports its `operands` too, at a `Return` the `value`, failing
  the `error`.

The site's report always agrees with the edges here: following `next` (or the entry of `on_raise`
whose `handler` equals `raised`) and then the exits of each `Choose` by `decisions` ends at the
state whose `pc`/entry is `at`. Nothing of it depends on an engine.
"""

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, Never, final

from perdure.ir import Facts, Fork, Op, Parameter, Ref, Slot, StepInfo
from perdure.machine.code import (
    Advance,
    Again,
    Bind,
    Choice,
    Code,
    Enter,
    Frame,
    Iterate,
    Keep,
    MatchCases,
    MatchErrors,
    Restore,
    Saved,
    Statements,
    Switch,
    Test,
    Unbind,
    Use,
)
from perdure.source import Span

__all__ = [
    "NOTHING",
    "Advance",
    "Again",
    "Alternative",
    "Await",
    "Bind",
    "Block",
    "Catch",
    "Child",
    "Choice",
    "Choose",
    "Code",
    "Decision",
    "Done",
    "Edge",
    "Enter",
    "Exit",
    "Failed",
    "ForkNode",
    "Frame",
    "Iterate",
    "Keep",
    "Machine",
    "Machines",
    "MatchCases",
    "MatchErrors",
    "Node",
    "Operation",
    "Pc",
    "Raise",
    "Raised",
    "Refusal",
    "Reraise",
    "Restore",
    "Return",
    "Route",
    "Run",
    "Saved",
    "Scope",
    "Sleep",
    "Spawn",
    "State",
    "Statements",
    "Switch",
    "Test",
    "Unbind",
    "Use",
]

type Pc = str
"""A node of one scope; unique in its scope."""

NOTHING: Final[Mapping[Pc, Never]] = MappingProxyType({})


@final
class Refusal(NamedTuple):
    """What this lowering cannot take apart: `what` in a few words, for PDR390."""

    what: str
    span: Span


# --- nodes of the graph -------------------------------------------------------------------------


@final
class Block(NamedTuple):
    """Straight pure Python. An exception in it goes to `handler` (None: the scope fails), in all
    nodes.
    """

    pc: Pc
    code: tuple[Code, ...]
    next: Pc
    handler: Pc | None
    frame: Frame
    span: Span


@final
class Exit(NamedTuple):
    """One way out of a decision."""

    name: str
    to: Pc


@final
class Decision(NamedTuple):
    """A pure question with named exits; `name` is unique in the scope and shown by the
    orchestrator.
    """

    pc: Pc
    choice: Choice
    exits: tuple[Exit, ...]
    handler: Pc | None
    frame: Frame
    span: Span


@final
class Catch(NamedTuple):
    """Where a handler begins: the exception was put into `slot`. Never raises."""

    pc: Pc
    slot: Slot
    next: Pc
    span: Span


@final
class Operation(NamedTuple):
    """One durable operation; its result is bound to `target`, its error goes to `handler`."""

    pc: Pc
    op: Op
    target: Slot | None
    ok: Pc
    handler: Pc | None
    frame: Frame
    span: Span
    flows: bool = False
    """What is called is a child flow (also where a table's members are)."""
    timed: bool = False
    """A deadline may be around it."""


@final
class ForkNode(NamedTuple):
    """A fork; each branch is a scope. `race` of events and sleeps alone has `alternatives` and no
    branches.
    """

    pc: Pc
    fork: Fork
    branches: "tuple[Scope, ...]"
    alternatives: "tuple[Alternative, ...]"
    target: Slot | None
    ok: Pc
    handler: Pc | None
    frame: Frame
    span: Span
    timed: bool = False
    rows: Slot | None = None
    """Of a group: the slot of the group, whose tasks are the branches."""
    again: tuple[Again, ...] = ()
    """Instead of branches, of a recursive fork at any place but its first."""
    forked: bool = False
    """Its branches can only be executions of their own."""

    @property
    def scopes(self) -> "tuple[Scope | Again, ...]":
        """Its branches, wherever they stand."""
        return self.branches or self.again


@final
class Return(NamedTuple):
    """The scope ends with a value: an expression, a slot, or None."""

    pc: Pc
    value: ast.expr | Slot | None
    facts: Facts
    handler: Pc | None
    frame: Frame
    span: Span


@final
class Raise(NamedTuple):
    """`raise value from cause`; without a handler the scope ends failed."""

    pc: Pc
    value: ast.expr
    cause: ast.expr | None
    facts: Facts
    handler: Pc | None
    frame: Frame
    span: Span


@final
class Reraise(NamedTuple):
    """Raises again the exception in `slot`."""

    pc: Pc
    slot: Slot
    handler: Pc | None
    span: Span


type Node = Block | Decision | Catch | Operation | ForkNode | Return | Raise | Reraise


@final
class Alternative(NamedTuple):
    """One contestant of an `Await`: an event (with its own timeout, perhaps) or a sleep.

    `name` is the winner's name in `winner, value = await race(...)`: the keyword, or the index as
    text; alone (`await event(...)`) it is "". The order is the order of ties.
    """

    name: str
    op: Op
    frame: Frame


# --- states -------------------------------------------------------------------------------------


@final
class Edge(NamedTuple):
    """To the state `to`, which is entered `at` that pc, after binding what comes along to `bind`.

    After a site (and the `Choose`s that follow it) it is entered `at` the pc that the site
    reported; `at` here is "" then, unless there is only one.

    `bind` is None when the state before was a site (it bound the result itself) and when the result
    is not kept.
    """

    to: str
    at: Pc
    bind: Slot | None = None


@final
class Raised(NamedTuple):
    """The site reported `raised == handler` ("" when the scope fails)."""

    handler: Pc
    edge: Edge


@final
class Run(NamedTuple):
    """A site: drive from `at` to `pc`, run the operation, bind its result, drive on to the next
    stop.

    `on_raise`: an exception before the operation ran, or its own (its last attempt): a failed task,
    never retried. `on_error`: what no site saw (the engine's timeout, a lost worker): the error
    comes along in `bind`. An exception *after* the operation is data when `next` leads to a
    `Choose` that lists it in `raised`; otherwise it can only be "" (the scope fails): a failed task
    too. `on_raise` always lists "".
    """

    name: str
    pc: Pc
    op: Op
    next: Edge
    on_raise: tuple[Raised, ...]
    on_error: Edge
    span: Span


@final
class Route(NamedTuple):
    """A site without an operation: drive from `at` to the next stop. All it raises is in
    `on_raise`.

    `target` is what `drive` may pass without stopping: the id of a loop, or None.
    """

    name: str
    target: Pc | None
    next: Edge | None
    """None when it never ends normally."""
    on_raise: tuple[Raised, ...]
    on_error: Edge
    span: Span


@final
class Choose(NamedTuple):
    """The orchestrator's own choice by what the last site reported; no Python runs.

    First by `raised` (late errors, as data; whoever takes such an edge clears what was reported,
    for the next `Choose` may list the same handler), then by `decisions[decision]`. `decision` None
    with one exit named "" only sorts the raised ones out. All exits keep the site's `at`.
    """

    name: str
    decision: str | None
    exits: tuple[tuple[str, Edge], ...]
    raised: tuple[Raised, ...]
    span: Span


@final
class Sleep(NamedTuple):
    """A native wait; the site before reported its operands (`duration` or `until`)."""

    name: str
    pc: Pc
    op: Op
    next: Edge
    on_error: Edge
    span: Span


@final
class Await(NamedTuple):
    """Wait for the first of the alternatives.

    `prologue`: it is entered like a site, `at` its own pc: a site evaluates the operands and
    registers the wait; every timeout is a literal, and no slot changes, so that nothing is lost
    when the engine ends the wait. Else the site before reported the operands. `on_raise`: the
    operands raised (only with `prologue`). `on_error`: a timeout, or an error that ends a race.
    What was received is the value; of a race the pair (name, value). Its label is counted when the
    wait is over, if it is in `Scope.repeating`.
    """

    name: str
    pc: Pc
    alternatives: tuple[Alternative, ...]
    race: bool
    prologue: bool
    next: Edge
    on_raise: tuple[Raised, ...]
    on_error: Edge
    span: Span


@final
class Spawn(NamedTuple):
    """A fork: branches with states of their own; the site before reported the operands.

    Static: `branches` as written. Map: one branch, run for each item of the operand `over`, bound
    to its params. The operands are `over`, `limit`, `return_exceptions`, `fail_fast`, `quorum`,
    those that are written.
    """

    name: str
    pc: Pc
    fork: Fork
    branches: "tuple[Scope, ...]"
    next: Edge
    on_error: Edge
    span: Span
    again: tuple[Again, ...] = ()
    """As in `ForkNode`."""
    forked: bool = False
    """As in `ForkNode`."""

    @property
    def scopes(self) -> "tuple[Scope | Again, ...]":
        """Its branches, wherever they stand."""
        return self.branches or self.again


@final
class Child(NamedTuple):
    """A child flow; the site before reported the operands (the callee and its arguments)."""

    name: str
    pc: Pc
    op: Op
    next: Edge
    on_error: Edge
    span: Span


@final
class Done(NamedTuple):
    """The scope ends with the `value` that the last site reported."""

    name: str
    span: Span


@final
class Failed(NamedTuple):
    """The scope ends with the `error` that came along."""

    name: str
    span: Span


type State = Run | Route | Choose | Sleep | Await | Spawn | Child | Done | Failed


@final
class Scope(NamedTuple):
    """One flat graph: the flow body, or one branch of a fork."""

    id: str
    """"" for the root; "gather" + "[0]" / "[name]" / "[*]" (map), joined with "/" when nested."""
    entry: Pc
    nodes: Mapping[Pc, Node]
    """In program order."""
    params: tuple[Slot, ...]
    """Of a map branch: what an item binds."""
    captures: tuple[Slot, ...]
    """Of a branch: slots of the enclosing scope it reads, copied at its start."""
    repeating: frozenset[str] = frozenset()
    """Labels whose occurrences are counted, because they may run more than once in the scope."""
    live: Mapping[Pc, frozenset[Slot]] = NOTHING
    """Slots that cross when a site stops at a pc (after the operands were evaluated, at a native
    one).
    """
    bound: Mapping[Pc, frozenset[Slot]] = NOTHING
    """Of the slots that may be read from a pc on: those that are bound on every way there."""
    settled: Mapping[Pc, Pc] = NOTHING
    """Pure nodes whose run belongs to one later site: the pc of its operation, or the id of a
    `Route`
    that holds a loop ("loop " and the pc of its head). A site stops at them, unless it is that
    site.
    """
    decisions: Mapping[Pc, tuple[str, Mapping[str, str]]] = NOTHING
    """For a decision node that is visible: the decision's name, and what is recorded for each exit
    (exits that stay in a loop are missing)."""
    start: Edge | None = None
    """The first state; None before placement."""
    states: tuple[State, ...] = ()


@final
class Machine(NamedTuple):
    """One flow as a machine."""

    ref: Ref
    parameters: tuple[Parameter, ...]
    returns: ast.expr | None
    root: Scope
    digest: str
    """Of the program's sources."""
    span: Span
    retried: bool = False
    """Its decorator names a retry policy."""


@final
class Machines(NamedTuple):
    """A program for a machine target: the entry flow's machine first, then its child flows'."""

    machines: tuple[Machine, ...]
    steps: tuple[StepInfo, ...]
    refusals: tuple[Refusal, ...]
    """Not empty: nothing may be emitted."""
