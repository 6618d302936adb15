"""What the tables of the other tests leave out: endpoints, scopes, nested calls, limits exactly."""

import json
import textwrap

import pytest

from perdure_gcp.workflows import (
    DeployError,
    Execution,
    Project,
    Request,
    Response,
    Unverified,
    problems_of,
)
from perdure_gcp.workflows.http import Later, Router
from perdure_gcp.workflows.project import START
from tests.gcp_engine.running import OPEN, REFUSED, ended, found

ENDPOINT = """
    main:
      params: [input]
      steps:
        - first: {assign: [{r: null}, {verb: PUT}]}
        - make:
            call: events.create_callback_endpoint
            args: {http_callback_method: "${verb}"}
            result: c
        - tell: {call: http.post, args: {url: https://service.example/, body: '${c}'}}
        - listen:
            try:
              call: events.await_callback
              args: {callback: '${c}', timeout: '${input.listen}'}
              result: r
            except: {as: e, steps: [{late: {assign: [{r: '${e.tags}'}]}}]}
        - rest: {call: sys.sleep, args: {seconds: '${input.rest}'}}
        - give: {return: '${r}'}
    """


def endpoints(count: int = 1, *, listen: int = 60, rest: int = 0) -> tuple[Project, list[str]]:
    """Executions that wait for a callback, and the addresses that they wait at."""
    project, urls = Project(), list[str]()

    def handler(request: Request) -> Response:
        urls.append(json.loads(request.body)["url"])
        return Response(200, b"null")

    project.route("https://service.example/", handler)
    project.deploy("main", textwrap.dedent(ENDPOINT))
    for number in range(count):
        project.start("main", {"listen": listen + 100 * number, "rest": rest})
    return project, urls


def test_a_callback_brings_the_whole_request() -> None:
    """https://cloud.google.com/workflows/docs/creating-callback-endpoints"""
    project, urls = endpoints()
    sent = {"X-Key": "abc"}
    statuses: list[int] = []
    project.happen_at(
        START + 5, lambda: statuses.append(project.call_back(urls[0], "PUT", {"a": 1}, sent))
    )
    project.run_all()
    assert project.executions[0].result == {
        "http_request": {
            "body": {"a": 1}, "headers": {"X-Key": "abc"}, "method": "PUT", "query": {},
            "url": urls[0],
        },
        "received_time": "2026-01-01T00:00:05Z",
        "type": "HTTP",
    }  # fmt: skip


def test_an_endpoint_has_its_method_and_ends_with_its_execution() -> None:
    project, urls = endpoints(2, listen=60)
    statuses: list[int] = []

    def ring(at: float, number: int, method: str = "PUT") -> None:
        when = START + at
        project.happen_at(when, lambda: statuses.append(project.call_back(urls[number], method)))

    ring(1, 0, "POST")
    ring(2, 0)
    ring(3, 0)  # that execution is over
    ring(4, 1)
    project.run_all()
    assert statuses == [405, 200, 404, 200]
    assert all(isinstance(one.result, dict) for one in project.executions)


def test_nobody_hears_a_callback_after_its_timeout() -> None:
    project, urls = endpoints(listen=60, rest=100)
    statuses: list[int] = []
    for at in range(70, 100):
        project.happen_at(START + at, lambda: statuses.append(project.call_back(urls[0], "PUT")))
    project.run_all()
    assert project.executions[0].result == ["TimeoutError"]
    assert statuses[0] == 200
    assert set(statuses) == {200, 429}  # one is kept at some time, and the next is too many
    assert project.clock == START + 160


def test_a_connector_is_a_request_with_the_services_scope() -> None:
    project = Project()
    answer = Response(200, b'{"items": []}')
    project.route("https://connectors.invalid/", lambda _request: answer)
    project.deploy(
        "main",
        textwrap.dedent("""
        - list:
            call: googleapis.storage.v1.objects.list
            args: {bucket: b, connector_params: {timeout: 10}}
            result: r
        - give: {return: '${r}'}
        """),
    )
    assert project.run("main").result == {"items": []}
    (sent,) = project.router.requests
    assert (sent.method, sent.url, json.loads(sent.body), sent.scopes, sent.audience) == (
        "POST",
        "https://connectors.invalid/googleapis.storage.v1.objects.list",
        {"bucket": "b"},
        ("https://www.googleapis.com/auth/cloud-platform",),
        None,
    )


def test_the_longest_address_answers() -> None:
    router = Router()
    router.add("https://a.b/", lambda _request: Response(200))
    router.add("https://a.b/c/d", lambda _request: Response(202))
    router.add("https://a.b/c", lambda _request: Response(201))
    codes: list[int] = []
    for path in ("", "c", "c/d/e"):
        answer = router.send(Request("GET", f"https://a.b/{path}"))
        assert isinstance(answer, Response)
        codes.append(answer.code)
    assert codes == [200, 201, 202]


@pytest.mark.parametrize("early", [True, False])
def test_a_response_may_come_later(early: bool) -> None:
    later, heard = Later(), list[object]()
    if early:
        later.arrive(Response(201))
    later.then(heard.append)
    assert heard == ([Response(201)] if early else [])
    if not early:
        later.arrive(Response(202))
        assert heard == [Response(202)]


