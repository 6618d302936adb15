"""Secrets of an environment in Secret Manager. What is set here is never read here."""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from typing import final

from perdure.codec import Json
from perdure.deployment import Place
from perdure.sites.state import text
from perdure_gcp.deploy.api import Api, ApiError, SwitchedOff
from perdure_gcp.deploy.names import labels, secret_id, secret_prefix

__all__ = ["GcpSecrets", "missing_lines"]

BASE = "https://secretmanager.googleapis.com/v1/"
USAGE = "https://serviceusage.googleapis.com/v1/"


@final
class GcpSecrets:
    """See `perdure.deployment.SecretStore`."""

    def __init__(self, place: Place, api: Api) -> None:
        self._place = place
        self._api = api
        self._project = f"projects/{place.environment.project}"

    def present(self, names: Sequence[str]) -> frozenset[str]:
        """Those with a version that can be read."""
        return frozenset(name for name in names if self._has_value(name))

    def put(self, name: str, value: str) -> bool:
        """A new version of a secret, or of a new one. What is refused holds no value.

        Before the first deploy the project may not use Secret Manager yet.
        """
        for pause in (0, 5, 10, 20, 30):
            try:
                return self._put(name, value)
            except SwitchedOff:
                self._api.pause(pause)
                self._switch_on()
        return self._put(name, value)

    def _switch_on(self) -> None:
        url = f"{USAGE}{self._project}/services:batchEnable"
        operation = self._api.ask("POST", url, {"serviceIds": ["secretmanager.googleapis.com"]})
        self._api.finish(operation, USAGE, "Secret Manager")

    def _put(self, name: str, value: str) -> bool:
        new = not self._has_value(name)
        if new and self._api.find(self._url(name)) is None:
            asked: dict[str, Json] = {
                "replication": {"automatic": {}},
                "labels": dict(labels(self._place)),
            }
            url = f"{BASE}{self._project}/secrets?secretId={secret_id(self._place, name)}"
            try:
                self._api.ask("POST", url, asked)
            except ApiError as error:
                if error.status != 409:
                    raise
        data = b64encode(value.encode("utf-8", "surrogatepass")).decode()
        self._api.ask("POST", f"{self._url(name)}:addVersion", {"payload": {"data": data}})
        return new

    def kept(self) -> tuple[str, ...]:
        """The full names of all secrets of the environment, with a value or without."""
        try:
            rows = self._api.pages(f"{BASE}{self._project}/secrets", "secrets")
        except SwitchedOff:
            return ()
        mine = labels(self._place)
        prefix = f"/secrets/{secret_prefix(self._place)}-"
        names = [
            text(row["name"])
            for row in rows
            if row.get("labels") == mine and prefix in text(row["name"])
        ]
        return tuple(sorted(names))

    def has_value(self, called: str) -> bool:
        """Whether one of them was ever set."""
        try:
            found = self._api.find(f"{BASE}{called}/versions/latest")
        except SwitchedOff:
            return False
        return found is not None and found.get("state") == "ENABLED"

    def remove(self, name: str) -> bool:
        """Destroy its values; what holds them stays, with the rights to read it."""
        there = self.present([name])
        rows = self._api.pages(f"{self._url(name)}/versions", "versions") if there else []
        for row in rows:
            if row.get("state") != "DESTROYED":
                self._api.ask("POST", f"{BASE}{row['name']}:destroy", {})
        return bool(there)

    def remove_kept(self, called: str) -> None:
        """Delete one of `kept` for good; it may be gone already."""
        try:
            self._api.ask("DELETE", f"{BASE}{called}")
        except ApiError as error:
            if error.status != 404:
                raise

    def _url(self, name: str) -> str:
        return f"{BASE}{self._project}/secrets/{secret_id(self._place, name)}"

    def _has_value(self, name: str) -> bool:
        return self.has_value(f"{self._project}/secrets/{secret_id(self._place, name)}")


def missing_lines(missing: Iterable[str], environment: str) -> Iterator[str]:
    """What to type for each."""
    for name in missing:
        yield (
            f"the secret {name} is missing: `perdure secrets set {environment} {name}`"
            " before a run reads it"
        )
