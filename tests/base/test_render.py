"""How diagnostics look, and what other programs read."""

import ast
import json

import pytest

from perdure import rules
from perdure.diagnostics import InternalError, Report, Secondary, nearest
from perdure.render import FORMATS, render
from perdure.source import Source, Span

FLOW = "# é\nasync def poll(job):\n    yield job\n"


def _yield(text: str = FLOW) -> Report:
    report = Report()
    source = Source("flow.py", text)
    report.add_source(source)
    tree = ast.parse(text)
    flow = next(node for node in tree.body if isinstance(node, ast.AsyncFunctionDef))
    found = next(node for node in ast.walk(tree) if isinstance(node, ast.Yield))
    also = [Secondary(source.header_span(flow), "in this flow")]
    report.error(rules.YIELD, source.keyword_span(found, "yield"), also=also)
    return report


def _at(line: str, marked: str) -> str:
    """The line of carets below a source line."""
    report = Report()
    report.add_source(Source("flow.py", line))
    column = line.index(marked)
    span = Span("flow.py", 1, column, 1, column + len(marked))
    report.error(rules.UNDEFINED_NAME, span, name="x", hint="-")
    return render(report, "text").split("\n")[4].removeprefix("  | ")


def test_a_problem_reads_like_this() -> None:
    assert render(_yield(), "text") == (
        "error[PDR107]: a flow cannot contain `yield`\n"
        " --> flow.py:3:5\n"
        "  |\n"
        "2 | async def poll(job):\n"
        "  | -------------- in this flow\n"
        "3 |     yield job\n"
        "  |     ^^^^^\n"
        "  |\n"
        "  = help: collect the values in a list and return it\n\n"
    )


def test_lines_between_are_left_out() -> None:
    text = render(_yield("async def poll(job):\n    a = 1\n    b = 2\n    yield job\n"), "text")
    assert "1 | async def poll(job):\n  | -------------- in this flow\n...\n4 |" in text


def test_a_second_file_has_a_place_of_its_own() -> None:
    report = _yield()
    report.add_source(Source("other.py", "x = 1\n"))
    other = Secondary(Span("other.py", 1, 0, 1, 1), "written here")
    report.error(rules.GLOBAL_WRITE, Span("flow.py", 3, 4, 3, 9), also=[other], name="x", hint="-")
    assert " ::: other.py:1:1\n  |\n1 | x = 1\n  | - written here\n" in render(report, "text")


@pytest.mark.parametrize(
    ("line", "carets"),
    [
        ("'é' + bad", "      ^^^"),
        ("'e\u0301' + bad", "      ^^^"),
        ("'日本' + bad", "         ^^^"),
        ("'👍🏽' + bad", "       ^^^"),
        ("'👩‍👩‍👧' + bad", "       ^^^"),
        ("'\t' + bad", "         ^^^"),
        ("'\x07' + bad", "      ^^^"),
        ("'\u202e' + bad", "             ^^^"),
    ],
)
def test_the_caret_stands_below_what_it_marks(line: str, carets: str) -> None:
    assert _at(line, "bad") == carets


def test_wide_characters_are_marked_over_their_whole_width() -> None:
    assert _at("日本 + 1", "日本") == "^^^^"


@pytest.mark.parametrize("column", [0, 60, 500_000, 999_990])
def test_a_line_of_a_megabyte_is_cut_around_the_problem(column: int) -> None:
    line = "x" * column + "BAD" + "x" * (1_000_000 - column)
    report = Report()
    report.add_source(Source("flow.py", line))
    report.error(
        rules.UNDEFINED_NAME, Span("flow.py", 1, column, 1, column + 3), name="x", hint="-"
    )
    shown, carets = render(report, "text").split("\n")[3:5]
    assert len(shown) < 140
    assert carets.index("^^^") == shown.index("BAD")


def test_control_characters_of_a_program_never_reach_the_terminal() -> None:
    report = Report()
    report.add_source(Source("flow.py", "'\x1b[31m\x9b\u202e\x7f'"))
    report.error(
        rules.UNDEFINED_NAME, Span("flow.py", 1, 0, 1, 3), name="\x1b]0;x\x07\ud800\n", hint="-"
    )
    text = render(report, "text")
    assert not {character for character in text if not character.isprintable()} - {"\n"}
    text.encode()


def test_color_is_only_written_when_asked_for() -> None:
    assert "\x1b" not in render(_yield(), "text")
    assert "\x1b[1;31merror[PDR107]\x1b[0m" in render(_yield(), "text", color=True)


def test_json_counts_from_one() -> None:
    [found] = json.loads(render(_yield(), "json"))["diagnostics"]
    assert found["code"] == "PDR107"
    assert found["span"] == {
        "file": "flow.py",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 10,
    }
    assert found["related"][0]["label"] == "in this flow"


def test_sarif_names_the_rule_and_the_place() -> None:
    log = json.loads(render(_yield(), "sarif", place=lambda file: f"a b/{file}"))
    [run] = log["runs"]
    [result] = run["results"]
    assert log["version"] == "2.1.0"
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "PDR107"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b/flow.py"
    assert place["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 10}


def test_github_escapes_what_would_end_the_command() -> None:
    report = Report()
    report.error(rules.SYNTAX_ERROR, Span("a,b:c.py", 1, 0, 1, 1), problem="100%\nx", python="3")
    assert render(report, "github") == (
        "::error title=PDR100,file=a%2Cb%3Ac.py,line=1,endLine=1,col=1,endColumn=2::"
        "100%25%0Ax; correct the line: Python 3 cannot read it\n"
    )


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_found_and_no_place_are_fine_in_every_format(form: str) -> None:
    assert isinstance(render(Report(), form), str)
    report = Report()
    report.error(rules.NO_FLOWS_SET, None, command="check")
    report.error(rules.NO_FLOW, Span("unread.py", 9, 3, 9, 5), file="unread.py", hint="-")
    assert "PDR253" in render(report, form)


def test_problems_come_once_and_in_source_order() -> None:
    report = Report()
    for line in (9, 2, 9, 5):
        report.error(rules.UNDEFINED_NAME, Span("b.py", line, 0, line, 1), name="x", hint="-")
    report.error(rules.UNDEFINED_NAME, Span("a.py", 99, 0, 99, 1), name="x", hint="-")
    places = [(one.span.file, one.span.line) for one in report.diagnostics if one.span]
    assert places == [("a.py", 99), ("b.py", 2), ("b.py", 5), ("b.py", 9)]
    assert not report.ok


def test_a_missing_value_of_a_template_is_our_own_fault() -> None:
    with pytest.raises(InternalError, match="PDR201"):
        Report().error(rules.UNDEFINED_NAME, None)


@pytest.mark.parametrize(
    ("name", "meant"), [("flow", "flows"), ("FLOWS", "flows"), ("zzz", None), ("", None)]
)
def test_the_nearest_name_is_one_that_a_person_may_have_meant(name: str, meant: str | None) -> None:
    assert nearest(name, ["flows", "out", "store"]) == meant
