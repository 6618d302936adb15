"""What perdure says about a program: catalogue entries, places, and the collection of both.

A stage takes a `Report`, adds every problem it finds and goes on; the driver stops after the
stage. Nothing here prints: `perdure.render` does.
"""

from collections.abc import Iterable
from typing import NamedTuple, final

from perdure.source import Source, Span

__all__ = ["Diagnostic", "InternalError", "Refused", "Report", "Rule", "Secondary", "nearest"]


class Rule(NamedTuple):
    """A catalogue entry; `message` and `help` are `str.format` templates over the same values."""

    code: str
    message: str
    help: str
    explain: str


class Secondary(NamedTuple):
    """A second place that explains the first: "in this flow", "written here"."""

    span: Span
    label: str


class Diagnostic(NamedTuple):
    """One problem at one place. `span` is None only for what is wrong with a whole call."""

    rule: Rule
    span: Span | None
    message: str
    help: str
    secondary: tuple[Secondary, ...] = ()

    @property
    def code(self) -> str:
        """The rule's code, `PDR107`."""
        return self.rule.code


class InternalError(Exception):
    """Our own fault: what went wrong in which pass, and the program as the pass saw it."""

    def __init__(self, problem: str, *, during: str, printed: str = "") -> None:
        super().__init__(f"{during}: {problem}")
        self.problem = problem
        self.during = during
        self.printed = printed


@final
class Report:
    """The problems of one compilation, and the sources they point into."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Span | None, str], Diagnostic] = {}
        self.sources: dict[str, Source] = {}

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self._found

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Every problem once, in source order."""
        return tuple(sorted(self._found.values(), key=_source_order))

    def add_source(self, source: Source) -> None:
        """Make a file's text known, so that problems in it can be shown."""
        self.sources[source.path] = source

    def error(
        self,
        rule: Rule,
        span: Span | None,
        /,
        *,
        also: Iterable[Secondary] = (),
        **values: object,
    ) -> None:
        """Note a problem; `values` fill the rule's templates."""
        try:
            message = rule.message.format_map(values)
            help_text = rule.help.format_map(values)
        except (KeyError, IndexError) as error:
            raise InternalError(
                f"the template of {rule.code} has no value for {error}", during="report"
            ) from error
        found = Diagnostic(rule, span, message, help_text, tuple(also))
        self.take(found)

    def take(self, found: Diagnostic) -> None:
        """Note a problem that another report has found."""
        self._found.setdefault((found.code, found.span, found.message), found)


class Refused(Exception):  # noqa: N818  # reads as what happened
    """A flow is refused: `report` says why, and the text is what it says to people."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        from perdure.render import render

        return render(self.report, "text").rstrip()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a person most likely meant, or None."""
    candidates = sorted(set(known))
    if not candidates:
        return None
    import difflib

    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    if name.lower() in lowered:
        return lowered[name.lower()]
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    return lowered[close[0]] if close else None


def _source_order(found: Diagnostic) -> tuple[str, int, int, str, str]:
    if found.span is None:
        return ("", 0, 0, found.rule.code, found.message)
    return (
        found.span.file,
        found.span.line,
        found.span.column,
        found.rule.code,
        found.message,
    )
