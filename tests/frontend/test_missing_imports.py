"""Imports that find nothing are refused; what only other packages know is accepted."""

import ast
from pathlib import Path

import pytest

from perdure.frontend.check import check
from perdure.frontend.hints import no_flow_hint, undefined_hint, unknown_hint
from perdure.project import Project

FLOW = "from perdure import flow\n{}\n@flow\nasync def main(x: int) -> int:\n    return x\n"
FILES = {
    "lib/__init__.py": "from lib.texts import shout\nif 1:\n    LIMIT = 3\n",
    "lib/texts.py": "def shout(x): return x\nclass Text: ...\n",
    "lib/late.py": "def __getattr__(name): return name\n",
    "lib/starred.py": "from lib.texts import *\n",
    "plain/tools.py": "TOOL = 1\n",
    "data/words.txt": "a b c\n",
}

REFUSED = [
    ("PDR221", "from lib.missing import x"),
    ("PDR221", "from lib.missing.more import x"),
    ("PDR221", "import lib.missing"),
    ("PDR221", "import lib.texst as t"),
    ("PDR221", "from lib import missing"),
    ("PDR221", "from lib.texts import shuot"),
    ("PDR221", "from plain import missing"),
    ("PDR221", "from perdure import gahter"),
    ("PDR222", "from .lib import texts"),
    ("PDR222", "from . import lib"),
]
ACCEPTED = [
    "import openai.types",
    "from libs.missing import x",
    "from data.missing import x",
    "import lib.texts",
    "from lib import texts, shout, LIMIT",
    "from lib.texts import Text",
    "from lib.late import whatever",
    "from lib.starred import shout",
    "from plain import tools",
    "from plain.tools import TOOL",
    "try:\n    from lib.missing import x\nexcept ImportError:\n    x = None",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from lib.missing import x",
    "from perdure import flow, testing, gather",
]


def _codes(root: Path, line: str) -> list[str]:
    for name, text in FILES.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, "utf-8")
    file = root / "main.py"
    file.write_text(FLOW.format(line), "utf-8")
    return [found.code for found in check(Project(root), file, "main").report.diagnostics]


@pytest.mark.parametrize(("code", "line"), REFUSED)
def test_an_import_that_finds_nothing_is_refused(code: str, line: str, tmp_path: Path) -> None:
    assert _codes(tmp_path, line) == [code]


@pytest.mark.parametrize("line", ACCEPTED)
def test_an_import_that_finds_something_or_may_is_accepted(line: str, tmp_path: Path) -> None:
    assert _codes(tmp_path, line) == []


def test_a_relative_import_within_a_package_is_followed(tmp_path: Path) -> None:
    package = tmp_path / "flows"
    package.mkdir()
    (package / "tools.py").write_text("TOOL = 1\n", "utf-8")
    file = package / "main.py"
    file.write_text(FLOW.format("from .tools import TOOL\nfrom . import tools"), "utf-8")
    assert check(Project(tmp_path), file, "main").report.ok
    file.write_text(FLOW.format("from .tolos import TOOL"), "utf-8")
    (found,) = check(Project(tmp_path), file, "main").report.diagnostics
    assert (found.code, found.help) == ("PDR221", "write `tools`")


@pytest.mark.parametrize("name", ["perdure.py", "perdure/__init__.py"])
def test_a_file_that_hides_perdure_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("", "utf-8")
    file = tmp_path / "main.py"
    file.write_text(FLOW.format(""), "utf-8")
    (found,) = check(Project(tmp_path), file, "main").report.diagnostics
    assert found.code == "PDR108"
    assert found.message == f"`{name}` hides the module `perdure` of this compiler"


def test_hints_know_what_the_file_has() -> None:
    tree = ast.parse("class Bot:\n    @flow\n    async def main(self): ...")
    assert "move `main` out of the class `Bot`" in no_flow_hint(tree)
    assert no_flow_hint(ast.parse("def f(): ...")).startswith("write `@flow` above")
    function = ast.parse("async def main(text):\n    txet").body[0]
    assert undefined_hint("txet", function, ["step"]).startswith("write `text`, or assign `txet`")
    assert unknown_hint("nowhere").startswith("`nowhere` is no module of this project")
