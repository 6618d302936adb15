"""Plain settings of an environment: variables of its functions, told by `plan`, seen by steps."""

from pathlib import Path

import pytest

from perdure.deployment import DeployError, Place
from perdure.runtime.engine import Completed
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import GROUPS, PROD, change, compile_project, make_project, small

SOURCE = """
import os

from perdure import flow, step

@step
async def seen() -> list[str | None]:
    return [os.environ.get("MODEL"), os.environ.get("OTHER")]

@flow
async def main() -> list[str | None]:
    return await seen()
"""
OTHERS = """
[tool.perdure.env.a-test]
target = "aws"
settings = { OTHER = "1" }
"""


def compiled(folder: Path, model: str) -> Place:
    settings = f'settings = {{ MODEL = "{model}" }}\n'
    make_project(folder, SOURCE, PROD.replace('"examples"', '"app.py"') + settings + OTHERS)
    return compile_project(folder)


def seen(place: Place, run: str) -> object:
    runs = AwsDeployer().connect(place)
    runs.start("app:main", {}, run)
    return runs.outcome(run)


def test_steps_read_what_the_environment_says_and_a_deploy_changes_it(
    there: Cloud, folder: Path
) -> None:
    place = compiled(folder, "${small}, 'or' \\\\ not")
    planned = AwsDeployer().plan(place, lambda line: None)
    assert planned.data["settings"] == {"MODEL": "${small}, 'or' \\ not"}
    assert "settings: MODEL=${small}, 'or' \\ not" in planned.lines
    AwsDeployer().deploy(place, lambda line: None)
    assert seen(place, "one") == Completed(["${small}, 'or' \\ not", None])
    place = compiled(folder, "large")
    AwsDeployer().deploy(place, lambda line: None)
    assert seen(place, "two") == Completed(["large", None])
    AwsDeployer().rollback(place, lambda line: None, flow=None, to=None)
    assert seen(place, "three") == Completed(["${small}, 'or' \\ not", None])


def test_names_that_aws_would_not_take_are_refused_before_anything_is_made(
    there: Cloud, folder: Path
) -> None:
    small(folder, GROUPS.replace("main", "settle_all_the_invoices_of_a_year"))
    place = change(folder, "heavy-lifting", "lifting-of-heavy-things")
    for verb in (AwsDeployer().plan, AwsDeployer().deploy):
        with pytest.raises(DeployError, match="-sites-lifting-of-heavy-things` has a name of 80"):
            verb(place, lambda line: None)
    assert there.left() == []
