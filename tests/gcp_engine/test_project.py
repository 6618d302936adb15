"""HTTP, retries, callbacks, children, parallel steps, time and limits of a project."""

import json
import textwrap

import pytest

from perdure_gcp.workflows import Execution, Failure, Project, Request, Response, Unverified
from perdure_gcp.workflows.http import NoRoute
from perdure_gcp.workflows.project import START

SERVICE = "https://service.example/"


def project_with(source: str, *, seed: int = 0, strict: bool = True) -> Project:
    project = Project(seed=seed, strict=strict)
    project.deploy("main", textwrap.dedent(source))
    return project


def answering(*answers: Response | Failure) -> tuple[Project, list[Request]]:
    """A project in which one GET gets these answers, one after the other, and is retried."""
    project = project_with("""
        - get:
            try:
              call: http.get
              args: {url: https://service.example/item}
              result: answer
            retry: ${http.default_retry}
        - give: {return: '${answer.body}'}
        """)
    left = list(answers)
    project.route(SERVICE, lambda _request: left.pop(0))
    return project, project.router.requests


def as_json(value: object, code: int = 200, after: float = 0.0) -> Response:
    return Response(code, json.dumps(value).encode(), after=after)


def test_a_request_is_sent_as_documented() -> None:
    """https://cloud.google.com/workflows/docs/http-requests"""
    project = project_with("""
        - post:
            call: http.post
            args:
              url: https://service.example/items
              query: {a: b c, k: 1, t: true}
              headers: {X-Key: abc}
              auth: {type: OIDC, audience: 'https://service.example'}
              body: {name: Ada, list: [1, null]}
            result: answer
        - give: {return: ['${answer.code}', '${answer.headers["X-Seen"]}', '${answer.body}']}
        """)
    headers = {"X-Seen": "yes", "Content-Type": "application/json"}
    project.route(SERVICE, lambda _request: Response(201, b'{"id": 7}', headers))
    assert project.run("main").result == [201, "yes", {"id": 7}]
    (request,) = project.router.requests
    assert (request.method, request.path) == ("POST", "/items")
    assert request.query == {"a": "b c", "k": "1", "t": "true"}
    assert json.loads(request.body) == {"name": "Ada", "list": [1, None]}
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.headers["X-Key"] == "abc"
    assert request.audience == "https://service.example"


def test_text_and_bytes_come_back_as_such() -> None:
    project = project_with("""
        - get: {call: http.get, args: {url: https://service.example/}, result: answer}
        - give: {return: '${get_type(answer.body)}'}
        """)
    kinds = iter([("text/plain", b"hi"), ("image/png", b"\x89"), ("application/json", b"[]")])

    def handler(_request: Request) -> Response:
        kind, body = next(kinds)
        return Response(200, body, {"Content-Type": kind})

    project.route(SERVICE, handler)
    assert [project.run("main").result for _ in range(3)] == ["string", "bytes", "list"]


@pytest.mark.parametrize(("answer", "expected"), [
    (Response(404, b'{"why": "gone"}'), {"tags": ["HttpError"], "code": 404, "why": "gone"}),
    (Failure("ConnectionError"), {"tags": ["ConnectionError"]}),
    (Failure("ConnectionFailedError"), {"tags": ["ConnectionFailedError"]}),
    (Response(200, b"{}", after=11), {"tags": ["TimeoutError"]}),
    (Response(200, b"{", after=1), {"tags": ["ValueError"]}),
])  # fmt: skip
def test_a_request_that_fails_has_its_documented_error(
    answer: Response | Failure, expected: dict[str, object]
) -> None:
    """https://cloud.google.com/workflows/docs/reference/syntax/error-types"""
    project = project_with("""
        - tried:
            try: {call: http.get, args: {url: https://service.example/, timeout: 10}}
            except: {as: e, steps: [{give: {return: '${e}'}}]}
        """)
    project.route(SERVICE, lambda _request: answer)
    error = project.run("main").result
    assert isinstance(error, dict)
    body = error.get("body")
    seen = {**error, **(body if isinstance(body, dict) else {})}
    assert {name: seen.get(name) for name in expected} == expected


