"""Waits that the source itself makes longer than an execution may last: refused at their line."""

import ast
from collections.abc import Iterator

from perdure import rules
from perdure.diagnostics import Report
from perdure.durations import seconds_of
from perdure.ir import Op, OpKind
from perdure.machine import ir

__all__ = ["check_waits", "operations_of"]

DAY = 86_400


def check_waits(scope: ir.Scope, report: Report, *, target: str, most: int) -> None:
    """Report each wait of more than `most` seconds: it can never end well."""
    for node in scope.nodes.values():
        for op in operations_of(node):
            seconds = _literal_seconds(op)
            if seconds is not None and seconds > most:
                value, limit = _days(seconds), _days(most)
                report.error(rules.WAIT_TOO_LONG, op.span, value=value, limit=limit, target=target)


def operations_of(node: ir.Node) -> Iterator[Op]:
    """The operations that a node waits for."""
    if isinstance(node, ir.Operation):
        yield node.op
    elif isinstance(node, ir.ForkNode):
        yield from (one.op for one in node.alternatives)


def _literal_seconds(op: Op) -> float | None:
    if op.kind not in (OpKind.SLEEP, OpKind.EVENT):
        return None
    written = _named(op, "duration") or _named(op, "timeout")
    match written:
        case ast.Constant(value=str() | int() | float() as value):
            try:
                return seconds_of(value)
            except ValueError:  # raised where the flow runs
                return None
        case _:
            return None


def _named(op: Op, name: str) -> ast.expr | None:
    found = (one.value for one in op.arguments if one.name == name and one.star is None)
    return next(found, None)


def _days(seconds: float) -> str:
    return f"{seconds / DAY:g} days"
