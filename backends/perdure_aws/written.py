"""What the source itself says, and Step Functions never takes: long waits, large literals, names.

Comes in: placed machines. Goes out: problems in the report, each at its line. What only run time
can know ends the run with `LimitExceeded` instead (`perdure.sites.visit`).
"""

import ast

from perdure import rules
from perdure.diagnostics import Report
from perdure.ir import Argument, ForkKind, Op
from perdure.machine import ir
from perdure.machine.long_waits import check_waits, operations_of
from perdure.machine.natives import runs_in_site
from perdure.machine.trees import trees
from perdure_aws.dynamodb import SORT_BYTES
from perdure_aws.limits import value_of

__all__ = ["check_written"]

LONGEST_NAME = SORT_BYTES - len("inbox//000000000000")
"""Bytes of an event's name: it stands in a key of the run store."""
EVENTS_OF_A_STEP = 7
"""Of an iteration with one step: its own two, and the five of a Task."""


def check_written(scope: ir.Scope, report: Report) -> None:
    """Report what a scope's own text passes a limit with."""
    check_waits(scope, report, target="aws", most=value_of("execution_seconds"))
    for node in scope.nodes.values():
        for tree in trees(node):
            _literals(tree, node, report)
        for op in operations_of(node):
            _name(op, report)
        if isinstance(node, ir.ForkNode):
            _branches(node, report, is_root=not scope.id)


def _literals(tree: ast.AST, node: ir.Node, report: Report) -> None:
    most = value_of("payload_bytes")
    for inner in ast.walk(tree):
        match inner:
            case ast.Constant(value=str(text)):
                size = len(text.encode(errors="surrogatepass"))
            case ast.Constant(value=bytes(content)):
                size = len(content)
            case _:
                continue
        if size > most:
            report.error(
                rules.LITERAL_TOO_LARGE, node.span, value=size, limit=f"{most} bytes", target="aws"
            )


def _name(op: Op, report: Report) -> None:
    match _named(op, "name"):
        case ast.Constant(value=str(name)) if len(name) > LONGEST_NAME:
            report.error(
                rules.LIMIT_PASSED,
                op.span,
                what="the name of this event",
                value=f"{len(name)} bytes",
                limit=LONGEST_NAME,
                target="aws",
                remedy="give the event a shorter name",
            )
        case _:
            pass


def _named(op: Op, name: str) -> ast.expr | None:
    return next((a.value for a in op.arguments if _is(a, name)), None)


def _is(argument: Argument, name: str) -> bool:
    return argument.name == name and argument.star is None


def _branches(node: ir.ForkNode, report: Report, *, is_root: bool) -> None:
    """A map over what the source counts: `range(100)`, or a list as it stands.

    At the root of a flow it is taken apart, unless a branch may end it, or a limit has to hold.
    """
    fork = node.fork
    if fork.over is None or fork.kind is not ForkKind.ALL or node.forked:
        return
    count = _length(fork.over)
    if count is None:
        return
    has_limit = not _is_none(fork.limit) and _waits(node.branches[0])
    if is_root and _is_none(fork.fail_fast) and not has_limit:
        return
    most = value_of("history_events") // EVENTS_OF_A_STEP
    if _waits(node.branches[0]):
        match fork.limit:
            case ast.Constant(value=int(at_once)) if at_once > 0:
                count = min(count, at_once)
            case None | ast.Constant(value=None):
                pass
            case _:
                return
        most = value_of("inline_map_concurrency")
    if count > most:
        report.error(rules.TOO_MANY_BRANCHES, node.span, value=count, limit=most, target="aws")


def _is_none(written: ast.expr | None) -> bool:
    return written is None or (isinstance(written, ast.Constant) and not written.value)


def _waits(branch: ir.Scope) -> bool:
    """Whether an iteration may wait: then all must be under way at once."""
    return any(
        isinstance(node, ir.ForkNode) or (isinstance(node, ir.Operation) and not runs_in_site(node))
        for node in branch.nodes.values()
    )


def _length(over: ast.expr) -> int | None:
    match over:
        case ast.ListComp(generators=[ast.comprehension(iter=items, ifs=[], is_async=0)]):
            return _length(items)
        case ast.GeneratorExp(generators=[ast.comprehension(iter=items, ifs=[], is_async=0)]):
            return _length(items)
        case ast.List(elts=[ast.Starred(value=items)]) | ast.Tuple(elts=[ast.Starred(value=items)]):
            return _length(items)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            starred = any(isinstance(element, ast.Starred) for element in elements)
            return None if starred else len(elements)
        case ast.Call(func=ast.Name(id="range"), args=[*bounds], keywords=[]):
            numbers = [b.value for b in bounds if isinstance(b, ast.Constant)]
            whole = [n for n in numbers if isinstance(n, int)]
            return len(range(*whole)) if len(whole) == len(bounds) and 0 not in whole[2:] else None
        case _:
            return None
