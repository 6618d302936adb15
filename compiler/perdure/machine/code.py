"""The pure parts of a machine's graph: whose code it is, what it does, what a decision asks.

Python stays Python here: expressions and statements as the user wrote them (instrumented), to be
emitted into site functions. Part of the Machine IR: everybody imports it from `perdure.machine.ir`.
"""

import ast
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, final

from perdure.ir import Argument, Facts, Parameter, Ref, Slot

__all__ = [
    "Advance",
    "Bind",
    "Choice",
    "Code",
    "Enter",
    "Frame",
    "Iterate",
    "Keep",
    "MatchCases",
    "MatchErrors",
    "Rebuilt",
    "Restore",
    "Saved",
    "Statements",
    "Switch",
    "Test",
    "Unbind",
    "Use",
]


@final
class Rebuilt(NamedTuple):
    """A nested function that is only ever called: each block that calls it has one of its own, over
    the variables of the block. So it sees what they are by then, and may change them.
    """

    code: ast.stmt
    reads: frozenset[str]
    writes: frozenset[str]
    calls: frozenset[str]
    """Others of the kind."""


@final
class Frame:
    """One function's locals inside a scope: which slot each of its names is.

    The flow's own names are slots as they stand; a helper's `x` is the slot `helper.x`. One frame
    is made for each function of a machine, so frames are compared by identity.
    """

    __slots__ = ("functions", "local_of", "names", "ref")

    def __init__(
        self,
        ref: Ref,
        names: Mapping[str, Slot],
        functions: Mapping[str, Rebuilt] = MappingProxyType({}),
    ) -> None:
        self.functions = functions
        """Nested functions that blocks rebuild, by name."""
        self.ref = ref
        """The function, whose module gives the globals of its code."""
        self.names = names
        """Locals of the function and of the functions it is nested in."""
        self.local_of: Mapping[Slot, str] = {slot: name for name, slot in names.items()}
        """Which local a slot is here."""

    def add(self, name: str, slot: Slot) -> None:
        """Let code that the lowering writes read one of its own slots, as a local `name`."""
        self.names = {**self.names, name: slot}
        self.local_of = {**self.local_of, slot: name}

    def called(self, names: Iterable[str]) -> dict[str, Rebuilt]:
        """The functions to rebuild where these names are read, with those that they call."""
        found: dict[str, Rebuilt] = {}
        waiting = sorted(names, reverse=True)
        while waiting:
            function = self.functions.get(name := waiting.pop())
            if function is not None and name not in found:
                found[name] = function
                waiting.extend(function.calls)
        return dict(sorted(found.items()))

    def slot(self, name: str) -> Slot:
        """The slot of a local; temporaries of the lowering are their own slot."""
        return self.names.get(name, name)


@final
class Statements(NamedTuple):
    """Python statements as the user wrote them; a bare `raise` in them raises the slot `active`."""

    code: tuple[ast.stmt, ...]
    facts: Facts
    active: Slot | None = None


@final
class Keep(NamedTuple):
    """`slot = value`, of a constant (return addresses, pending exits)."""

    slot: Slot
    value: str


@final
class Bind(NamedTuple):
    """`slot = value`, of an expression of the frame or (value a str) of another slot."""

    slot: Slot
    value: ast.expr | Slot
    facts: Facts


@final
class Iterate(NamedTuple):
    """`slot = cursor(iterable)`, at the head of a `for`."""

    slot: Slot
    iterable: ast.expr
    facts: Facts


@final
class Unbind(NamedTuple):
    """`del` of slots, no error for those that are not bound."""

    slots: tuple[Slot, ...]


@final
class Saved(NamedTuple):
    """What a call of a recursive helper puts aside: of `slots`, those needed when it is back.

    The `Restore` of the same `site` takes them again, on whichever way the call ends.
    """

    site: int
    slots: frozenset[Slot]


@final
class Restore(NamedTuple):
    """A call of a recursive helper is over: its caller's slots are as they were."""

    site: int
    slots: frozenset[Slot]


@final
class Again(NamedTuple):
    """A branch whose scope stands at another place of the machine: its fork is recursive."""

    id: str
    captures: tuple[Slot, ...]


@final
class Enter(NamedTuple):
    """The arguments of a helper's call become its parameters; its other locals are unbound."""

    parameters: tuple[Parameter, ...]
    arguments: tuple[Argument, ...]
    callee: Frame
    own: tuple[Slot, ...]
    """The helper's own slots: those that are no parameters begin unbound."""
    facts: Facts
    saves: Saved | None = None
    """Of a recursive call, after the arguments were evaluated."""


@final
class Use(NamedTuple):
    """`slot = sites.function(s, values...)`: what the lowering itself needs done at run time.

    Values are expressions of the frame, or (a str) what is in another slot; `slot` None: there is
    no result to keep.
    """

    slot: Slot | None
    function: str
    values: tuple[ast.expr | Slot, ...]
    facts: Facts


type Code = Statements | Keep | Bind | Iterate | Unbind | Enter | Restore | Use


@final
class Test(NamedTuple):
    """Exits "then" and "else"."""

    test: ast.expr
    facts: Facts


@final
class MatchCases(NamedTuple):
    """`match subject:`; one exit for each case, in order, then "no case"."""

    subject: ast.expr
    cases: tuple[tuple[str, ast.pattern, ast.expr | None], ...]
    """(exit, pattern, guard)."""
    facts: Facts


@final
class Advance(NamedTuple):
    """The next item of the cursor is bound to `target`: exits "item" and "done"."""

    cursor: Slot
    target: ast.expr
    facts: Facts


@final
class MatchErrors(NamedTuple):
    """Which `except` clause takes the exception in `slot`; one exit for each, then "no clause"."""

    slot: Slot
    types: tuple[tuple[str, ast.expr | None], ...]
    """(exit, type); type None is the bare `except`."""
    facts: Facts


@final
class Switch(NamedTuple):
    """The exit named by the text in `slot`: where a helper returns to, how a `finally` goes on."""

    slot: Slot


type Choice = Test | MatchCases | Advance | MatchErrors | Switch
