"""What the walk over a flow notes down while it goes: one `State` for each function reached."""

import ast
from enum import StrEnum
from typing import final

from perdure.frontend.analysis import CallKind, FunctionNode
from perdure.frontend.meanings import Func, Scope
from perdure.ir import Ref
from perdure.modules import Module

__all__ = ["FoundCall", "State", "Use"]


class Use(StrEnum):
    """What becomes of the value of an expression."""

    AWAIT = "await"
    BRANCH = "branch"
    """Given to gather, race, quorum, wait_for or create_task."""
    KEEP = "keep"
    """Stored, passed on or returned as it is."""
    DATA = "data"
    """Looked into."""
    DROP = "drop"
    """An expression statement."""


@final
class FoundCall:
    """A call as classified, before labels and operations of callees are known."""

    __slots__ = (
        "base",
        "fork",
        "kind",
        "label",
        "native",
        "node",
        "options",
        "receiver",
        "refs",
        "scope",
        "use",
    )

    def __init__(
        self,
        node: ast.Call,
        kind: CallKind,
        use: Use,
        *,
        base: str = "",
        refs: tuple[Ref, ...] = (),
        native: str | None = None,
        options: ast.Call | None = None,
        receiver: ast.expr | None = None,
    ) -> None:
        self.node = node
        self.kind = kind
        self.use = use
        self.base = base
        self.refs = refs
        self.native = native
        self.options = options
        self.receiver = receiver
        self.label = ""
        self.fork: FoundCall | None = None
        """The gather, race, ... that this call is a branch of, as written."""
        self.scope: Scope | None = None


@final
class State:
    """A function that flow code reaches, and what was found in it."""

    def __init__(self, func: Func, node: FunctionNode, scope: Scope, *, certain: bool) -> None:
        self.func = func
        self.node = node
        self.scope = scope
        self.certain = certain
        self.parent: Ref | None = None
        self.calls: list[FoundCall] = []
        self.callees: list[Ref] = []
        """Functions it calls, in order."""
        self.free: set[str] = set()
        self.loops: list[ast.For | ast.While] = []
        self.tries: list[ast.Try | ast.TryStar] = []
        self.pauses: list[ast.AST] = []
        """Where it awaits: `await` expressions and `async with` statements."""
        self.consumed: dict[str, list[tuple[ast.Name, tuple[int, ...]]]] = {}
        """Where locals that hold coroutines are awaited or given to a fork, with the blocks
        around."""
        self.loads: dict[str, list[ast.Name]] = {}
        self.identities: list[tuple[ast.Compare, ast.cmpop, ast.expr, ast.expr]] = []
        self.has_operations = False
        self.recursive = False

    @property
    def ref(self) -> Ref:
        """The function's name."""
        return self.func.ref

    @property
    def module(self) -> Module:
        """The function's module."""
        return self.func.module
