"""`perdure destroy`: says what would be lost, and removes it only when asked to.

Records of deployments go last: as long as anything is left they name it, so a destroy that was
interrupted is repeated, and finds the rest.
"""

from collections.abc import Iterator
from itertools import islice

from perdure.deploying.counted import are, counted
from perdure.deployment import Answer, DeployError, Place, Say
from perdure_azure.arm.spelling import API
from perdure_azure.deploy import seams
from perdure_azure.deploy.account import NotThere
from perdure_azure.deploy.deployments import Deployment, is_top
from perdure_azure.deploy.environment import Deployed, Environment
from perdure_azure.deploy.hub import Instance
from perdure_azure.deploy.names import environment_deployment
from perdure_azure.deploy.secrets import AzureSecrets

__all__ = ["destroy"]

SHOWN = 20


def destroy(
    place: Place, say: Say, flow: str | None, *, with_runs: bool, with_data: bool
) -> Answer:
    """Remove an environment, or one of its flows."""
    environment = Environment(place, say)
    flows = [one for one in _settled(environment) if flow in (None, one.flow)]
    if flow is not None and not flows:
        raise DeployError(f"`{flow}` is not deployed in {place.environment.name}")
    shared = _shared(environment) if flow is None else None
    runs = [(one, run) for one in flows for run in _runs(environment, one)]
    live = [(one, run) for one, run in runs if _goes_on(run)]
    kept = len(runs)
    values = _secrets(environment, shared).kept() if _has_vault(environment, shared) else ()
    data: dict[str, object] = {
        "stacks": [one.deployment.name for one in flows] + ([shared.name] if shared else []),
        "live_runs": [run.run for _, run in live],
        "kept_runs": kept,
        "kept_secrets": [*values],
        "destroyed": False,
    }
    lines = [_line(environment, one, run) for one, run in live]
    refused = [*_refused_runs(lines, with_runs), *_refused_data(kept, values, with_data)]
    if refused:
        return Answer(data, tuple(refused), done=False)
    for one in flows:
        _remove(environment, one.deployment, one)
    if shared is not None:
        _remove(environment, shared, None)
    removed = environment.deployments.remove_group() if flow is None else False
    said = "destroyed" if data["stacks"] or removed else "nothing is deployed"
    return Answer({**data, "destroyed": True}, (f"{place.environment.name}: {said}",))


def _settled(environment: Environment) -> Iterator[Deployed]:
    for one in environment.flows():
        found = environment.deployments.settled(one.deployment.name)
        if found is not None:
            yield Deployed(one.flow, found)


def _shared(environment: Environment) -> Deployment | None:
    if environment.shared() is None:
        return None
    return environment.deployments.settled(environment_deployment(environment.place))


def _runs(environment: Environment, one: Deployed) -> list[Instance]:
    """Of a flow; none where its hub is gone already."""
    hub = next((each for each in one.deployment.resources if "/taskHubs/" in each), None)
    if hub is None or not _is_there(environment, hub):
        return []
    return [*environment.hub(one).all()]


def _goes_on(run: Instance) -> bool:
    from perdure_azure.deploy.hub import ENDED

    return run.state.runtime_status not in ENDED


def _has_vault(environment: Environment, shared: Deployment | None) -> bool:
    vault = next((one for one in shared.resources if "/vaults/" in one), None) if shared else None
    return vault is not None and _is_there(environment, vault)


def _secrets(environment: Environment, shared: Deployment | None) -> AzureSecrets:
    vault = shared.outputs.get("vault", "") if shared else ""
    return AzureSecrets(environment.account, vault, environment.place.environment.name)


def _line(environment: Environment, one: Deployed, run: Instance) -> str:
    number = environment.ledgers.read(one.flow).number(run.release)
    return f"{run.run}  {run.flow.rpartition(':')[2]}, version {number or '?'}"


def _refused_runs(lines: list[str], with_runs: bool) -> Iterator[str]:
    if lines and not with_runs:
        what = "it" if len(lines) == 1 else "them"
        said = f"{counted(len(lines), 'run')} {are(len(lines))} under way"
        yield f"{said}, and would be lost; --with-runs stops {what}:"
        yield from (f"  {line}" for line in islice(lines, SHOWN))
        if len(lines) > SHOWN:
            yield f"  and {len(lines) - SHOWN} more"


def _refused_data(kept: int, secrets: tuple[str, ...], with_data: bool) -> Iterator[str]:
    if kept and not with_data:
        what = "it" if kept == 1 else "them"
        yield f"the store keeps {counted(kept, 'run')}; --with-data deletes {what}, for good"
    if secrets and not with_data:
        what, count = ("it" if len(secrets) == 1 else "them"), len(secrets)
        said = f"{counted(count, 'secret')} {are(count)} kept"
        yield f"{said}; --with-data deletes {what}, for good:"
        yield from (f"  {called}" for called in secrets)


def _remove(environment: Environment, deployment: Deployment, one: Deployed | None) -> None:
    """The resources of a deployment, last first, what is beside them, then its record.

    What lies in the group itself goes first: by that a deploy sees that they are not all there.
    """
    if one is not None and _is_there(environment, _storage(environment)):
        environment.ledgers.remove(one.flow)
    last_first = [*reversed(deployment.resources)]
    ordered = sorted(last_first, key=is_top, reverse=True)
    for resource in ordered:
        _delete(environment, resource)
    environment.deployments.remove(deployment.name)


def _storage(environment: Environment) -> str:
    """The id of the storage account."""
    account, name = environment.account, environment.outputs["storage"]
    group = f"/subscriptions/{account.subscription}/resourceGroups/{account.group}"
    return f"{group}/providers/Microsoft.Storage/storageAccounts/{name}"


def _delete(environment: Environment, resource: str) -> None:
    kind = _kind(resource)
    if kind not in API:
        raise DeployError(f"{resource}: this perdure knows no {kind}, and leaves it")
    if not _is_there(environment, resource):
        return
    environment.say(f"{resource.rpartition('/')[2]}: delete {kind}")
    environment.account.arm("DELETE", resource, API[kind])
    while _is_there(environment, resource):
        seams.pause()
    if kind == "Microsoft.KeyVault/vaults":
        _purge(environment, resource)


def _is_there(environment: Environment, resource: str) -> bool:
    try:
        environment.account.arm("GET", resource, API[_kind(resource)])
    except NotThere:
        return False
    return True


def _purge(environment: Environment, vault: str) -> None:
    """A vault that is only deleted keeps its secrets, and its name from the next deploy."""
    account, name = environment.account, vault.rpartition("/")[2]
    path = (
        f"/subscriptions/{account.subscription}/providers/Microsoft.KeyVault/locations"
        f"/{account.region}/deletedVaults/{name}/purge"
    )
    try:
        account.arm("POST", path, API["Microsoft.KeyVault/vaults"])
    except NotThere:
        return


def _kind(resource: str) -> str:
    parts = resource.rpartition("/providers/")[2].split("/")
    return "/".join([parts[0], *parts[1::2]])
