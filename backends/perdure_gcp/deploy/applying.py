"""Brings resources to what they are to be, or says what that would change.

Comes in: the resources of `deployment.json`, in their order. Each is looked at first; what is as
it is to be costs no more.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.deployment import Place
from perdure.sites.state import fields, text
from perdure_gcp.deploy.environment import Environment, Filling, Unknown
from perdure_gcp.deploy.kinds import Resource, differing
from perdure_gcp.deploy.record import Deployed, key_of

__all__ = ["Change", "apply", "changes", "of_this_place"]


@final
class Change(NamedTuple):
    """What would happen to a resource."""

    action: str
    """add, change, remove."""
    resource: str
    kind: str


def of_this_place(document: Mapping[str, Json], place: Place) -> dict[str, Json]:
    """The resources of a document that this environment has."""
    return {
        logical: given
        for logical, given in fields(document["resources"]).items()
        if fields(given).get("in", place.environment.name) == place.environment.name
    }


def apply(
    environment: Environment,
    resources: Mapping[str, Json],
    filling: Filling,
    record: Deployed | None = None,
) -> bool:
    """Bring them there; whether anything had to be done."""
    changed = False
    for logical, given in resources.items():
        one = with_others(filling.resource(logical, given), record)
        live = environment.kinds.find(one)
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
            one = with_others(filling.resource(logical, given), record)
        except Unknown:
            yield Change("add", logical, text(fields(given)["kind"]))
            continue
        keys.add(key_of(one))
        live = environment.kinds.find(one)
        if live is None:
            yield Change("add", logical, one.kind)
            continue
        if differing(one, live):
            yield Change("change", logical, one.kind)
        filling.became(one, live)


def with_others(one: Resource, record: Deployed | None) -> Resource:
    """What the releases before the newest need of what all of them share: their revisions under
    their tags, and the permissions that their code uses.
    """
    if record is None:
        return one
    if one.kind == "service" and "traffic" in one.body:
        traffic = one.body["traffic"]
        assert isinstance(traffic, list)
        own = dict(fields(traffic[0]))
        others = dict.fromkeys(
            number.release for number in record.releases if number.release != own["tag"]
        )
        rows: list[Json] = [
            {"type": own["type"], "revision": f"{record.name}-{tag}", "tag": tag} for tag in others
        ]
        return one._replace(body={**one.body, "traffic": [*rows, own]})
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