def test_every_variable_of_the_environment() -> None:
    """https://cloud.google.com/workflows/docs/reference/environment-variables"""
    names = (
        "PROJECT_ID",
        "PROJECT_NUMBER",
        "LOCATION",
        "WORKFLOW_ID",
        "WORKFLOW_REVISION_ID",
        "WORKFLOW_EXECUTION_ID",
        "WORKFLOW_EXECUTION_ATTEMPT",
        "SERVICE_ACCOUNT_NAME",
    )
    reads = ", ".join(f"'${{sys.get_env(\"GOOGLE_CLOUD_{name}\")}}'" for name in names)
    project = Project(name="mine", location="here")
    project.deploy(
        "flow", f"- give: {{return: [{reads}, '${{sys.get_env(\"OWN\")}}']}}", {"OWN": "x"}
    )
    first, second = project.run("flow"), project.run("flow")
    assert first.result == [
        "mine", "123456789", "here", "flow", "000001-a4d",
        "00000001-0000-4000-8000-000000000000", "1",
        "runner@mine.iam.gserviceaccount.com", "x",
    ]  # fmt: skip
    assert isinstance(second.result, list)
    assert second.result[5] != "00000001-0000-4000-8000-000000000000"


def test_the_end_of_one_execution_is_not_that_of_another() -> None:
    project = Project()
    project.deploy("quick", "- a: {call: sys.sleep, args: {seconds: 5}}\n- b: {raise: over}")
    project.deploy("slow", "- a: {call: sys.sleep, args: {seconds: 5}}\n- b: {return: done}")
    slow, quick = project.start("slow"), project.start("quick")
    project.run_all()
    assert (slow.state, slow.result, quick.state, quick.error) == (
        "SUCCEEDED", "done", "FAILED", "over",
    )  # fmt: skip


