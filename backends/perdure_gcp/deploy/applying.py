"""Brings resources to what they are to be, or says what that would change.

Comes in: the resources of `deployment.json`, in their order. Each is looked at first; what is as
it is to be costs no more.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, final

from perdure.codec import Json
from perdure.deployment import Place
from perdure.sites.state import fields, text
from perdure_gcp.deploy.environment import Environment, Filling, Unknown
from perdure_gcp.deploy.kinds import Resource, differing
from perdure_gcp.deploy.record import Deployed, key_of

__all__ = ["Change", "apply", "changes", "of_this_place", "point"]


@final
class Change(NamedTuple):
    """What would happen to a resource."""

    action: str
    """add, change, remove."""
    resource: str
    kind: str


def of_this_place(document: Mapping[str, Json], place: Place) -> dict[str, Json]:
    """The resources of a document that this environment has, with its settings."""
    settings = place.environment.settings
    return {
        logical: _with_settings(given, settings) if settings else given
        for logical, given in fields(document["resources"]).items()
        if fields(given).get("in", place.environment.name) == place.environment.name
    }


def _with_settings(given: Json, settings: Mapping[str, str]) -> Json:
    """A service with the plain settings of its environment, as further variables."""
    if fields(given)["kind"] != "service":
        return given
    made: dict[str, Any] = copy.deepcopy(dict(fields(given)))  # Any: known by its kind
    for container in made["body"]["template"]["containers"]:
        container["env"] += [
            {"name": name, "value": value.replace("${", "${Dollar}{")}
            for name, value in settings.items()
        ]
    return made


def apply(
    environment: Environment,
    resources: Mapping[str, Json],
    filling: Filling,
    record: Deployed | None = None,
) -> bool:
    """Bring them there; whether anything had to be done."""
    changed = False
    for logical, given in resources.items():
        one = filling.resource(logical, given)
        live = environment.kinds.find(one)
        one = with_others(one, live, record)
        if live is None:
            live, changed = environment.kinds.make(one), True
        elif members := differing(one, live):
            live, changed = environment.kinds.change(one, members), True
        filling.became(one, live)
    return changed


def changes(
    environment: Environment,
    resources: Mapping[str, Json],
    filling: Filling,
    record: Deployed | None = None,
) -> Iterator[Change]:
    """What `apply` would do, and what goes because nothing wants it any more."""
    keys: set[str] = set()
    for logical, given in resources.items():
        try:
            one = filling.resource(logical, given)
        except Unknown:
            yield Change("add", logical, text(fields(given)["kind"]))
            continue
        keys.add(key_of(one))
        live = environment.kinds.find(one)
        one = with_others(one, live, record)
        if live is None:
            yield Change("add", logical, one.kind)
            continue
        if differing(one, live):
            yield Change("change", logical, one.kind)
        filling.became(one, live)


def point(environment: Environment, record: Deployed) -> bool:
    """Let the traffic of a flow's services follow the shares of new runs; whether it did not."""
    changed = False
    for entry in record.entries:
        one = entry.resource
        live = environment.kinds.find(one) if one.kind == "service" else None
        if live is None:
            continue
        rows = _traffic(record, _tags(live), one.name)
        one = one._replace(body={"traffic": rows})
        if rows and differing(one, live):
            environment.kinds.change(one, ("traffic",))
            changed = True
    return changed


def _traffic(record: Deployed, tags: Iterable[str], name: str) -> list[Json]:
    """Of the revisions under these tags: the shares that their releases have of new runs, what is
    over to the last of them.
    """
    weights = {share.release: share.weight for share in record.live}
    listed = list(tags)
    over = 100 - sum(weights.get(tag, 0) for tag in listed)
    rows: list[Json] = []
    for tag in listed:
        percent = weights.get(tag, 0) + (over if tag == listed[-1] else 0)
        row: dict[str, Json] = {
            "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
            "revision": f"{name.rpartition('/')[2]}-{tag}",
            "tag": tag,
        }
        rows.append({**row, "percent": percent} if percent else row)
    return rows


def _tags(live: Mapping[str, Json] | None) -> list[str]:
    rows = live.get("traffic") if live is not None else None
    found = (
        [row.get("tag") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    )
    return [tag for tag in found if isinstance(tag, str)]


def with_others(
    one: Resource, live: Mapping[str, Json] | None, record: Deployed | None
) -> Resource:
    """What the releases before the newest need of what all of them share: their revisions under
    their tags, and the permissions that their code uses.
    """
    if record is None:
        return one
    if one.kind == "service" and "traffic" in one.body:
        traffic = one.body["traffic"]
        assert isinstance(traffic, list)
        own = text(fields(traffic[0])["tag"])
        there, known = _tags(live), {number.release for number in record.releases}
        others = [tag for tag in there if tag in known and tag != own]
        return one._replace(
            body={**one.body, "traffic": _traffic(record, [*others, own], one.name)}
        )
    if one.kind == "role":
        entry = next((e for e in record.entries if e.key == key_of(one)), None)
        known = {r.release for r in record.releases}
        listed = one.body["includedPermissions"]
        assert isinstance(listed, list)
        more = {
            name
            for release, names in (entry.permissions.items() if entry else ())
            if release in known
            for name in names
        }
        whole: list[Json] = [*sorted({*map(str, listed), *more})]
        return one._replace(body={**one.body, "includedPermissions": whole})
    return one
