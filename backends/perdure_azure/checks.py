"""What Durable Functions cannot take, or this target does not run exactly yet: refused."""

import ast
from collections.abc import Iterator

from perdure import rules
from perdure.diagnostics import Report
from perdure.ir import Block, Op, OpKind, Program, Stmt, Unlowered
from perdure.passes.blocks import children
from perdure.source import Span

__all__ = ["check"]

REFUSED = frozenset({OpKind.START, OpKind.SEND, OpKind.ASK, OpKind.CANCEL, OpKind.REPLY})
"""Operations between runs; the runs of an app do not know each other yet."""
TAKEN_NAMES = frozenset({"function_app", "azure", "perdure_azure"})


def check(program: Program, report: Report) -> None:
    """Report everything that cannot be emitted exactly."""
    for path, _ in program.sources:
        if path.partition("/")[0].removesuffix(".py") in TAKEN_NAMES:
            _not_yet(report, f"a project module at `{path}`", Span(path, 1, 0, 1, 1))
    for function in program.functions:
        for statement in _all(function.body):
            match statement:
                case Op(kind=kind) if kind in REFUSED:
                    _not_yet(report, f"`{kind.value}`", statement.span)
                case Unlowered(code=code):
                    for name in sorted(_native_calls(code)):
                        _not_yet(report, f"`{name}` in {statement.what}", statement.span)
                case _:
                    pass


def _all(block: Block) -> Iterator[Stmt]:
    for statement in block:
        yield statement
        for inner in children(statement):
            yield from _all(inner)


def _native_calls(code: tuple[ast.stmt, ...]) -> set[str]:
    """Calls in a statement kept whole that may be operations between runs, by their last name."""
    names: set[str] = set()
    for statement in code:
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                    names.add(name)
                case _:
                    pass
    return names & {kind.value for kind in REFUSED}


def _not_yet(report: Report, what: str, span: Span) -> None:
    report.error(rules.NOT_LOWERED, span, target="azure", what=what, line=span.line)
