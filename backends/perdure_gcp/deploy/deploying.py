"""`perdure deploy` and `rollback`.

In order: what all flows share, uploads, then each flow: what it wants is noted in the run store,
its resources are made, the release gets its number and its share of new runs, and what no release
wants any more goes. A flow that the project no longer has is named, and left: runs may be under
way in it.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.deploying.packages import Package
from perdure.deployment import Answer, DeployError, Place, Say
from perdure.sites.state import fields, text
from perdure_gcp.deploy.applying import apply, of_this_place, point
from perdure_gcp.deploy.environment import Environment, Filling, Unknown
from perdure_gcp.deploy.kinds import Resource
from perdure_gcp.deploy.names import flow_name, parameters
from perdure_gcp.deploy.packages import package
from perdure_gcp.deploy.places import keep_places
from perdure_gcp.deploy.record import (
    Deployed,
    Number,
    Share,
    kept,
    key_of,
    read,
    wanted,
    write,
)
from perdure_gcp.deploy.releases import Release, read_releases
from perdure_gcp.deploy.retiring import retired
from perdure_gcp.deploy.secrets import GcpSecrets, missing_lines

__all__ = ["Prepared", "deploy", "filling_for", "missing_secrets", "prepare", "rollback"]


@final
class Prepared(NamedTuple):
    """A release, its code, and what it is called."""

    release: Release
    package: Package
    id: str
    """Of all that it is made of: the same again is the same release."""


def prepare(place: Place, say: Say) -> tuple[Prepared, ...]:
    """What is going to be deployed."""
    found: list[Prepared] = []
    for release in read_releases(place):
        built = package(place, release, say)
        resources = of_this_place(release.deployment, place)
        made = [resources, built.key, place.environment.memory, place.environment.region]
        files = [release.text(path) for path in _files(resources)]
        listed = json.dumps([made, files])
        found.append(Prepared(release, built, f"r{sha256(listed.encode()).hexdigest()[:10]}"))
    return tuple(found)


def _files(value: Json) -> Iterator[str]:
    """The artifacts that resources name."""
    if isinstance(value, dict):
        if [*value] == ["file"]:
            yield text(value["file"])
        for one in value.values():
            yield from _files(one)


def filling_for(place: Place, one: Prepared) -> Filling:
    """What fills in the resources of a flow."""
    known = {
        **parameters(place, one.release.flow),
        "Code": one.package.key,
        "Release": one.id,
    }
    return Filling(known, one.release.text)


def deploy(place: Place, say: Say, weight: int) -> Answer:
    """Bring an environment to what was compiled."""
    if not 1 <= weight <= 100:
        raise DeployError(f"a weight is 1 to 100 percent, not {weight}; `rollback` takes all back")
    prepared = prepare(place, say)
    environment = Environment(place, say)
    shared = of_this_place(prepared[0].release.environment, place)
    filling = Filling(environment.parameters, prepared[0].release.text)
    changed = apply(environment, shared, filling)
    environment.own(claim=True)
    done = [("store", environment.parameters["Database"], changed)]
    for one in prepared:
        environment.upload(
            one.package.key, one.package.path.read_bytes, f"{one.release.flow}: code"
        )
        environment.store.put_blob(one.release.source)
    done += [_deploy_flow(environment, one, weight) for one in prepared]
    return _told(environment, prepared, done)


def _told(
    environment: Environment, prepared: tuple[Prepared, ...], done: list[tuple[str, str, bool]]
) -> Answer:
    place, standing = environment.place, environment.flows()
    ours = {one.release.flow for one in prepared}
    left = [one for one in standing if one.flow not in ours]
    missing = missing_secrets(environment, prepared)
    lines = [f"{name}: {'deployed' if changed else 'unchanged'}" for name, _, changed in done[1:]]
    lines += [
        f"`{one.flow}` is deployed and no longer in the project: its runs go on;"
        f" `perdure destroy {place.environment.name} --flow {one.flow}` removes it"
        for one in left
    ]
    lines += [f"{one.flow}: webhook {url}" for one in standing for url in one.webhooks]
    lines += missing_lines(missing, place.environment.name)
    data: dict[str, object] = {
        "deployed": [{"name": n, "stack": s, "changed": c} for n, s, c in done],
        "left_over": [one.flow for one in left],
        "webhooks": {one.flow: list(one.webhooks) for one in standing if one.webhooks},
        "missing_secrets": missing,
    }
    return Answer(data, tuple(lines))


def missing_secrets(environment: Environment, prepared: tuple[Prepared, ...]) -> list[str]:
    """The secrets that code reads and nobody has set."""
    named = sorted({name for one in prepared for name in one.release.secrets})
    secrets = GcpSecrets(environment.place, environment.api)
    there = secrets.present(named) if named else frozenset[str]()
    return [name for name in named if name not in there]


def _deploy_flow(environment: Environment, one: Prepared, weight: int) -> tuple[str, str, bool]:
    place, flow = environment.place, one.release.flow
    name = flow_name(place, flow)
    before = read(environment.store, flow, name)
    if before.entries and before.flow != flow:
        raise DeployError(
            f"{name} is there already, and is of flow `{before.flow}`: rename one of the two"
        )
    resources = of_this_place(one.release.deployment, place)
    filling = filling_for(place, one)
    noted = _noted(environment, before._replace(flow=flow), resources, filling, one.id)
    changed = apply(environment, resources, filling, noted)
    keep_places(environment.store, name, one.id, one.release)
    made = [filling.resource(*row) for row in resources.items()]
    keys = {key_of(resource) for resource in made}
    after = wanted(noted, made, one.id)._replace(
        releases=_numbered(noted, _number(one, filling)),
        webhooks=_webhooks(one.release, filling),
        live=shares_for(noted, one.id, weight),
    )
    # What a deploy that was given up had begun is no release; what is too old retires.
    after, gone = kept(retired(environment, after), keys, one.id)
    if after._replace(entries=()) != noted._replace(entries=()):
        # New runs start there from here on. What is to go stays noted until it has gone.
        noted = write(environment.store, after._replace(entries=noted.entries))
    changed = point(environment, noted) or changed
    for resource in reversed(gone):
        if resource.kind != "secret":
            environment.say(f"{flow}: remove {resource.id}")
            environment.kinds.remove(resource)
    if noted.entries != after.entries:
        write(environment.store, noted._replace(entries=after.entries))
    return flow, name, changed or bool(gone) or _ways(before) != _ways(after)


def _ways(record: Deployed) -> object:
    """Where new runs start."""
    return record.live, [one.release for one in record.releases]


def _noted(
    environment: Environment,
    before: Deployed,
    resources: Mapping[str, Json],
    filling: Filling,
    release: str,
) -> Deployed:
    """Note what is about to be made. A binding whose member is not there yet is on a resource of
    the flow's own, and goes with it.
    """
    found: list[Resource] = []
    for logical, given in resources.items():
        if fields(given)["kind"] not in ("binding", "role"):
            found.append(filling.name(logical, given))
            continue
        try:
            found.append(filling.resource(logical, given))
        except Unknown:
            continue
    noted = wanted(before, found, release)
    return noted if noted == before else write(environment.store, noted)


def _number(one: Prepared, filling: Filling) -> Number:
    workflows = {
        ref: filling.name(text(logical), fields(one.release.deployment["resources"])[text(logical)])
        for ref, logical in fields(one.release.deployment["workflows"]).items()
    }
    named = {ref: resource.name for ref, resource in workflows.items()}
    return Number(0, one.id, named, datetime.now(UTC).isoformat(timespec="seconds"))


def _numbered(record: Deployed, made: Number) -> tuple[Number, ...]:
    """The releases with the one that was made last at the end."""
    newest = record.newest
    if newest is not None and newest.release == made.release:
        return record.releases
    number = 1 if newest is None else newest.number + 1
    others = tuple(one for one in record.releases if one.release != made.release)
    return (*others, made._replace(number=number))


def _webhooks(release: Release, filling: Filling) -> tuple[str, ...]:
    paths, url = release.deployment["webhooks"], filling.known("Door.uri")
    return tuple(f"{url}{path}" for path in paths) if isinstance(paths, list) else ()


def shares_for(record: Deployed, release: str, weight: int) -> tuple[Share, ...]:
    """Who gets the new runs: beside the newest, the release that gets most of them now."""
    newest = record.newest
    if weight == 100 or newest is None:
        return (Share(release, 100),)
    others = [one.release for one in record.live if one.release != release]
    if newest.release == release:  # deployed before: only the share moves
        if not others:
            return (Share(release, 100),)
        stable = others[0]
    else:
        its = next((one.weight for one in record.live if one.release == newest.release), 0)
        older = [one for one in others if one != newest.release]
        stable = older[0] if its < 50 and older else newest.release
    shares = [Share(stable, 100 - weight), Share(release, weight)]
    return tuple(sorted(shares, key=lambda one: -one.weight))


def rollback(place: Place, say: Say, flow: str | None, to: int | None) -> Answer:
    """Start new runs on an older version again; repeating it changes nothing more."""
    environment = Environment(place, say)
    found = [one for one in environment.flows() if flow in (None, one.flow) and one.releases]
    if not found:
        name = flow or place.environment.name
        raise DeployError(f"`{name}` is not deployed in {place.environment.name}")
    if to is not None and flow is None and len(found) > 1:
        raise DeployError("versions are counted per flow: say which with --flow")
    rows: list[dict[str, object]] = []
    for one in found:
        target = _rollback_target(one, to)
        live = (Share(target.release, 100),)
        if one.live != live:
            write(environment.store, one._replace(live=live))
        point(environment, one._replace(live=live))
        rows.append({"flow": one.flow, "version": target.number, "changed": one.live != live})
    return Answer({"rolled_back": rows}, tuple(_rollback_lines(rows)))


def _rollback_lines(rows: list[dict[str, object]]) -> Iterator[str]:
    for row in rows:
        what = "new runs start on" if row["changed"] else "stays on"
        yield f"{row['flow']}: {what} version {row['version']}"


def _rollback_target(one: Deployed, to: int | None) -> Number:
    if to is not None:
        for number in one.releases:
            if number.number == to:
                return number
        known = ", ".join(str(number.number) for number in reversed(one.releases))
        raise DeployError(f"`{one.flow}` has no version {to}: there are {known}")
    *_, newest = one.releases
    older = one.releases[:-1]
    return older[-1] if older else newest
