"""Projects to deploy: the examples, and small ones."""

import shutil
from pathlib import Path

from perdure.cli import main
from perdure.deployment import Place, find_place

__all__ = ["CHILDREN", "EXAMPLES", "STEPS", "change", "compile_project", "examples", "small"]

ROOT = Path(__file__).parents[2]
EXAMPLES = ("triage", "research", "agent", "saga")
PROD = """
[project]
name = "shop"

[tool.perdure]
flows = ["examples"]
python = "3.13"

[tool.perdure.env.prod]
target = "gcp"
region = "europe-west1"
project = "demo-project"
"""

STEPS = """
from perdure import event, flow, step

@step(timeout="30s")
async def light(n: int) -> int:
    return n + 1

@step(timeout="5m")
async def heavy(n: int) -> int:
    return n * 2

@flow
async def main(n: int) -> int:
    n = await light(n)
    n = await heavy(n)
    return n + await event("more", int)
"""

CHILDREN = """
from perdure import event, flow, step

@step
async def half(n: int) -> int:
    return n // 2

@flow
async def inner(n: int) -> int:
    return await half(n) + await event("more", int)

@flow
async def outer(n: int) -> int:
    return await inner(n) * 10
"""
"""A flow that awaits another one."""


def examples(folder: Path, *names: str) -> Place:
    """A project with some of the examples, compiled."""
    (folder / "pyproject.toml").write_text(PROD)
    (folder / "examples").mkdir()
    for name in ("model", *(names or EXAMPLES)):
        shutil.copy(ROOT / "examples" / f"{name}.py", folder / "examples")
    return compile_project(folder)


def compile_project(folder: Path) -> Place:
    """Compile as the command line does; where it is deployed to."""
    place = find_place(folder, "prod")
    out = str(folder / "compiled")
    files = [str(folder / entry) for entry in place.project.settings.flows]
    code = main.run(["compile", "--target", "gcp", "--out", out, *files])
    assert code == 0
    return place


def small(folder: Path, source: str = STEPS, more: str = "") -> Place:
    """A project of one file, compiled."""
    (folder / "pyproject.toml").write_text(PROD.replace('"examples"', '"app.py"') + more)
    (folder / "app.py").write_text(source)
    return compile_project(folder)


def change(folder: Path, before: str, after: str) -> Place:
    """Another text in its file, compiled."""
    file = folder / "app.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    return compile_project(folder)
