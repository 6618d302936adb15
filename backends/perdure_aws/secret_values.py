"""Secrets of a deployed function: read from Secrets Manager where they are used, kept a while.

`places` says where each secret lies that the function's code reads, by the name that the code uses.
Nothing else can be read, and nothing is read before it is asked for.
"""

import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol, final

__all__ = ["KEPT_SECONDS", "MISSED_SECONDS", "Reads", "SecretValues"]

KEPT_SECONDS: Final = 300.0
"""A secret that was replaced is used after this long in functions that are warm."""

MISSED_SECONDS: Final = 10.0
"""A secret that is set at last is found after this long: a door whose secret is missing does not
ask for it with every request."""

MISSING: Final = ("ResourceNotFoundException", "AccessDeniedException")
"""Of a secret that nobody has set Secrets Manager may say that it cannot be read: a role names
secrets by the whole of their ARN, and one that is not there has none."""


class Reads(Protocol):
    """The part of Secrets Manager's client that is used here. Its errors have a `response`."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, object]:  # noqa: N803  (its name)
        """GetSecretValue."""
        ...


@final
class SecretValues:
    """The resolver that `perdure.secrets.read_from` takes."""

    def __init__(
        self,
        client: Reads,
        places: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._places = places
        self._clock = clock
        self._kept: dict[str, tuple[float, str]] = {}
        self._missed: dict[str, float] = {}

    def __call__(self, name: str) -> str | None:
        """The value of a secret; None where none is set."""
        if name not in self._places:
            return None
        known = self._kept.get(name)
        now = self._clock()
        if known is not None and now - known[0] < KEPT_SECONDS:
            return known[1]
        missed = self._missed.get(name)
        if missed is not None and now - missed < MISSED_SECONDS:
            return None
        try:
            value = self._client.get_secret_value(SecretId=self._places[name]).get("SecretString")
        except Exception as error:
            if code_of(error) not in MISSING:
                raise
            value = None
        if not isinstance(value, str):  # none, or bytes that somebody put there: no secret of ours
            self._missed[name] = now
            return None
        self._kept[name] = now, value
        return value


def code_of(error: Exception) -> str:
    """What a client's error says of itself; "" if it is of another kind."""
    response: Mapping[str, Mapping[str, str]] = getattr(error, "response", {})
    return response.get("Error", {}).get("Code", "")
