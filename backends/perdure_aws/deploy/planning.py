"""`perdure plan` and `status`: look, and change nothing."""

import json
from collections.abc import Iterator, Mapping

from perdure.codec import Json
from perdure.deployment import Answer, Place, Say
from perdure_aws.deploy.deploying import (
    Prepared,
    prepare,
    shares_for,
    template_url,
    upload_template,
)
from perdure_aws.deploy.difference import differences
from perdure_aws.deploy.environment import Deployed, Environment, parameters
from perdure_aws.deploy.machines import number_of
from perdure_aws.deploy.names import flow_stack, store_stack
from perdure_aws.deploy.packages import Package
from perdure_aws.deploy.releases import DEFINITION
from perdure_aws.deploy.stacks import GOOD, Change, Stack

__all__ = ["plan", "status"]

SIGNS = {"add": "+", "change": "~", "replace": "±", "remove": "-"}


def plan(place: Place, say: Say) -> Answer:
    """What `deploy` would do."""
    prepared = prepare(place, say)
    environment = Environment(place, say)
    store = environment.store_stack()
    rows: list[dict[str, object]] = [
        _plan_store(environment, prepared[0].release.store, store),
        *(_plan_flow(environment, one, store) for one in prepared),
    ]
    changes = any(row["resources"] or row["machine"] for row in rows)
    lines = [line for row in rows for line in _plan_lines(row)]
    return Answer({"plan": rows, "changes": changes}, (*lines, *_summary(rows)))


def _plan_flow(environment: Environment, one: Prepared, store: Stack | None) -> dict[str, object]:
    release = one.release
    name = flow_stack(environment.place, release.flow)
    stack = environment.stacks.find(name) if store is not None else None
    if stack is None or stack.status not in GOOD:
        changes = _all_new(release.template)
    else:
        given = parameters(environment, release, one.package, shares_for(stack, one, 100))
        upload_template(environment, one)
        url = template_url(environment, one)
        changes = environment.stacks.changes(name, release.template, given, url)
    old = _live_definition(environment, release.flow, stack)
    new: dict[str, Json] = json.loads(release.definitions[DEFINITION])
    return {
        **_row(release.flow, name, stack, changes),
        "machine": [one._asdict() for one in differences(old, new)] if old is not None else [],
        "code": _size(one.package),
    }


def _plan_store(environment: Environment, template: str, store: Stack | None) -> dict[str, object]:
    name = store_stack(environment.place)
    if store is None or store.status not in GOOD:
        return _row("store", name, store, _all_new(template))
    return _row("store", name, store, environment.stacks.changes(name, template, {}))


def _all_new(template: str) -> tuple[Change, ...]:
    made: dict[str, dict[str, Json]] = json.loads(template)["Resources"]
    return tuple(Change("add", logical, str(one["Type"])) for logical, one in made.items())


def _row(
    what: str, name: str, stack: Stack | None, changes: tuple[Change, ...]
) -> dict[str, object]:
    return {
        "name": what,
        "stack": name,
        "new": stack is None or stack.status not in GOOD,
        "resources": [
            {"action": one.action, "resource": one.logical_id, "type": one.kind} for one in changes
        ],
        "machine": [],
    }


def _live_definition(
    environment: Environment, flow: str, stack: Stack | None
) -> Mapping[str, Json] | None:
    """What most new runs do now."""
    if stack is None or "Live" not in stack.outputs:
        return None
    shares = environment.machines.shares(Deployed(flow, stack).alias)
    return environment.machines.definition(shares[0].version) if shares else None


def _size(package: Package) -> dict[str, object]:
    return {"zip_bytes": package.size, "unzipped_bytes": package.unzipped}


def _plan_lines(row: Mapping[str, object]) -> Iterator[str]:
    resources, machine = row["resources"], row["machine"]
    assert isinstance(resources, list), "a plan lists resources"
    assert isinstance(machine, list), "a plan lists states"
    state = "new" if row["new"] else ("changes" if resources else "unchanged")
    yield f"{row['name']}  ({row['stack']}): {state}"
    for one in resources:
        yield f"  {SIGNS[one['action']]} {one['resource']}  {one['type']}"
    for one in machine:
        sign = SIGNS[one["action"]]
        yield f"  machine {sign} {one['state']}  {one['place']}  {one['what']}".rstrip()


def _summary(rows: list[dict[str, object]]) -> Iterator[str]:
    counts = dict.fromkeys(SIGNS, 0)
    for row in rows:
        resources = row["resources"]
        for one in resources if isinstance(resources, list) else ():
            counts[one["action"]] += 1
    said = ", ".join(f"{count} to {action}" for action, count in counts.items() if count)
    yield said or "nothing to change"


def status(place: Place, say: Say) -> Answer:
    """What is deployed, and where new runs start."""
    environment = Environment(place, say)
    store = environment.store_stack()
    rows = [_status_row(environment, one) for one in environment.flows()]
    data: dict[str, object] = {
        "account": environment.account.id,
        "region": environment.account.region,
        "store": None if store is None else {"status": store.status, **store.outputs},
        "flows": rows,
    }
    if store is None:
        return Answer(data, (f"`{place.environment.name}` is not deployed",))
    return Answer(data, tuple(_status_lines(rows)))


def _status_row(environment: Environment, one: Deployed) -> dict[str, object]:
    whole = one.stack.status in GOOD and bool(one.machine)
    shares = environment.machines.shares(one.alias) if whole else ()
    running: dict[int, int] = {}
    for _, version in environment.machines.running(one.machine) if one.machine else ():
        number = number_of(version) if version else 0
        running[number] = running.get(number, 0) + 1
    return {
        "flow": one.flow,
        "stack": one.stack.name,
        "status": one.stack.status,
        "updated": None if one.stack.updated is None else one.stack.updated.isoformat(),
        "newest": number_of(one.newest) if one.newest else None,
        "live": [{"version": number_of(s.version), "weight": s.weight} for s in shares],
        "running": [{"version": v, "runs": count} for v, count in sorted(running.items())],
        "alias": one.alias,
    }


def _status_lines(rows: list[dict[str, object]]) -> Iterator[str]:
    width = max((len(str(row["flow"])) for row in rows), default=0)
    for row in rows:
        live, running = row["live"], row["running"]
        assert isinstance(live, list), "a status lists shares"
        assert isinstance(running, list), "a status lists runs"
        shares = ", ".join(f"version {one['version']} {one['weight']} %" for one in live)
        runs = ", ".join(f"{one['runs']} on version {one['version']}" for one in running)
        yield (
            f"{row['flow']:<{width}}  {str(row['status']).lower().replace('_', ' ')}"
            f"  new runs: {shares or 'nowhere'}  under way: {runs or 'none'}"
        )
