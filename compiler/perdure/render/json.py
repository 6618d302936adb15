"""The json form: one object, `{"version": 1, "diagnostics": [...]}`.

Lines and columns count from 1, in characters; the end column is the one after the last.
"""

from perdure.diagnostics import Diagnostic, Report
from perdure.render import Place, as_written
from perdure.source import Span

__all__ = ["render_json"]

type Json = str | int | list[Json] | dict[str, Json] | None


def render_json(report: Report, *, place: Place = as_written) -> str:
    """Every diagnostic as an object."""
    import json

    found: list[Json] = [_diagnostic(diagnostic, place) for diagnostic in report.diagnostics]
    return json.dumps({"version": 1, "diagnostics": found}, indent=2, ensure_ascii=True) + "\n"


def _diagnostic(found: Diagnostic, place: Place) -> Json:
    related: list[Json] = [
        {"label": second.label, "span": _span(second.span, place)} for second in found.secondary
    ]
    return {
        "code": found.code,
        "message": found.message,
        "help": found.help,
        "span": _span(found.span, place) if found.span else None,
        "related": related,
    }


def _span(span: Span, place: Place) -> Json:
    return {
        "file": place(span.file),
        "line": span.line,
        "column": span.column + 1,
        "end_line": span.end_line,
        "end_column": span.end_column + 1,
    }
