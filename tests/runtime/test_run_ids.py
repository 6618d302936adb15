"""An id that a flow gives to a run it starts is held to the same rule on every engine."""

import sys
from pathlib import Path

import pytest

from perdure.testing import run

FLOW = """
from perdure import flow

@flow
async def other() -> int:
    return 1

@flow
async def main(name: str) -> str:
    try:
        handle = await other.start(id=name)
    except ValueError as error:
        return str(error)
    return handle.id
"""
AZURE = pytest.param(
    "azure", marks=pytest.mark.skipif(sys.version_info < (3, 13), reason="SDK 2 needs 3.13")
)


@pytest.mark.parametrize("target", ["reference", "local", "aws", "gcp", AZURE])
def test_a_flow_cannot_give_an_id_that_nobody_could_type(target: str, tmp_path: Path) -> None:
    (tmp_path / "ids.py").write_text(FLOW)
    where = f"{tmp_path / 'ids.py'}:main"
    refused = run(where, {"name": "a/b"}, target=target)
    assert "`a/b` is no run id" in str(refused.result)
    assert [*refused.trace] == []
    started = run(where, {"name": "b"}, target=target)
    assert started.result == "b"
    assert [one.kind for one in started.trace] == ["start"]
