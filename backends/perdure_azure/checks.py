"""What Durable Functions cannot take, or this target does not run exactly yet: refused."""

from collections.abc import Iterator

from perdure import rules
from perdure.diagnostics import Report
from perdure.ir import Block, Op, OpKind, Program, Stmt, While
from perdure.passes.blocks import children
from perdure.source import Span
from perdure_azure.handover import endless

__all__ = ["check"]

TAKEN_NAMES = frozenset({"function_app", "azure", "perdure_azure"})


def check(program: Program, report: Report) -> None:
    """Report everything that cannot be emitted exactly."""
    for path, _ in program.sources:
        if path.partition("/")[0].removesuffix(".py") in TAKEN_NAMES:
            _not_yet(report, f"a project module at `{path}`", Span(path, 1, 0, 1, 1))
    for loop in endless(program):
        span, word = loop.span, "while" if isinstance(loop, While) else "for"
        first = Span(span.file, span.line, span.column, span.line, span.column + len(word))
        what = "a loop that never ends" if word == "while" else "a count that never ends"
        report.error(rules.ENDLESS_HERE, first, what=what, target="azure")
    for function in program.functions:
        for statement in _all(function.body):
            match statement:
                case Op(kind=OpKind.START, arguments=arguments, span=span):
                    if any(argument.name == "on" for argument in arguments):
                        _not_yet(report, "`start(on=...)`", span)
                case _:
                    pass


def _all(block: Block) -> Iterator[Stmt]:
    for statement in block:
        yield statement
        for inner in children(statement):
            yield from _all(inner)


def _not_yet(report: Report, what: str, span: Span) -> None:
    report.error(rules.NOT_LOWERED, span, target="azure", what=what, line=span.line)
