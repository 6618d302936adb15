"""`perdure probe aws`: what is assumed is what the engine gives that we test on."""

import json
from collections.abc import Mapping

import pytest

from perdure.probing import ProbeFailed, compared
from perdure_aws.asl_check import check
from perdure_aws.engine import engine
from perdure_aws.probe import INPUT, PROBER, Asking, definition


class Aws:
    """Step Functions as the probe uses it, on the simulation."""

    def __init__(self, *, broken: bool = False) -> None:
        self.machines: dict[str, str] = {}
        self.looks = 0
        self._ended: Mapping[str, str] = {}
        self._broken = broken

    def create_state_machine(self, **given: str) -> Mapping[str, str]:
        self.machines[given["name"]] = given["definition"]
        return {"stateMachineArn": given["name"]}

    def start_execution(self, **given: str) -> Mapping[str, str]:
        simulation = engine("moto").simulation(functions={}, seed=0)
        asked = json.loads(self.machines[given["stateMachineArn"]])
        ended = simulation.run(asked, json.loads(given["input"]), name="probe")
        self._ended = {"status": ended.status, "output": json.dumps(ended.output)}
        if self._broken:
            self._ended = {"status": "FAILED", "error": "States.Runtime", "cause": "no"}
        return {"executionArn": "probe"}

    def describe_execution(self, **given: str) -> Mapping[str, str]:
        self.looks += 1
        return self._ended if self.looks > 1 else {"status": "RUNNING"}

    def delete_state_machine(self, **given: str) -> object:
        return self.machines.pop(given["stateMachineArn"])


def test_the_engine_that_we_test_on_answers_as_is_assumed() -> None:
    aws = Aws()
    answers = Asking(aws, "role", lambda _seconds: None).answers()
    findings = compared(PROBER, answers)
    assert [one for one in findings if one.verdict != "as assumed"] == []
    assert set(answers) == set(PROBER.questions)
    assert aws.machines == {}, "what was made is removed"


def test_the_definition_is_one_that_aws_takes() -> None:
    assert [one for one in check(definition()) if one.rejected] == []
    assert len(json.dumps(INPUT)) < 1_000


def test_an_execution_that_fails_is_named_and_nothing_is_left() -> None:
    aws = Aws(broken=True)
    with pytest.raises(ProbeFailed, match=r"ended FAILED, States\.Runtime: no"):
        Asking(aws, "role", lambda _seconds: None).answers()
    assert aws.machines == {}
