"""Projects to deploy: the examples, and a small one."""

import shutil
from pathlib import Path
from typing import Any

from perdure.cli import main
from perdure.deployment import Answer, Place, find_place
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import SUBSCRIPTION

__all__ = [
    "EXAMPLES",
    "change",
    "compile_project",
    "deploy",
    "examples",
    "ignored",
    "rows",
    "small",
]

ROOT = Path(__file__).parents[2]
EXAMPLES = ("triage", "research", "agent", "saga")
PROD = f"""
[project]
name = "shop"

[tool.perdure]
flows = ["examples"]
python = "3.13"

[tool.perdure.env.prod]
target = "azure"
region = "westeurope"
subscription = "{SUBSCRIPTION}"
resource_group = "shop"
"""

SMALL = """
from perdure import event, flow, step

@step
async def light(n: int) -> int:
    return n + 1

@flow
async def main(n: int) -> int:
    n = await light(n)
    n += await event("more", int)
    return await light(n)
"""


def examples(folder: Path, *names: str) -> Place:
    """A project with some of the examples, compiled."""
    (folder / "pyproject.toml").write_text(PROD)
    (folder / "examples").mkdir()
    for name in ("model", *(names or EXAMPLES)):
        shutil.copy(ROOT / "examples" / f"{name}.py", folder / "examples")
    return compile_project(folder)


def small(folder: Path, source: str = SMALL) -> Place:
    """A project of one file, compiled."""
    (folder / "pyproject.toml").write_text(PROD.replace('"examples"', '"app.py"'))
    (folder / "app.py").write_text(source)
    return compile_project(folder)


def change(folder: Path, before: str, after: str) -> Place:
    """Another text in its file, compiled."""
    file = folder / "app.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    return compile_project(folder)


def compile_project(folder: Path) -> Place:
    """Compile as the command line does; where it is deployed to."""
    place = find_place(folder, "prod")
    files = [str(folder / entry) for entry in place.project.settings.flows]
    code = main.run(["compile", "--target", "azure", "--out", str(folder / "compiled"), *files])
    assert code == 0
    return place


def deploy(place: Place, weight: int = 100) -> Answer:
    return AzureDeployer().deploy(place, ignored, weight=weight)


def ignored(line: str) -> None:
    """What is being done, said to nobody."""


def rows(answer: Answer, name: str) -> Any:
    return answer.data[name]  # Any: what `--json` prints