def test_a_timeout_takes_its_time() -> None:
    project = project_with("""
        - tried:
            try: {call: http.get, args: {url: https://service.example/, timeout: 10}}
            except: {as: e, steps: [{give: {return: '${int(sys.now())}'}}]}
        """)
    project.route(SERVICE, lambda _request: as_json(1, after=500))
    assert project.run("main").result == START + 10


def test_an_address_without_handler_is_the_tests_fault() -> None:
    with pytest.raises(NoRoute):
        project_with("- get: {call: http.get, args: {url: https://nobody.example/}}").run("main")


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_default_retry_tries_again(code: int) -> None:
    project, requests = answering(as_json("busy", code), as_json("busy", code), as_json("done"))
    assert project.run("main").result == "done"
    assert len(requests) == 3
    assert project.clock == START + 1 + 1.25


@pytest.mark.parametrize("code", [400, 404, 500])
def test_default_retry_leaves_other_codes_alone(code: int) -> None:
    project, requests = answering(as_json("no", code))
    assert project.run("main").state == "FAILED"
    assert len(requests) == 1


def test_default_retry_ends_after_five() -> None:
    project, requests = answering(*[as_json("busy", 503)] * 7)
    assert project.run("main").state == "FAILED"
    assert len(requests) == 6


@pytest.mark.parametrize(("policy", "code", "count"), [
    ("http.default_retry_non_idempotent", 503, 6),
    ("http.default_retry_non_idempotent", 502, 1),
])  # fmt: skip
def test_the_other_policy_knows_fewer_codes(policy: str, code: int, count: int) -> None:
    project = project_with(f"""
        - get:
            try: {{call: http.get, args: {{url: https://service.example/}}}}
            retry: ${{{policy}}}
        """)
    project.route(SERVICE, lambda _request: as_json(1, code))
    project.run("main")
    assert len(project.router.requests) == count


RETRIED = """
    main:
      steps:
        - init: {{assign: [{{k: 0}}]}}
        - tried:
            try:
              steps:
                - add: {{assign: [{{k: '${{k + 1}}'}}]}}
                - fail: {{raise: {{code: '${{k}}'}}}}
            retry:
              predicate: ${{{predicate}}}
              max_retries: 3
              backoff: {{initial_delay: 2, max_delay: 5, multiplier: 2}}
            except: {{as: e, steps: [{{give: {{return: ['${{k}}', '${{int(sys.now())}}']}}}}]}}
    below_three:
      params: [e]
      steps: [{{say: {{return: '${{e.code < 3}}'}}}}]
    odd:
      params: [e]
      steps: [{{say: {{return: 'yes!'}}}}]
    """


@pytest.mark.parametrize(("predicate", "attempts", "seconds"), [
    ("retry.always", 4, 2 + 4 + 5),
    ("retry.never", 1, 0),
    ("below_three", 3, 2 + 4),
])  # fmt: skip
def test_the_whole_try_is_retried(predicate: str, attempts: int, seconds: int) -> None:
    """https://cloud.google.com/workflows/docs/reference/syntax/retrying"""
    project = project_with(RETRIED.format(predicate=predicate))
    assert project.run("main").result == [attempts, START + seconds]


def test_a_predicate_gives_a_boolean() -> None:
    with pytest.raises(Unverified, match="predicate"):
        project_with(RETRIED.format(predicate="odd")).run("main")


def test_sleeps_take_their_time_and_nothing_else_does() -> None:
    project = project_with("""
        - a: {call: sys.sleep, args: {seconds: 90}}
        - b: {call: sys.sleep_until, args: {time: '2026-01-01T01:00:00Z'}}
        - c: {call: sys.sleep_until, args: {time: '2026-01-01T00:00:00Z'}}
        - d: {return: '${int(sys.now())}'}
        """)
    assert project.run("main").result == START + 3600


def test_logs_are_kept() -> None:
    project = project_with("""
        - a: {call: sys.log, args: {text: hello, severity: INFO}}
        - b: {call: sys.log, args: {data: {k: 1}}}
        """)
    assert project.run("main").logs == [("INFO", "hello"), ("DEFAULT", {"k": 1})]


