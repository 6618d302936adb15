"""Where a statement stands while it is lowered: whose locals, which handler, and how it leaves.

Comes in: the function around it. Goes out: a `Context` for each nested place.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol, final

from perdure.ir import Block, Branch, Call, Deadline, Facts, Function, Group, Program, Ref, Slot
from perdure.machine.group_bodies import waits_after_tasks
from perdure.machine.ir import Frame, Pc
from perdure.machine.reads import read_outside_handlers
from perdure.machine.rebuilt import rebuilt_functions
from perdure.passes.blocks import children
from perdure.source import Span

if TYPE_CHECKING:
    from perdure.machine.groups import OpenGroup

__all__ = ["NO_FACTS", "Context", "Frames", "Jump", "Leave", "Raising"]

NO_FACTS = Facts(may_raise=False)
type Jump = Callable[[], Pc]
"""Gives the pc to go to (made when it is first asked for)."""
type Raising = Slot | None


class Leave(Protocol):
    """Lowers `return value` at the node `entry`: evaluated there, then out of the function."""

    def __call__(
        self, entry: Pc, value: ast.expr | Slot | None, facts: Facts, context: "Context", span: Span
    ) -> None:
        """Put it there."""
        ...


@final
class Context(NamedTuple):
    """Immutable: a nested place gets a changed copy."""

    frame: Frame
    handler: Pc | None
    """The `Catch` an exception goes to; None: the scope fails."""
    active: Raising
    """The exception that a bare `raise` raises."""
    brk: Jump | None
    cont: Jump | None
    ret: Leave
    copied: bool = False
    """Inside a `finally`, which exists twice already: those inside it exist once."""
    timed: bool = False
    """A deadline may be around."""
    star: Slot | None = None
    """What goes through the clauses of `except*`, one of which this is in."""
    yields: "Callable[[Call, Pc, Pc, Context], None] | None" = None
    """In a manager: lowers its `yield`, which is the body of the `with`."""
    groups: "tuple[OpenGroup, ...]" = ()
    """Those whose bodies this place is in, outermost first."""
    helpers: tuple[Ref, ...] = ()
    """Those that this place is in, in all scopes around, outermost first."""


@final
class Frames:
    """The frames of one machine, and the names that its helpers' locals get."""

    def __init__(self, program: Program, flow: Function) -> None:
        everything = (*program.functions, *program.managers)
        self._functions: dict[Ref, Function] = {f.ref: f for f in everything}
        self._managers = 0
        self._flow = flow
        self._frames: dict[Ref, Frame] = {}
        self._prefixes: dict[str, Ref] = {}
        self._steps = frozenset(step.ref for step in program.steps)
        self._outside: dict[Ref, frozenset[str]] = {}
        self.has_deadlines = any(_has_deadlines(f.body) for f in everything)
        """Whether any block of the program has a deadline."""

    def function(self, ref: Ref) -> Function | None:
        """The function with operations of that name."""
        return self._functions.get(ref)

    def refs(self) -> Iterator[Ref]:
        """All functions with operations."""
        return iter(self._functions)

    def frame(self, ref: Ref) -> Frame:
        """The frame of the flow or of a helper."""
        frame = self._frames.get(ref)
        if frame is None:
            function = self._functions[ref]
            inner = [f for f in self._functions.values() if f is not function]
            functions = rebuilt_functions(function, inner)
            frame = self._frames[ref] = Frame(ref, self._names(ref), functions)
        return frame

    def manager_frame(self, ref: Ref) -> Frame:
        """A frame of its own for one `with` on the manager: several may be open at once."""
        self._managers += 1
        function = self._functions[ref]
        prefix = f"{self._prefix(ref)} {self._managers}"
        names = dict(self._around(ref))
        names.update({name: f"{prefix}.{name}" for name in sorted(function.slots)})
        return Frame(ref, names)

    def is_flow(self, ref: Ref) -> bool:
        """Whether it names a flow (else a step, or something unknown)."""
        function = self._functions.get(ref)
        return function is not None and function.kind == "flow"

    def is_step(self, ref: Ref) -> bool:
        """Whether it names a step."""
        return ref in self._steps

    def read_outside(self, ref: Ref) -> frozenset[str]:
        """Names of `except ... as name` that the function reads where the handler is over."""
        found = self._outside.get(ref)
        if found is None:
            inner = [f.captures for f in self._functions.values() if f.captures]
            reads = read_outside_handlers(self._functions[ref].body)
            found = self._outside[ref] = reads.union(*inner)
        return found

    def own(self, ref: Ref) -> tuple[Slot, ...]:
        """The slots that are the function's own, without those it captures."""
        function = self._functions[ref]
        frame = self.frame(ref)
        return tuple(sorted(frame.slot(name) for name in function.slots))

    def captured(self, branch: Branch) -> tuple[Slot, ...]:
        """What a branch captures, in the names of its own function.

        A nested helper that it calls, however deep, reads the cells of the function around it.
        """
        found, called = set(branch.captures), set[Ref]()
        blocks = [branch.body]
        while blocks:
            for statement in blocks.pop():
                blocks.extend(children(statement))
                if isinstance(statement, Call) and statement.helper not in called:
                    called.add(statement.helper)
                    helper = self._functions.get(statement.helper)
                    if helper is not None:
                        found |= helper.captures
                        blocks.append(helper.body)
        return tuple(sorted(found - {*branch.params}))

    def _names(self, ref: Ref) -> Mapping[str, Slot]:
        function = self._functions[ref]
        if function is self._flow:
            return {name: name for name in function.slots}
        prefix = self._prefix(ref)
        names = dict(self._around(ref))
        names.update({name: f"{prefix}.{name}" for name in sorted(function.slots)})
        return names

    def _around(self, ref: Ref) -> Mapping[str, Slot]:
        """The names of the function it is nested in."""
        outer, _, _ = ref.qualname.rpartition(".")
        parent = Ref(ref.module, outer)
        return self.frame(parent).names if parent in self._functions else {}

    def _prefix(self, ref: Ref) -> str:
        name = ref.qualname
        if self._prefixes.setdefault(name, ref) != ref:
            name = str(ref)
            self._prefixes[name] = ref
        return name


def _has_deadlines(body: Block) -> bool:
    blocks = [body]
    while blocks:
        for statement in blocks.pop():
            if isinstance(statement, Deadline):
                return True
            if isinstance(statement, Group) and waits_after_tasks(statement.body):
                return True
            blocks.extend(children(statement))
    return False
