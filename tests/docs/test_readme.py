"""The README is what the tool prints: its shell blocks are run, its excerpts are compared."""

import json
import shutil
from pathlib import Path

import pytest

from perdure.cli.main import run
from tests.docs.pages import ROOT, blocks, played, steady

README = ROOT / "README.md"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands need of a clone."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "examples", folder / "examples")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_readme_shows_what_is_printed(clone: Path, update: bool) -> None:
    page = README.read_text()
    real = _with_excerpts(played(page, clone), clone)
    if update and steady(real) != steady(page):
        README.write_text(real)
    assert steady(real) == steady(page)


def _with_excerpts(page: str, clone: Path) -> str:
    """The page with its excerpts of the definition (fields of states) as they are in the clone."""
    definition = json.loads((clone / "compiled/aws/letter/definition.asl.json").read_text())
    states: dict[str, dict[str, object]] = definition["States"]
    for block in reversed([*blocks(page)]):
        if block.language != "json":
            continue
        if block.name == "names":
            said: object = [*states]
        else:
            shown: dict[str, dict[str, object]] = json.loads(block.text)
            said = {name: {key: states[name][key] for key in shown[name]} for name in shown}
        text = json.dumps(said) if block.name == "names" else json.dumps(said, indent=2)
        page = f"{page[: block.start]}{text}\n{page[block.end :]}"
    return page


def test_the_second_command_is_what_continuous_integration_runs() -> None:
    last = (ROOT / ".ci/run").read_text().rstrip().rpartition("\n")[2]
    assert last == 'exec "${uv[@]}" run --frozen python -m tests'
    assert "$ uv run --frozen python -m tests\n" in README.read_text()


def test_the_first_flow_is_short_and_compiles_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = next(block for block in blocks(README.read_text()) if block.language == "python")
    code = [line for line in block.text.splitlines() if line.strip()]
    assert len(code) <= 25
    (tmp_path / block.name).write_text(block.text)
    out = ["--out", str(tmp_path)]
    assert run(["compile", str(tmp_path / block.name), "-t", "aws", "-t", "azure", *out]) == 0
    assert capsys.readouterr().err == ""


def test_examples_fit_on_a_screen() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in ROOT.glob("examples/*.py")}
    assert len(lines) >= 5
    assert {name: count for name, count in lines.items() if count > 60} == {}
