"""`perdure deploy` and `rollback`.

In order: the resource group, what flows share, and for each flow its app, its release, the zip
with all releases that are needed, the ledger. Each is found as it was left and brought on; what is
there already costs a look. A flow that the project no longer has is named, and left.
"""

import os
from collections.abc import Iterator
from typing import Final, NamedTuple, final

from perdure.deployment import Answer, DeployError, Place, Say
from perdure.webhooks.links import LINK_KEY
from perdure_azure.deploy.environment import Deployed, Environment
from perdure_azure.deploy.ledger import Ledger, Listed, release_blob
from perdure_azure.deploy.names import environment_deployment, flow_deployment, tags
from perdure_azure.deploy.packages import zip_of_app
from perdure_azure.deploy.push import push
from perdure_azure.deploy.releases import Release, packed, read_releases, unpacked
from perdure_azure.deploy.secrets import AzureSecrets, missing_lines

__all__ = ["deploy", "missing_secrets", "rollback", "shares_for"]

KEPT: Final = 5
"""Releases that stay in an app whatever happens: each is a copy of the project in its zip."""

type Shares = tuple[tuple[str, int], ...]


@final
class Done(NamedTuple):
    """What was done about something."""

    name: str
    deployment: str
    changed: bool


def deploy(place: Place, say: Say, weight: int) -> Answer:
    """Bring an environment to what was compiled."""
    if not 1 <= weight <= 100:
        raise DeployError(f"a weight is 1 to 100 percent, not {weight}; `rollback` takes all back")
    prepared = read_releases(place, say)
    environment = Environment(place, say)
    done = [_deploy_shared(environment, prepared[0])]
    done += [_deploy_flow(environment, one, weight) for one in prepared]
    standing = environment.flows()
    ours = {one.flow for one in prepared}
    left = [one.flow for one in standing if one.flow not in ours]
    missing = missing_secrets(environment, prepared)
    rows = [{"name": n, "stack": s, "changed": c} for n, s, c in done]
    name = place.environment.name
    lines = [f"{one}: {'deployed' if changed else 'unchanged'}" for one, _, changed in done[1:]]
    lines += [
        f"`{one}` is deployed and no longer in the project: its runs go on;"
        f" `perdure destroy {name} --flow {one}` removes it"
        for one in left
    ]
    found = {one.flow: environment.ledgers.read(one.flow).webhooks(one.url) for one in standing}
    webhooks = {flow: urls for flow, urls in found.items() if urls}
    lines += [f"{flow}: webhook {url}" for flow, urls in webhooks.items() for url in urls]
    lines += [*missing_lines(missing, name)]
    data: dict[str, object] = {
        "deployed": rows,
        "left_over": left,
        "webhooks": webhooks,
        "missing_secrets": missing,
    }
    return Answer(data, tuple(lines))


def missing_secrets(environment: Environment, prepared: tuple[Release, ...]) -> list[str]:
    """The secrets that code reads and nobody has set."""
    named = sorted({name for one in prepared for name in one.secrets})
    shared = environment.shared() if named else None
    vault = shared.outputs.get("vault", "") if shared else ""
    secrets = AzureSecrets(environment.account, vault, environment.place.environment.name)
    there = secrets.present(named)
    return [name for name in named if name not in there]


def _deploy_shared(environment: Environment, release: Release) -> Done:
    place = environment.place
    if not environment.deployments.group_is_there():
        environment.deployments.make_group()
    name = environment_deployment(place)
    given = environment.parameters(shared=True)
    _, changed = environment.deployments.apply(name, release.environment, given, tags(place))
    return Done("store", name, changed)


def _deploy_flow(environment: Environment, release: Release, weight: int) -> Done:
    place, flow = environment.place, release.flow
    name = flow_deployment(place, flow)
    given = environment.parameters(shared=False)
    made, changed = environment.deployments.apply(name, release.template, given, tags(place, flow))
    if release.about.get("links"):
        _make_link_key(environment)
    blob = release_blob(flow, release.name)
    environment.blobs.upload(blob, packed(release.files), f"{flow}: release {release.name}")
    before = environment.ledgers.read(flow)
    after = _listed(before, release)._replace(live=shares_for(before, release.name, weight))
    _refuse_another_python(environment, Deployed(flow, made), after)
    pushed = _bring(environment, Deployed(flow, made), before, after, release)
    return Done(flow, name, changed or pushed)


def _listed(ledger: Ledger, release: Release) -> Ledger:
    """With the release as the newest."""
    newest = ledger.newest
    if newest is not None and newest.name == release.name:
        return ledger
    number = newest.number + 1 if newest else 1
    older = tuple(one for one in ledger.releases if one.name != release.name)
    return ledger._replace(releases=(*older, Listed(number, release.name, dict(release.about))))


