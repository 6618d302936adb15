"""A cloud, a folder for a project."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gcp_deploy.cloud import Cloud, cloud


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Cloud]:
    """A fresh cloud."""
    with cloud(tmp_path / "cloud") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a project goes."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"
