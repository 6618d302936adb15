"""What is noted of a deployed flow in the run store: written before something is made.

So whatever happens, all that may be there is known: a deploy that is repeated goes on, and a
destroy finds the rest. `perdure_gcp.live` reads the part that starts of runs need.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.deployment import DeployError
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Item, RunStore
from perdure_gcp.deploy.kinds import Resource
from perdure_gcp.live import PARTITION, live_key

__all__ = ["Deployed", "Entry", "Number", "Share", "read", "read_all", "write"]

SINGLE = ("job", "subscription", "sink", "topic")
"""Kinds of which only what the newest release wants is there: no run under way needs them."""


@final
class Number(NamedTuple):
    """A release that is deployed."""

    number: int
    release: str
    workflows: Mapping[str, str]
    """The workflow of each flow."""
    deployed: str
    """When, ISO 8601."""


@final
class Share(NamedTuple):
    """A release, and how many of a hundred new runs it gets."""

    release: str
    weight: int


@final
class Entry(NamedTuple):
    """A resource that was made, or is about to be."""

    resource: Resource
    """Its body is kept of bindings and roles alone."""
    releases: tuple[str, ...]
    """Those that want it."""
    permissions: Mapping[str, tuple[str, ...]] = {}
    """Of a role: those that each release wants."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        return key_of(self.resource)


@final
class Deployed(NamedTuple):
    """A flow that is deployed."""

    flow: str
    name: str
    """What its resources begin with."""
    entries: tuple[Entry, ...] = ()
    releases: tuple[Number, ...] = ()
    """The newest last."""
    live: tuple[Share, ...] = ()
    """The one with most new runs first."""
    webhooks: tuple[str, ...] = ()
    version: int = 0
    """Of the item in the store; 0: there is none."""

    @property
    def newest(self) -> Number | None:
        """What was deployed last."""
        return self.releases[-1] if self.releases else None

    def number_of(self, release: str) -> int:
        """How people call a release."""
        return max((one.number for one in self.releases if one.release == release), default=0)

    def refs(self) -> set[str]:
        """The flows that it runs: its own, and those that it starts."""
        return {ref for one in self.releases for ref in one.workflows}


def key_of(one: Resource) -> str:
    """What tells a resource from others."""
    if one.kind != "binding":
        return f"{one.kind} {one.name}"
    condition = one.body.get("condition")
    only = condition.get("expression") if isinstance(condition, dict) else ""
    return f"binding {one.name} {one.body['role']} {one.body['member']} {only}"


def wanted(record: Deployed, resources: Iterable[Resource], release: str) -> Deployed:
    """The record with what a release wants; nothing goes."""
    entries = {one.key: one for one in record.entries}
    for one in resources:
        key = key_of(one)
        old = entries.get(key, Entry(_slim(one), ()))
        releases = tuple(dict.fromkeys((*old.releases, release)))
        permissions = dict(old.permissions)
        if one.kind == "role":
            listed = one.body["includedPermissions"]
            assert isinstance(listed, list)
            permissions[release] = tuple(map(str, listed))
        entries[key] = Entry(_slim(one), releases, permissions)
    return record._replace(entries=tuple(entries.values()))


def kept(record: Deployed, keys: set[str], newest: str) -> tuple[Deployed, list[Resource]]:
    """The record without what no release that is left wants, and what that is.

    `keys`: what the newest release wants.
    """
    known = {one.release for one in record.releases}
    entries: list[Entry] = []
    gone: list[Resource] = []
    for one in record.entries:
        releases = tuple(name for name in one.releases if name in known)
        if newest in releases and one.key not in keys:
            releases = tuple(name for name in releases if name != newest)
        if _is_single(one.resource) and one.key not in keys:
            releases = ()
        permissions = {name: one.permissions[name] for name in releases if name in one.permissions}
        if releases:
            entries.append(one._replace(releases=releases, permissions=permissions))
        else:
            gone.append(one.resource)
    return record._replace(entries=tuple(entries)), gone


def _is_single(one: Resource) -> bool:
    return one.kind in SINGLE or (one.kind == "service" and one.name.endswith("-door"))


def _slim(one: Resource) -> Resource:
    return one if one.kind == "binding" else one._replace(body={})


# --- in the store -----------------------------------------------------------------------------


def read(store: RunStore, flow: str, name: str) -> Deployed:
    """What is noted of a flow; a record without entries where it is not deployed."""
    item = store.get(live_key(name))
    return Deployed(flow, name) if item is None else _from(item)


def read_all(store: RunStore) -> tuple[Deployed, ...]:
    """All that is deployed, by name."""
    found = (_from(item) for item in store.query(PARTITION, ""))
    return tuple(one for one in found if one.entries)


def write(store: RunStore, record: Deployed) -> Deployed:
    """Note it; two deploys at once do not both win."""
    body: dict[str, Json] = {
        "format": FORMAT,
        "flow": record.flow,
        "entries": [_entry_body(one) for one in record.entries],
        "releases": [
            {**one._asdict(), "workflows": dict(one.workflows)} for one in record.releases
        ],
        "live": [one._asdict() for one in record.live],
        "webhooks": [*record.webhooks],
    }
    key = live_key(record.name)
    done = (
        store.replace(key, record.version, body)
        if record.version
        else store.put_if_absent(key, body)
    )
    if not done:
        raise DeployError(
            f"`{record.flow}` is being deployed by somebody else: repeat this when they are done"
        )
    return record._replace(version=record.version + 1)


def _entry_body(one: Entry) -> Json:
    row: dict[str, Json] = {
        "id": one.resource.id,
        "kind": one.resource.kind,
        "name": one.resource.name,
        "releases": [*one.releases],
    }
    if one.resource.body:
        row["body"] = dict(one.resource.body)
    if one.permissions:
        row["permissions"] = {name: [*names] for name, names in one.permissions.items()}
    return row


def _from(item: Item) -> Deployed:
    body = item.body
    if body["format"] != FORMAT:
        raise DeployError(f"a newer perdure deployed `{item.key.sort}`: use that one")
    return Deployed(
        text(body["flow"]),
        item.key.sort,
        tuple(_entry(fields(row)) for row in _rows(body["entries"])),
        tuple(_number(fields(row)) for row in _rows(body["releases"])),
        tuple(_share(fields(row)) for row in _rows(body["live"])),
        tuple(text(url) for url in _rows(body["webhooks"])),
        item.version,
    )


def _entry(row: Mapping[str, Json]) -> Entry:
    made = Resource(
        text(row["id"]), text(row["kind"]), text(row["name"]), fields(row.get("body", {}))
    )
    permissions = {
        name: tuple(map(str, _rows(names)))
        for name, names in fields(row.get("permissions", {})).items()
    }
    return Entry(made, tuple(map(str, _rows(row["releases"]))), permissions)


def _number(row: Mapping[str, Json]) -> Number:
    workflows = {ref: text(path) for ref, path in fields(row["workflows"]).items()}
    return Number(_integer(row["number"]), text(row["release"]), workflows, text(row["deployed"]))


def _share(row: Mapping[str, Json]) -> Share:
    return Share(text(row["release"]), _integer(row["weight"]))


def _integer(value: Json) -> int:
    assert isinstance(value, int), json.dumps(value)
    return value


def _rows(value: Json) -> list[Json]:
    assert isinstance(value, list), json.dumps(value)
    return value
