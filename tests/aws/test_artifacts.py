"""What is emitted: as written down, valid for everybody, linear in the source, few transitions."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from perdure.driver import FlowName, split_flow
from perdure_aws.asl_check import check
from perdure_aws.engine.flows import compiled
from tests.aws.transitions import EXCESS
from tests.aws_engine.external import (
    validate_all_with_aws_language_service,
    validate_all_with_cfn_lint,
)
from tests.conformance.engines import CASES, gap, outcome

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = ("triage", "research", "agent", "saga")
NO_NUMBER = re.compile(r"E3601 '\{% .* %\}' is not of type 'number'")
"""cfn-lint 1.58 wants literals for TimeoutSeconds and MaxConcurrency. Both take expressions in
JSONata mode (step-functions/latest/dg/state-task.html, state-map-inline.html, 2026-11-23)."""
READABLE = ("definition.asl.json", "sites.py", "source-map.json")
RUNNABLE = [id for id in CASES if gap(CASES[id], "aws/moto") is None]
FLOWS = sorted({CASES[id].flow for id in RUNNABLE})


@cache
def artifacts(flow: str) -> Mapping[str, bytes | str]:
    return compiled(split_flow(str(ROOT / flow)))[2]


def definition(flow: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(artifacts(flow)["definition.asl.json"])
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_become_what_is_written_down(name: str, update: bool) -> None:
    made = artifacts(f"examples/{name}.py")
    for file in READABLE:
        text, golden = made[file], GOLDEN / name / f"{file}.txt"
        assert isinstance(text, str)
        if update:
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(text, "utf-8")
        assert golden.read_text("utf-8") == text, f"pytest --update writes {golden}"


def test_compiling_twice_gives_equal_bytes() -> None:
    name = FlowName(ROOT / "examples" / "saga.py")
    assert compiled(name)[2] == compiled(name)[2]


def test_every_definition_is_free_of_findings() -> None:
    found = {flow: [str(one) for one in check(definition(flow))] for flow in FLOWS}
    assert {flow: one for flow, one in found.items() if one} == {}


def test_every_definition_passes_the_language_service_of_aws() -> None:
    found = validate_all_with_aws_language_service([definition(flow) for flow in FLOWS])
    assert {flow: one for flow, one in zip(FLOWS, found, strict=True) if one} == {}


def test_every_definition_passes_cfn_lint() -> None:
    found = validate_all_with_cfn_lint([definition(flow) for flow in FLOWS])
    real = [[one for one in lines if not NO_NUMBER.fullmatch(one)] for lines in found]
    assert {flow: one for flow, one in zip(FLOWS, real, strict=True) if one} == {}


def test_every_state_has_its_place_in_the_source() -> None:
    for flow in FLOWS:
        source_map: dict[str, Any] = json.loads(artifacts(flow)["source-map.json"])
        assert set(source_map["states"]) == set(_states(definition(flow)))


# --- size ----------------------------------------------------------------------------------------

HEAD = """from perdure import flow, step

@step
async def work(n: int) -> int: ...

"""


def _ifs(count: int) -> str:
    body = "".join(f"    if x > {n}:\n        x += await work({n})\n" for n in range(count))
    return f"{HEAD}@flow\nasync def main(x: int) -> int:\n{body}    return x\n"


def _calls(count: int) -> str:
    steps = "".join("    n += await work(n)\n" for _ in range(6))
    helper = f"async def helper(n: int) -> int:\n{steps}    return n\n\n"
    body = "".join(f"    x += await helper({n})\n" for n in range(count))
    return f"{HEAD}{helper}@flow\nasync def main(x: int) -> int:\n{body}    return x\n"


@pytest.mark.parametrize(("source", "unit"), [(_ifs, "if"), (_calls, "call")])
def test_the_definition_is_linear_in_the_source(tmp_path: Path, source: Any, unit: str) -> None:
    (tmp_path / "pyproject.toml").write_text("")

    def size(count: int) -> int:
        file = tmp_path / f"{unit}{count}.py"
        file.write_text(source(count))
        made = compiled(FlowName(file))[2]
        return sum(len(made[name]) for name in READABLE)

    ten, twenty, thirty = size(10), size(20), size(30)
    assert thirty - twenty <= 1.2 * (twenty - ten)


def test_a_helper_called_from_ten_places_is_there_once(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "app.py").write_text(_calls(10))
    made: dict[str, Any] = json.loads(
        compiled(FlowName(tmp_path / "app.py"))[2]["definition.asl.json"]
    )
    steps = [state for state in _states(made).values() if "run" in _payload(state)]
    assert len(steps) == 6


# --- transitions ---------------------------------------------------------------------------------


def _states(made: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All states of a definition by name, of branches too."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, state in made["States"].items():
        found[name] = state
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor")):
            if inner:
                found.update(_states(inner))
    return found


def _payload(state: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = state.get("Arguments", {}) if state["Type"] == "Task" else {}
    payload: Mapping[str, Any] = found.get("Payload", {})
    return payload


def _is_allowed(state: Mapping[str, Any]) -> bool:
    """A step call, a wait, a fork, a decision: what a run has to pay for."""
    payload = _payload(state)
    return (
        state["Type"] in ("Wait", "Parallel", "Map")
        or (state["Type"] == "Choice" and len(state["Choices"]) + ("Default" in state) > 1)
        or bool({"run", "wait", "pause"} & set(payload))
    )


def excess(case_id: str) -> list[str]:
    """The states a run entered beyond its operations, waits, forks, decisions, and two."""
    states = _states(definition(CASES[case_id].flow))
    history: Any = outcome(case_id, "aws/moto").history
    entered = [
        str(event["stateEnteredEventDetails"]["name"])
        for event in history
        if "stateEnteredEventDetails" in event
    ]
    others = [name for name in entered if not _is_allowed(states[name])]
    return others if len(others) > 2 else []


@pytest.mark.parametrize("case_id", RUNNABLE)
def test_a_run_takes_few_transitions(case_id: str) -> None:
    found = excess(case_id)
    known = EXCESS.get(case_id)
    assert len(found) == (known.states if known else 0), found


def test_every_listed_excess_is_of_a_case() -> None:
    assert set(EXCESS) <= set(RUNNABLE)
