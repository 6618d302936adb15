"""What every test can ask for."""

import os

import pytest

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
