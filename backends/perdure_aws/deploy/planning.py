"""`perdure plan` and `status`: look, and change nothing."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.deploying.difference import Difference
from perdure.deploying.packages import Package
from perdure.deployment import Answer, Place, Say
from perdure_aws.deploy.deploying import (
    Prepared,
    given_to,
    missing_secrets,
    prepare,
    template_url,
    upload_template,
)
from perdure_aws.deploy.difference import differences
from perdure_aws.deploy.environment import Deployed, Environment
from perdure_aws.deploy.machines import Share, number_of
from perdure_aws.deploy.names import flow_stack, store_stack
from perdure_aws.deploy.orphans import elsewhere, flows_of, left_over, left_over_lines, orphans
from perdure_aws.deploy.releases import DEFINITION
from perdure_aws.deploy.secrets import missing_lines
from perdure_aws.deploy.stacks import GOOD, NEVER_MADE, Change, Stack
from perdure_aws.deploy.under_way import under_way

__all__ = ["plan", "status"]

SIGNS = {"add": "+", "change": "~", "replace": "±", "remove": "-"}


@final
class Row(NamedTuple):
    """What would happen to one stack."""

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
                {"action": one.action, "resource": one.logical_id, "type": one.kind}
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
            yield f"  {SIGNS[one.action]} {one.logical_id}  {one.kind}"
        for difference in self.machine:
            yield f"  machine {difference}"


def plan(place: Place, say: Say) -> Answer:
    """What `deploy` would do."""
    prepared = prepare(place, say)
    environment = Environment(place, say)
    store = environment.stacks.settled(store_stack(place))
    rows = [
        _plan_store(environment, prepared[0].release.store, store),
        *(_plan_flow(environment, one, store) for one in prepared),
    ]
    changes = any(row.resources or row.machine for row in rows)
    lines = [line for row in rows for line in row.lines()]
    missing = missing_secrets(place, environment.account, prepared)
    settings = place.environment.settings
    if settings:
        lines.append("settings: " + ", ".join(f"{n}={value}" for n, value in settings.items()))
    left = orphans(environment)
    gone = left_over(environment, frozenset(one.release.flow for one in prepared))
    data: dict[str, object] = {
        "plan": [row.data() for row in rows],
        "changes": changes,
        "settings": dict(settings),
        "missing_secrets": missing,
        "left_over": gone,
        "orphans": [one.data() for one in left],
    }
    said = (
        *lines,
        _summary(rows),
        *missing_lines(missing, place.environment.name),
        *left_over_lines(place, gone),
        *(one.line() for one in left),
    )
    return Answer(data, said)


def _plan_flow(environment: Environment, one: Prepared, store: Stack | None) -> Row:
    release = one.release
    name = flow_stack(environment.place, release.flow)
    stack = environment.stacks.settled(name) if store is not None else None
    if stack is None or stack.status in NEVER_MADE:
        return Row(release.flow, name, True, _all_new(release.template), code=one.package)
    given = given_to(environment, one, stack, 100)
    upload_template(environment, one)
    url = template_url(environment, one)
    changes = environment.stacks.changes(name, release.template, given, url)
    old = _live_definition(environment, release.flow, stack)
    new: dict[str, Json] = json.loads(release.definitions[DEFINITION])
    machine = differences(old, new) if old is not None else ()
    return Row(release.flow, name, False, changes, machine, one.package)


def _plan_store(environment: Environment, template: str, store: Stack | None) -> Row:
    name = store_stack(environment.place)
    if store is None or store.status in NEVER_MADE:
        return Row("store", name, True, _all_new(template))
    return Row("store", name, False, environment.stacks.changes(name, template, {}))


def _all_new(template: str) -> tuple[Change, ...]:
    made: dict[str, dict[str, Json]] = json.loads(template)["Resources"]
    return tuple(Change("add", logical, str(one["Type"])) for logical, one in made.items())


def _live_definition(
    environment: Environment, flow: str, stack: Stack | None
) -> Mapping[str, Json] | None:
    """What most new runs do now."""
    if stack is None or "Live" not in stack.outputs:
        return None
    shares = environment.machines.shares(Deployed(flow, stack).alias)
    return environment.machines.definition(shares[0].version) if shares else None


def _summary(rows: list[Row]) -> str:
    counts = Counter(one.action for row in rows for one in row.resources)
    said = ", ".join(f"{counts[action]} to {action}" for action in SIGNS if counts[action])
    return said or "nothing to change"


@final
class Standing(NamedTuple):
    """How a flow stands."""

    flow: Deployed
    live: tuple[Share, ...]
    running: Mapping[int, int]
    """How many runs are under way, by version."""
    children: Mapping[tuple[str, int], int] = {}
    """Likewise of flows that it starts, by flow and version of its machine."""

    def data(self) -> dict[str, object]:
        """For programs."""
        stack = self.flow.stack
        return {
            "flow": self.flow.flow,
            "stack": stack.name,
            "status": stack.status,
            "updated": None if stack.updated is None else stack.updated.isoformat(),
            "newest": number_of(self.flow.newest) if self.flow.newest else None,
            "live": [{"version": number_of(s.version), "weight": s.weight} for s in self.live],
            "running": [{"version": v, "runs": count} for v, count in self.running.items()],
            "children": [
                {"flow": ref, "version": v, "runs": count}
                for (ref, v), count in self.children.items()
            ],
            "alias": self.flow.alias,
            "webhooks": list(self.flow.webhooks),
        }

    def lines(self, width: int) -> Iterator[str]:
        """For people."""
        yield self._line(width)
        updated = self.flow.stack.updated
        if updated is not None:
            yield f"{'':<{width}}  deployed {updated.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        for url in self.flow.webhooks:
            yield f"{'':<{width}}  webhook {url}"

    def _line(self, width: int) -> str:
        shares = ", ".join(f"version {number_of(s.version)} {s.weight} %" for s in self.live)
        runs = ", ".join(
            [f"{count} on version {v}" for v, count in self.running.items()]
            + [
                f"{count} of {ref.rpartition(':')[2]} on its version {v}"
                for (ref, v), count in self.children.items()
            ]
        )
        status = self.flow.stack.status.lower().replace("_", " ")
        return (
            f"{self.flow.flow:<{width}}  {status}  new runs: {shares or 'nowhere'}"
            f"  under way: {runs or 'none'}"
        )


def status(place: Place, say: Say) -> Answer:
    """What is deployed, and where new runs start."""
    environment = Environment(place, say)
    store = environment.store_stack()
    flows = [_standing(environment, one) for one in environment.flows()]
    data: dict[str, object] = {
        "account": environment.account.id,
        "region": environment.account.region,
        "store": None if store is None else {"status": store.status, **store.outputs},
        "flows": [one.data() for one in flows],
    }
    name = place.environment.name
    left = orphans(environment) + (elsewhere(environment) if store is None else ())
    compiled = flows_of(place)
    gone = [one.flow.flow for one in flows if compiled and one.flow.flow not in compiled]
    data |= {"left_over": gone, "orphans": [one.data() for one in left]}
    said = [*left_over_lines(place, gone), *(one.line() for one in left)]
    if store is None:
        return Answer(data, (f"`{name}` is not deployed; `perdure deploy {name}` does it", *said))
    width = max((len(one.flow.flow) for one in flows), default=0)
    where = f"{name}: account {environment.account.id}, {environment.account.region}"
    none = () if flows else (f"no flow is deployed; `perdure deploy {name}` does it",)
    return Answer(
        data, (where, *none, *(line for one in flows for line in one.lines(width)), *said)
    )


def _standing(environment: Environment, one: Deployed) -> Standing:
    whole = one.stack.status in GOOD and bool(one.machine)
    shares = environment.machines.shares(one.alias) if whole else ()
    own = {ref for ref, arn in one.machines.items() if arn == one.machine}
    runs = [each for each in under_way(environment, one) if each.is_run]
    running = Counter(each.version for each in runs if each.flow in own)
    children = Counter((each.flow, each.version) for each in runs if each.flow not in own)
    return Standing(one, shares, dict(sorted(running.items())), dict(sorted(children.items())))
