"""The state of one function while it is taken apart.

`replaced` is how temporaries get into expressions: it maps the `id()` of a node of the user's tree
to the instrumented expression that stands for it from now on. The trees themselves are never
changed.
"""

import ast
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

from perdure.frontend import instrument
from perdure.frontend.build.effects import Effects
from perdure.frontend.build.imports import Imports
from perdure.frontend.build.scan import Marks
from perdure.ir import Block, Expr, Facts, Pure, Slot, Stmt
from perdure.uses import Uses, uses

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis, CallFact, FunctionInfo
    from perdure.frontend.build.kept_values import KeptValues
    from perdure.source import Span

__all__ = ["Emit", "Lowering", "NotYetError", "assignment", "load", "located", "store"]

type Emit = Callable[[Slot | None], None]
"""Adds the statements that run a coroutine whose operands were evaluated, and keep its result in a
slot.
"""


class NotYetError(Exception):
    """What the builder cannot take apart yet; the statement becomes `Unlowered`."""

    def __init__(self, what: str, *, machines: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.machines = machines
        """Machines take it apart (`Lowering.machines`), code targets keep the statement."""


def located[N: ast.expr | ast.stmt | ast.keyword | ast.pattern](
    node: N, at: ast.expr | ast.stmt | ast.pattern
) -> N:
    """A node made here, standing where `at` stands."""
    node.lineno = at.lineno
    node.col_offset = at.col_offset
    node.end_lineno = at.lineno if at.end_lineno is None else at.end_lineno
    node.end_col_offset = at.col_offset if at.end_col_offset is None else at.end_col_offset
    return node


def load(name: Slot, at: ast.expr | ast.stmt | ast.pattern) -> ast.Name:
    """The value of a slot."""
    return located(ast.Name(name, ast.Load()), at)


def store(name: Slot, at: ast.expr | ast.stmt | ast.pattern) -> ast.Name:
    """A slot as a target."""
    return located(ast.Name(name, ast.Store()), at)


def assignment(target: Slot, value: ast.expr, at: ast.expr | ast.stmt) -> ast.Assign:
    """`target = value`."""
    return located(ast.Assign([store(target, at)], value), at)


@final
class Lowering:
    """One function: what is known of it, and the block being written."""

    def __init__(
        self,
        analysis: "Analysis",
        info: "FunctionInfo",
        effects: Effects,
        kept: "KeptValues",
    ) -> None:
        self.analysis = analysis
        self.info = info
        self.source = info.module.source
        self.imports = Imports(info.module.tree)
        self.effects = effects
        self.candidates = kept.candidates
        """What an awaited value of unknown origin may be."""
        self.natives = kept.natives
        self.items = kept.items
        """What the branches of a fork that is kept as a value may be."""
        self.marks = Marks(info.node, analysis)
        self.replaced: dict[int, ast.expr] = {}
        self.out: list[Stmt] = []
        self.bound: set[str] | None = set(info.parameters)
        """Names surely bound here; None where control cannot come."""
        self.temporaries: set[Slot] = set()
        self.machines = False
        """Write what only machines take apart."""
        self.groups: list[Slot] = []
        """Names of the task groups around this place."""
        self._names = self.marks.names | info.locals | info.free
        self._count = 0

    def fresh(self, name: str = "") -> Slot:
        """A new temporary; for a renamed variable its name stays readable."""
        while True:
            self._count += 1
            slot = f"_{self._count}_{name}" if name else f"_{self._count}"
            if slot not in self._names:
                self.temporaries.add(slot)
                return slot

    def span(self, node: ast.expr | ast.stmt | ast.excepthandler | ast.pattern) -> "Span":
        """Where a node stands."""
        return self.source.span(node)

    def fact(self, node: ast.expr) -> "CallFact | None":
        """What is known of a call that is still one (not replaced by its value)."""
        if isinstance(node, ast.Call) and id(node) not in self.replaced:
            return self.analysis.calls.get(id(node))
        return None

    def holds(self, node: ast.AST) -> bool:
        """Whether an operation is still in this expression."""
        return id(node) in self.marks.operations and id(node) not in self.replaced

    def pure(self, node: ast.expr) -> Expr:
        """The instrumented form of an expression whose operations were taken out."""
        return instrument.expression(node, self.analysis, self.replaced)

    def is_slot(self, name: str) -> bool:
        """Whether a name is a variable of this function (or of one around it)."""
        return name in self.info.locals or name in self.temporaries or name in self.info.free

    def facts(
        self, originals: Iterable[ast.AST], instrumented: Sequence[ast.stmt | ast.expr]
    ) -> Facts:
        """The facts of code: names from its instrumented form, effects from what was written."""
        return self.facts_of_uses(originals, uses(instrumented))

    def facts_of_uses(self, originals: Iterable[ast.AST], found: Uses) -> Facts:
        """The facts of code whose uses are known."""
        may_raise, records, loops = self.effects.of(originals, self.replaced)
        reads = frozenset(name for name in found.reads if self.is_slot(name))
        writes = frozenset(name for name in found.writes if self.is_slot(name))
        return Facts(
            reads=reads,
            writes=writes,
            binds=writes if found.binds is None else writes & found.binds,
            may_raise=may_raise or any(not self.is_bound(name) for name in reads),
            records=records,
            loops=loops,
        )

    def is_bound(self, name: str) -> bool:
        """Whether a slot surely has a value here."""
        if self.bound is None:
            return True
        return name in self.bound and name not in self.marks.unsure

    def bind(self, names: Iterable[Slot | None]) -> None:
        """Note slots that have a value from here on."""
        if self.bound is not None:
            self.bound.update(name for name in names if name is not None)

    def add(self, statement: Stmt) -> None:
        """Write a statement that is not pure code."""
        self.out.append(statement)

    def code(self, *statements: ast.stmt) -> None:
        """Write pure code; its nodes may hold replaced ones."""
        instrumented = tuple(instrument.statements(statements, self.analysis, self.replaced))
        found = uses(instrumented)
        facts = self.facts_of_uses(statements, found)
        first, last = self.span(statements[0]), self.span(statements[-1])
        span = first._replace(end_line=last.end_line, end_column=last.end_column)
        self.out.append(Pure(instrumented, facts, span))
        if found.binds is None:
            self.bound = None
        elif self.bound is not None:
            self.bound -= found.writes & self.marks.deleted
            self.bound |= found.binds

    def keep(self, target: Slot, value: ast.expr, at: ast.expr | ast.stmt) -> None:
        """Write `target = value`."""
        self.code(assignment(target, value, at))

    @contextmanager
    def block(self) -> Generator[list[Stmt]]:
        """Write into a new block for a while; what it binds counts inside only."""
        out, bound = self.out, None if self.bound is None else set(self.bound)
        self.out = []
        try:
            yield self.out
        finally:
            self.out, self.bound = out, bound

    def alternatives(self, *writers: Callable[[], None]) -> list[Block]:
        """Blocks of which exactly one runs; what all that go on have bound is bound afterwards."""
        blocks: list[Block] = []
        ends: list[set[str]] = []
        for write in writers:
            with self.block() as block:
                write()
                if self.bound is not None:
                    ends.append(self.bound)
            blocks.append(tuple(block))
        self.bound = set[str].intersection(*ends) if ends else None
        return blocks
