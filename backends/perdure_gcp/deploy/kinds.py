"""The kinds of resources, and how each API finds, makes, changes and removes them.

https://<api>.googleapis.com/$discovery/rest is where every request here is described.
"""

from base64 import b64encode
from collections.abc import Mapping
from secrets import token_urlsafe
from typing import Final, NamedTuple, final

from perdure.codec import Json
from perdure.deployment import DeployError
from perdure_gcp.deploy.api import Api, ApiError, SwitchedOff
from perdure_gcp.deploy.bindings import add_member, has_member, remove_member

__all__ = ["RUN", "Kinds", "Resource", "differing"]

RUN: Final = "https://run.googleapis.com/v2/"


@final
class Resource(NamedTuple):
    """A resource as it is to be: everything in it is filled in."""

    id: str
    """Its name in `deployment.json`."""
    kind: str
    name: str
    body: Mapping[str, Json]


@final
class Rest(NamedTuple):
    """One kind, where it follows the usual pattern."""

    base: str
    make: str
    """How it is made: "id" (a parameter of POST), "name" (in the body of POST), "put", "wrapped"
    (id and body in an object of their own)."""
    id: str = ""
    """What its id is called there."""
    wrapper: str = ""
    """What its body is called where that has an object around it."""
    waits: bool = False
    """Whether requests are answered with an operation."""
    query: str = ""
    """Parameters of changes and creations besides."""


IAM: Final = "https://iam.googleapis.com/v1/"
TABLE: Final[Mapping[str, Rest]] = {
    "identity": Rest(IAM, "wrapped", "accountId", "serviceAccount"),
    "role": Rest(IAM, "wrapped", "roleId", "role"),
    "secret": Rest("https://secretmanager.googleapis.com/v1/", "id", "secretId"),
    "generated": Rest("https://secretmanager.googleapis.com/v1/", "id", "secretId"),
    "service": Rest(RUN, "id", "serviceId", waits=True),
    "workflow": Rest("https://workflows.googleapis.com/v1/", "id", "workflowId", waits=True),
    "database": Rest("https://firestore.googleapis.com/v1/", "id", "databaseId", waits=True),
    "topic": Rest("https://pubsub.googleapis.com/v1/", "put", wrapper="topic"),
    "subscription": Rest("https://pubsub.googleapis.com/v1/", "put", wrapper="subscription"),
    "sink": Rest("https://logging.googleapis.com/v2/", "name", query="uniqueWriterIdentity=true"),
    "job": Rest("https://cloudscheduler.googleapis.com/v1/", "name"),
}
STORAGE: Final = "https://storage.googleapis.com/storage/v1/b"
USAGE: Final = "https://serviceusage.googleapis.com/v1/"
FIXED: Final = {"locationId", "type", "location", "replication", "destination", "topic"}
"""What is settled when something is made, and compared by nobody."""


