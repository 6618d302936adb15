"""What `perdure.testing.run` says no to: the same exception on every target."""

from pathlib import Path

import pytest

from perdure.testing import Refused, ScriptError, run
from perdure.testing.runner import targets

WAITS = """
from perdure import event, flow


@flow
async def waits() -> dict[str, int]:
    return await event("go", dict[str, int])
"""
YIELDS = """
from perdure import flow


@flow
async def wrong() -> None:
    open("x")
"""
TWO = WAITS + WAITS.replace("waits", "sits").replace("from perdure import event, flow", "")


def _file(folder: Path, text: str) -> str:
    file = folder / "flows.py"
    file.write_text(text)
    return str(file)


@pytest.mark.parametrize("target", ["reference", "local"])
def test_an_event_that_does_not_fit_is_a_fault_of_the_script(target: str, tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"event 'go' does not fit: .*'a'"):
        run(_file(tmp_path, WAITS), target=target, events=[("1s", "go", {"a": "x"})])


@pytest.mark.parametrize("target", targets())
def test_a_refused_flow_says_code_and_line(target: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)error\[PDR110\].*flows\.py:7:") as refused:
        run(_file(tmp_path, YIELDS), target=target)
    assert [found.code for found in refused.value.report.diagnostics] == ["PDR110"]


@pytest.mark.parametrize("target", targets())
def test_one_of_several_flows_has_to_be_named(target: str, tmp_path: Path) -> None:
    file = _file(tmp_path, TWO)
    with pytest.raises(Refused, match=r"(?s)PDR255.*`flows.py:waits` or `flows.py:sits`"):
        run(file, target=target)


@pytest.mark.parametrize("target", targets())
def test_a_flow_that_is_not_there_is_refused(target: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"PDR202"):
        run(_file(tmp_path, TWO) + ":wait", target=target)


@pytest.mark.parametrize("target", targets())
def test_an_unknown_engine_is_told_with_those_there_are(target: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"target '{target}' has no engine 'zz'") as refused:
        run(_file(tmp_path, WAITS), target=target, engine="zz")
    assert ("moto" in str(refused.value)) == (target == "aws")
