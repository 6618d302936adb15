"""Deploys that are cut off at any request, before it or after it: repeating them converges."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from perdure.deployment import DeployError, Place
from perdure_aws.deploy.verbs import AwsDeployer
from tests.aws_deploy.cloud import Call, Cloud, cloud
from tests.aws_deploy.projects import change, small


class Cut(Exception):  # noqa: N818  (it says what happens)
    """The process ends here."""


def cut_at(number: int) -> Callable[[Call], None]:
    left = [number]

    def fault(call: Call) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cut(call.operation)

    return fault


def deploy(place: Place) -> None:
    AwsDeployer().deploy(place, ignored)


def destroy(place: Place) -> None:
    AwsDeployer().destroy(place, ignored, flow=None, with_runs=True, with_data=True)


def interrupted(there: Cloud, verb: Callable[[], object], at: int, *, after: bool) -> bool:
    """Whether the verb was cut off at this request."""
    nothing = there.fault
    if after:
        there.after = cut_at(at)
    else:
        there.fault = cut_at(at)
    try:
        verb()
    except Cut:
        return True
    finally:
        there.fault = there.after = nothing
    return False


def ignored(line: str) -> None:
    """What is being done, said to nobody."""


FEW = (3, 11)
"""Requests of which the default run cuts off at: an upload or a look, a stack that is made."""
WHOLE = range(1, 40)
"""More than any verb makes: what is not reached is not cut off."""


def first_deploy(folder: Path, tmp_path: Path, numbers: Iterable[int], *, after: bool) -> int:
    """Cut the first deploy off at each request; how often it was."""
    place, cuts = small(folder), 0
    for number in numbers:
        with cloud(tmp_path / f"cut-{number}") as there:
            cuts += interrupted(there, partial(deploy, place), number, after=after)
            deploy(place)
            assert not AwsDeployer().plan(place, ignored).data["changes"], number
            stacks = [name for name in there.left() if name.startswith("perdure-shop-prod")]
            assert len(set(stacks)) == len(stacks), "nothing is there twice"
            destroy(place)
            assert there.left() == [], number
    return cuts


def second_deploy(there: Cloud, folder: Path, numbers: Iterable[int], *, after: bool) -> int:
    """Cut a deploy of something newer off at each request; how often it was."""
    text, cuts = "n + 1", 0
    deploy(small(folder))
    for released, number in enumerate(numbers, 2):
        place = change(folder, text, text := f"n + {released}")
        cuts += interrupted(there, partial(deploy, place), number, after=after)
        deploy(place)
        machine = next(iter(there.states.machines.values()))
        newest = f"{machine.arn}:{max(machine.versions)}"
        assert machine.aliases["live"] == [{"stateMachineVersionArn": newest, "weight": 100}]
        assert len(machine.versions) == released, "one version for each release, none lost"
    return cuts


def destroyed(folder: Path, tmp_path: Path, numbers: Iterable[int], *, after: bool) -> int:
    """Cut a destroy off at each request; how often it was."""
    place, cuts = small(folder), 0
    for number in numbers:
        with cloud(tmp_path / f"cut-{number}") as there:
            deploy(place)
            cuts += interrupted(there, partial(destroy, place), number, after=after)
            destroy(place)
            assert there.left() == [], number
    return cuts


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_first_deploy_that_is_cut_off_is_brought_to_its_end(
    folder: Path, tmp_path: Path, after: bool
) -> None:
    assert first_deploy(folder, tmp_path, FEW, after=after) == len(FEW)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_second_deploy_that_is_cut_off_is_brought_to_its_end(
    there: Cloud, folder: Path, after: bool
) -> None:
    assert second_deploy(there, folder, FEW, after=after) == len(FEW)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_destroy_that_is_cut_off_is_brought_to_its_end(
    folder: Path, tmp_path: Path, after: bool
) -> None:
    assert destroyed(folder, tmp_path, FEW, after=after) == len(FEW)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_every_request_may_be_the_last_one(
    there: Cloud, folder: Path, tmp_path: Path, after: bool
) -> None:
    assert second_deploy(there, folder, WHOLE, after=after) > 15
    assert first_deploy(folder, tmp_path, WHOLE, after=after) > 15
    assert destroyed(folder, tmp_path, WHOLE, after=after) > 8


def test_what_aws_refuses_is_said_and_how_to_go_on(there: Cloud, folder: Path) -> None:
    place = small(folder)

    def denied(call: Call) -> None:
        if call.operation == "CreateStack":
            raise there.refused("AccessDenied", "not authorized to create stacks", call)

    there.fault = denied
    with pytest.raises(DeployError, match=r"not authorized.*goes on from here"):
        deploy(place)
