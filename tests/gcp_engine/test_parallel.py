"""Parallel steps. https://cloud.google.com/workflows/docs/reference/syntax/parallel-steps"""

import textwrap

import pytest

from perdure_gcp.workflows import Project, Request, Response, Unverified
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.project import START
from tests.gcp_engine.running import OPEN, ended, run

SEEDS = range(12)

RESULTS = {
    "branches write what they share": ("""
        - init: {assign: [{a: 0}, {b: 0}]}
        - both:
            parallel:
              shared: [a, b]
              branches:
                - first: {steps: [{one: {assign: [{a: 1}]}}]}
                - second: {steps: [{two: {assign: [{b: 2}]}}]}
        - done: {return: '${a + b}'}
        """, 3),
    "iterations write into one map": ("""
        - init: {assign: [{out: {}}]}
        - each:
            parallel:
              shared: [out]
              for:
                value: v
                index: k
                in: [10, 20, 30]
                steps: [{one: {assign: [{'out[string(k)]': '${v * 2}'}]}}]
        - done: {return: '${out["0"] + out["1"] + out["2"]}'}
        """, 120),
    "one assignment reads and writes at once (workflows-samples: parallel_aggregate)": ("""
        - init: {assign: [{total: 0}]}
        - each:
            parallel:
              shared: [total]
              for:
                value: v
                range: [1, 9]
                steps: [{one: {assign: [{total: '${total + v}'}]}}]
        - done: {return: '${total}'}
        """, 45),
    "continue ends a branch": ("""
        - init: {assign: [{a: 0}]}
        - both:
            parallel:
              shared: [a]
              branches:
                - first:
                    steps:
                      - one: {assign: [{a: 1}], next: continue}
                      - two: {assign: [{a: 9}]}
                - second: {steps: [{three: {assign: [{q: 2}]}}]}
        - done: {return: '${a}'}
        """, 1),
    "a branch's variables are its own": ("""
        - init: {assign: [{out: {}}]}
        - both:
            parallel:
              shared: [out]
              branches:
                - first: {steps: [{one: {assign: [{temp: 1}, {out.first: '${temp}'}]}}]}
                - second: {steps: [{two: {assign: [{temp: 2}, {out.second: '${temp}'}]}}]}
        - done: {return: ['${out.first}', '${out.second}']}
        """, [1, 2]),
    "the other branches go on when one fails": ("""
        - init: {assign: [{seen: {}}]}
        - tried:
            try:
              parallel:
                shared: [seen]
                for:
                  value: num
                  range: [0, 5]
                  steps:
                    - check: {switch: [{condition: '${num % 2 != 0}', raise: how odd!}]}
                    - keep: {assign: [{'seen[string(num)]': true}]}
            except:
              as: e
              steps:
                - give: {return: ['${"UnhandledBranchError" in e.tags}', '${len(seen)}']}
        """, [True, 3]),
    "nothing to iterate over": ("""
        - each: {parallel: {for: {value: v, in: [], steps: [{one: {assign: [{x: 1}]}}]}}}
        - done: {return: ok}
        """, "ok"),
    "a branch that calls": ("""
        main:
          steps:
            - init: {assign: [{a: 0}, {b: 0}]}
            - both:
                parallel:
                  shared: [a, b]
                  branches:
                    - first: {steps: [{one: {call: f, args: {x: 1}, result: a}}]}
                    - second: {steps: [{two: {call: f, args: {x: 2}, result: b}}]}
            - done: {return: ['${a}', '${b}']}
        f:
          params: [x]
          steps: [{only: {return: '${x * 10}'}}]
        """, [10, 20]),
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"), [pytest.param(*row, id=name) for name, row in RESULTS.items()]
)
def test_every_order_gives_the_documented_result(source: str, expected: object) -> None:
    assert [ended(source, seed=seed) for seed in SEEDS] == [expected] * len(SEEDS)


RACE = """
    - init: {assign: [{last: 0}, {copy: 0}]}
    - both:
        parallel:
          shared: [last, copy]
          branches:
            - first: {steps: [{one: {assign: [{last: 1}]}}]}
            - second: {steps: [{two: {assign: [{last: 2}]}}]}
    - done: {return: '${last}'}
    """


def test_a_race_ends_either_way_and_the_same_for_the_same_seed() -> None:
    results = [ended(RACE, seed=seed) for seed in SEEDS]
    assert set(results) == {1, 2}
    assert results == [ended(RACE, seed=seed) for seed in SEEDS]


LOST = """
    - init: {assign: [{total: 0}]}
    - each:
        parallel:
          shared: [total]
          for:
            value: v
            range: [1, 3]
            steps:
              - read: {assign: [{mine: '${total}'}]}
              - write: {assign: [{total: '${mine + v}'}]}
    - done: {return: '${total}'}
    """


def test_two_assignments_are_a_race() -> None:
    assert len({str(ended(LOST, seed=seed)) for seed in SEEDS}) > 1


def test_the_layout_of_a_branch_error_is_open() -> None:
    source = """
        - tried:
            try:
              parallel: {for: {value: v, in: [1], steps: [{one: {raise: boom}}]}}
            except: {as: e, steps: [{give: {return: '${e.branches[0].error}'}}]}
        """
    assert ended(source) == OPEN + "error-fields"
    assert ended(source, strict=False) == "boom"


