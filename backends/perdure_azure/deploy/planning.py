"""`perdure plan` and `status`: look, and change nothing."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple, final

from perdure.codec.text import Json
from perdure.deploying.difference import Difference
from perdure.deployment import Answer, Place, Say
from perdure_azure.deploy.deploying import missing_secrets
from perdure_azure.deploy.deployments import Change, Deployment
from perdure_azure.deploy.environment import Deployed, Environment
from perdure_azure.deploy.ledger import Ledger, release_blob
from perdure_azure.deploy.names import environment_deployment, flow_deployment, tags
from perdure_azure.deploy.releases import Release, read_releases, unpacked
from perdure_azure.deploy.secrets import missing_lines

__all__ = ["plan", "status"]

SIGNS = {"add": "+", "change": "~", "remove": "-"}
RUNTIME = ("perdure/", "perdure_azure/")


@final
class Row(NamedTuple):
    """What would happen to one deployment."""

    name: str
    deployment: str
    new: bool
    resources: tuple[Change, ...]
    machine: tuple[Difference, ...] = ()

    def data(self) -> dict[str, object]:
        """For programs."""
        return {
            "name": self.name,
            "stack": self.deployment,
            "new": self.new,
            "resources": [
                {"action": one.action, "resource": one.resource, "type": one.kind}
                for one in self.resources
            ],
            "machine": [one._asdict() for one in self.machine],
            "code": None,
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        changed = self.resources or self.machine
        state = "new" if self.new else ("changes" if changed else "unchanged")
        yield f"{self.name}  ({self.deployment}): {state}"
        for one in self.resources:
            yield f"  {SIGNS[one.action]} {one.resource}  {one.kind}"
        for difference in self.machine:
            yield f"  app {difference}"


def plan(place: Place, say: Say) -> Answer:
    """What `deploy` would change: what-if of the templates, and functions and files of the apps."""
    prepared = read_releases(place, say)
    environment = Environment(place, say)
    shared = environment.shared()
    rows = [_plan_shared(environment, prepared[0], shared)]
    rows += [_plan_flow(environment, one, shared) for one in prepared]
    missing = missing_secrets(environment, prepared)
    lines = [line for row in rows for line in row.lines()]
    data: dict[str, object] = {
        "plan": [row.data() for row in rows],
        "changes": any(row.new or row.resources or row.machine for row in rows),
        "missing_secrets": missing,
    }
    return Answer(data, (*lines, _summary(rows), *missing_lines(missing, place.environment.name)))


def _plan_shared(environment: Environment, release: Release, shared: Deployment | None) -> Row:
    name = environment_deployment(environment.place)
    if shared is None:
        return Row("store", name, True, _all_new(release.environment))
    given = environment.parameters(shared=True)
    return Row(
        "store", name, False, environment.deployments.changes(name, release.environment, given)
    )


def _plan_flow(environment: Environment, release: Release, shared: Deployment | None) -> Row:
    place, flow = environment.place, release.flow
    name = flow_deployment(place, flow)
    found = environment.deployments.find(name) if shared is not None else None
    environment.deployments.refuse_others(found, tags(place, flow))
    if found is None:
        return Row(flow, name, True, _all_new(release.template))
    given = environment.parameters(shared=False)
    changes = environment.deployments.changes(name, release.template, given)
    ledger = environment.ledgers.read(flow)
    return Row(flow, name, False, changes, tuple(_differences(environment, release, ledger)))


def _differences(
    environment: Environment, release: Release, ledger: Ledger
) -> Iterator[Difference]:
    """Between the release that gets most new runs now, and the one that was compiled."""
    if not ledger.live:
        yield Difference("add", release.name, "", "the first release")
        return
    live = max(ledger.live, key=lambda one: one[1])[0]
    if live == release.name:
        return
    listed = ledger.release(live)
    for kind in ("orchestrators", "activities"):
        before = _names(listed.about if listed else {}, kind)
        after = _names(release.about, kind)
        what = kind.removesuffix("s").replace("activitie", "activity")
        yield from (Difference("add", name, "", what) for name in after if name not in before)
        yield from (Difference("remove", name, "", what) for name in before if name not in after)
    found = environment.blobs.get(release_blob(release.flow, live))
    old = unpacked(found[0]) if found else {}
    for path in sorted({*old, *release.files}):
        if path.startswith(RUNTIME) or path in ("source.json", "perdure_bundle.json"):
            continue
        if old.get(path) != release.files.get(path):
            action = "add" if path not in old else "change" if path in release.files else "remove"
            yield Difference(
                action, path, _first_change(old.get(path), release.files.get(path)), ""
            )


def _first_change(old: bytes | None, new: bytes | None) -> str:
    """The first line that is another one."""
    if old is None or new is None:
        return ""
    before, after = old.splitlines(), new.splitlines()
    pairs = enumerate(zip(before, after, strict=False), 1)
    line = next((n for n, (a, b) in pairs if a != b), min(len(before), len(after)) + 1)
    return f"line {line}"


def _names(about: Mapping[str, Json], kind: str) -> list[str]:
    found = about.get(kind)
    return [str(one) for one in found] if isinstance(found, list) else []


def _all_new(template: str) -> tuple[Change, ...]:
    made: list[dict[str, Json]] = json.loads(template)["resources"]
    return tuple(
        Change("add", str(one["type"]).rpartition("/")[2], str(one["type"])) for one in made
    )


def _summary(rows: list[Row]) -> str:
    counts = Counter(one.action for row in rows for one in row.resources)
    said = ", ".join(f"{counts[action]} to {action}" for action in SIGNS if counts[action])
    return said or "nothing to change"


@final
class Standing(NamedTuple):
    """How a flow stands."""

    one: Deployed
    ledger: Ledger
    running: Mapping[int, int]
    """How many runs are under way, by version."""

    def data(self) -> dict[str, object]:
        """For programs."""
        ledger, deployment = self.ledger, self.one.deployment
        return {
            "flow": self.one.flow,
            "stack": deployment.name,
            "status": deployment.status,
            "updated": deployment.updated or None,
            "newest": ledger.newest.number if ledger.newest else None,
            "live": [
                {"version": ledger.number(name), "weight": weight} for name, weight in self.shares
            ],
            "running": [{"version": v, "runs": count} for v, count in self.running.items()],
            "alias": self.one.app,
            "webhooks": ledger.webhooks(self.one.url),
        }

    @property
    def shares(self) -> list[tuple[str, int]]:
        """By version."""
        return sorted(self.ledger.live, key=lambda one: self.ledger.number(one[0]))

    def lines(self, width: int) -> Iterator[str]:
        """For people."""
        shares = ", ".join(
            f"version {self.ledger.number(name)} {weight} %" for name, weight in self.shares
        )
        runs = ", ".join(f"{count} on version {v}" for v, count in self.running.items())
        status = self.one.deployment.status.lower()
        yield (
            f"{self.one.flow:<{width}}  {status}  new runs: {shares or 'nowhere'}"
            f"  under way: {runs or 'none'}"
        )
        if self.one.deployment.updated:
            moment = self.one.deployment.updated[:16].replace("T", " ")
            yield f"{'':<{width}}  deployed {moment} UTC"
        for url in self.ledger.webhooks(self.one.url):
            yield f"{'':<{width}}  webhook {url}"


def status(place: Place, say: Say) -> Answer:
    """What is deployed, and where new runs start."""
    environment = Environment(place, say)
    shared = environment.shared()
    flows = [_standing(environment, one) for one in environment.flows()] if shared else []
    account = environment.account
    data: dict[str, object] = {
        "account": account.subscription,
        "region": account.region,
        "resource_group": account.group,
        "store": None if shared is None else {"status": shared.status, **shared.outputs},
        "flows": [one.data() for one in flows],
    }
    name = place.environment.name
    if shared is None:
        return Answer(data, (f"`{name}` is not deployed; `perdure deploy {name}` does it",))
    width = max((len(one.one.flow) for one in flows), default=0)
    where = f"{name}: subscription {account.subscription}, {account.group}, {account.region}"
    none = () if flows else (f"no flow is deployed; `perdure deploy {name}` does it",)
    return Answer(data, (where, *none, *(line for one in flows for line in one.lines(width))))


def _standing(environment: Environment, one: Deployed) -> Standing:
    ledger = environment.ledgers.read(one.flow)
    found = environment.hub(one).all(under_way=True) if one.is_whole else ()
    running = Counter(ledger.number(run.release) for run in found)
    return Standing(one, ledger, dict(sorted(running.items())))
