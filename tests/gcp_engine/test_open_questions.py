"""Every open question can be come to: a strict run refuses each, by its name."""

import pytest

from perdure_gcp.workflows import OPEN_QUESTIONS, Project, Unverified
from tests.gcp_engine.running import OPEN, ended
from tests.gcp_engine.test_calls import CALLS, ERRORS
from tests.gcp_engine.test_expressions import TABLES
from tests.gcp_engine.test_library import ROWS
from tests.gcp_engine.test_steps import JUMPS, LOOPS, VARIABLES

AT_DEPLOY = {
    "branch-next", "jump-into", "lexeme", "partial", "shadow", "yaml", "yaml-feature",
}  # fmt: skip
"""The checker's (`test_checker.py`: what no page says is refused only when strict)."""

BY_CHANCE = {"callback-early"}
"""Drawn from the seed (`test_project.py`: kept or lost by seed)."""

ELSEWHERE = {"predicate", "concurrency", "error-fields"}
"""`test_project.py` and `test_parallel.py` have a test of their own for each."""

PROGRAMS = {
    "call-form": "- one: {call: sys.log, args: {severity: INFO}}",
    "connector": """
        - one: {return: '${googleapis.pubsub.v1.projects.topics.publish("a")}'}
        """,
    "http-form": """
        - one: {call: http.get, args: {url: 'https://service.example/', timeout: 5000}}
        """,
    "late-scope": """
        - one: {switch: [{condition: true, next: three}]}
        - two: {assign: [{x: 1}]}
        - three: {for: {value: v, in: [1], steps: [{four: {assign: [{x: '${v}'}]}}]}}
        """,
    "map-keys": """
        - one: {assign: [{k: 1}, {m: {'${k}': 2}}]}
        """,
    "retry-numbers": """
        - one:
            try: {raise: boom}
            retry:
              predicate: ${retry.always}
              max_retries: '3'
              backoff: {initial_delay: 1, max_delay: 1, multiplier: 1}
        """,
    "callback-again": """
        - one: {call: events.create_callback_endpoint, result: bell}
        - two:
            parallel:
              branches:
                - a: {steps: [{three: {call: events.await_callback, args: {callback: '${bell}'}}}]}
                - b: {steps: [{four: {call: events.await_callback, args: {callback: '${bell}'}}}]}
        """,
}


@pytest.mark.parametrize("question", sorted(PROGRAMS))
def test_a_strict_run_refuses_it(question: str) -> None:
    assert ended(PROGRAMS[question]) == OPEN + question


def test_every_question_is_come_to_somewhere() -> None:
    rows = [row[2] for table in TABLES.values() for row in table]
    rows += [row[2] for row in ROWS]
    rows += [row[1] for table in (JUMPS, LOOPS, VARIABLES, CALLS, ERRORS) for row in table.values()]
    asked = {
        row.removeprefix(OPEN) for row in rows if isinstance(row, str) and row.startswith(OPEN)
    }
    known = asked | set(PROGRAMS) | AT_DEPLOY | BY_CHANCE | ELSEWHERE
    assert known == set(OPEN_QUESTIONS)


def test_a_question_that_is_not_strict_goes_on() -> None:
    project = Project(strict=False)
    project.deploy("main", "- one: {return: '${-7 // 2}'}")
    assert project.run("main").result == -4
    strict = Project()
    strict.deploy("main", "- one: {return: '${-7 // 2}'}")
    with pytest.raises(Unverified, match="division"):
        strict.run("main")
