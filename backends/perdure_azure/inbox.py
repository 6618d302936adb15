"""The inbox of a run: events first in, first out per name; each goes to one wait.

The engine keeps events until the run waits for their name; from the first wait on there is always
one open with the engine, and what comes is kept here, so that a wait that lost a race never
swallows an event.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple, final

from perdure.codec.text import Json
from perdure.errors import InvalidInput
from perdure.runtime.engine import Completed, EventWait, Outcome
from perdure.runtime.values import encode_payload, failed, misfit

__all__ = ["Inbox"]


class Stored(NamedTuple):
    """One event; its payload is plain JSON, as somebody outside wrote it."""

    order: int
    name: str
    payload: Json


type Waiter = asyncio.Future[Outcome | None]


@final
class Inbox:
    """Stored events, live waits, and who took what."""

    def __init__(self, listen: Callable[[str], None], misfit: Callable[[str], None]) -> None:
        self._listen = listen
        """Called with a name at its first wait."""
        self._misfit = misfit
        """Told of a payload that does not fit the wait that took it."""
        self._known: set[str] = set()
        self._stored: list[Stored] = []
        self._waits: list[tuple[Waiter, EventWait]] = []
        self._taken: dict[str, Stored] = {}
        self._count = 0

    def store(self, name: str, payload: Json) -> None:
        """An event came."""
        self._count += 1
        self._stored.append(Stored(self._count, name, payload))
        self._match(name)

    def wait(self, wait: EventWait) -> Waiter:
        """A live wait; done at once if the event is there."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waits.append((waiter, wait))
        if wait.name not in self._known:
            self._known.add(wait.name)
            self._listen(wait.name)
        self._match(wait.name)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """The wait is over."""
        self._waits = [(other, wait) for other, wait in self._waits if other is not waiter]

    def give_back(self, paths: Sequence[str]) -> None:
        """What was taken at these paths is there again, in its old place."""
        events = [self._taken.pop(path) for path in paths if path in self._taken]
        self._stored = sorted([*self._stored, *events])
        for name in {event.name for event in events}:
            self._match(name)

    def _match(self, name: str) -> None:
        for waiter, wait in self._waits:
            if wait.name != name or waiter.done():
                continue
            event = next((event for event in self._stored if event.name == name), None)
            if event is None:
                return
            self._stored.remove(event)
            self._taken[wait.op.path] = event
            waiter.set_result(self._outcome(event, wait))

    def _outcome(self, event: Stored, wait: EventWait) -> Outcome:
        """The payload as the type that the wait declares; the sender may not have known it."""
        try:
            return Completed(encode_payload(event.payload, wait.type))
        except InvalidInput as error:
            self._misfit(misfit(wait.name, error))
            return failed(error)
