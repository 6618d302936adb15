"""The senders' secrets are in the environment."""

import pytest

from tests.webhooks.senders import SECRETS


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set every secret that a scheme of the tests reads."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
