"""`perdure compile`, with a target whose artifact is the printed program."""

import json
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pytest

from perdure import rules
from perdure.backend import Artifacts, CodeTarget, Limits, load_target
from perdure.cli.main import run
from perdure.diagnostics import Report
from perdure.explain.model import Explanation
from perdure.ir import Program
from perdure.machine.ir import Machines
from perdure.printer import format_program
from perdure.project import Project

FLOW = """
from perdure import flow, step


@step
async def fetch(key: str) -> str: ...


@flow
async def NAME(key: str) -> str:
    return await fetch(key)
"""


class _Printed:
    family: Literal["code"] = "code"
    keeps_whole_statements = False
    has_door = False
    name = "printed"
    limits: Limits = MappingProxyType({})

    def oldest_python(self, project: Project) -> tuple[int, int]:
        return 3, 12

    def check(self, program: Program, report: Report) -> None:
        if program.entry.qualname == "refused":
            span = program.functions[0].span
            report.error(rules.NOT_LOWERED, span, target="printed", what="it", line=span.line)

    def lower(self, program: Program, project: Project) -> Artifacts:
        return {"program.txt": format_program(program), "data/empty.bin": b""}

    def explain(self, machines: Machines) -> Explanation:
        return Explanation("printed", (), (), (), ())


def _load(name: str) -> CodeTarget | None:
    return _Printed() if name == "printed" else None


type Perdure = Callable[..., tuple[int, str, str]]


@pytest.fixture
def perdure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Perdure:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("perdure.backend.load_target", _load)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.perdure]\nflows = ["flows"]\nenv.prod = { target = "printed" }\n'
    )
    (tmp_path / "flows").mkdir()
    for name in ("one", "two"):
        (tmp_path / "flows" / f"{name}.py").write_text(FLOW.replace("NAME", name))

    def call(*args: str) -> tuple[int, str, str]:
        code = run(args)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_each_flow_has_its_folder_for_the_targets_of_the_environments(
    perdure: Perdure, tmp_path: Path
) -> None:
    code, out, err = perdure("compile")
    assert (code, err) == (0, "")
    assert out == (
        "one -> compiled/printed/one (3 files, 3 changed)\n"
        "two -> compiled/printed/two (3 files, 3 changed)\n"
    )
    assert _files(tmp_path / "compiled") == [
        "printed/one/data/empty.bin",
        "printed/one/manifest.json",
        "printed/one/program.txt",
        "printed/two/data/empty.bin",
        "printed/two/manifest.json",
        "printed/two/program.txt",
    ]
    assert perdure("compile")[1].count("(unchanged)") == 2


def test_frozen_writes_nothing_and_fails_on_a_difference(perdure: Perdure, tmp_path: Path) -> None:
    code, _, err = perdure("compile", "--frozen")
    assert code == 1
    assert "new     compiled/printed/one/program.txt\n" in err
    assert not (tmp_path / "compiled").exists()
    perdure("compile")
    assert perdure("compile", "--frozen") == (0, "", "")
    (tmp_path / "compiled" / "printed" / "one" / "program.txt").write_text("by hand")
    code, _, err = perdure("compile", "--frozen")
    assert code == 1
    assert "changed compiled/printed/one/program.txt\n" in err


def test_a_flow_that_is_gone_leaves_nothing_behind(perdure: Perdure, tmp_path: Path) -> None:
    perdure("compile")
    (tmp_path / "flows" / "two.py").unlink()
    code, _, err = perdure("compile", "--frozen")
    assert code == 1
    assert "stale   compiled/printed/two/program.txt\n" in err
    assert perdure("compile")[0] == 0
    assert {path.name for path in (tmp_path / "compiled" / "printed").iterdir()} == {"one"}


def test_one_file_touches_only_its_flow(perdure: Perdure, tmp_path: Path) -> None:
    perdure("compile")
    (tmp_path / "flows" / "two.py").unlink()
    assert perdure("compile", "flows/one.py:one", "--target", "printed")[0] == 0
    assert (tmp_path / "compiled" / "printed" / "two" / "program.txt").exists()


