"""`perdure plan` and `status`: look, and change nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple, final

from perdure.deploying.difference import Difference
from perdure.deploying.packages import Package
from perdure.deployment import Answer, Place, Say
from perdure.sites.state import fields, text
from perdure_gcp.deploy.applying import Change, changes, of_this_place
from perdure_gcp.deploy.deploying import (
    Prepared,
    filling_for,
    missing_secrets,
    prepare,
    shares_for,
)
from perdure_gcp.deploy.difference import differences
from perdure_gcp.deploy.environment import Environment, Filling
from perdure_gcp.deploy.kinds import Resource
from perdure_gcp.deploy.names import flow_name
from perdure_gcp.deploy.record import Deployed, read
from perdure_gcp.deploy.secrets import missing_lines
from perdure_gcp.deploy.under_way import under_way

__all__ = ["plan", "status"]

SIGNS = {"add": "+", "change": "~", "remove": "-"}


@final
class Row(NamedTuple):
    """What would happen to a flow, or to what all of them share."""

    name: str
    stack: str
    new: bool
    resources: tuple[Change, ...]
    machine: tuple[Difference, ...] = ()
    code: Package | None = None

    def data(self) -> dict[str, object]:
        """For programs."""
        code = self.code
        return {
            "name": self.name,
            "stack": self.stack,
            "new": self.new,
            "resources": [
                {"action": one.action, "resource": one.resource, "type": one.kind}
                for one in self.resources
            ],
            "machine": [one._asdict() for one in self.machine],
            "code": code and {"zip_bytes": code.size, "unzipped_bytes": code.unzipped},
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        state = "new" if self.new else ("changes" if self.resources else "unchanged")
        yield f"{self.name}  ({self.stack}): {state}"
        for one in self.resources:
            yield f"  {SIGNS[one.action]} {one.resource}  {one.kind}"
        for difference in self.machine:
            yield f"  machine {difference}"


def plan(place: Place, say: Say) -> Answer:
    """What `deploy` would do."""
    prepared = prepare(place, say)
    environment = Environment(place, say)
    if environment.is_there:
        environment.own(claim=False)
    rows = [
        _plan_shared(environment, prepared[0]),
        *(_plan_flow(environment, one) for one in prepared),
    ]
    found = any(row.resources or row.machine for row in rows)
    lines = [line for row in rows for line in row.lines()]
    missing = missing_secrets(environment, prepared)
    settings = place.environment.settings
    if settings:
        lines.append("settings: " + ", ".join(f"{n}={value}" for n, value in settings.items()))
    data: dict[str, object] = {
        "plan": [row.data() for row in rows],
        "changes": found,
        "missing_secrets": missing,
        "settings": dict(settings),
    }
    return Answer(data, (*lines, _summary(rows), *missing_lines(missing, place.environment.name)))


def _plan_shared(environment: Environment, one: Prepared) -> Row:
    resources = of_this_place(one.release.environment, environment.place)
    filling = Filling(environment.parameters, one.release.text)
    found = tuple(changes(environment, resources, filling))
    return Row("store", environment.parameters["Database"], not environment.is_there, found)


def _plan_flow(environment: Environment, one: Prepared) -> Row:
    place, release = environment.place, one.release
    name = flow_name(place, release.flow)
    resources = of_this_place(release.deployment, place)
    record = (
        read(environment.store, release.flow, name)
        if environment.is_there
        else Deployed(release.flow, name)
    )
    if record.newest is None:
        made = tuple(
            Change("add", logical, text(fields(given)["kind"]))
            for logical, given in resources.items()
        )
        return Row(release.flow, name, True, made, code=one.package)
    then = record._replace(live=shares_for(record, one.id, 100))
    found = tuple(changes(environment, resources, filling_for(place, one), then))
    return Row(release.flow, name, False, found, _machine(environment, one, record), one.package)


def _machine(environment: Environment, one: Prepared, record: Deployed) -> tuple[Difference, ...]:
    """Beside what most new runs do now."""
    live = next((n for n in record.releases if n.release == record.live[0].release), None)
    path = None if live is None else live.workflows.get(text(one.release.deployment["flow"]))
    found = path and environment.kinds.find(Resource("", "workflow", path, {}))
    if not found:
        return ()
    return differences(text(found["sourceContents"]), one.release.text("workflow.json"))


def _summary(rows: list[Row]) -> str:
    counts = Counter(one.action for row in rows for one in row.resources)
    said = ", ".join(f"{counts[action]} to {action}" for action in SIGNS if counts[action])
    return said or "nothing to change"


@final
class Standing(NamedTuple):
    """How a flow stands."""

    flow: Deployed
    running: Mapping[int, int]
    """How many runs are under way, by version."""
    children: Mapping[tuple[str, int], int] = {}
    """Likewise of flows that it starts, by flow and version."""

    @property
    def state(self) -> str:
        """Whether its last deploy came to its end."""
        if not self.flow.releases:
            return "INCOMPLETE"
        known = {one.release for one in self.flow.releases}
        begun = {name for entry in self.flow.entries for name in entry.releases}
        return "DEPLOYED" if begun <= known else "INCOMPLETE"

    def data(self) -> dict[str, object]:
        """For programs."""
        flow, newest = self.flow, self.flow.newest
        return {
            "flow": flow.flow,
            "stack": flow.name,
            "status": self.state,
            "updated": newest and newest.deployed,
            "newest": newest and newest.number,
            "live": [
                {"version": flow.number_of(one.release), "weight": one.weight} for one in flow.live
            ],
            "running": [{"version": v, "runs": count} for v, count in self.running.items()],
            "children": [
                {"flow": ref, "version": v, "runs": count}
                for (ref, v), count in self.children.items()
            ],
            "alias": None if newest is None else next(iter(newest.workflows.values())),
            "webhooks": list(flow.webhooks),
        }

    def lines(self, width: int) -> Iterator[str]:
        """For people."""
        yield self._line(width)
        newest = self.flow.newest
        if newest is not None:
            updated = datetime.fromisoformat(newest.deployed).astimezone(UTC)
            yield f"{'':<{width}}  deployed {updated:%Y-%m-%d %H:%M} UTC"
        for url in self.flow.webhooks:
            yield f"{'':<{width}}  webhook {url}"

    def _line(self, width: int) -> str:
        flow = self.flow
        shares = ", ".join(
            f"version {flow.number_of(one.release)} {one.weight} %" for one in flow.live
        )
        runs = ", ".join(
            [f"{count} on version {v}" for v, count in self.running.items()]
            + [
                f"{count} of {ref.rpartition(':')[2]} on its version {v}"
                for (ref, v), count in self.children.items()
            ]
        )
        return (
            f"{flow.flow:<{width}}  {self.state.lower()}  new runs: {shares or 'nowhere'}"
            f"  under way: {runs or 'none'}"
        )


def status(place: Place, say: Say) -> Answer:
    """What is deployed, and where new runs start."""
    environment = Environment(place, say)
    there, account = environment.is_there, environment.account
    flows = [_standing(environment, one) for one in environment.flows()]
    store = {
        "status": "DEPLOYED",
        "Database": environment.parameters["Database"],
        "Bucket": environment.parameters["Bucket"],
    }
    data: dict[str, object] = {
        "account": account.project,
        "region": account.region,
        "store": store if there else None,
        "flows": [one.data() for one in flows],
    }
    name = place.environment.name
    if not there:
        return Answer(data, (f"`{name}` is not deployed; `perdure deploy {name}` does it",))
    width = max((len(one.flow.flow) for one in flows), default=0)
    where = f"{name}: project {account.project}, {account.region}"
    none = () if flows else (f"no flow is deployed; `perdure deploy {name}` does it",)
    return Answer(data, (where, *none, *(line for one in flows for line in one.lines(width))))


def _standing(environment: Environment, one: Deployed) -> Standing:
    name = one.flow
    runs = [each for each in under_way(environment, one) if each.is_run]
    running = Counter(each.version for each in runs if each.flow.rpartition(":")[2] == name)
    children = Counter(
        (each.flow, each.version) for each in runs if each.flow.rpartition(":")[2] != name
    )
    return Standing(one, dict(sorted(running.items())), dict(sorted(children.items())))
