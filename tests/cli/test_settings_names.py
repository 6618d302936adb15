"""Names in pyproject.toml that are misspelt are told what they are near to."""

from pathlib import Path

import pytest

from tests.local.project import command

FLOWS = """
from perdure import flow

@flow
async def outer() -> int:
    return 1

@flow
async def other() -> int:
    return 2
"""
SETTINGS = """
[tool.perdure]
flows = ["{flows}"]
[tool.perdure.env.prod]
target = "{target}"
region = "eu-central-1"
account = "123456789012"
"""


def project(root: Path, flows: str = "app.py", target: str = "aws") -> Path:
    (root / "app.py").write_text(FLOWS)
    (root / "pyproject.toml").write_text(SETTINGS.format(flows=flows, target=target))
    return root


def test_the_setting_flows_takes_one_flow_of_a_file(tmp_path: Path) -> None:
    root = project(tmp_path, "app.py:outer")
    command(root, "compile", "--target", "aws")
    assert [path.name for path in (root / "compiled" / "aws").iterdir()] == ["outer"]
    said = command(project(tmp_path, "app.py:outr"), "check", code=2)
    assert "has no flow named `outr`" in said
    assert "app.py:outer" in said
    said = command(project(tmp_path, "ap.py:outer"), "check", code=1)
    assert "`ap.py:outer` of the setting `flows` does not exist" in said


@pytest.mark.parametrize(
    "words", [("plan", "prod"), ("runs", "--on", "prod"), ("secrets", "list", "prod")]
)
def test_a_target_that_nothing_deploys_to_is_told_the_nearest(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    said = command(project(tmp_path, target="awz"), *words, code=2)
    assert "nothing that deploys to `awz`; the nearest is `aws`" in said
    said = command(project(tmp_path, target="heroku"), *words, code=2)
    assert "nothing that deploys to `heroku`, only to aws" in said
