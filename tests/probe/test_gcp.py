"""`perdure probe gcp`: one question for each thing that is open, asked, compared, cleaned up."""

import json

import pytest

from perdure.codec import Json
from perdure.probing import NoCredentials, ProbeFailed, compared
from perdure_gcp.probe.assumed import assumed, project
from perdure_gcp.probe.prober import PROBER, Asking
from perdure_gcp.probe.questions import APART, BY_CHANCE, TOGETHER, apart, together
from perdure_gcp.workflows import OPEN_QUESTIONS, DeployError, Unverified, problems_of
from tests.probe.google import Google

AT_DEPLOY = frozenset(
    {"branch-next", "jump-into", "lexeme", "partial", "shadow", "yaml", "yaml-feature"}
)
"""Found by the checker, which has one kind, `unverified`, for all of them."""


def _source(question: str) -> str:
    source = apart(question)
    return source if isinstance(source, str) else json.dumps(source)


def _asking(google: Google) -> Asking:
    return Asking(google, {"project": "p"}, lambda _seconds: None)


def test_there_is_one_question_for_each_row_that_is_open() -> None:
    assert not set(TOGETHER) & set(APART)
    assert {*TOGETHER, *APART} == set(OPEN_QUESTIONS) == set(PROBER.questions)


@pytest.mark.parametrize("question", [*OPEN_QUESTIONS])
def test_what_asks_it_is_refused_by_a_strict_engine_for_that_question(question: str) -> None:
    if question in AT_DEPLOY:
        assert {problem.kind for problem in problems_of(_source(question))} == {"unverified"}
        return
    if question in BY_CHANCE:
        return
    asked = project(strict=True)
    asked.deploy("probe", _source(question))
    with pytest.raises(Unverified) as raised:
        asked.run("probe")
    assert raised.value.question == question


def test_the_one_workflow_deploys_and_stays_below_what_is_free() -> None:
    source = json.dumps(together())
    assert len(source.encode()) < 128 * 1024
    assert {problem.kind for problem in problems_of(source)} <= {"unverified"}
    asked = project(strict=False)
    asked.deploy("probe", source)
    execution = asked.run("probe")
    assert execution.state == "SUCCEEDED", execution.error
    assert execution.steps < 500
    assert isinstance(execution.result, dict)
    assert set(execution.result) == set(TOGETHER)


def test_a_probe_of_an_engine_that_is_as_assumed_finds_no_difference() -> None:
    google = Google()
    findings = compared(PROBER, _asking(google).answers())
    assert {one.verdict for one in findings if one.question not in BY_CHANCE} == {"as assumed"}
    assert {one.verdict for one in findings if one.question in BY_CHANCE} == {"answered"}
    assert google.workflows == {}, "all that was made is removed"


def test_an_answer_that_is_another_one_is_a_difference() -> None:
    answers: dict[str, Json] = {**assumed(), "division": {"value": -3}}
    del answers["order"]
    found = {one.question: one for one in compared(PROBER, answers)}
    assert (found["division"].verdict, found["division"].assumed) == ("differs", {"value": -4})
    assert found["order"].verdict == "no answer"
    assert found["equality"].verdict == "as assumed"


def test_a_refused_token_is_named_and_nothing_is_left() -> None:
    google = Google(refuse=403)
    with pytest.raises(NoCredentials, match="Google refuses the token: no"):
        _asking(google).answers()
    assert [method for method, _ in google.asked[-2:]] == ["DELETE", "DELETE"]


def test_a_cloud_that_fails_is_named_and_nothing_is_left() -> None:
    google = Google(refuse=500)
    with pytest.raises(ProbeFailed, match="Google answers 500: no"):
        _asking(google).answers()
    assert [method for method, _ in google.asked[-2:]] == ["DELETE", "DELETE"]


def test_a_workflow_that_google_refuses_whole_is_asked_question_by_question() -> None:
    class Refusing:
        def __init__(self) -> None:
            self.google = Google()

        def __call__(self, method: str, url: str, body: object) -> tuple[int, object]:
            if "perdure-probe-apart" not in url and method in {"POST", "PATCH"}:
                return 400, {"error": {"message": "a workflow is refused whole"}}
            return self.google(method, url, body)  # type: ignore[arg-type]

    asking = Asking(Refusing(), {"project": "p"}, lambda _seconds: None)  # type: ignore[arg-type]
    answers = asking.answers()
    verdicts = {one.question: one.verdict for one in compared(PROBER, answers)}
    assert {verdicts[name] for name in TOGETHER if name not in BY_CHANCE} == {"as assumed"}


def test_without_strictness_every_question_has_an_answer_but_what_is_refused() -> None:
    answers = assumed()
    assert set(answers) == set(OPEN_QUESTIONS)
    with pytest.raises(DeployError):
        project(strict=True).deploy("probe", _source("partial"))
