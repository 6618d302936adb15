"""An environment in the cloud: its project, its run store, what is noted there."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import final
from urllib.parse import quote

from perdure.codec import Json
from perdure.deployment import DeployError, Place, Say
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Key
from perdure_gcp.deploy.account import Account
from perdure_gcp.deploy.kinds import Kinds, Resource
from perdure_gcp.deploy.names import parameters
from perdure_gcp.deploy.record import Deployed, read_all
from perdure_gcp.firestore import FirestoreStore
from perdure_gcp.google import API

__all__ = ["Environment", "Filling", "Unknown"]

UPLOADS = "https://storage.googleapis.com/upload/storage/v1/b"
OBJECTS = "https://storage.googleapis.com/storage/v1/b"
OWNER = Key("environment", "owner")
PLACEHOLDER = re.compile(r"\$\{(\w+(?:\.\w+)?)\}")


@final
class Environment:
    """One environment."""

    def __init__(self, place: Place, say: Say) -> None:
        self.place = place
        self.say = say
        self.account = Account(place, say)
        self.api = self.account.api
        self.parameters = parameters(place)
        self.kinds = Kinds(self.api, self.account.project)
        self.store = FirestoreStore(
            self.api.send, self.account.project, self.parameters["Database"]
        )

    @property
    def database(self) -> Resource:
        """The run store."""
        name = f"projects/{self.account.project}/databases/{self.parameters['Database']}"
        return Resource("Store", "database", name, {})

    @property
    def bucket(self) -> Resource:
        """Where code lies."""
        return Resource("Bucket", "bucket", self.parameters["Bucket"], {})

    def exists(self) -> bool:
        """Whether anything is deployed: everything else is noted in the store."""
        return self.kinds.find(self.database) is not None

    @cached_property
    def is_there(self) -> bool:
        """The same, asked once."""
        return self.exists()

    def need(self) -> None:
        """DeployError where nothing is deployed."""
        if not self.is_there:
            name = self.place.environment.name
            where = f"{self.account.region} of project {self.account.project}"
            raise DeployError(f"`{name}` is not deployed in {where}: run `perdure deploy {name}`")

    def flows(self) -> tuple[Deployed, ...]:
        """What is deployed, by name; also flows that the project no longer has."""
        return read_all(self.store) if self.is_there else ()

    def own(self, *, claim: bool) -> None:
        """Refuse the store of an environment that is called alike."""
        mine: dict[str, Json] = {
            "format": FORMAT,
            "project": self.place.name,
            "environment": self.place.environment.name,
        }
        item = self.store.get(OWNER)
        if item is None and claim:
            self.store.put_if_absent(OWNER, mine)
            item = self.store.get(OWNER)
        if item is not None and dict(item.body) != mine:
            raise DeployError(
                f"{self.database.name} is there already, and is of environment"
                f" `{item.body['environment']}` of {item.body['project']}: choose another name"
            )

    # --- code -----------------------------------------------------------------------------------

    def upload(self, key: str, content: Callable[[], bytes], what: str) -> None:
        """Put an object where it is not: its name says what is in it."""
        bucket, named = self.bucket.name, quote(key, safe="")
        if self.api.find(f"{OBJECTS}/{bucket}/o/{named}") is None:
            self.say(f"{what}: upload")
            self.api.upload(f"{UPLOADS}/{bucket}/o?uploadType=media&name={named}", content())

    def empty_bucket(self) -> None:
        """Remove its objects."""
        bucket = self.bucket.name
        if self.kinds.find(self.bucket) is None:
            return
        for row in self.api.pages(f"{OBJECTS}/{bucket}/o", "items"):
            named = quote(text(row["name"]), safe="")
            self.api.send("DELETE", f"{OBJECTS}/{bucket}/o/{named}")

    # --- executions -----------------------------------------------------------------------------

    def running(self, workflow: str) -> list[str]:
        """Executions of a workflow that are under way."""
        query = "filter=state%3D%22ACTIVE%22&view=BASIC"
        url = f"{API}{workflow}/executions?{query}"
        if self.kinds.find(Resource("", "workflow", workflow, {})) is None:
            return []
        return [text(one["name"]) for one in self.api.pages(url, "executions")]

    def stop(self, execution: str) -> None:
        """Cancel an execution; one that has ended is left alone."""
        self.api.send("POST", f"{API}{execution}:cancel", {})


class Unknown(Exception):  # noqa: N818, it says what is so
    """A value that a resource has only once it was made."""


@final
class Filling:
    """Fills in the parameters of resources, and what those before them became."""

    def __init__(self, parameters: Mapping[str, str], file: Callable[[str], str]) -> None:
        self._known = dict(parameters)
        self._file = file

    def resource(self, logical: str, given: Json) -> Resource:
        """The resource as it is to be; Unknown if something before it is not there yet."""
        whole = fields(given)
        return Resource(
            logical, text(whole["kind"]), self._text(text(whole["name"])),
            fields(self._filled(whole["body"])),
        )  # fmt: skip

    def name(self, logical: str, given: Json) -> Resource:
        """The resource without its body."""
        whole = fields(given)
        return Resource(logical, text(whole["kind"]), self._text(text(whole["name"])), {})

    def became(self, one: Resource, live: Mapping[str, Json]) -> None:
        """What later resources may ask about this one."""
        if one.kind == "service" and isinstance(live.get("uri"), str):
            self._known[f"{one.id}.uri"] = text(live["uri"])
            tag = _tag_uri(one, live)
            if tag is not None:
                self._known[f"{one.id}.tag"] = tag
        if one.kind == "sink" and isinstance(live.get("writerIdentity"), str):
            self._known[f"{one.id}.writerIdentity"] = text(live["writerIdentity"])

    def known(self, name: str) -> str | None:
        """A parameter, or what became of a resource."""
        return self._known.get(name)

    def _filled(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._filled(one) for one in value]
        if isinstance(value, dict):
            if [*value] == ["file"]:
                return self._file(text(value["file"]))
            return {name: self._filled(one) for name, one in value.items()}
        return value

    def _text(self, written: str) -> str:
        def known(found: re.Match[str]) -> str:
            if found[1] not in self._known:
                raise Unknown(found[1])
            return self._known[found[1]]

        return PLACEHOLDER.sub(known, written)


def _tag_uri(one: Resource, live: Mapping[str, Json]) -> str | None:
    """The address of the revision that this resource is about."""
    traffic, statuses = one.body.get("traffic"), live.get("trafficStatuses")
    if not isinstance(traffic, list) or not isinstance(statuses, list):
        return None
    tag = fields(traffic[-1])["tag"]
    for row in statuses:
        if isinstance(row, dict) and row.get("tag") == tag and isinstance(row.get("uri"), str):
            return text(row["uri"])
    return None
