"""Secrets of a deployed service: read from Secret Manager where they are used, kept a while.

`PERDURE_SECRETS` says where each secret lies that the service's code reads, by the name that the
code uses. Nothing else can be read, and nothing is read before it is asked for.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Final, final

from perdure.secrets import read_from
from perdure.sites.masked import mask_logging
from perdure_gcp.firestore import Send

__all__ = ["KEPT_SECONDS", "MISSED_SECONDS", "SecretValues", "use_secrets"]

KEPT_SECONDS: Final = 300.0
"""A secret that was replaced is used after this long in instances that are warm."""
MISSED_SECONDS: Final = 10.0
"""A secret that is set at last is found after this long: a door whose secret is missing does not
ask for it with every request."""
API: Final = "https://secretmanager.googleapis.com/v1/"


def use_secrets(send: Send, environment: Mapping[str, str]) -> None:
    """Let `secret(...).value` read what this service may read."""
    places: dict[str, str] = json.loads(environment.get("PERDURE_SECRETS", "{}"))
    if places:
        read_from(SecretValues(send, places))
        mask_logging()


@final
class SecretValues:
    """The resolver that `perdure.secrets.read_from` takes."""

    def __init__(
        self, send: Send, places: Mapping[str, str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = send
        self._places = places
        self._clock = clock
        self._kept: dict[str, tuple[float, str]] = {}
        self._missed: dict[str, float] = {}

    def __call__(self, name: str) -> str | None:
        """The value of a secret; None where none is set."""
        if name not in self._places:
            return None
        known, now = self._kept.get(name), self._clock()
        if known is not None and now - known[0] < KEPT_SECONDS:
            return known[1]
        missed = self._missed.get(name)
        if missed is not None and now - missed < MISSED_SECONDS:
            return None
        status, answer = self._send("GET", f"{API}{self._places[name]}/versions/latest:access")
        if status == 404 or (status == 400 and "DESTROYED" in json.dumps(answer)):
            self._missed[name] = now
            return None
        payload = answer.get("payload") if isinstance(answer, Mapping) else None
        data = payload.get("data") if isinstance(payload, Mapping) else None
        if status != 200 or not isinstance(data, str):
            raise RuntimeError(f"Secret Manager answers {status} to a question for {name}")
        value = base64.b64decode(data).decode("utf-8", "surrogatepass")
        self._kept[name] = now, value
        return value
