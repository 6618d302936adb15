"""The engines of the target, for parametrized tests; `classic` where SDK 1 is installed beside."""

import pytest

from perdure_azure.engine.sdk1 import folder

__all__ = ["ENGINES", "needs_sdk1"]

NEEDED = "SDK 1 is not here: .ci/run installs it"
ENGINES = (
    "memory",
    pytest.param("classic", marks=pytest.mark.skipif(folder() is None, reason=NEEDED)),
)


def needs_sdk1() -> None:
    """Skip the test where there is none."""
    if folder() is None:
        pytest.skip(NEEDED)
