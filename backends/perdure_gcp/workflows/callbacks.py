"""Callback endpoints. https://cloud.google.com/workflows/docs/creating-callback-endpoints

A callback that comes while it is awaited wakes the execution. Whether one that comes before is
kept is not documented: chance decides, so that nothing may count on either.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import final

from perdure_gcp.workflows.problems import Doubts, WorkflowError, failure
from perdure_gcp.workflows.values import Value

__all__ = ["Callbacks"]

type Come = Callable[[Value, WorkflowError | None], None]


@final
@dataclass(slots=True)
class _Endpoint:
    method: str
    execution: str
    waiting: Come | None = None
    kept: Value = None
    received: int = 0


@final
class Callbacks:
    """All endpoints of a project."""

    def __init__(self, doubts: Doubts, chance: random.Random, *, kept: float) -> None:
        """`kept`: the part of those that come before they are awaited."""
        self._doubts = doubts
        self._kept = kept
        self._chance = chance
        self._endpoints: dict[str, _Endpoint] = {}

    def create(self, prefix: str, method: str, execution: str) -> str:
        """The URL of a new endpoint."""
        url = f"{prefix}{self._chance.getrandbits(128):032x}"
        self._endpoints[url] = _Endpoint(method, execution)
        return url

    def expect(self, url: str, execution: str, come: Come) -> WorkflowError | None:
        """Wait for a request; the error when this execution cannot."""
        endpoint = self._endpoints.get(url)
        if endpoint is None or endpoint.execution != execution:
            return failure("ValueError", "this is no callback of this execution")
        if endpoint.waiting is not None:
            self._doubts.about("callback-again", "two steps await one callback")
        if endpoint.received:
            self._doubts.about("callback-again", "a callback is awaited that was received before")
        if endpoint.kept is not None:
            kept, endpoint.kept = endpoint.kept, None
            endpoint.received += 1
            come(kept, None)
            return None
        endpoint.waiting = come
        return None

    def forget(self, url: str) -> None:
        """Nobody waits any more."""
        self._endpoints[url].waiting = None

    def send(self, url: str, method: str, content: dict[str, Value], now: float) -> int:
        """A request arrives: the status of its response."""
        endpoint = self._endpoints.get(url)
        if endpoint is None:
            return 404
        if endpoint.method != method:
            return 405
        time = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        request: dict[str, Value] = {**content, "method": method, "url": url}
        event: Value = {"http_request": request, "received_time": time, "type": "HTTP"}
        if endpoint.waiting is not None:
            come, endpoint.waiting = endpoint.waiting, None
            endpoint.received += 1
            come(event, None)
            return 200
        if endpoint.kept is not None:
            return 429
        if self._chance.random() < self._kept:
            endpoint.kept = event
        return 200

    def close(self, execution: str) -> None:
        """The execution has ended, and its endpoints with it."""
        gone = [url for url, one in self._endpoints.items() if one.execution == execution]
        for url in gone:
            del self._endpoints[url]
