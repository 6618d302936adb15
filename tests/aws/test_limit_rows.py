"""Each row of the table of limits: a flow just under it and one just over it, or why none can be.

What can be reached is carried (another execution, a reference), refused where it is written, or
ends the run by the name of the row.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from perdure.errors import LimitExceeded
from perdure.testing import Refused, Result, run
from perdure_aws.limits import LIMITS, value_of
from tests.aws import test_handover, test_limits
from tests.aws.test_limits import FLOWS, count, ended

HEADER = "from perdure import Retry, event, flow, gather, step\n\n"


def result_of(
    folder: Path,
    text: str,
    steps: Mapping[str, Callable[..., object] | Sequence[object]] | None = None,
) -> Result:
    (folder / "flows.py").write_text(HEADER + text)
    return run(f"{folder / 'flows.py'}:main", {}, target="aws", steps=dict(steps or {}))


def definition_of(folder: Path, text: str) -> dict[str, object]:
    from perdure.cli.main import run as perdure

    (folder / "pyproject.toml").write_text("")
    (folder / "flows.py").write_text(HEADER + text)
    assert perdure(["compile", str(folder / "flows.py"), "--target", "aws"]) == 0
    found: dict[str, object] = json.loads(next(folder.rglob("definition.asl.json")).read_text())
    return found


# --- payload_bytes


@pytest.mark.parametrize("over", [-300, 300])
def test_a_result_about_as_large_as_a_payload_is_carried(over: int) -> None:
    size = value_of("payload_bytes") + over
    assert ended("carry", {"size": size}, "large", "count").result == size + 1


# --- history_events


@pytest.mark.slow
@pytest.mark.parametrize(("turns", "fits"), [(1_200, True), (2_600, False)])
def test_a_loop_in_a_branch_ends_by_name_at_the_history_limit(
    tmp_path: Path, turns: int, fits: bool
) -> None:
    text = (
        "@step\nasync def one(n: int) -> int: ...\n"
        "async def loop() -> int:\n    total = 0\n"
        f"    for n in range({turns}):\n        total += await one(n)\n    return total\n"
        "@flow\nasync def main() -> list[int]:\n    return await gather(loop(), loop())\n"
    )
    got = result_of(tmp_path, text, {"one": count})
    if fits:
        assert got.result == [turns, turns]
    else:
        assert isinstance(got.error, LimitExceeded)
        assert "history_events" in str(got.error)


# --- definition_bytes, request_bytes


@pytest.mark.slow
def test_a_definition_too_large_is_refused_with_its_size(tmp_path: Path) -> None:
    def text(lines: int) -> str:
        calls = "".join(f"    await one({n})\n" for n in range(lines))
        head = "@step\nasync def one(n: int) -> int: ...\n@flow\nasync def main() -> int:\n"
        return f"{head}{calls}    return 1\n"

    small = len(json.dumps(definition_of(tmp_path, text(100))))
    each = (small - len(json.dumps(definition_of(tmp_path, text(50))))) / 50
    most = int(value_of("definition_bytes") / each)
    definition_of(tmp_path, text(most - most // 20))
    with pytest.raises(Refused, match=r"PDR304\]: the definition of `main` is \d+ bytes"):
        result_of(tmp_path, text(most + most // 5), {"one": count})


# --- name_characters


@pytest.mark.parametrize("length", [79, 80, 81, 300])
def test_names_longer_than_a_state_s_are_cut_and_told_apart(tmp_path: Path, length: int) -> None:
    name = "a" * length
    text = (
        f"@step\nasync def {name}() -> int: ...\n@step\nasync def {name}b() -> int: ...\n"
        f"@flow\nasync def main() -> int:\n    return await {name}() + await {name}b()\n"
    )
    got = result_of(tmp_path, text, {name: lambda: 1, f"{name}b": lambda: 2})
    assert got.result == 3
    states = re.findall(r'"Next": ?"([^"]+)"', json.dumps(definition_of(tmp_path, text)))
    assert states
    assert max(map(len, states)) <= value_of("name_characters")


# --- lambda_seconds


@pytest.mark.parametrize(("seconds", "fits"), [(900, True), (901, False)])
def test_a_step_may_take_as_long_as_a_function(tmp_path: Path, seconds: int, fits: bool) -> None:
    text = (
        f'@step(timeout="{seconds}s")\nasync def work() -> int: ...\n'
        "@flow\nasync def main() -> int:\n    return await work()\n"
    )
    if fits:
        assert result_of(tmp_path, text, {"work": lambda: 1}).result == 1
    else:
        with pytest.raises(Refused, match="PDR302"):
            result_of(tmp_path, text, {"work": lambda: 1})


# --- wait_seconds, timeout_seconds, execution_seconds


@pytest.mark.parametrize(("days", "fits"), [(365, True), (366, False), (1_158, False)])
def test_a_wait_lasts_at_most_as_long_as_an_execution(
    tmp_path: Path, days: int, fits: bool
) -> None:
    text = (
        "@flow\nasync def main() -> str:\n    try:\n"
        f'        return await event("go", str, timeout="{days}d")\n'
        '    except TimeoutError:\n        return "late"\n'
    )
    if fits:
        assert result_of(tmp_path, text).result == "late"
    else:
        with pytest.raises(Refused, match="PDR303"):
            result_of(tmp_path, text)


# --- retry_attempts, retry_max_delay_seconds


@pytest.mark.parametrize("attempts", ["99_999_999", "100_000_000", "None"])
def test_attempts_are_counted_by_the_sites(tmp_path: Path, attempts: str) -> None:
    text = (
        f'@step(retry=Retry(attempts={attempts}, delay="1s", jitter=False))\n'
        "async def work() -> int: ...\n"
        "@flow\nasync def main() -> int:\n    return await work()\n"
    )
    assert result_of(tmp_path, text, {"work": [ValueError("x")] * 5 + [1]}).result == 1


@pytest.mark.parametrize(("days", "fits"), [(300, True), (367, False)])
def test_a_delay_between_attempts_is_a_wait(tmp_path: Path, days: int, fits: bool) -> None:
    text = (
        f'@step(retry=Retry(attempts=2, delay="{days}d", max_delay="{days}d", jitter=False))\n'
        "async def work() -> int: ...\n"
        "@flow\nasync def main() -> int:\n    return await work()\n"
    )
    got = result_of(tmp_path, text, {"work": [ValueError("x"), 1]})
    if fits:
        assert got.result == 1
    else:
        assert isinstance(got.error, LimitExceeded)
        assert "execution_seconds" in str(got.error)


# --- rows that nothing emitted can reach


def test_no_variable_label_or_http_task_is_emitted(tmp_path: Path) -> None:
    text = (FLOWS.parent / "limits.py").read_text()
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "flows.py").write_text(text)
    from perdure.cli.main import run as perdure

    assert perdure(["compile", str(tmp_path / "flows.py"), "--target", "aws"]) == 0
    written = [path.read_text() for path in tmp_path.rglob("definition.asl.json")]
    assert len(written) > 5
    for one in written:
        for never in ('"Assign"', '"Label"', "http:invoke", '"DISTRIBUTED"', '"Seconds"'):
            assert never not in one


PROVED: dict[str, tuple[object, ...]] = {
    "payload_bytes": (
        test_a_result_about_as_large_as_a_payload_is_carried,
        test_limits.test_values_are_carried_whatever_their_size,
        test_limits.test_the_values_of_branches_are_carried_together,
    ),
    "variable_bytes": (test_no_variable_label_or_http_task_is_emitted,),
    "assign_bytes": (test_no_variable_label_or_http_task_is_emitted,),
    "variables_bytes": (test_no_variable_label_or_http_task_is_emitted,),
    "history_events": (
        test_handover.test_a_loop_runs_past_the_history_limit,
        test_limits.test_a_gather_has_any_number_of_steps,
        test_a_loop_in_a_branch_ends_by_name_at_the_history_limit,
    ),
    "execution_seconds": (
        test_limits.test_a_sleep_lasts_no_longer_than_an_execution,
        test_a_wait_lasts_at_most_as_long_as_an_execution,
    ),
    "definition_bytes": (test_a_definition_too_large_is_refused_with_its_size,),
    "request_bytes": (test_a_definition_too_large_is_refused_with_its_size,),
    "name_characters": (test_names_longer_than_a_state_s_are_cut_and_told_apart,),
    "label_characters": (test_no_variable_label_or_http_task_is_emitted,),
    "wait_seconds": (test_a_wait_lasts_at_most_as_long_as_an_execution,),
    "timeout_seconds": (test_a_wait_lasts_at_most_as_long_as_an_execution,),
    "retry_attempts": (test_attempts_are_counted_by_the_sites,),
    "retry_max_delay_seconds": (test_a_delay_between_attempts_is_a_wait,),
    "inline_map_concurrency": (test_limits.test_branches_that_wait_are_all_under_way,),
    "error_characters": (test_limits.test_an_error_of_any_length_is_caught_and_ends_a_run_whole,),
    "cause_characters": (test_limits.test_an_error_of_any_length_is_caught_and_ends_a_run_whole,),
    "lambda_seconds": (test_a_step_may_take_as_long_as_a_function,),
    "http_task_seconds": (test_no_variable_label_or_http_task_is_emitted,),
}
"""Of each row: what shows it."""

NOT_REACHED = {
    "expression_depth": "the checker of what is written knows every form of expression",
    "expression_seconds": "likewise",
    "token_characters": "a token is made by Step Functions, and kept whole",
    "lambda_payload_bytes": "payload_bytes is smaller, and nothing else invokes a function",
    "versions": "tests/aws_deploy: a deploy retires versions",
    "aliases": "tests/aws_deploy: a release has one",
    "webhook_bytes": "of what comes in: see the tests of webhooks",
    "open_executions": "of an account, not of a flow",
}
"""Rows that no flow can come to, and why."""


def test_every_row_is_proved_or_out_of_reach() -> None:
    rows = {row.name for row in LIMITS}
    assert rows == PROVED.keys() | NOT_REACHED.keys()
    assert not PROVED.keys() & NOT_REACHED.keys()