@final
class Kinds:
    """Resources of one project."""

    def __init__(self, api: Api, project: str) -> None:
        self._api = api
        self._project = project

    def find(self, one: Resource) -> Mapping[str, Json] | None:
        """What is there; None where nothing is, or only its remains."""
        try:
            return self._found(one)
        except SwitchedOff:
            return None

    def _found(self, one: Resource) -> Mapping[str, Json] | None:
        match one.kind:
            case "services":
                return self._switched_on(one)
            case "binding":
                return one.body if has_member(self._api, one.name, one.body) else None
            case "bucket":
                return self._api.find(f"{STORAGE}/{one.name}")
            case _:
                found = self._api.find(f"{TABLE[one.kind].base}{one.name}")
                gone = found is not None and (found.get("deleted") or found.get("deleteTime"))
                if found is not None and found.get("reconciling") and not gone:
                    return self._settled(one)
                return None if gone else found

    def make(self, one: Resource) -> Mapping[str, Json]:
        """Make it; what somebody, or an earlier try, has made meanwhile is there already."""
        self._api.say(f"{one.id}: make {one.name.rpartition('/')[2]}")
        match one.kind:
            case "services":
                self._switch_on(one)
            case "binding":
                add_member(self._api, one.name, one.body)
            case "bucket":
                asked: dict[str, Json] = {"name": one.name, **one.body}
                self._made(f"{STORAGE}?project={self._project}", asked, one)
            case _:
                self._make_usual(one, TABLE[one.kind])
        found = self.find(one)
        if found is None:
            raise DeployError(f"{one.id} ({one.name}) was made, and is not there")
        if one.kind == "generated":
            self._generate(one)
        return found

    def change(self, one: Resource, members: tuple[str, ...]) -> Mapping[str, Json]:
        """Bring some members of it to what they are to be."""
        self._api.say(f"{one.id}: change {', '.join(members)}")
        said: dict[str, Json] = {name: one.body[name] for name in members}
        mask = ",".join(members)
        if one.kind == "bucket":
            self._api.ask("PATCH", f"{STORAGE}/{one.name}", said)
        else:
            rest = TABLE[one.kind]
            url = f"{rest.base}{one.name}"
            if rest.wrapper and one.kind != "role":
                whole: dict[str, Json] = {"name": one.name, **said}
                asked: dict[str, Json] = {rest.wrapper: whole, "updateMask": mask}
                self._api.ask("PATCH", url, asked)
            else:
                query = f"{rest.query}&" if rest.query else ""
                said |= {"name": one.name}
                operation = self._api.ask("PATCH", f"{url}?{query}updateMask={mask}", said)
                self._wait(rest, operation, one)
        found = self.find(one)
        if found is None:
            raise DeployError(f"{one.id} ({one.name}) is gone while it was changed")
        return found

    def remove(self, one: Resource) -> None:
        """Remove it; one that is gone is gone."""
        match one.kind:
            case "services":
                return  # other things of the project may use them
            case "binding":
                remove_member(self._api, one.name, one.body)
            case "bucket":
                self._gone(f"{STORAGE}/{one.name}")
            case _:
                rest = TABLE[one.kind]
                operation = self._gone(f"{rest.base}{one.name}")
                if operation is not None:
                    self._wait(rest, operation, one)

    # --- inside ---------------------------------------------------------------------------------

    def _make_usual(self, one: Resource, rest: Rest) -> None:
        parent, _, last = one.name.rpartition("/")
        match rest.make:
            case "id":
                url = f"{rest.base}{parent}?{rest.id}={last}"
                self._wait(rest, self._made(url, one.body, one), one)
            case "name":
                named = last if one.kind == "sink" else one.name
                query = f"?{rest.query}" if rest.query else ""
                self._made(f"{rest.base}{parent}{query}", {"name": named, **one.body}, one)
            case "put":
                self._made(f"{rest.base}{one.name}", one.body, one, method="PUT")
            case _:
                plain = last.partition("@")[0]
                asked: dict[str, Json] = {rest.id: plain, rest.wrapper: dict(one.body)}
                if one.kind == "role" and self._restored(one, rest):
                    return
                self._made(f"{rest.base}{parent}", asked, one)

    def _restored(self, one: Resource, rest: Rest) -> bool:
        """A role that was removed keeps its id for weeks: it is taken back."""
        url = f"{rest.base}{one.name}"
        found = self._api.find(url)
        if found is None or not found.get("deleted"):
            return False
        self._api.ask("POST", f"{url}:undelete", {})
        self._api.ask("PATCH", f"{url}?updateMask={','.join(one.body)}", dict(one.body))
        return True

    def _made(
        self, url: str, body: Mapping[str, Json], one: Resource, method: str = "POST"
    ) -> Mapping[str, Json]:
        """The answer to a creation; {} where it is there already.

        An identity that was made just now may be unknown for a moment.
        """
        for pause in (1, 2, 4, 8, 16, 0):
            try:
                return self._api.ask(method, url, dict(body))
            except ApiError as error:
                if error.status == 409:
                    self._refuse_others(one)
                    return {}
                if not pause or error.status != 400 or "does not exist" not in error.message:
                    raise
                self._api.pause(pause)
        raise AssertionError("the last try raises")

    def _refuse_others(self, one: Resource) -> None:
        """Names of buckets are shared by everybody."""
        if self._api.find(f"{STORAGE}/{one.name}") is None if one.kind == "bucket" else False:
            raise DeployError(f"the bucket {one.name} belongs to somebody else")

    def _gone(self, url: str) -> Mapping[str, Json] | None:
        try:
            return self._api.ask("DELETE", url)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _wait(self, rest: Rest, operation: Mapping[str, Json], one: Resource) -> None:
        if rest.waits and "name" in operation and "/operations/" in str(operation["name"]):
            self._api.finish(operation, rest.base, one.id)

    def _settled(self, one: Resource) -> Mapping[str, Json] | None:
        """A service that an earlier command left under way."""
        url = f"{TABLE[one.kind].base}{one.name}"
        self._api.until(lambda: not (self._api.find(url) or {}).get("reconciling"), one.id)
        return self._api.find(url)

    def _switched_on(self, one: Resource) -> Mapping[str, Json] | None:
        wanted = _texts(one.body["serviceIds"])
        query = "&".join(f"names={one.name}/services/{name}" for name in wanted)
        said = self._api.ask("GET", f"{USAGE}{one.name}/services:batchGet?{query}")
        rows = said.get("services")
        on = [
            str(row.get("name")).rpartition("/")[2]
            for row in (rows if isinstance(rows, list) else [])
            if isinstance(row, dict) and row.get("state") == "ENABLED"
        ]
        return one.body if {*wanted} <= {*on} else None

    def _switch_on(self, one: Resource) -> None:
        operation = self._api.ask("POST", f"{USAGE}{one.name}/services:batchEnable", dict(one.body))
        self._api.finish(operation, USAGE, one.id)

    def _generate(self, one: Resource) -> None:
        """A value that nobody has seen, unless there is one."""
        url = f"{TABLE[one.kind].base}{one.name}"
        if not self._api.pages(f"{url}/versions", "versions"):
            value = b64encode(token_urlsafe(48).encode()).decode()
            self._api.ask("POST", f"{url}:addVersion", {"payload": {"data": value}})


def differing(one: Resource, live: Mapping[str, Json]) -> tuple[str, ...]:
    """The members of a resource that are not as they are to be."""
    if one.kind in ("binding", "services"):
        return ()
    members = [name for name in one.body if name not in FIXED]
    if one.kind == "service" and _has_tag(one, live):
        # Under its tag a release has the template that it was made with.
        members = ["traffic"]
    return tuple(name for name in members if not _holds(live.get(name), one.body[name]))


def _has_tag(one: Resource, live: Mapping[str, Json]) -> bool:
    statuses, wanted = live.get("trafficStatuses"), one.body.get("traffic")
    tags = (
        [row.get("tag") for row in statuses if isinstance(row, dict)]
        if isinstance(statuses, list)
        else []
    )
    last = wanted[-1] if isinstance(wanted, list) else None
    return isinstance(last, dict) and last.get("tag") in tags


def _holds(live: Json, wanted: Json) -> bool:
    """Whether everything wanted is so; what is there besides is the API's own."""
    if isinstance(wanted, dict):
        if not wanted:
            return not live
        return isinstance(live, dict) and all(_holds(live.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) != len(wanted):
            return False
        return all(_holds(a, b) for a, b in zip(live, wanted, strict=True))
    return live == wanted or (wanted in (0, "", False) and live is None)


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
