"""What every test can ask for."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How fast examples are made says something about the machine, nothing about the project.
settings.register_profile("perdure", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("perdure")

# Commands that perdure prints begin with `perdure` where a shell would find it, as it does here.
TOOLS = str(Path(sys.executable).parent)
os.environ["PATH"] = os.pathsep.join([TOOLS, os.environ.get("PATH", os.defpath)])
# Under `uv run pytest` the commands that perdure prints would start with `uv run`.
os.environ.pop("UV_RUN_RECURSION_DEPTH", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update", action="store_true", help="write goldens anew; review them as a diff"
    )


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether goldens are to be written anew."""
    return bool(request.config.getoption("--update"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A long sweep takes as long as it takes; any other test is ended after a while, by name."""
    for item in items:
        if item.get_closest_marker("slow") is not None:
            item.add_marker(pytest.mark.timeout(0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Under the tests: on which engines the cases came to equal traces."""
    ids = {
        outcome: [report.nodeid for report in terminalreporter.getreports(outcome)]
        for outcome in ("passed", "failed", "xfailed")
    }
    if any("tests/conformance/" in nodeid for found in ids.values() for nodeid in found):
        from tests.conformance.matrix import table

        for line in table(ids["passed"], ids["failed"], ids["xfailed"]):
            terminalreporter.write_line(line)
