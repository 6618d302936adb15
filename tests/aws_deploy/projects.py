"""Projects to deploy: the examples, and one that uses every setting of an environment."""

import shutil
from pathlib import Path

from perdure.cli import main
from perdure.deployment import Place, find_place
from perdure.driver import FlowName
from perdure_aws.engine.flows import compiled

__all__ = [
    "CHILDREN",
    "EXAMPLES",
    "FULL",
    "GROUPS",
    "ROOT",
    "change",
    "compile_project",
    "examples",
    "make_project",
    "small",
    "text_of",
]

ROOT = Path(__file__).parents[2]
EXAMPLES = ("triage", "research", "agent", "saga")
PROD = """
[project]
name = "shop"

[tool.perdure]
flows = ["examples"]
python = "3.13"

[tool.perdure.env.prod]
target = "aws"
region = "us-east-1"
account = "123456789012"
"""

FULL = """
[project]
name = "shop"

[tool.perdure]
flows = ["app.py"]

[tool.perdure.env.test]
target = "aws"
region = "us-east-1"
account = "123456789012"
settings = { MODEL = "small" }

[tool.perdure.env.prod]
target = "aws"
region = "eu-central-1"
account = "123456789012"
memory = 1024
architecture = "x86_64"
log_days = 90
alarm_topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
allow = ["s3:GetObject arn:aws:s3:::reports/*", "ses:SendEmail *"]
settings = { MODEL = "large", REGION_NAME = "Frankfurt" }

[tool.perdure.env.prod.groups.heavy-lifting]
memory = 4096
allow = ["bedrock:InvokeModel arn:aws:bedrock:${AWS::Region}::foundation-model/*"]
"""

GROUPS = """
from perdure import event, flow, step

@step(timeout="30s")
async def light(n: int) -> int:
    return n + 1

@step(group="heavy-lifting", timeout="5m")
async def heavy(n: int) -> int:
    return n * 2

@flow
async def main(n: int) -> int:
    n = await light(n)
    n = await heavy(n)
    return n + await event("more", int)
"""

CHILDREN = """
from perdure import event, flow, gather, step

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


def make_project(folder: Path, source: str = GROUPS, settings: str = FULL) -> Path:
    """A project in a folder; its file of flows."""
    (folder / "pyproject.toml").write_text(settings)
    (folder / "app.py").write_text(source)
    return folder / "app.py"


def text_of(file: Path, artifact: str, flow: str | None = None) -> str:
    """One artifact of a flow, as text."""
    made = compiled(FlowName(file, flow))[2][artifact]
    assert isinstance(made, str)
    return made


def examples(folder: Path, *names: str) -> Place:
    """A project with some of the examples, compiled."""
    (folder / "pyproject.toml").write_text(PROD)
    (folder / "examples").mkdir()
    for name in ("model", *(names or EXAMPLES)):
        shutil.copy(ROOT / "examples" / f"{name}.py", folder / "examples")
    return compile_project(folder)


def compile_project(folder: Path, environment: str = "prod") -> Place:
    """Compile as the command line does; where it is deployed to."""
    place = find_place(folder, environment)
    out = str(folder / "compiled")
    files = [str(folder / entry) for entry in place.project.settings.flows]
    code = main.run(["compile", "--target", "aws", "--out", out, *files])
    assert code == 0
    return place


def small(folder: Path, source: str = GROUPS) -> Place:
    """A project of one file, compiled."""
    make_project(folder, source, PROD.replace('"examples"', '"app.py"'))
    return compile_project(folder)


def change(folder: Path, before: str, after: str) -> Place:
    """Another text in its file, compiled."""
    file = folder / "app.py"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    return compile_project(folder)
