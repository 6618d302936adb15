"""Diagnostics out: as text for people, and as json, sarif and github for what people run.

Each format is a module of its own, loaded when it is asked for.
"""

from collections.abc import Callable
from typing import Final

from perdure.diagnostics import Report

__all__ = ["FORMATS", "Place", "as_written", "render"]

FORMATS: Final = ("text", "json", "sarif", "github")

type Place = Callable[[str], str]
"""How a file is shown, from how spans name it (relative to the project root)."""


def as_written(file: str) -> str:
    """Files as spans name them."""
    return file


def render(report: Report, form: str, *, place: Place = as_written, color: bool = False) -> str:
    """All diagnostics of a report in one of `FORMATS`; text that ends with a line end, or ""."""
    match form:
        case "text":
            from perdure.render.text import render_text

            return render_text(report, place=place, color=color)
        case "json":
            from perdure.render.json import render_json

            return render_json(report, place=place)
        case "sarif":
            from perdure.render.sarif import render_sarif

            return render_sarif(report, place=place)
        case "github":
            from perdure.render.github import render_github

            return render_github(report, place=place)
        case _:
            raise ValueError(f"{form!r} is no output format; there are {', '.join(FORMATS)}")