def shares_for(ledger: Ledger, release: str, weight: int) -> Shares:
    """Who gets the new runs: beside the newest, the release that gets most of them now."""
    others = [one for one in ledger.live if one[0] != release]
    if weight == 100 or not others:
        return ((release, 100),)
    stable = max(others, key=lambda one: one[1])[0]
    return (release, weight), (stable, 100 - weight)


def _refuse_another_python(environment: Environment, one: Deployed, ledger: Ledger) -> None:
    """An app has one Python, and so have all its releases."""
    newest = ledger.newest
    assert newest is not None, "it was listed"
    pinned = newest.about["python"]
    for running in environment.hub(one).all(under_way=True):
        older = ledger.release(running.release)
        if older is not None and older.about["python"] != pinned:
            raise DeployError(
                f"`{one.flow}` is compiled for Python {pinned}, and runs under way for"
                f" {older.about['python']}: keep the pin until they have ended"
            )


def _bring(
    environment: Environment,
    one: Deployed,
    before: Ledger,
    after: Ledger,
    release: Release | None = None,
) -> bool:
    """Push the zip that a ledger asks for, then write the ledger; whether anything was done."""
    newest = after.newest
    assert newest is not None, "something is deployed"
    needed = {name for name, _ in after.live}
    needed |= {run.release for run in environment.hub(one).all(under_way=True)}
    kept = tuple(
        listed
        for place, listed in enumerate(after.releases)
        if listed.name in needed or place >= len(after.releases) - KEPT
    )

    def files_of(name: str) -> dict[str, bytes]:
        found = environment.blobs.get(release_blob(one.flow, name))
        if found is None:
            raise DeployError(f"release {name} of `{one.flow}` is gone from storage")
        return unpacked(found[0])

    files = release.files if release is not None else files_of(newest.name)
    made = zip_of_app(files, newest.name, after.live, kept[:-1], files_of)
    after = after._replace(releases=kept, package=made.digest)
    if after == before:
        return False
    if made.digest != before.package:
        push(environment.account, one.app, made.content, environment.say)
    environment.ledgers.write(after)
    for listed in before.releases:
        if after.release(listed.name) is None:
            environment.say(f"{one.flow}: retire release {listed.number}")
            environment.blobs.remove(release_blob(one.flow, listed.name))
    return True


def _make_link_key(environment: Environment) -> None:
    """The key of approval links: made once, seen by nobody."""
    vault, name = environment.outputs["vault"], environment.place.environment.name
    secrets = AzureSecrets(environment.account, vault, name)
    if not secrets.present([LINK_KEY.name]):
        environment.say(f"{LINK_KEY.name}: make")
        secrets.put(LINK_KEY.name, os.urandom(36).hex())


def rollback(place: Place, say: Say, flow: str | None, to: int | None) -> Answer:
    """Start new runs on an older version again; repeating it changes nothing more."""
    environment = Environment(place, say)
    found = [one for one in environment.flows() if flow in (None, one.flow)]
    if not found:
        name = flow or place.environment.name
        raise DeployError(f"`{name}` is not deployed in {place.environment.name}")
    if to is not None and flow is None and len(found) > 1:
        raise DeployError("versions are counted per flow: say which with --flow")
    rows = [_roll_back(environment, one, to) for one in found]
    return Answer({"rolled_back": rows}, tuple(_rollback_lines(rows)))


def _roll_back(environment: Environment, one: Deployed, to: int | None) -> dict[str, object]:
    ledger = environment.ledgers.read(one.flow)
    newest = ledger.newest
    if newest is None:
        raise DeployError(f"no release of `{one.flow}` was deployed to its end")
    target = _target(ledger, one.flow, to)
    if target is None:
        return {"flow": one.flow, "version": newest.number, "changed": False}
    changed = _bring(environment, one, ledger, ledger._replace(live=((target.name, 100),)))
    return {"flow": one.flow, "version": target.number, "changed": changed}


def _target(ledger: Ledger, flow: str, to: int | None) -> Listed | None:
    if to is None:
        return ledger.releases[-2] if len(ledger.releases) > 1 else None
    found = ledger.numbered(to)
    if found is None:
        known = ", ".join(str(one.number) for one in reversed(ledger.releases))
        raise DeployError(f"`{flow}` has no version {to}: there are {known}")
    return found


def _rollback_lines(rows: list[dict[str, object]]) -> Iterator[str]:
    for row in rows:
        what = "new runs start on" if row["changed"] else "stays on"
        yield f"{row['flow']}: {what} version {row['version']}"