@pytest.mark.parametrize(("steps", "state"), [(10, "SUCCEEDED"), (9, "FAILED")])
def test_steps_are_counted_exactly(steps: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def limit(_name: str) -> int:
        return steps

    monkeypatch.setattr("perdure_gcp.workflows.execution.value_of", limit)
    project = Project()
    source = "\n".join(f"- s{n}: {{assign: [{{x: {n}}}]}}" for n in range(10))
    project.deploy("main", source)
    execution = project.run("main")
    assert execution.state == state
    if state == "FAILED":
        assert execution.error == {"tags": ["ResourceLimitError"], "message": "more than 9 steps"}


NESTED = """
    main:
      steps:
        - first: {assign: [{log: []}, {m: {k: [1, 2]}}]}
        - give:
            return:
              - '${[f(1), 2, f(f(3))]}'
              - '${-f(4)}'
              - '${m.k[f(0)]}'
              - '${g(5).value}'
              - '${f(1) in [1, f(2)]}'
              - '${not (f(6) == 6)}'
              - '${text.to_upper(h("a"))}'
              - {a: '${f(7)}', b: ['${f(8)}']}
              - '${g(9)["value"]}'
              - '${f(2) * f(3) - f(1)}'
    f:
      params: [x]
      steps: [{one: {return: '${x}'}}]
    g:
      params: [x]
      steps: [{two: {return: {value: '${x}'}}}]
    h:
      params: [x]
      steps: [{three: {return: '${x + "!"}'}}]
    """


def test_subworkflows_are_called_wherever_an_expression_has_them() -> None:
    """https://cloud.google.com/workflows/docs/reference/syntax/subworkflows"""
    assert ended(NESTED) == [
        [1, 2, 3], -4, 1, 5, True, False, "A!", {"a": 7, "b": [8]}, 9, 5,
    ]  # fmt: skip


PROGRAMS: dict[str, tuple[str, object]] = {
    "a predicate that fails": ("""
        main:
          steps:
            - tried:
                try: {raise: boom}
                retry: {predicate: '${bad}', max_retries: 2,
                        backoff: {initial_delay: 1, max_delay: 1, multiplier: 1}}
        bad:
          params: [e]
          steps: [{fail: {raise: worse}}]
        """, OPEN + "predicate"),
    "a subworkflow in if()": ("""
        main:
          steps: [{one: {return: '${if(true, f(), 2)}'}}]
        f:
          steps: [{two: {return: 1}}]
        """, OPEN + "eager-if"),
    "what a branch calls is not shared": ("""
        main:
          steps:
            - zero: {assign: [{a: 0}]}
            - one:
                parallel:
                  for: {value: v, in: [1], steps: [{two: {call: f, result: a}}]}
        f:
          steps: [{three: {return: 1}}]
        """, REFUSED),
    "a branch hands on only what it has": ("""
        - zero: {assign: [{a: 0}]}
        - one:
            parallel:
              for:
                value: v
                in: [1]
                steps:
                  - two:
                      parallel:
                        shared: [a]
                        for: {value: w, in: [1], steps: [{three: {assign: [{a: 1}]}}]}
        """, REFUSED),
    "a branch may hand on what it shares": ("""
        - zero: {assign: [{a: 0}]}
        - one:
            parallel:
              shared: [a]
              for:
                value: v
                in: [1, 2]
                steps:
                  - two:
                      parallel:
                        shared: [a]
                        for: {value: w, in: [1, 2], steps: [{three: {assign: [{a: '${a + w}'}]}}]}
        - four: {return: '${a}'}
        """, 6),
    "two branches of one name": ("""
        - one:
            parallel:
              branches:
                - a: {steps: [{two: {assign: [{x: 1}]}}]}
                - a: {steps: [{three: {assign: [{y: 1}]}}]}
        """, REFUSED),
    "break ends no branch": ("""
        - one:
            parallel:
              for: {value: v, in: [1], steps: [{two: {assign: [{x: 1}], next: break}}]}
        """, OPEN + "deploy"),
    "a loop in a branch has its break": ("""
        - one:
            parallel:
              for:
                value: v
                in: [1]
                steps:
                  - two:
                      for:
                        value: w
                        in: [1, 2]
                        steps: [{three: {assign: [{x: 1}], next: break}}]
        - four: {return: ok}
        """, "ok"),
    "a loop's variable is assigned": ("""
        - one: {for: {value: v, in: [1], steps: [{two: {assign: [{v: 2}]}}]}}
        """, OPEN + "deploy"),
    "a loop's variable of a loop around": ("""
        - one:
            for:
              value: v
              in: [1]
              steps: [{two: {for: {value: w, in: [1], steps: [{three: {assign: [{v: 2}]}}]}}}]
        """, OPEN + "deploy"),
    "an index over a range of branches": ("""
        - one:
            parallel:
              for: {value: v, index: i, range: [1, 2], steps: [{two: {assign: [{x: 1}]}}]}
        """, OPEN + "deploy"),
    "blanks around an expression": ("- one: {return: ' ${1} '}", OPEN + "deploy"),
    "a list as a key": ("- one: {return: {[a]: 1}}", REFUSED),
    "a word": ("main", REFUSED),
    "a text like an alias": (
        "- one: {assign: [{x: '&a *b'}]}\n- two: {return: '${x}'}", "&a *b"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_like_this(name: str) -> None:
    source, expected = PROGRAMS[name]
    assert ended(source) == expected


@pytest.mark.parametrize(("size", "count"), [(262_144, 0), (262_145, 1)])
def test_a_text_of_the_source_has_256_kb_at_most(size: int, count: int) -> None:
    """https://cloud.google.com/workflows/quotas, though a source has half of that."""
    source = f"- one: {{return: '{'a' * size}'}}"
    texts = [said for kind, _, said in found(source) if "256 KB" in said and kind == "error"]
    assert len(texts) == count


def test_a_source_that_is_too_large_is_so_from_its_first_line() -> None:
    (problem,) = problems_of("- one: {return: 1}" + " " * 131_072)
    assert (problem.position.line, problem.position.column) == (1, 1)


def test_texts_become_upper_and_lower_where_strict_would_stop() -> None:
    project = Project(strict=False)
    project.deploy(
        "main", "- a: {return: ['${text.to_upper(\"\u00e9a\")}', '${text.to_lower(\"\u00c9A\")}']}"
    )
    assert project.run("main").result == ["\u00c9A", "\u00e9a"]
    project.deploy("main", '- a: {return: [\'${"b" > "a"}\', \'${"a" < "a"}\', \'${"a" <= "a"}\']}')
    assert project.run("main").result == [True, False, True]
    strict = Project()
    strict.deploy("main", '- a: {return: \'${"b" > "a"}\'}')
    with pytest.raises(Unverified, match="order"):
        strict.run("main")


def run_child(strict: bool) -> Execution:
    project = Project(strict=strict)
    project.deploy("child", "- a: {raise: {code: 7}}")
    project.deploy(
        "main",
        textwrap.dedent("""
        - tried:
            try:
              call: googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run
              args: {workflow_id: child}
            except: {as: e, steps: [{seen: {return: '${e.error.code}'}}]}
        """),
    )
    return project.run("main")


def test_the_error_of_a_child_is_not_documented() -> None:
    with pytest.raises(Unverified, match="error-fields"):
        run_child(strict=True)
    assert run_child(strict=False).result == 7


def test_threads_wait_for_each_other_only_while_there_are_several() -> None:
    """After a parallel step nothing is interleaved any more: the same seed, the same run."""
    source = textwrap.dedent("""
        - both: {parallel: {for: {value: v, in: [1, 2], steps: [{a: {assign: [{x: 1}]}}]}}}
        - last: {assign: [{y: 1}]}
        """)
    project = Project()
    project.deploy("main", source)
    execution = project.run("main")
    assert (execution.threads, execution.running_branches) == (1, 0)


def test_what_does_not_deploy_is_not_there() -> None:
    project = Project()
    with pytest.raises(DeployError):
        project.deploy("main", "- a: {}")
    with pytest.raises(KeyError):
        project.start("main")