WAITING = """
    - create:
        call: events.create_callback_endpoint
        args: {http_callback_method: POST}
        result: callback
    - tell: {call: http.post, args: {url: https://service.example/, body: '${callback}'}}
    - work: {call: sys.sleep, args: {seconds: 60}}
    - wait:
        try:
          call: events.await_callback
          args: {callback: '${callback}', timeout: 3600}
          result: r
        except: {as: e, steps: [{late: {return: '${e.tags}'}}]}
    - give: {return: '${r.http_request.body}'}
    """


def waiting(after: float, seed: int = 0) -> tuple[Execution, list[int]]:
    """An execution that waits for a callback, which comes so many seconds after its start."""
    project = project_with(WAITING, seed=seed)
    statuses: list[int] = []

    def handler(request: Request) -> Response:
        url = json.loads(request.body)["url"]
        answer = {"answer": 42}
        project.happen_at(
            START + after, lambda: statuses.append(project.call_back(url, body=answer))
        )
        return as_json(None)

    project.route(SERVICE, handler)
    return project.run("main"), statuses


def test_a_callback_wakes_the_execution() -> None:
    """https://cloud.google.com/workflows/docs/creating-callback-endpoints"""
    execution, statuses = waiting(after=600)
    assert (execution.result, statuses) == ({"answer": 42}, [200])


def test_a_callback_that_does_not_come_is_a_timeout() -> None:
    execution, _ = waiting(after=5000)
    assert execution.result == ["TimeoutError"]


def test_a_callback_that_comes_early_is_kept_or_lost_by_seed() -> None:
    results = [str(waiting(after=10, seed=seed)[0].result) for seed in range(20)]
    assert set(results) == {"{'answer': 42}", "['TimeoutError']"}


def test_an_unknown_callback_is_not_found() -> None:
    assert Project().call_back("https://workflowexecutions.googleapis.com/v1/nothing") == 404


CHILD = """
    main:
      params: [input]
      steps:
        - half: {switch: [{condition: '${input.k == 0}', raise: {code: 1}}]}
        - give: {return: '${input.k * 2}'}
    """
PARENT = """
    - tried:
        try:
          call: googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run
          args: {workflow_id: child, argument: {k: %d}}
          result: answer
        except: {as: e, steps: [{seen: {return: '${e.tags}'}}]}
    - give: {return: '${answer}'}
    """


@pytest.mark.parametrize(("number", "expected"), [(21, 42), (0, ["OperationError"])])
def test_a_child_execution_is_awaited(number: int, expected: object) -> None:
    project = project_with(PARENT % number)
    project.deploy("child", textwrap.dedent(CHILD))
    assert project.run("main").result == expected
    assert [one.workflow for one in project.executions] == ["main", "child"]


def test_an_execution_can_be_cancelled() -> None:
    project = project_with("- a: {call: sys.sleep, args: {seconds: 1000}}")
    execution = project.start("main")
    project.happen_at(START + 5, lambda: project.cancel(execution))
    project.run_all()
    assert (execution.state, project.clock) == ("CANCELLED", START + 5)


def test_the_result_of_an_execution_is_json() -> None:
    assert project_with("- a: {return: '${text.encode(\"a\")}'}").run("main").state == "FAILED"


def test_at_one_instant_what_comes_from_outside_goes_first_and_has_its_consequences() -> None:
    project = Project()
    project.deploy("wait", "- rest: {call: sys.sleep, args: {seconds: 9}}")
    order: list[str] = []
    project.at(START + 5, lambda: order.append("own"))
    project.at(START + 5, lambda: project.at(START + 5, lambda: order.append("last"), last=0))
    project.at(START + 5, lambda: order.append("own too"))
    project.happen_at(START + 5, lambda: project.at(START, lambda: order.append("consequence")))
    project.happen_at(START + 5, lambda: order.append("outside"))
    project.run("wait")
    assert order == ["consequence", "outside", "own", "own too", "last"]
