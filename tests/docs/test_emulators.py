"""The tables of docs/gcp-emulators.md: our engine gives what Google documents, row by row."""

import json
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, kept
from tests.gcp_engine.emulators import ERROR, EXPRESSIONS, WORKFLOWS, Expression, Workflow
from tests.gcp_engine.running import FAILED, REFUSED, ended, evaluated


def _ours(row: Expression | Workflow) -> object:
    got = evaluated(row.text, row.variables) if isinstance(row, Expression) else ended(row.source)
    return ERROR if got in (FAILED, REFUSED) else got


@pytest.mark.parametrize("row", [*EXPRESSIONS, *WORKFLOWS], ids=lambda row: str(row[0]))
def test_our_engine_gives_what_is_documented(row: Expression | Workflow) -> None:
    assert _ours(row) == row.documented
    assert type(_ours(row)) is type(row.documented)


def test_the_page_has_every_row(update: bool) -> None:
    kept(ROOT / "docs/gcp-emulators.md", "\n".join(_tables()) + "\n", update)


def _tables() -> Iterator[str]:
    head = "documented, ours | `workflows-emulator` | lemonberrylabs | why it differs"
    yield f"| expression | with | {head} |"
    yield "|---|---|---|---|---|---|"
    for row in EXPRESSIONS:
        given = json.dumps(row.variables) if row.variables else ""
        cells = (_code(row.text), _code(given), _shown(row.documented), _shown(row.emulator))
        yield f"| {' | '.join(cells)} | {_measured(row.lemonberry)} | {row.why} |"
    yield ""
    yield f"| workflow | {head} |"
    yield "|---|---|---|---|---|"
    for one in WORKFLOWS:
        cells = (one.what, _shown(one.documented), _shown(one.emulator), _measured(one.lemonberry))
        yield f"| {' | '.join(cells)} | {one.why} |"


def _measured(value: object) -> str:
    return "-" if value is None else _shown(value)


def _shown(value: object) -> str:
    words = (ERROR, "the same", "-", "maps", "a map", "allowed", "leaves `&`", "no answer")
    return str(value) if value in words else _code(json.dumps(value, ensure_ascii=False))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""