NESTED = """
    main:
      steps:
        - tried:
            try: {call: deeper, args: {depth: %d}, result: r}
            except: {as: e, steps: [{give: {return: '${"UnhandledBranchError" in e.tags}'}}]}
        - done: {return: ok}
    deeper:
      params: [depth]
      steps:
        - stop: {switch: [{condition: '${depth == 0}', return: ok}]}
        - both:
            parallel:
              for:
                value: v
                in: [1]
                steps: [{again: {call: deeper, args: {depth: '${depth - 1}'}}}]
    """


@pytest.mark.parametrize(("depth", "expected"), [(2, "ok"), (3, True)])
def test_parallel_steps_nest_as_deep_as_the_limit_says(depth: int, expected: object) -> None:
    assert value_of("parallel_depth") == 2
    assert ended(NESTED % depth) == expected


def _most_at_once(branches: int, limit: str = "") -> tuple[int, float]:
    """How many of so many requests of ten seconds run at once, and how long all take."""
    project = Project()
    source = f"""
        - each:
            parallel:
              {limit}
              for:
                value: v
                range: [1, {branches}]
                steps:
                  - ask: {{call: http.get, args: {{url: https://service.example/}}}}
        """
    project.deploy("main", textwrap.dedent(source))
    times: list[float] = []

    def handler(_request: Request) -> Response:
        times.append(project.clock)
        return Response(after=10.0)

    project.route("https://service.example/", handler)
    project.run("main")
    return max(times.count(time) for time in times), project.clock - START


@pytest.mark.parametrize(("branches", "limit", "most", "seconds"), [
    (15, "", 15, 10),
    (45, "", 20, 30),
    (9, "concurrency_limit: 4", 4, 30),
    (9, "concurrency_limit: ${2 * 2}", 4, 30),
])  # fmt: skip
def test_only_so_many_run_at_once(branches: int, limit: str, most: int, seconds: int) -> None:
    assert _most_at_once(branches, limit) == (most, seconds)


def test_twenty_branches_that_fork_again_do_not_block_each_other() -> None:
    source = """
        - init: {assign: [{total: 0}]}
        - each:
            parallel:
              shared: [total]
              for:
                value: v
                range: [1, 25]
                steps:
                  - again:
                      parallel:
                        shared: [total]
                        for:
                          value: w
                          range: [1, 3]
                          steps: [{add: {assign: [{total: '${total + 1}'}]}}]
        - done: {return: '${total}'}
        """
    assert ended(source) == 75


COUNTING = """
    - init: {assign: [{k: 0}]}
    - test: {switch: [{condition: '${k < %d}', next: add}], next: done}
    - add: {assign: [{k: '${k + 1}'}], next: test}
    - done: {return: '${k}'}
    """


def test_too_many_steps_end_the_execution() -> None:
    assert run(COUNTING % 49_998).state == "SUCCEEDED"
    execution = run(COUNTING % 50_000)
    assert (execution.state, execution.steps) == ("FAILED", value_of("steps") + 1)
    assert isinstance(execution.error, dict)
    assert execution.error["tags"] == ["ResourceLimitError"]


GROWING = """
    - init: {assign: [{list: []}, {part: '%s'}]}
    - loop:
        for:
          value: v
          range: [1, %d]
          steps:
            - add:
                try: {steps: [{grow: {assign: [{list: '${list.concat(list, part)}'}]}}]}
                except: {as: e, steps: [{caught: {return: caught}}]}
    - done: {return: '${len(list)}'}
    """


def test_too_much_memory_ends_the_execution_and_nothing_catches_it() -> None:
    part = "a" * 10_000
    assert run(GROWING % (part, 40)).result == 40
    execution = run(GROWING % (part, 60))
    assert execution.state == "FAILED"
    assert isinstance(execution.error, dict)
    assert execution.error["tags"] == ["MemoryLimitExceededError"]


FREEING = """
    - a: {assign: [{x: '%s'}, {y: '${x + x}'}, {x: %s}]}
    - b: {assign: [{z: '${y}'}, {y: %s}]}
    - c: {assign: [{w: '${z}'}]}
    - d: {return: ok}
    """


@pytest.mark.parametrize(("x", "y", "state"), [
    ("null", "null", "SUCCEEDED"),
    ("'${x}'", "'${y}'", "FAILED"),
])  # fmt: skip
def test_what_is_set_to_null_takes_no_memory(x: str, y: str, state: str) -> None:
    assert run(FREEING % ("a" * 100_000, x, y)).state == state


def test_a_text_is_no_longer_than_the_limit_says() -> None:
    source = "- a: {assign: [{x: '%s'}, {y: '${x + x}'}]}\n- b: {return: ok}"
    half = value_of("text_bytes") // 2
    assert run(source % ("a" * (half - 60_000))).result == "ok"
    doubled = source.replace("'${x + x}'", "'${x + x}'}, {z: '${y + y}'")
    assert run(doubled % ("a" * 65_600)).state == "FAILED"


def test_open_questions_of_concurrency_are_refused() -> None:
    with pytest.raises(Unverified, match="concurrency"):
        _most_at_once(2, "concurrency_limit: ${1 - 1}")
