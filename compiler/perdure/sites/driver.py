"""Drives a site: from the pc it was entered at, through pure code, to the next stop.

Comes in: a scope's table, slots, a pc. Goes out: a `Stop`. It never performs an operation, knows no
engine, and lets no exception of the flow out: they go to their handlers, or end the scope.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, final

from perdure.sites.table import (
    Block,
    Catch,
    Decision,
    Operation,
    Raise,
    Return,
    Scope,
    Slots,
)

__all__ = ["Site", "Stop"]


@final
class Stop(NamedTuple):
    """Where driving ended.

    `kind`: "operation": the site's own operation is next, `value` its operands; "settled": the rest
    belongs to a later site; "native": `value` has the operands of the orchestrator's operation;
    "return": `value` is the scope's; "failed": `error` ends it. `raised`: the last handler that
    took an exception ("" for "failed"), None if there was none; `decisions`: what was decided
    since.
    """

    kind: Literal["operation", "settled", "native", "return", "failed"]
    at: str
    decisions: dict[str, str]
    raised: str | None = None
    value: object = None
    error: BaseException | None = None


@final
class Site:
    """One entry into a scope: slots that change while it drives."""

    def __init__(
        self,
        scope: Scope,
        slots: Slots,
        prepare: Callable[[Operation, object], object] | None = None,
    ) -> None:
        """`prepare` makes operands ready to cross; what it raises, the operation raised."""
        self.scope = scope
        self.slots = slots
        for cursor in slots.cursors():
            cursor.thaw()
        self._prepare = prepare
        self._decisions: dict[str, str] = {}
        self._raised: str | None = None

    def drive(self, at: str, target: str | None = None) -> Stop:
        """From `at`; code that belongs to the site `target` is passed, its operation stopped at."""
        pc = at
        while True:
            node = self.scope.nodes[pc]
            if isinstance(node, Operation) and node.kind != "native" and pc != target:
                return self._stop("settled", pc)
            owner = self.scope.settled.get(pc)
            if owner is not None and owner != target:
                return self._stop("settled", pc)
            try:
                match node:
                    case Block():
                        node.code(self.slots)
                        pc = node.next
                        continue
                    case Decision():
                        pc = self._decide(node)
                        continue
                    case Catch():
                        pc = node.next
                        continue
                    case Operation():
                        operands = node.code(self.slots)
                        if self._prepare is not None:
                            operands = self._prepare(node, operands)
                        if node.kind == "native":
                            return self._stop("native", pc, operands)
                        return self._stop("operation", pc, operands)
                    case Return():
                        return self._stop("return", pc, node.code(self.slots))
                    case Raise():
                        node.code(self.slots)
                        raise AssertionError(f"{pc} did not raise")
            except BaseException as error:  # the flow's own: CPython's rules hold
                handler = "" if isinstance(node, Catch) else node.handler
                if not handler:
                    return self._failed(pc, error)
                pc, target = self._catch(handler, error), None

    def resume(self, pc: str, value: object) -> Stop:
        """The operation at `pc` ended with a value."""
        node = self._operation(pc)
        self.bind(node.target, value)
        return self.drive(node.ok)

    def fail(self, pc: str, error: BaseException) -> Stop:
        """The operation at `pc` ended with an error."""
        node = self._operation(pc)
        if not node.handler:
            return self._failed(pc, error)
        return self.drive(self._catch(node.handler, error))

    def bind(self, slot: str | None, value: object) -> None:
        """Bind what came along an edge."""
        if slot is not None:
            self.slots[slot] = value

    def _operation(self, pc: str) -> Operation:
        node = self.scope.nodes[pc]
        if not isinstance(node, Operation):
            raise TypeError(f"{pc!r} is no operation")
        return node

    def _decide(self, node: Decision) -> str:
        exit = str(node.code(self.slots))
        recorded = node.records.get(exit)
        if recorded is not None:
            self._decisions[node.name] = recorded
        return node.exits[exit]

    def _catch(self, handler: str, error: BaseException) -> str:
        catch = self.scope.nodes[handler]
        if not isinstance(catch, Catch):
            raise TypeError(f"{handler!r} is no handler")
        self.slots[catch.slot] = error
        self._raised = handler
        self._decisions = {}
        return handler

    def _failed(self, pc: str, error: BaseException) -> Stop:
        self._decisions = {}
        if isinstance(error, StopIteration):
            # As a coroutine does: it must not look like an end.
            wrapped = RuntimeError("coroutine raised StopIteration")
            wrapped.__cause__ = error
            error = wrapped
        return Stop("failed", pc, {}, "", None, error)

    def _stop(
        self,
        kind: Literal["operation", "settled", "native", "return"],
        pc: str,
        value: object = None,
    ) -> Stop:
        return Stop(kind, pc, dict(self._decisions), self._raised, value)
