"""What is deployed and no environment of the project describes any more, as far as tags tell.

A project or an environment that was renamed, a region that was changed: what was deployed before
stays, costs, and takes webhooks. Nothing here is removed; it is said what it is, and how to.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, final

from botocore.exceptions import BotoCoreError, ClientError

from perdure.deploying.counted import counted
from perdure.deployment import CloudRefused, Place
from perdure_aws.deploy.environment import Environment
from perdure_aws.deploy.names import TAG_ENVIRONMENT, TAG_FLOW, TAG_PROJECT
from perdure_aws.deploy.releases import TARGET
from perdure_aws.deploy.stacks import Stack, Stacks

__all__ = ["Orphan", "elsewhere", "flows_of", "left_over", "left_over_lines", "orphans"]


@final
class Orphan(NamedTuple):
    """An environment that is deployed, as its stacks are tagged."""

    project: str
    environment: str
    region: str
    stacks: tuple[str, ...]
    why: str
    """What to make of it, and what to type."""

    def data(self) -> dict[str, object]:
        """For programs."""
        return {**self._asdict(), "stacks": [*self.stacks]}

    def line(self) -> str:
        """For people."""
        shown = ", ".join(self.stacks[:3]) + (", ..." if len(self.stacks) > 3 else "")
        return (
            f"also deployed: project `{self.project}`, environment `{self.environment}` in"
            f" {self.region} ({counted(len(self.stacks), 'stack')}: {shown}); {self.why}"
        )


def left_over(environment: Environment, flows: frozenset[str]) -> list[str]:
    """The flows of the environment that are deployed and none of these."""
    return [one.flow for one in environment.flows() if one.flow not in flows]


def left_over_lines(place: Place, flows: Iterable[str]) -> Iterator[str]:
    """What to do about each."""
    for flow in flows:
        yield (
            f"`{flow}` is deployed and no longer in the project: its runs go on;"
            f" `perdure destroy {place.environment.name} --flow {flow}` removes it"
        )


def orphans(environment: Environment) -> tuple[Orphan, ...]:
    """Those in the environment's own region."""
    place, region = environment.place, environment.account.region
    stacks = environment.stacks.tagged({})
    mine = flows_of(place)
    found: list[Orphan] = []
    for (project, name), group in _grouped(stacks).items():
        flows = {one.tags[TAG_FLOW] for one in group if TAG_FLOW in one.tags}
        why = _why(place, project, name, region, same=bool(flows & mine))
        if why is not None:
            found.append(Orphan(project, name, region, tuple(one.name for one in group), why))
    return tuple(found)


def elsewhere(environment: Environment) -> tuple[Orphan, ...]:
    """This very environment in other regions; those that do not answer are left out."""
    place, account = environment.place, environment.account
    key = (place.name, place.environment.name)
    found: list[Orphan] = []
    for region in account.other_regions():
        environment.say(f"looking in {region}")
        try:
            stacks = Stacks(account.cloudformation_in(region), environment.say).tagged({})
        except (BotoCoreError, ClientError, CloudRefused):
            continue  # a region that the account has not opted in to
        group = _grouped(stacks).get(key)
        if group is not None:
            why = _region_changed(key[1], region)
            found.append(Orphan(*key, region, tuple(one.name for one in group), why))
    return tuple(found)


def _why(place: Place, project: str, name: str, region: str, *, same: bool) -> str | None:
    """None: it is described by this project, or another's affair."""
    if project == place.name:
        known = place.project.settings.environments.get(name)
        if known is None:
            return (
                f"this project has no such environment any more: write [tool.perdure.env.{name}]"
                f" once more, then `perdure destroy {name}`"
            )
        moved = known.target == "aws" and known.region != region
        return _region_changed(name, region) if moved else None
    if name != place.environment.name or not same:
        return None
    return (
        f"it has flows that are called as here: if this project was called `{project}`, write"
        f' `name = "{project}"` under [tool.perdure] once more, then `perdure destroy {name}`'
    )


def _region_changed(name: str, region: str) -> str:
    return (
        f"[tool.perdure.env.{name}] says another region now: with"
        f' `region = "{region}"` once more, `perdure destroy {name}` removes it'
    )


def _grouped(stacks: Iterable[Stack]) -> Mapping[tuple[str, str], list[Stack]]:
    found: dict[tuple[str, str], list[Stack]] = {}
    for stack in stacks:
        if TAG_PROJECT in stack.tags and TAG_ENVIRONMENT in stack.tags:
            key = (stack.tags[TAG_PROJECT], stack.tags[TAG_ENVIRONMENT])
            found.setdefault(key, []).append(stack)
    return dict(sorted(found.items()))


def flows_of(place: Place) -> frozenset[str]:
    """What the project has compiled, by name."""
    folder = place.project.out / TARGET
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
