"""pytest plugin: the fixture `flow_run` is `perdure.testing.run`, once per installed target.

def test_triage(flow_run):
    r = flow_run("flows/triage.py:triage", {...}, steps={...})
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from perdure.testing.request import Result

__all__ = ["flow_run", "pytest_generate_tests"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for `flow_run` one run per target."""
    if "flow_run" in metafunc.fixturenames:
        from perdure.testing.runner import targets

        metafunc.parametrize("flow_run", targets(), indirect=True)


@pytest.fixture
def flow_run(request: pytest.FixtureRequest) -> "Callable[..., Result]":
    """`perdure.testing.run` bound to one target."""
    from perdure.testing.runner import run

    target: str = request.param
    return partial(run, target=target)
