"""Each correction of moto: a machine on which plain moto fails, and the corrected one is right."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure_aws.engine import EngineCannot, Json, LambdaContext, engine
from perdure_aws.engine.moto_faults import CORRECTIONS
from perdure_aws.json_shapes import is_object
from tests.aws_engine.faulty import CASES, Case
from tests.aws_engine.machines import branch, machine

NOT_VISIBLE = {
    "our_faults_are_not_the_machines": "turns faults of the engine into EngineCannot",
    "jitter_is_off": "a choice of the simulation, not a fault",
    "tokens_repeat": "equal runs are equal",
    "programs_run_in_place": "cost only",
    "definitions_are_parsed_once": "cost only",
    "states_are_recorded": "fills Execution.states",
    "lambdas_are_python_functions": "plain moto needs Docker for it",
    "distributed_maps_are_refused": "has its own test below",
    "reserved_names_are_not_guessed": "has its own test below",
    "other_services_need_moto": "has its own test in test_engine",
    "starting_executions_is_refused": "has its own test in test_engine",
}


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What moto as it comes makes of all cases, in a process of its own."""
    cases = {
        name: {"definition": case.definition, "input": case.input, "action": case.action}
        for name, case in CASES.items()
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("plain_moto.py"))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def corrected(case: Case) -> dict[str, Any]:
    def later(event: Json, context: LambdaContext) -> Json:
        return keep(event, context)

    simulation = engine("moto").simulation(
        functions={"echo": echo, "keep": later},
        max_events=case.max_events,
    )
    kept: list[str] = []
    late: list[bool] = []

    def keep(event: Json, context: LambdaContext) -> Json:
        assert isinstance(event, dict)
        kept.append(str(event["token"]))
        after = timedelta(milliseconds=10)
        if case.action == "fail" or (case.action == "fail-first" and len(kept) == 1):
            simulation.at(context.now() + after, lambda: refuse(kept[-1]))
        elif case.action == "late":
            later = context.now() + timedelta(seconds=1.5)
            simulation.at(later, lambda: late.append(simulation.send_task_success(kept[-1], {})))
        return None

    def refuse(token: str) -> None:
        assert simulation.send_task_failure(token, "Rejected", "because")

    run = simulation.run(case.definition, case.input, name="run")
    return {
        "status": run.status,
        "output": run.output,
        "error": run.error,
        "cause": run.cause,
        "late": late[0] if late else None,
        "types": [event["type"] for event in run.history],
        "assigned": [
            details.get("assignedVariables")
            for event in run.history
            if is_object(details := event.get("stateExitedEventDetails"))
        ],
    }


def echo(event: Json, context: LambdaContext) -> Json:
    return event


def inspected(case: Case) -> dict[str, Any]:
    """The one fault that would need a minute of real time is seen in the parsed machine."""
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    from perdure_aws.engine.patches import patched

    with patched(CORRECTIONS):
        program: Any = AmazonStateLanguageParser.parse(json.dumps(case.definition))[0]
    return {"status": "", "output": program.states.states["A"].timeout.timeout_seconds}


@pytest.mark.parametrize("name", CASES)
def test_plain_moto_is_wrong_and_the_corrected_one_is_right(
    name: str, plain: dict[str, Any]
) -> None:
    case = CASES[name]
    ours = inspected(case) if case.action == "inspect-timeout" else corrected(case)
    assert case.expected(ours), ours
    theirs = plain[name]
    assert theirs["status"] != "REFUSED", theirs
    assert not case.expected(theirs), f"moto does this right now, drop the correction: {theirs}"


def test_every_correction_has_a_case() -> None:
    shown = {case.correction for case in CASES.values()} | NOT_VISIBLE.keys()
    assert {correct.__name__ for correct in CORRECTIONS} == shown
    for correct in CORRECTIONS:
        text = correct.__doc__ or ""
        assert "moto 5.2.5" in text, correct.__name__
        assert "AWS" in text, correct.__name__


def test_a_distributed_map_is_refused_not_guessed() -> None:
    processor: Json = {
        **branch("F", {"F": {"Type": "Fail", "Error": "E"}}),
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    }
    definition = machine(
        "M", {"M": {"Type": "Map", "Items": [1], "ItemProcessor": processor, "End": True}}
    )
    with pytest.raises(EngineCannot, match="distributed"):
        engine("moto").simulation(functions={}).run(definition, {}, name="run")


def test_a_reserved_error_name_is_refused_not_guessed() -> None:
    failing: dict[str, Json] = {"Type": "Fail", "Error": "{% 'States.' & 'Timeout' %}"}
    with pytest.raises(EngineCannot, match="not known"):
        engine("moto").simulation(functions={}).run(machine("F", {"F": failing}), {}, name="run")


def test_moto_is_itself_again_after_a_run() -> None:
    from moto.stepfunctions.parser.asl.component.program.program import Program
    from moto.stepfunctions.parser.asl.eval import environment

    before = (vars(Program)["eval"], vars(environment)["threading"])
    corrected(CASES["swap"])
    assert (vars(Program)["eval"], vars(environment)["threading"]) == before