def test_out_is_where_the_artifacts_go(perdure: Perdure, tmp_path: Path) -> None:
    assert perdure("compile", "flows/one.py", "--out", "elsewhere")[0] == 0
    assert (tmp_path / "elsewhere" / "printed" / "one" / "program.txt").exists()
    assert not (tmp_path / "compiled").exists()


def test_a_refusal_of_one_flow_writes_nothing_at_all(perdure: Perdure, tmp_path: Path) -> None:
    (tmp_path / "flows" / "refused.py").write_text(FLOW.replace("NAME", "refused"))
    code, out, err = perdure("compile")
    assert (code, out) == (1, "")
    assert "error[PDR390]: printed does not lower it yet (line 10)" in err
    assert not (tmp_path / "compiled").exists()


def test_what_was_done_can_be_read_as_json(perdure: Perdure) -> None:
    code, out, _ = perdure("compile", "--json")
    said = json.loads(out)
    assert code == 0
    assert said["version"] == 1
    assert [one["flow"] for one in said["compiled"]] == ["one", "two"]
    assert said["compiled"][0]["files"] == ["data/empty.bin", "program.txt"]
    assert {one["kind"] for one in said["changed"]} == {"new"}
    assert said["diagnostics"] == []


def test_two_flows_of_one_name_are_refused(perdure: Perdure, tmp_path: Path) -> None:
    (tmp_path / "flows" / "three.py").write_text(FLOW.replace("NAME", "one"))
    code, _, err = perdure("compile")
    assert code == 1
    assert "error[PDR210]: two flows are named `one`" in err


def test_a_flow_of_the_same_name_in_another_file_does_not_take_its_folder(
    tmp_path: Path, perdure: Perdure
) -> None:
    text = FLOW.replace("NAME", "same")
    (tmp_path / "a.py").write_text(text)
    (tmp_path / "b.py").write_text(text)
    assert perdure("compile", "a.py")[0] == 0
    folder = tmp_path / "compiled" / "printed" / "same"
    assert json.loads((folder / "manifest.json").read_text())["source"] == "a.py"
    before = (folder / "program.txt").read_text()
    code, out, err = perdure("compile", "b.py")
    assert (code, out) == (1, "")
    assert "error[PDR210]: two flows are named `same`" in err
    assert "::: a.py:10:1" in err
    assert "this one is in `compiled/printed/same`" in err
    assert (folder / "program.txt").read_text() == before
    assert perdure("compile", "b.py", "--out", "other")[0] == 0
    assert perdure("compile", "a.py")[0] == 0
    (tmp_path / "a.py").write_text("")
    assert perdure("compile", "b.py")[0] == 0, "the flow has moved"
    (tmp_path / "b.py").rename(tmp_path / "c.py")
    assert perdure("compile", "c.py")[0] == 0, "the file was renamed"


TRIGGERED = """
from perdure import Cron, GitHub, Webhook, flow, secret


@flow(on=[Webhook("/x", verify=GitHub(secret("K"))), Cron("0 9 * * *", input={"n": 1})])
async def main(n: int) -> int:
    return n
"""


def test_a_target_without_a_door_refuses_what_starts_a_flow(
    perdure: Perdure, tmp_path: Path
) -> None:
    (tmp_path / "hooked.py").write_text(TRIGGERED)
    code, _, err = perdure("compile", "hooked.py")
    assert code == 1
    assert "error[PDR390]: printed does not lower webhooks yet (line 5)" in err
    assert "error[PDR390]: printed does not lower schedules yet (line 5)" in err
    assert not (tmp_path / "compiled").exists()


@pytest.mark.parametrize(("target", "has_door"), [("gcp", True), ("azure", True)])
def test_whether_a_target_has_a_door_says_the_target(target: str, has_door: bool) -> None:
    found = load_target(target)
    assert found is not None
    assert found.has_door is has_door
