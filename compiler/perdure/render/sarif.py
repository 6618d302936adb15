"""The sarif form, 2.1.0: what code scanning services read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html: regions count from 1, and
`columnKind` says that columns are code points.
"""

from perdure.diagnostics import Diagnostic, Report, Rule
from perdure.render import Place, as_written
from perdure.source import Span

__all__ = ["render_sarif"]

type Json = str | int | list[Json] | dict[str, Json] | None

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(report: Report, *, place: Place = as_written) -> str:
    """One run with the rules that were broken and a result for each diagnostic."""
    import json

    from perdure import __version__

    rules = sorted({found.rule for found in report.diagnostics})
    positions = {rule.code: index for index, rule in enumerate(rules)}
    described: list[Json] = [_rule(rule) for rule in rules]
    results: list[Json] = [_result(found, positions, place) for found in report.diagnostics]
    driver: Json = {"name": "perdure", "version": __version__, "rules": described}
    run: Json = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    log: Json = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=True) + "\n"


def _rule(rule: Rule) -> Json:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.message},
        "fullDescription": {"text": rule.explain},
        "help": {"text": rule.help},
    }


def _result(found: Diagnostic, positions: dict[str, int], place: Place) -> Json:
    result: dict[str, Json] = {
        "ruleId": found.code,
        "ruleIndex": positions[found.code],
        "level": "error",
        "message": {"text": f"{found.message}; {found.help}"},
    }
    if found.span is not None:
        result["locations"] = [{"physicalLocation": _location(found.span, place)}]
    if found.secondary:
        result["relatedLocations"] = [
            {
                "message": {"text": second.label},
                "physicalLocation": _location(second.span, place),
            }
            for second in found.secondary
        ]
    return result


def _location(span: Span, place: Place) -> Json:
    from urllib.parse import quote

    return {
        "artifactLocation": {"uri": quote(place(span.file), errors="replace")},
        "region": {
            "startLine": span.line,
            "startColumn": span.column + 1,
            "endLine": span.end_line,
            "endColumn": span.end_column + 1,
        },
    }
