"""What sites import of the user's modules reads the clock through the engine."""

import ast
from pathlib import Path

import pytest

from perdure.diagnostics import Report
from perdure.driver import FlowName, build_program, check_flow
from perdure.testing import run
from perdure.trace import compare

MODULE = '''\
"""A documented module."""
from __future__ import annotations
import random
import time, uuid  # two
from dataclasses import dataclass, field
from datetime import UTC, datetime
from perdure import flow, sleep, step


def started() -> float:
    # a comment that goes
    return (
        time.time()
    )


@dataclass(
    frozen=True,
)
class Stamp:
    """When, and what."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    @staticmethod
    def older(since: float) -> float:
        return time.time() - since

    @property
    def luck(self) -> float:
        return random.random()


if True:
    def said(text: str) -> str:
        print("say", text)
        return text.upper()


@step
async def key(text: str) -> str:
    time.sleep(0)
    return text


@flow
async def main() -> list[object]:
    first = started()
    stamp = Stamp()
    await sleep(10)
    text = await key(said(stamp.key))
    aged = (datetime.now(UTC) - stamp.at).total_seconds()
    return [started() - first, Stamp.older(first), aged, text, stamp.luck]
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The module on its own."""
    path = tmp_path / "stamps.py"
    path.write_text(MODULE, encoding="utf-8")
    return path


def recorded(file: Path) -> dict[str, str]:
    """The files that are changed for sites."""
    report = Report()
    analysis = check_flow(FlowName(file), report)
    assert analysis is not None, [found.message for found in report.diagnostics]
    program = build_program(analysis, report)
    assert program is not None
    return dict(program.recorded)


@pytest.mark.parametrize("target", ["local", "aws", "gcp", "azure"])
def test_reads_of_functions_and_classes_are_recorded_on_every_target(
    target: str, file: Path
) -> None:
    expected = run(str(file), {}, target="reference", unscripted="run")
    assert str(expected.result).startswith("[10.0, 10.0, 10.0, ")
    result = run(str(file), {}, target=target, unscripted="run")
    assert result.result == expected.result
    assert compare(expected.whole_trace, result.whole_trace) == []
    assert [record.text for record in result.logs] == [record.text for record in expected.logs]


def test_only_what_flows_call_is_changed_and_lines_keep_their_numbers(file: Path) -> None:
    text = recorded(file)["stamps.py"]
    assert text.splitlines()[1].startswith("from __future__ import annotations; import perdure")
    before, after = ast.parse(MODULE), ast.parse(text)
    assert _places(before) == _places(after)
    step = next(n for n in after.body if isinstance(n, ast.AsyncFunctionDef) and n.name == "key")
    assert "time.sleep(0)" in ast.unparse(step)
    assert "__perdure__.time()" in text
    assert "__perdure__.print('say', text)" in text
    assert "@dataclass(\n    frozen=True,\n)\nclass Stamp" in text
    assert "import time, uuid  # two\n" in text


def _places(tree: ast.Module) -> list[tuple[str, int]]:
    return [
        (node.name, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef)
    ]


def test_a_module_that_reads_only_in_its_flow_stays_as_it_is(tmp_path: Path) -> None:
    text = "import time\nfrom perdure import flow\n\n"
    text += "@flow\nasync def main() -> float:\n    return time.time()\n"
    (tmp_path / "flows.py").write_text(text)
    assert recorded(tmp_path / "flows.py") == {}


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("import time\n", 0),
        ("'doc'\nimport time\n", 0),
        ("'doc'; import time\n", 0),
        ("# comment\n\nimport time\n", 2),
        ("'''doc\nof two'''\nfrom __future__ import annotations  # why\nimport time\n", 2),
    ],
)
def test_the_import_comes_before_every_use(tmp_path: Path, head: str, line: int) -> None:
    text = head + (
        "from perdure import flow\n\ndef now():\n    return time.time()\n\n"
        "@flow\nasync def main() -> float:\n    return now()\n"
    )
    (tmp_path / "flows.py").write_text(text)
    changed = recorded(tmp_path / "flows.py")["flows.py"]
    compile(changed, "flows.py", "exec")
    assert "perdure.runtime.calls" in changed.splitlines()[line]
    assert len(changed.splitlines()) == len(text.splitlines())
