"""What `Flow.start` and `Handle` use of a deployed environment: requests run in threads."""

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, final

from perdure.codec.text import Json
from perdure.errors import Unanswered
from perdure.runtime.engine import Completed, Outcome
from perdure.runtime.values import failed
from perdure.store.inbox import get_reply
from perdure.store.protocol import RunStore

if TYPE_CHECKING:
    from perdure.language import Flow

__all__ = ["DeployedClient", "DrivenRuns"]

SHORTEST, LONGEST = 0.2, 3.0
"""Seconds between two looks at a run that somebody waits for."""


class DrivenRuns(Protocol):
    """The part of `perdure.deployment.Runs` that a client needs; `asks`: a reply is waited for."""

    @property
    def store(self) -> RunStore:
        """The run store."""
        ...

    def start(self, flow: str, arguments: Mapping[str, Json], run: str) -> None:
        """Start a run, or find the one there is."""
        ...

    def send(self, run: str, event: str, payload: Json, *, id: str, asks: bool = False) -> None:
        """Store an event, and wake who waits for it."""
        ...

    def outcome(self, run: str) -> Outcome | None:
        """How a run ended."""
        ...

    def cancel(self, run: str, *, at_once: bool) -> None:
        """Ask a run to cancel."""
        ...


@final
class DeployedClient:
    """`perdure.runtime.clients.Client` of an environment; requests run in threads."""

    def __init__(self, runs: DrivenRuns) -> None:
        self._runs = runs

    async def start(
        self,
        flow: "Flow[..., Any]",
        arguments: Mapping[str, Json],
        id: str | None,  # the Protocol's name
    ) -> str:
        """Start a run where new runs start."""
        from perdure.run_ids import check_id, made_id

        if id is not None:
            check_id(id)
        run = id or made_id(flow.name, os.urandom(4).hex())
        await asyncio.to_thread(self._runs.start, flow.__perdure_ref__, arguments, run)
        return run

    async def result(self, run: str) -> Outcome:
        """Wait for the end of a run."""
        pause = SHORTEST
        while (outcome := await asyncio.to_thread(self._runs.outcome, run)) is None:
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * 1.5)
        return outcome

    async def send(self, run: str, event: str, payload: Json) -> None:
        """Store an event for a run."""
        identity = os.urandom(16).hex()
        await asyncio.to_thread(self._runs.send, run, event, payload, id=identity)

    async def ask(self, run: str, event: str, payload: Json) -> Outcome:
        """Store an event and wait for its reply."""
        identity, pause = os.urandom(16).hex(), SHORTEST
        await asyncio.to_thread(self._runs.send, run, event, payload, id=identity, asks=True)
        while True:
            ended = await asyncio.to_thread(self._runs.outcome, run)
            answer = await asyncio.to_thread(get_reply, self._runs.store, run, identity)
            if answer is not None:
                return Completed(answer.value)
            if ended is not None:
                return failed(Unanswered(f"run {run} ended before it answered"))
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * 1.5)

    async def cancel(self, run: str) -> None:
        """Ask a run to cancel."""
        await asyncio.to_thread(self._runs.cancel, run, at_once=False)
