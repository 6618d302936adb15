"""The pages of docs/: their commands are run, their generated parts are made anew."""

import re
from pathlib import Path

import click
import pytest

from perdure.cli.main import COMMANDS, perdure
from tests.docs.pages import ROOT, kept, played, steady

DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", ["language.md", "testing.md"])
def test_a_page_shows_what_is_printed(name: str, tmp_path: Path, update: bool) -> None:
    page = (DOCS / name).read_text()
    real = played(page, tmp_path)
    if update and steady(real) != steady(page):
        (DOCS / name).write_text(real)
    assert steady(real) == steady(page)


def test_every_command_is_on_the_page_of_the_command_line(update: bool) -> None:
    kept(DOCS / "cli.md", "\n".join(_help(name) for name in COMMANDS), update)


def _help(name: str) -> str:
    with click.Context(perdure, info_name="perdure") as parent:
        command = perdure.get_command(parent, name)
        assert command is not None
        context = click.Context(
            command,
            info_name=name,
            parent=parent,
            terminal_width=90,
            max_content_width=90,
            help_option_names=["-h", "--help"],
        )
        return f"## perdure {name}\n\n```text\n{command.get_help(context)}\n```\n"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([\w./-]+\.\w+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
    shown = (DOCS / "index.md").read_text() + (DOCS / "formats/index.md").read_text()
    for page in DOCS.rglob("*.md"):
        if page.name != "index.md":
            assert f"{page.name})" in shown, f"{page.name} is on no map"
