"""`perdure destroy`: says what would be lost, and removes it only when asked to.

The store's stack goes last: as long as anything is left, it names the table and the bucket, so a
destroy that was interrupted is repeated, and finds the rest.
"""

from collections.abc import Iterator
from itertools import islice

from botocore.exceptions import ClientError

from perdure.deployment import Answer, DeployError, Place, Say
from perdure.store.runs import list_runs
from perdure_aws.deploy.account import code_of
from perdure_aws.deploy.environment import Deployed, Environment
from perdure_aws.deploy.machines import number_of
from perdure_aws.deploy.names import store_stack
from perdure_aws.deploy.secrets import AwsSecrets
from perdure_aws.deploy.stacks import Stack

__all__ = ["destroy"]

SHOWN = 20


def destroy(
    place: Place, say: Say, flow: str | None, *, with_runs: bool, with_data: bool
) -> Answer:
    """Remove an environment, or one of its flows."""
    environment = Environment(place, say)
    flows = [one for one in environment.settled_flows() if flow in (None, one.flow)]
    if flow is not None and not flows:
        raise DeployError(f"`{flow}` is not deployed in {place.environment.name}")
    store = environment.stacks.settled(store_stack(place)) if flow is None else None
    live = [execution for one in flows for execution in _running(environment, one)]
    kept = _kept(environment, store)
    secrets = AwsSecrets(place, environment.account)
    values = secrets.kept() if flow is None else ()
    data: dict[str, object] = {
        "stacks": [one.stack.name for one in flows] + ([store.name] if store else []),
        "live_runs": [execution for _, execution in live],
        "kept_runs": kept,
        "kept_secrets": [*values],
        "destroyed": False,
    }
    refused = [*_refused_runs(live, with_runs), *_refused_data(kept, values, with_data)]
    if refused:
        return Answer(data, tuple(refused), done=False)
    for _, execution in live:
        environment.machines.stop(execution, "its environment was destroyed")
    environment.stacks.delete([one.stack.name for one in flows])
    for called in values:
        say(f"{called}: delete")
        secrets.remove(called)
    if store is not None:
        _remove_store(environment, store)
    said = "destroyed" if data["stacks"] or values else "nothing is deployed"
    return Answer({**data, "destroyed": True}, (f"{place.environment.name}: {said}",))


def _running(environment: Environment, one: Deployed) -> Iterator[tuple[str, str]]:
    """What is under way, with a line about it. A child may outlive the run that started it."""
    for ref, machine in one.machines.items():
        for execution, version in environment.machines.running(machine):
            number = number_of(version) if version else "?"
            name = execution.rpartition(":")[2]
            yield f"{name}  {ref.rpartition(':')[2]}, version {number}", execution


def _kept(environment: Environment, store: Stack | None) -> int:
    """How many runs the store knows; 0 when it is gone."""
    if store is None or "Table" not in store.outputs:
        return 0
    try:
        return len(list_runs(environment.store))
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return 0
        raise


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


def _remove_store(environment: Environment, store: Stack) -> None:
    if "Bucket" in store.outputs:
        environment.say(f"{store.outputs['Bucket']}: delete")
        environment.bucket.remove()
    if "Table" in store.outputs:
        environment.say(f"{store.outputs['Table']}: delete")
        _remove_table(environment, store.outputs["Table"])
    environment.stacks.delete([store.name])


def _remove_table(environment: Environment, table: str) -> None:
    client = environment.account.dynamodb
    try:
        client.update_table(TableName=table, DeletionProtectionEnabled=False)
        client.get_waiter("table_exists").wait(TableName=table)
        client.delete_table(TableName=table)
    except ClientError as error:
        # Gone, or on its way: an earlier destroy came that far.
        if code_of(error) not in ("ResourceNotFoundException", "ResourceInUseException"):
            raise
    client.get_waiter("table_not_exists").wait(TableName=table)
