"""What was deployed under another name, or elsewhere, is named by the verbs that look."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from perdure.deployment import Answer, CloudRefused, Place
from perdure_aws.deploy.account import Account
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Cloud
from tests.aws_deploy.projects import compile_project, small


def silent(line: str) -> None:
    """What is being done, said to nobody."""


def edit(folder: Path, before: str, after: str) -> Place:
    file = folder / "pyproject.toml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    return compile_project(folder)


def regions(*names: str) -> AbstractContextManager[object]:
    """While this holds, these are the other ones."""

    def others(account: Account) -> tuple[str, ...]:
        return names

    return patch.object(Account, "other_regions", others)


def three(place: Place) -> list[Answer]:
    """What is said by those that look."""
    deployer = AwsDeployer()
    with regions("eu-west-1", "us-west-2"):
        said = [deployer.plan(place, silent), deployer.status(place, silent)]
        said.append(deployer.destroy(place, silent, flow=None, with_runs=False, with_data=False))
    return said


def test_a_project_that_was_renamed_is_told_what_it_left(there: Cloud, folder: Path) -> None:
    AwsDeployer().deploy(small(folder), silent)
    before = there.left()
    renamed = edit(folder, 'name = "shop"', 'name = "store"')
    for answer in three(renamed):
        (line,) = [one for one in answer.lines if one.startswith("also deployed")]
        assert "project `shop`, environment `prod` in us-east-1 (2 stacks: " in line
        assert 'write `name = "shop"` under [tool.perdure]' in line
        listed: Any = answer.data["orphans"]  # Any: what `--json` prints
        (row,) = listed
        assert row["stacks"] == ["perdure-shop-prod", "perdure-shop-prod-main"]
    assert there.left() == before


def test_another_project_of_the_account_is_no_orphan(there: Cloud, folder: Path) -> None:
    AwsDeployer().deploy(small(folder), silent)
    other = folder.with_name("other")
    other.mkdir()
    source = "from perdure import flow\n\n@flow\nasync def own() -> int:\n    return 1\n"
    small(other, source)
    place = edit(other, 'name = "shop"', 'name = "other"')
    for folder_ in (other / "compiled" / "aws").iterdir():
        assert folder_.name == "own"
    assert not any(answer.data["orphans"] for answer in three(place))


def test_an_environment_that_was_renamed_is_named(there: Cloud, folder: Path) -> None:
    AwsDeployer().deploy(small(folder), silent)
    file = folder / "pyproject.toml"
    file.write_text(file.read_text().replace("env.prod]", "env.production]"))
    place = compile_project(folder, "production")
    for answer in three(place):
        (line,) = [one for one in answer.lines if one.startswith("also deployed")]
        assert "write [tool.perdure.env.prod] once more" in line


def test_a_region_that_was_changed_is_named_from_either_side(there: Cloud, folder: Path) -> None:
    AwsDeployer().deploy(small(folder), silent)
    moved = edit(folder, 'region = "us-east-1"', 'region = "eu-central-1"')
    with regions("us-east-1", "us-west-2"):
        said = AwsDeployer().status(moved, silent).lines
    (line,) = [one for one in said if one.startswith("also deployed")]
    assert "environment `prod` in us-east-1" in line
    assert 'with `region = "us-east-1"` once more, `perdure destroy prod` removes it' in line
    # Another environment of the project lies where this one was.
    where = ('target = "aws"', 'region = "us-east-1"', 'account = "123456789012"')
    file = folder / "pyproject.toml"
    file.write_text(file.read_text() + "\n".join(["[tool.perdure.env.test]", *where]))
    here = compile_project(folder, "test")
    (line,) = [one for one in three(here)[1].lines if one.startswith("also deployed")]
    assert "environment `prod` in us-east-1" in line


def test_regions_that_do_not_answer_are_left_out(there: Cloud, folder: Path) -> None:
    place = small(folder)

    def closed(account: Account, region: str) -> None:
        raise CloudRefused(f"the account has not opted in to {region}")

    with (
        regions("eu-west-1"),
        patch.object(Account, "cloudformation_in", closed),
    ):
        answer = AwsDeployer().status(place, silent)
    assert answer.lines == ("`prod` is not deployed; `perdure deploy prod` does it",)


def test_the_other_regions_are_those_of_the_partition(there: Cloud, folder: Path) -> None:
    found = Account(small(folder)).other_regions()
    assert {"eu-central-1", "us-west-2"} < set(found)
    assert not {"us-east-1", "cn-north-1", "us-gov-west-1"} & set(found)


def test_a_flow_that_is_gone_is_named_by_plan_and_status(there: Cloud, folder: Path) -> None:
    place = small(folder)
    AwsDeployer().deploy(place, silent)
    file = folder / "app.py"
    file.write_text(file.read_text().replace("async def main", "async def begin"))
    for path in (folder / "compiled" / "aws" / "main").rglob("*"):
        if path.is_file():
            path.unlink()
    (folder / "compiled" / "aws" / "main").rmdir()
    place = compile_project(folder)
    for answer in three(place)[:2]:
        assert answer.data["left_over"] == ["main"]
        assert any("perdure destroy prod --flow main" in line for line in answer.lines)
