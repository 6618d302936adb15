"""`perdure destroy`: says what would be lost, and removes it only when asked to.

The store goes last: as long as anything is left, it says what, so a destroy that was interrupted
is repeated, and finds the rest.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from perdure.deploying.counted import are, counted
from perdure.deployment import Answer, DeployError, Place, Say
from perdure.store.runs import list_runs
from perdure_gcp.deploy.environment import Environment
from perdure_gcp.deploy.record import Deployed, write
from perdure_gcp.deploy.secrets import GcpSecrets
from perdure_gcp.deploy.under_way import UnderWay, end_left, stop, under_way

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
    live = {one.flow: [*under_way(environment, one)] for one in flows}
    running = [each for found in live.values() for each in found if each.is_run]
    kept = len(list_runs(environment.store)) if whole and environment.is_there else 0
    secrets = GcpSecrets(place, environment.api)
    held = secrets.kept() if whole else ()
    values = tuple(one for one in held if secrets.has_value(one))
    has_bucket = whole and environment.kinds.find(environment.bucket) is not None
    there = [environment.parameters["Database"]] if whole and environment.is_there else []
    data: dict[str, object] = {
        "stacks": [one.name for one in flows] + there,
        "live_runs": [each.execution for each in running],
        "kept_runs": kept,
        "kept_secrets": [*values],
        "destroyed": False,
    }
    refused = [*_refused_runs(running, with_runs), *_refused_data(kept, values, with_data)]
    if refused:
        return Answer(data, tuple(refused), done=False)
    for one in flows:
        stop(environment, one, live[one.flow])
        _remove_flow(environment, one)
    if flow is not None:
        end_left(environment, frozenset(ref for one in flows for ref in one.refs()))
    _remove_shared(environment, held, has_bucket=has_bucket, has_store=bool(there))
    said = "destroyed" if data["stacks"] or held or has_bucket else "nothing is deployed"
    return Answer({**data, "destroyed": True}, (f"{place.environment.name}: {said}",))


def _remove_shared(
    environment: Environment, held: Iterable[str], *, has_bucket: bool, has_store: bool
) -> None:
    """Secrets, code, and last the store."""
    secrets = GcpSecrets(environment.place, environment.api)
    for called in held:
        environment.say(f"{called}: delete")
        secrets.remove_kept(called)
    if has_bucket:
        environment.say(f"{environment.bucket.name}: delete")
        environment.empty_bucket()
        environment.kinds.remove(environment.bucket)
    if has_store:
        _remove_store(environment)


def _refused_runs(runs: list[UnderWay], with_runs: bool) -> Iterator[str]:
    count = len(runs)
    if count and not with_runs:
        what = "it" if count == 1 else "them"
        yield (
            f"{counted(count, 'run')} {are(count)} under way, and would be lost; --with-runs"
            f" stops {what}:"
        )
        for one in islice(runs, SHOWN):
            yield f"  {one.run}  {one.flow.rpartition(':')[2]}, version {one.version}"
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
