"""What a run says to another whose engine runs elsewhere: told, heard, answered.

The other run says at once that it heard, so that a sender never waits for one that has ended
meanwhile; from then on it is bound to answer, at its end at the latest.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, final

from perdure.codec.text import Json
from perdure.durations import due
from perdure.errors import Unanswered
from perdure.runtime.engine import Completed, Failed, Message, Outcome
from perdure.runtime.host import Host
from perdure.runtime.values import failed

__all__ = ["Conversation"]

UNHEARD = 60.0
"""Seconds after which a sender looks whether the run it wrote to has ended meanwhile."""


@final
class Conversation:
    """The messages of one run that are under way."""

    def __init__(self, host: Host, run: str) -> None:
        self._host = host
        self._run = run
        self._answers: dict[str, asyncio.Future[Outcome | None]] = {}

    def heard(self, id: str, message: Mapping[str, Json]) -> None:
        """The other run has heard, or answered."""
        answer = self._answers.get(id)
        if answer is not None and not answer.done():
            failed = "error" in message
            done = Failed(message["error"]) if failed else Completed(message.get("value"))
            answer.set_result(done)

    async def tell(self, message: Message, found: str, *, asks: bool) -> Outcome:
        """What the other run says: that it heard, then the answer if this asks for one."""
        id = f"{self._run}/{message.op.path}"
        heard: asyncio.Future[Outcome | None] = self._host.loop.create_future()
        answer: asyncio.Future[Outcome | None] = self._host.loop.create_future()
        self._answers |= {f"{id}~heard": heard, id: answer}
        try:
            if found == "running":
                told: dict[str, Json] = {"event": message.name, "payload": message.payload}
                self._host.tell(message.run, {**told, "from": self._run, "id": id, "asks": asks})
            while found == "running" and not heard.done() and not answer.done():
                unheard = self._host.loop.create_task(
                    self._host.until(due(self._host.now(), UNHEARD))
                )
                try:
                    first: list[asyncio.Future[Any]] = [heard, answer, unheard]
                    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
                    if unheard.done():
                        found = await self._host.find(message.run) or "ended"
                finally:
                    unheard.cancel()
            if answer.done():
                return answer.result() or Completed(None)
            if not heard.done() and asks:
                return failed(Unanswered(f"run {message.run} ended before it answered"))
            return (await answer if asks else None) or Completed(None)
        finally:
            del self._answers[f"{id}~heard"], self._answers[id]
