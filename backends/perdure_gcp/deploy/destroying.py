"""`perdure destroy`: says what would be lost, and removes it only when asked to.

The store goes last: as long as anything is left, it says what, so a destroy that was interrupted
is repeated, and finds the rest.
"""

from collections.abc import Iterator
from itertools import islice

from perdure.deployment import Answer, DeployError, Place, Say
from perdure.store.runs import list_runs
from perdure_gcp.deploy.environment import Environment
from perdure_gcp.deploy.record import Deployed, write
from perdure_gcp.deploy.secrets import GcpSecrets

__all__ = ["destroy"]

SHOWN = 20


def destroy(
    place: Place, say: Say, flow: str | None, *, with_runs: bool, with_data: bool
) -> Answer:
    """Remove an environment, or one of its flows."""
    environment = Environment(place, say)
    if environment.is_there:
        environment.own(claim=False)
    flows = [one for one in environment.flows() if flow in (None, one.flow)]
    if flow is not None and not flows:
        raise DeployError(f"`{flow}` is not deployed in {place.environment.name}")
    whole = flow is None
    live = [execution for one in flows for execution in _running(environment, one)]
    runs = len(list_runs(environment.store)) if whole and environment.is_there else 0
    secrets = GcpSecrets(place, environment.api)
    held = secrets.kept() if whole else ()
    values = tuple(one for one in held if secrets.has_value(one))
    has_bucket = whole and environment.kinds.find(environment.bucket) is not None
    there = [environment.parameters["Database"]] if whole and environment.is_there else []
    data: dict[str, object] = {
        "stacks": [one.name for one in flows] + there,
        "live_runs": [execution for _, execution in live],
        "kept_runs": runs,
        "kept_secrets": [*values],
        "destroyed": False,
    }
    refused = [*_refused_runs(live, with_runs), *_refused_data(runs, values, with_data)]
    if refused:
        return Answer(data, tuple(refused), done=False)
    for _, execution in live:
        environment.stop(execution)
    for one in flows:
        _remove_flow(environment, one)
    for called in held:
        say(f"{called}: delete")
        secrets.remove(called)
    if has_bucket:
        say(f"{environment.bucket.name}: delete")
        environment.empty_bucket()
        environment.kinds.remove(environment.bucket)
    if there:
        _remove_store(environment)
    said = "destroyed" if data["stacks"] or held or has_bucket else "nothing is deployed"
    return Answer({**data, "destroyed": True}, (f"{place.environment.name}: {said}",))


def _running(environment: Environment, one: Deployed) -> Iterator[tuple[str, str]]:
    """What is under way, with a line about it. A child may outlive the run that started it."""
    for workflow, (ref, number) in one.workflows().items():
        for execution in environment.running(workflow):
            name = execution.rpartition("/")[2]
            yield f"{name}  {ref.rpartition(':')[2]}, version {number}", execution


def _refused_runs(live: list[tuple[str, str]], with_runs: bool) -> Iterator[str]:
    if live and not with_runs:
        yield f"{len(live)} runs are under way, and would be lost; --with-runs stops them:"
        yield from (f"  {line}" for line, _ in islice(live, SHOWN))
        if len(live) > SHOWN:
            yield f"  and {len(live) - SHOWN} more"


def _refused_data(kept: int, secrets: tuple[str, ...], with_data: bool) -> Iterator[str]:
    if kept and not with_data:
        yield f"the store keeps {kept} runs; --with-data deletes them, for good"
    if secrets and not with_data:
        yield f"{len(secrets)} secrets are kept; --with-data deletes them, for good:"
        yield from (f"  {called}" for called in secrets)


def _remove_flow(environment: Environment, one: Deployed) -> None:
    """What was made last goes first. Secrets stay: other flows may read them."""
    for entry in reversed(one.entries):
        if entry.resource.kind != "secret":
            environment.say(f"{one.flow}: remove {entry.resource.id}")
            environment.kinds.remove(entry.resource)
    empty = Deployed(one.flow, one.name, version=one.version)
    write(environment.store, empty)


def _remove_store(environment: Environment) -> None:
    database = environment.database
    environment.say(f"{database.name}: delete")
    open_to = {"deleteProtectionState": "DELETE_PROTECTION_DISABLED"}
    environment.kinds.change(database._replace(body=open_to), ("deleteProtectionState",))
    environment.kinds.remove(database)
