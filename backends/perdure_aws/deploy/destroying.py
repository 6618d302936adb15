"""`perdure destroy`: says what would be lost, and removes it only when asked to.

The store's stack goes last: as long as anything is left, it names the table and the bucket, so a
destroy that was interrupted is repeated, and finds the rest.
"""

from collections.abc import Iterator
from itertools import islice

from botocore.exceptions import ClientError

from perdure.deploying.counted import are, counted
from perdure.deployment import Answer, DeployError, Place, Say
from perdure.store.runs import list_runs
from perdure_aws.deploy.account import code_of
from perdure_aws.deploy.environment import Environment
from perdure_aws.deploy.names import store_stack
from perdure_aws.deploy.orphans import orphans
from perdure_aws.deploy.secrets import AwsSecrets
from perdure_aws.deploy.stacks import Stack
from perdure_aws.deploy.under_way import UnderWay, end_left, stop, under_way

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
    live = {one.flow: [*under_way(environment, one)] for one in flows}
    runs = [each for found in live.values() for each in found if each.is_run]
    kept = _kept(environment, store)
    secrets = AwsSecrets(place, environment.account)
    values = secrets.kept() if flow is None else ()
    data: dict[str, object] = {
        "stacks": [one.stack.name for one in flows] + ([store.name] if store else []),
        "live_runs": [each.execution for each in runs],
        "kept_runs": kept,
        "kept_secrets": [*values],
        "destroyed": False,
    }
    refused = [*_refused_runs(runs, with_runs), *_refused_data(kept, values, with_data)]
    if refused:
        return Answer(data, tuple(refused), done=False)
    for one in flows:
        stop(environment, one, live[one.flow])
    environment.stacks.delete([one.stack.name for one in flows])
    if flow is not None:
        end_left(environment, frozenset(ref for one in flows for ref in one.machines))
    for called in values:
        say(f"{called}: delete")
        secrets.remove_kept(called)
    if store is not None:
        _remove_store(environment, store)
    name = place.environment.name
    left = orphans(environment) if flow is None else ()
    said = [f"{name}: destroyed"]
    if not data["stacks"] and not values:
        said = [f"{name}: nothing is deployed; `perdure status {name}` looks in other regions"]
    data["orphans"] = [one.data() for one in left]
    return Answer({**data, "destroyed": True}, (*said, *(one.line() for one in left)))


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


def _refused_runs(runs: list[UnderWay], with_runs: bool) -> Iterator[str]:
    count = len(runs)
    if count and not with_runs:
        what = "it" if count == 1 else "them"
        yield f"{counted(count, 'run')} {are(count)} under way, and would be lost; --with-runs" + (
            f" stops {what}:"
        )
        for one in islice(runs, SHOWN):
            yield f"  {one.name}  {one.flow.rpartition(':')[2]}, version {one.version or '?'}"
        if count > SHOWN:
            yield f"  and {count - SHOWN} more"


def _refused_data(kept: int, secrets: tuple[str, ...], with_data: bool) -> Iterator[str]:
    if kept and not with_data:
        what = "it" if kept == 1 else "them"
        yield f"the store keeps {counted(kept, 'run')}; --with-data deletes {what}, for good"
    if secrets and not with_data:
        count = len(secrets)
        what = "it" if count == 1 else "them"
        yield f"{counted(count, 'secret')} {are(count)} kept; --with-data deletes {what}, for good:"
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
