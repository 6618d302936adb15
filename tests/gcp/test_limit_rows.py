"""Each row of the table of limits: a flow just under it and one just over it, or why none can be.

What can be reached is carried (another execution, a reference), split, refused where it is
written, or ends the run by the name of the row.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perdure.codec import Json
from perdure.driver import FlowName
from perdure.errors import LimitExceeded
from perdure.testing import Refused, Result, run
from perdure_gcp.engine.flows import compiled
from perdure_gcp.target import GcpTarget
from perdure_gcp.workflows import problems_of
from perdure_gcp.workflows.limits import LIMITS, value_of
from tests.gcp import test_ended, test_handover, test_limits, test_runs

HEADER = "from perdure import event, flow, gather, race, sleep, step\n"
STEP = "@step\nasync def one(n: int) -> int: ...\n"


def file_of(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text("[tool.perdure]\n")
    file = folder / "flows.py"
    file.write_text(HEADER + text)
    return file


def same(n: int) -> int:
    return n


def result_of(folder: Path, text: str, *names: str, **given: object) -> Result:
    steps: dict[str, Callable[[int], object]] = dict.fromkeys(names, same)
    return run(f"{file_of(folder, text)}:main", given, target="gcp", steps=steps)


def workflow_of(folder: Path, text: str) -> dict[str, Json]:
    found: dict[str, Json] = json.loads(artifact(folder, text, "workflow.json"))
    return found


def artifact(folder: Path, text: str, name: str) -> str:
    return str(compiled(FlowName(file_of(folder, text), "main")).artifacts[name])


def within(tree: Json) -> Iterator[Json]:
    yield tree
    for below in (
        tree if isinstance(tree, list) else tree.values() if isinstance(tree, dict) else ()
    ):
        yield from within(below)


# --- source_bytes


def test_a_workflow_too_large_is_refused_with_its_size(tmp_path: Path) -> None:
    def text(calls: int) -> str:
        lines = "".join(f"    await one({n})\n" for n in range(calls))
        return f"{STEP}@flow\nasync def main() -> int:\n{lines}    return 1\n"

    def size(calls: int) -> int:
        return len(artifact(tmp_path, text(calls), "workflow.json").encode())

    each = (size(200) - size(100)) / 100
    most = value_of("source_bytes")
    fits = 200 + int((most - size(200)) / each) - 3
    assert most - 10 * each < size(fits) <= most
    with pytest.raises(Refused, match=r"PDR304\]: the definition of `main` is \d+ bytes"):
        size(fits + 10)


# --- expression_characters, assignments, conditions, parameters, main_parameters, branches


def test_what_is_emitted_keeps_to_the_rows_of_one_step(tmp_path: Path) -> None:
    long = "a" * 300
    exits = "".join(f"        case {n}:\n            return await one({n})\n" for n in range(55))
    contest = ", ".join(f"w{n}=wait({n})" for n in range(12))
    source = (
        f"{STEP}@step\nasync def {long}(n: int) -> int: ...\n"
        "async def wait(n: int) -> int:\n    await sleep(n)\n    return await one(n)\n"
        f"@flow\nasync def main(n: int) -> object:\n    match n:\n{exits}"
        f"    if n == {'9' * 500}:\n        await {long}(n)\n"
        f"    await race({contest})\n"
        f"    return await gather({', '.join(f'wait({n})' for n in range(12))})\n"
    )
    tree = workflow_of(tmp_path, source)
    expressions = [one for one in within(tree) if isinstance(one, str) and one.startswith("${")]
    maps = [one for one in within(tree) if isinstance(one, dict)]
    assert max(map(len, expressions)) <= value_of("expression_characters")
    assert max(_lengths(maps, "assign")) <= value_of("assignments")
    assert max(_lengths(maps, "switch")) == value_of("conditions")
    assert max(_lengths([v for v in tree.values() if isinstance(v, dict)], "params")) <= value_of(
        "parameters"
    )
    assert not any("branches" in one for one in maps if "for" not in one)
    assert isinstance(tree["main"], dict)
    assert _lengths([tree["main"]], "params") == [value_of("main_parameters")]
    assert problems_of(json.dumps(tree)) == ()


def _lengths(maps: list[dict[str, Json]], name: str) -> list[int]:
    lists = (one[name] for one in maps if name in one)
    return [len(one) for one in lists if isinstance(one, list)]


@pytest.mark.parametrize("loops", [50, 51, 101])
def test_there_may_be_more_ways_in_than_conditions(
    tmp_path: Path, loops: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perdure_gcp.generations.STEPS", 200)
    text = "".join("    for k in range(2):\n        n += await one(k)\n" for _ in range(loops))
    source = f"{STEP}@flow\nasync def main(n: int) -> int:\n{text}    return n\n"
    assert result_of(tmp_path, source, "one", n=0).result == loops


# --- argument_bytes


@pytest.mark.parametrize("size", [14_000, 16_000, 32_000, 33_000, 1_000_000])
def test_an_input_longer_than_an_argument_is_carried(tmp_path: Path, size: int) -> None:
    source = (
        f"{STEP}@flow\nasync def inner(content: str) -> int:\n"
        "    return len(content) + await one(1)\n"
        "@flow\nasync def main(content: str) -> int:\n"
        "    first = await inner(content)\n"
        "    _, second = await race(a=inner(content), b=sleep('9d'))\n"
        "    return first + second + len(content)\n"
    )
    got = result_of(tmp_path, source, "one", content='"' * size)
    assert got.result == 3 * size + 2, got.error


# --- http_seconds, http_default_seconds, callback_default_seconds


@pytest.mark.parametrize(("seconds", "fits"), [(1_770, True), (1_771, False)])
def test_a_step_may_take_as_long_as_a_request(tmp_path: Path, seconds: int, fits: bool) -> None:
    source = (
        f"@step(timeout='{seconds}s')\nasync def one(n: int) -> int: ...\n"
        "@flow\nasync def main() -> int:\n    return await one(1)\n"
    )
    if fits:
        assert result_of(tmp_path, source, "one").result == 1
        tree = workflow_of(tmp_path, source)
        timeouts = [one["timeout"] for one in within(tree) if isinstance(one, dict)
                    and isinstance(one.get("timeout"), int)]  # fmt: skip
        assert value_of("http_seconds") in timeouts
    else:
        with pytest.raises(Refused, match=r"PDR30[12]"):
            result_of(tmp_path, source, "one")


def test_whatever_waits_names_its_timeout(tmp_path: Path) -> None:
    source = f"{STEP}@flow\nasync def main() -> int:\n    return await event('go', int)\n"
    calls = [one for one in within(workflow_of(tmp_path, source)) if isinstance(one, dict)
             and one.get("call") in ("http.post", "events.await_callback")]  # fmt: skip
    assert len(calls) == 2
    for call in calls:
        assert isinstance(call["args"], dict)
        assert "timeout" in call["args"]


# --- execution_seconds, sleep_seconds


@pytest.mark.parametrize(("days", "fits"), [(365, True), (366, False)])
def test_a_wait_lasts_at_most_as_long_as_an_execution(
    tmp_path: Path, days: int, fits: bool
) -> None:
    source = (
        "@flow\nasync def main() -> str:\n    try:\n"
        f"        return await event('go', str, timeout='{days}d')\n"
        "    except TimeoutError:\n        return 'late'\n"
    )
    if fits:
        workflow_of(tmp_path, source)
    else:
        with pytest.raises(Refused, match="PDR303"):
            workflow_of(tmp_path, source)


def test_a_sleep_that_only_a_run_knows_ends_by_the_name_of_the_row(tmp_path: Path) -> None:
    source = (
        f"{STEP}@flow\nasync def main(days: int) -> int:\n    await sleep(days * 86_400)\n"
        "    return await one(days)\n"
    )
    assert result_of(tmp_path, source, "one", days=364).result == 364
    error = result_of(tmp_path, source, "one", days=366).error
    assert isinstance(error, LimitExceeded)
    assert "execution_seconds" in str(error)


PROVED: dict[str, tuple[object, ...]] = {
    "source_bytes": (test_a_workflow_too_large_is_refused_with_its_size,),
    "expression_characters": (test_what_is_emitted_keeps_to_the_rows_of_one_step,),
    "assignments": (test_what_is_emitted_keeps_to_the_rows_of_one_step,),
    "conditions": (
        test_what_is_emitted_keeps_to_the_rows_of_one_step,
        test_there_may_be_more_ways_in_than_conditions,
        test_runs.test_a_decision_with_more_ways_than_a_switch_has_conditions,
    ),
    "call_depth": (test_runs.test_forks_may_lie_deeper_than_parallel_steps,),
    "steps": (
        test_handover.test_a_loop_makes_more_steps_than_an_execution_has,
        test_handover.test_what_branches_do_counts_too,
        test_limits.test_a_gather_has_any_number_of_steps,
        test_ended.test_a_branch_that_passes_a_limit_ends_the_run,
    ),
    "branches": (test_what_is_emitted_keeps_to_the_rows_of_one_step,),
    "parallel_depth": (test_runs.test_forks_may_lie_deeper_than_parallel_steps,),
    "concurrent_branches": (test_limits.test_branches_that_wait_are_all_under_way,),
    "memory_bytes": (
        test_limits.test_values_are_carried_whatever_their_size,
        test_limits.test_the_values_of_branches_are_carried_together,
    ),
    "text_bytes": (test_limits.test_a_large_result_is_the_result,),
    "response_bytes": (test_limits.test_a_large_result_is_the_result,),
    "argument_bytes": (test_an_input_longer_than_an_argument_is_carried,),
    "execution_seconds": (
        test_a_wait_lasts_at_most_as_long_as_an_execution,
        test_a_sleep_that_only_a_run_knows_ends_by_the_name_of_the_row,
        test_handover.test_a_run_may_last_longer_than_an_execution,
    ),
    "sleep_seconds": (test_a_sleep_that_only_a_run_knows_ends_by_the_name_of_the_row,),
    "http_seconds": (test_a_step_may_take_as_long_as_a_request,),
    "http_default_seconds": (test_whatever_waits_names_its_timeout,),
    "callback_default_seconds": (test_whatever_waits_names_its_timeout,),
    "main_parameters": (test_what_is_emitted_keeps_to_the_rows_of_one_step,),
    "parameters": (test_what_is_emitted_keeps_to_the_rows_of_one_step,),
}
"""Of each row: what shows it."""


def test_every_row_is_proved() -> None:
    assert PROVED.keys() == {row.name for row in LIMITS} == GcpTarget.limits.keys()
