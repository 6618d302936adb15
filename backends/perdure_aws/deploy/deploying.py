"""`perdure deploy` and `rollback`.

In order: the environment's stack, uploads, the flows' stacks, releases that retire. Each is found
as it was left and brought on; what is there already costs a look. A flow that the project no
longer has is named, and left: runs may be under way in it.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple, final

from perdure.deploying.packages import Package
from perdure.deployment import Answer, DeployError, Place, Say
from perdure_aws.deploy.account import Account
from perdure_aws.deploy.environment import Deployed, Environment, parameters, release_of
from perdure_aws.deploy.machines import number_of
from perdure_aws.deploy.names import flow_stack, store_stack, tags, too_long
from perdure_aws.deploy.orphans import left_over, left_over_lines
from perdure_aws.deploy.packages import package
from perdure_aws.deploy.releases import Release, read_releases
from perdure_aws.deploy.retiring import retire
from perdure_aws.deploy.secrets import AwsSecrets, missing_lines
from perdure_aws.deploy.shares import all_to, shares_for
from perdure_aws.deploy.stacks import NEVER_MADE, Stack

__all__ = [
    "Prepared",
    "deploy",
    "given_to",
    "missing_secrets",
    "prepare",
    "rollback",
    "template_url",
    "upload_template",
]


@final
class Prepared(NamedTuple):
    """A release, and its code."""

    release: Release
    package: Package


def prepare(place: Place, say: Say) -> tuple[Prepared, ...]:
    """What is going to be deployed; what AWS would not take is refused."""
    releases = read_releases(place)
    refused = [why for one in releases for why in too_long(place, one.flow, one.template)]
    if refused:
        raise DeployError("; ".join(refused))
    return tuple(Prepared(one, package(place, one, say)) for one in releases)


def deploy(place: Place, say: Say, weight: int) -> Answer:
    """Bring an environment to what was compiled."""
    if not 1 <= weight <= 100:
        raise DeployError(f"a weight is 1 to 100 percent, not {weight}; `rollback` takes all back")
    prepared = prepare(place, say)
    environment = Environment(place, say)
    _, changed = environment.stacks.apply(
        store_stack(place), prepared[0].release.store, {}, tags(place)
    )
    _refuse_half_destroyed(environment)
    done = [("store", store_stack(place), changed)]
    for one in prepared:
        _upload(environment, one)
        environment.store.put_blob(one.release.source)
    _refuse_lost_functions(environment, prepared)
    done += [_deploy_flow(environment, one, weight) for one in prepared]
    standing = environment.flows()
    for flow in standing:
        retire(environment, flow)
    left = left_over(environment, frozenset(one.release.flow for one in prepared))
    missing = missing_secrets(place, environment.account, prepared)
    rows = [{"name": n, "stack": s, "changed": c} for n, s, c in done]
    lines = [f"{name}: {'deployed' if changed else 'unchanged'}" for name, _, changed in done[1:]]
    lines += left_over_lines(place, left)
    lines += [f"{one.flow}: webhook {url}" for one in standing for url in one.webhooks]
    lines += missing_lines(missing, place.environment.name)
    data: dict[str, object] = {
        "deployed": rows,
        "left_over": left,
        "webhooks": {one.flow: list(one.webhooks) for one in standing if one.webhooks},
        "missing_secrets": missing,
    }
    return Answer(data, tuple(lines))


def missing_secrets(place: Place, account: Account, prepared: tuple[Prepared, ...]) -> list[str]:
    """The secrets that code reads and nobody has set."""
    named = sorted({name for one in prepared for name in one.release.secrets})
    there = AwsSecrets(place, account).present(named) if named else frozenset[str]()
    return [name for name in named if name not in there]


def _upload(environment: Environment, one: Prepared) -> None:
    bucket, release = environment.bucket, one.release
    bucket.put(one.package.key, one.package.path.read_bytes(), f"{release.flow}: code")
    for path, text in release.definitions.items():
        bucket.put(f"{release.prefix}/{path}", text.encode(), f"{release.flow}: {path}")
    upload_template(environment, one)


def upload_template(environment: Environment, one: Prepared) -> None:
    """CloudFormation reads a long template from the bucket."""
    template, flow = one.release.template, one.release.flow
    environment.bucket.put(_template_key(one), template.encode(), f"{flow}: template")


def _template_key(one: Prepared) -> str:
    return f"templates/{release_of(one.release, one.package)}.json"


def template_url(environment: Environment, one: Prepared) -> str:
    """Where CloudFormation finds a template that is too long for a request."""
    return environment.bucket.url(_template_key(one))


def _deploy_flow(environment: Environment, one: Prepared, weight: int) -> tuple[str, str, bool]:
    place, release = environment.place, one.release
    name = flow_stack(place, release.flow)
    stack = environment.stacks.settled(name)
    _, changed = environment.stacks.apply(
        name,
        release.template,
        given_to(environment, one, stack, weight),
        tags(place, release.flow),
        template_url(environment, one),
    )
    return release.flow, name, changed


def given_to(
    environment: Environment, one: Prepared, stack: Stack | None, weight: int
) -> dict[str, str]:
    """The parameters of a deploy. `stack`: as it stands, None before the first."""
    standing = None if stack is None or stack.status in NEVER_MADE else stack
    content = release_of(one.release, one.package)
    shares = shares_for(environment, one.release.flow, standing, content, weight)
    return parameters(environment, one.release, one.package, standing, shares)


def _refuse_half_destroyed(environment: Environment) -> None:
    """The store's stack names a bucket or a table that is gone: a destroy was interrupted.

    Only `destroy` deletes data, so it is not brought to its end here.
    """
    gone = environment.bucket.name if not environment.bucket.exists() else ""
    if not gone and not environment.has_table():
        gone = environment.table
    if gone:
        name = environment.place.environment.name
        raise DeployError(
            f"`{name}` was half destroyed ({gone} is gone): run `perdure destroy {name}"
            " --with-data` to its end, then deploy"
        )


def _refuse_lost_functions(environment: Environment, prepared: tuple[Prepared, ...]) -> None:
    """A group that is gone takes its function along, which runs under way still call."""
    for one in prepared:
        stack = environment.stacks.settled(flow_stack(environment.place, one.release.flow))
        if stack is None:
            continue
        outputs: dict[str, object] = json.loads(one.release.template)["Outputs"]
        lost = [name for name in stack.outputs if name.startswith("Sites") and name not in outputs]
        machines = Deployed(one.release.flow, stack).machines.values() if lost else ()
        running = [run for arn in machines for run in environment.machines.running(arn)]
        if running:
            raise DeployError(
                f"`{one.release.flow}` has no function {', '.join(lost)} any more, and"
                f" {len(running)} runs under way call it: keep the group until they have ended"
            )


def rollback(place: Place, say: Say, flow: str | None, to: int | None) -> Answer:
    """Start new runs on an older version again; repeating it changes nothing more."""
    environment = Environment(place, say)
    found = [one for one in environment.settled_flows() if flow in (None, one.flow)]
    if not found:
        name = flow or place.environment.name
        raise DeployError(f"`{name}` is not deployed in {place.environment.name}")
    if to is not None and flow is None and len(found) > 1:
        raise DeployError("versions are counted per flow: say which with --flow")
    rows: list[dict[str, object]] = []
    for one in found:
        target = _rollback_target(environment, one, to)
        if target is None:
            version = number_of(one.newest)
            rows.append({"flow": one.flow, "version": version, "changed": False, "first": True})
            continue
        shares = all_to(environment, one, target)
        _, changed = environment.stacks.change_parameters(one.stack, shares)
        row: dict[str, object] = {
            "flow": one.flow,
            "version": number_of(target),
            "changed": changed,
        }
        if one.door and target != one.newest and shares["StableDoor"] == "none":
            row["door"] = number_of(one.newest)
        rows.append(row)
    return Answer({"rolled_back": rows}, tuple(_rollback_lines(rows)))


def _rollback_lines(rows: list[dict[str, object]]) -> Iterator[str]:
    for row in rows:
        what = "new runs start on" if row["changed"] else "stays on"
        older = ", which has none before it" if row.get("first") else ""
        yield f"{row['flow']}: {what} version {row['version']}{older}"
        if "door" in row:
            yield (
                f"{row['flow']}: that version has no webhooks, links or schedules; those of version"
                f" {row['door']} stay, and start their runs on it"
            )


def _rollback_target(environment: Environment, one: Deployed, to: int | None) -> str | None:
    versions = environment.machines.versions(one.machine)
    if to is not None:
        for version in versions:
            if number_of(version) == to:
                return version
        known = ", ".join(str(number_of(version)) for version in versions)
        raise DeployError(f"`{one.flow}` has no version {to}: there are {known}")
    older = [version for version in versions if number_of(version) < number_of(one.newest)]
    return older[0] if older else None
