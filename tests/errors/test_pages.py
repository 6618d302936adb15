"""Every rule has a page, and every page is true.

A page `PDRnnn.md` holds a program that the rule refuses, what `perdure` says of it, and a program
that is not refused. Blocks are fenced and say what they are:

    ```python bad             the refused program, in flow.py; a third word is another file's name
    ```expression bad         the same, as a Python expression: for text that cannot stand in a page
    ```console [bad|good]     the command, if it is not `perdure check flow.py`
    ```text                   what it prints
    ```python good            the way out

Only the first problem has to be the page's own rule. `pytest --update` writes the text anew.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from perdure import rules
from perdure.cli import exits
from perdure.cli.main import run

PAGES = Path(__file__).parent
FENCE = re.compile(r"^```(\S+) ?(\S*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

PENDING: dict[str, str] = {}
"""Rules whose page is not true yet, each with the reason; a page that comes true fails here."""


SHOWN_ELSEWHERE = {"PDR103": "tests/base/test_modules.py"}
"""Rules that no program can break: their page has no examples."""


class Block(NamedTuple):
    language: str
    kind: str
    file: str
    text: str

    @property
    def content(self) -> bytes:
        """What the file holds."""
        if self.language != "expression":
            return self.text.encode()
        value: object = eval(self.text)
        return value if isinstance(value, bytes) else str(value).encode()


def blocks_of(code: str) -> list[Block]:
    page = (PAGES / f"{code}.md").read_text("utf-8")
    return [Block(*found.groups()) for found in FENCE.finditer(page)]


def _pages(pending: Mapping[str, str]) -> Iterator[object]:
    for path in sorted(PAGES.glob("PDR*.md")):
        if path.stem in SHOWN_ELSEWHERE:
            continue
        reason = pending.get(path.stem)
        marks = [pytest.mark.xfail(reason=reason)] if reason else []
        yield pytest.param(path.stem, marks=marks)


def write_blocks(blocks: list[Block], kind: str, folder: Path) -> None:
    for block in blocks:
        if block.kind == kind:
            path = folder / (block.file or "flow.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(block.content)
    if not (folder / "pyproject.toml").exists():
        (folder / "pyproject.toml").write_text("")


def _command(blocks: list[Block], kind: str) -> list[str]:
    commands = [block for block in blocks if block.language == "console"]
    written = [block.text for block in commands if block.kind in ("", kind)]
    return (written[0] if written else "$ perdure check flow.py").split()[2:]


def _perdure(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capfd.readouterr()
    code = run(arguments)
    said = capfd.readouterr().err
    return code, re.sub(r"\n\d+ problems? found\n$", "", said)


@pytest.mark.parametrize("code", [*_pages(PENDING)])
def test_the_page_shows_what_is_said(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    update: bool,
) -> None:
    blocks = blocks_of(code)
    write_blocks(blocks, "bad", tmp_path)
    monkeypatch.chdir(tmp_path)
    left, said = _perdure(_command(blocks, "bad"), capfd)
    assert left in (exits.REFUSED, exits.WRONG_CALL), said
    assert said.startswith(f"error[{code}]"), said
    expected = next(block for block in blocks if block.language == "text")
    if update:
        page = PAGES / f"{code}.md"
        old = f"```text\n{expected.text}```"
        page.write_text(page.read_text("utf-8").replace(old, f"```text\n{said}```"), "utf-8")
    else:
        assert said == expected.text


@pytest.mark.parametrize("code", [*_pages({})])
def test_the_way_out_is_not_refused(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    blocks = blocks_of(code)
    write_blocks(blocks, "good", tmp_path)
    monkeypatch.chdir(tmp_path)
    left, said = _perdure(_command(blocks, "good"), capfd)
    assert (left, said) == (exits.DONE, "")


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    pages = {path.stem for path in PAGES.glob("PDR*.md")}
    assert pages == set(rules.catalogue())


def test_a_page_begins_with_its_headline() -> None:
    for code, rule in rules.catalogue().items():
        page = (PAGES / f"{code}.md").read_text("utf-8")
        message = re.sub(r"\{(\w+)\}", r"<\1>", rule.message)
        assert page.startswith(f"# {code}: {message}\n"), code


def test_headlines_are_one_clause() -> None:
    for rule in rules.catalogue().values():
        assert not rule.message.endswith("."), rule.code
        assert "\n" not in rule.message, rule.code
        assert rule.message[0].islower() or not rule.message[0].isalpha(), rule.code
        assert not rule.help.endswith((".", "?")), rule.code
        assert rule.explain.endswith("."), rule.code
