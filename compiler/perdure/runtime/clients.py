"""Runs seen from outside: what `Flow.start` and `Handle` do in ordinary code.

Each environment has a `Client`. Without a name (and without `PERDURE_ENV`) it is the local
store's; `perdure.local.client.connect()` makes that one.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from perdure.runtime.engine import Json, Outcome

if TYPE_CHECKING:
    from perdure.language import Flow

__all__ = ["Client", "connect"]


class Client(Protocol):
    """Starts, watches and wakes runs of one environment. Values arrive encoded."""

    async def start(
        self, flow: "Flow[..., Any]", arguments: Mapping[str, Json], id: str | None
    ) -> str:
        """Start a run (idempotent where an id is given: else RunConflict); its id."""
        ...

    async def result(self, run: str) -> Outcome:
        """Wait for the end of a run."""
        ...

    async def send(self, run: str, event: str, payload: Json) -> None:
        """Store an event for a run."""
        ...

    async def ask(self, run: str, event: str, payload: Json) -> Outcome:
        """Store an event and wait for its reply; `Unanswered` as error if the run ends first."""
        ...

    async def cancel(self, run: str) -> None:
        """Ask a run to cancel."""
        ...


def connect(on: str | None = None) -> Client:
    """The client of environment `on`, else of `PERDURE_ENV`, else of the local store."""
    import os
    from importlib import import_module

    name = on or os.environ.get("PERDURE_ENV")
    if name is None or name == "local":
        client: Client = import_module("perdure.local.client").connect()
        return client
    from pathlib import Path

    from perdure.deployment import find_place, load_deployer

    place = find_place(Path.cwd(), name)
    return load_deployer(place.environment.target).connect(place).client
