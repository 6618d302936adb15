"""Projects to deploy: the examples, and one that uses every setting of an environment."""

from pathlib import Path

from perdure.driver import FlowName
from perdure_aws.engine.flows import compiled

__all__ = ["FULL", "GROUPS", "make_project", "text_of"]

FULL = """
[project]
name = "shop"

[tool.perdure]
flows = ["app.py"]

[tool.perdure.env.test]
target = "aws"
region = "us-east-1"
account = "123456789012"

[tool.perdure.env.prod]
target = "aws"
region = "eu-central-1"
account = "123456789012"
memory = 1024
architecture = "x86_64"
log_days = 90
alarm_topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
allow = ["s3:GetObject arn:aws:s3:::reports/*", "ses:SendEmail *"]

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
