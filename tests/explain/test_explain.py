"""`perdure explain`: what it prints, what scripts read, and that its figures are true.

That the figures are those which engines count, of every case, is in tests/conformance.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from perdure.cli.main import run
from perdure.explain.model import Explanation, Graph, Stop
from perdure.runtime.episode import LONGEST
from perdure.testing import run as run_flow
from perdure_azure.engine.runner import LONGEST_IN_TESTS
from tests.conformance.engines import CASES
from tests.explain.counted import SETTLED, SEVERAL, explanation

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
TARGETS = ("aws", "azure", "gcp")
FLOWS = sorted({case.flow for case in CASES.values()})

LOOP = """from perdure import flow, step


@step
async def look(n: int) -> int: ...


@step
async def note(n: int) -> None: ...


@flow
async def main(turns: int) -> int:
    n = 0
    while n < turns:
        n = await look(n)
        await note(n)
    return n
"""


def _look(n: int) -> int:
    return n + 1


def _note(n: int) -> None:
    assert n


STEPS = {"look": _look, "note": _note}


def perdure(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(list(words))
    out, err = capfd.readouterr()
    return code, out, err


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["triage", "agent", "research"])
def test_an_example_is_explained_as_its_golden_says(
    name: str,
    target: str,
    update: bool,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    code, out, err = perdure(capfd, "explain", f"examples/{name}.py", "--target", target)
    assert (code, err) == (0, "")
    golden = GOLDEN / target / f"{name}.txt"
    if update:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(out)
    assert out == golden.read_text()


def test_an_explanation_is_the_same_every_time(capfd: pytest.CaptureFixture[str]) -> None:
    words = ("explain", str(ROOT / "examples/saga.py"), "--target", "aws")
    assert perdure(capfd, *words) == perdure(capfd, *words)


def test_an_explanation_is_the_same_for_every_hash_seed() -> None:
    words = [sys.executable, "-m", "perdure", "explain", "examples/agent.py", "--target", "aws"]
    printed = {
        subprocess.run(
            words,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("1", "2", "3", "4")
    }
    assert len(printed) == 1


def test_scripts_read_every_figure(capfd: pytest.CaptureFixture[str]) -> None:
    words = ("explain", str(ROOT / "examples/triage.py"), "--target", "aws", "--json")
    told: Mapping[str, Any] = json.loads(perdure(capfd, *words)[1])
    assert (told["version"], told["target"]) == (1, "aws")
    (triage,) = told["flows"]
    happy = triage["ways"][0]
    assert happy["through"] == ["classify", "draft", "approval", "post"]
    assert happy["counts"] == {"transitions": 7, "events": 32, "requests": 5}
    assert happy["dollars"] == "0.000176"
    where = {(note["line"], note["where"]) for note in triage["lines"]}
    assert (46, "Task `classify`") in where


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("flow", FLOWS)
def test_every_operation_and_decision_of_a_flow_is_explained(flow: str, target: str) -> None:
    told = explanation(flow, target)
    for one in told.flows:
        lines = {(note.file, note.line) for note in one.notes}
        for stop in _stops(one.graph):
            if stop.label is not None:
                assert (stop.span.file, stop.span.line) in lines, stop.name
        assert one.rows, "a flow has a way through"
    _makes_sense(told)


def _makes_sense(told: Explanation) -> None:
    units = {unit.name for unit in told.units}
    assert {price.unit for price in told.prices} <= units
    for one in told.flows:
        names = [(row.kind, row.name, row.span, row.through) for row in one.rows]
        assert len(names) == len(set(names)), "no row stands twice"
        assert all(note.why and note.where for note in one.notes)


def _stops(graph: Graph) -> Iterator[Stop]:
    for stop in graph.stops.values():
        yield stop
        for branch in stop.branches:
            yield from _stops(branch)


def test_a_turn_costs_what_the_engine_counts_for_one_more(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(LOOP)
    (tmp_path / "pyproject.toml").write_text("")
    counted = [_transitions(tmp_path, turns) for turns in (3, 4, 9)]
    told = _explained(tmp_path, "aws")
    (turn,) = [row for row in told.flows[0].rows if row.kind == "turn"]
    assert counted[1] - counted[0] == turn.counts["transitions"]
    assert counted[2] - counted[1] == 5 * turn.counts["transitions"]
    through = next(row for row in told.flows[0].rows if row.kind == "path")
    assert counted[0] == through.counts["transitions"] + 3 * turn.counts["transitions"]


def test_a_run_on_azure_hands_over_after_as_many_turns_as_is_said(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(LOOP)
    (tmp_path / "pyproject.toml").write_text("")
    told = _explained(tmp_path, "azure")
    said = next(remark for remark in told.remarks if "hand over" in remark)
    (turn,) = [row for row in told.flows[0].rows if row.kind == "turn"]
    # Tests hand over earlier, by the same count.
    turns = -(-LONGEST_IN_TESTS // turn.counts["changes"])
    assert f"after about {-(-LONGEST // turn.counts['changes'])} such turns" in said
    history = run_flow(
        str(tmp_path / "flow.py"),
        {"turns": 3 * turns + 2},
        target="azure",
        steps=STEPS,
    ).history
    assert len(history) == 2 * turn.counts["events"] + told.flows[0].run["events"]


def _transitions(folder: Path, turns: int) -> int:
    got = run_flow(str(folder / "flow.py"), {"turns": turns}, target="aws", steps=STEPS)
    assert got.transitions is not None
    return got.transitions


def _explained(folder: Path, target: str) -> Explanation:
    return explanation(str(folder / "flow.py"), target)


def test_other_prices_are_those_of_a_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text('[aws.transitions]\ndollars = "0.05"\nper = 1000\nwhere = "here"\n')
    words = ("explain", str(ROOT / "examples/triage.py"), "--target", "aws", "--json")
    code, out, _ = perdure(capfd, *words, "--prices", str(prices))
    told: Mapping[str, Any] = json.loads(out)
    assert code == 0
    assert told["flows"][0]["ways"][0]["dollars"] == "0.000351"
    assert told["prices"][0]["source"] == str(prices)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[aws", "is no TOML"),
        ("aws = 3", "is no table"),
        ('[aws.moves]\ndollars = "1"', "`moves` is no unit of aws: transitions, events, requests"),
        ("[aws.transitions]\ndollars = 1", "needs `dollars`, a number as text"),
        ('[aws.transitions]\ndollars = "1"\nper = 0', "needs `dollars`, a number as text"),
    ],
)
def test_a_file_of_prices_that_is_wrong_is_named(
    text: str, problem: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(text)
    words = ("explain", str(ROOT / "examples/triage.py"), "--target", "aws")
    code, out, err = perdure(capfd, *words, "--prices", str(prices))
    assert (code, out) == (2, "")
    assert problem in err


def test_an_unknown_target_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    words = ("explain", str(ROOT / "examples/triage.py"), "--target", "awz")
    code, _, err = perdure(capfd, *words)
    assert code == 2
    assert "there is no target `awz`; there are aws, azure, gcp" in err


def test_what_is_refused_is_not_explained(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.py").write_text(
        "from perdure import flow\n\n\n@flow\nasync def a():\n    yield 1\n"
    )
    code, out, err = perdure(capfd, "explain", str(tmp_path / "flow.py"), "--target", "gcp")
    assert (code, out) == (1, "")
    assert "PDR107" in err


def test_listed_exceptions_are_of_cases() -> None:
    assert set(SEVERAL) <= set(CASES)
    assert {case for case, _ in SETTLED} <= set(CASES)


HELPER = """from perdure import flow, step


@step
async def fetch(url: str) -> str: ...


async def both(url: str) -> str:
    return await fetch(url) + await fetch(url)


@flow
async def child(url: str) -> str:
    return await both(url)


@flow
async def main(url: str) -> str:
    return await both(url) + await child(url)
"""


def test_a_helper_of_two_flows_is_shown_once_in_words_of_the_source(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.py").write_text(HELPER)
    (tmp_path / "pyproject.toml").write_text("")
    words = ("explain", f"{tmp_path / 'flow.py'}:main", "--target", "aws")
    code, out, _ = perdure(capfd, *words)
    assert code == 0
    assert out.count("Task `both.fetch`: ") == 1
    assert "_1" not in out
    assert "needs Python to evaluate what stands here" in out
    assert [line.split()[0] for line in out.splitlines() if "transitions  " in line] == [
        "main",
        "child",
    ]
