"""The github form: workflow commands, which become annotations of a pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from perdure.diagnostics import Diagnostic, Report
from perdure.render import Place, as_written

__all__ = ["render_github"]


def render_github(report: Report, *, place: Place = as_written) -> str:
    """One `::error` line for each diagnostic."""
    return "".join(_command(found, place) for found in report.diagnostics)


def _command(found: Diagnostic, place: Place) -> str:
    properties = {"title": found.code}
    span = found.span
    if span is not None:
        properties |= {
            "file": place(span.file),
            "line": str(span.line),
            "endLine": str(span.end_line),
        }
        if span.line == span.end_line:
            # Columns are only allowed within one line.
            properties |= {"col": str(span.column + 1), "endColumn": str(span.end_column + 1)}
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::error {listed}::{_data(f'{found.message}; {found.help}')}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
