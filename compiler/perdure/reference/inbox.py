"""The inbox of a run: events first in, first out per name; each goes to one wait."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, final

from perdure.codec import decode
from perdure.codec.text import Json
from perdure.errors import InvalidInput
from perdure.runtime.engine import Completed, EventWait, Outcome
from perdure.runtime.loop import VirtualLoop
from perdure.runtime.paths import natural
from perdure.runtime.values import encode_payload, misfit
from perdure.testing.scripts import ScriptError

__all__ = ["Inbox", "Ticket", "Waiter"]


class Ticket(NamedTuple):
    """One event. `encoded`: its payload, of the type that the wait which takes it declares."""

    order: int
    name: str
    encoded: Json
    time: float
    answer: "asyncio.Future[Outcome] | None" = None
    plain: object = None
    """The payload as plain JSON or live value, where a test's script sent it."""
    is_plain: bool = False


type Waiter = asyncio.Future[Ticket | None]


@final
class Inbox:
    """Stored events, live waits, and who took what."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._stored: list[Ticket] = []
        self._waits: list[tuple[Waiter, EventWait]] = []
        self._since: dict[Waiter, tuple[float, tuple[tuple[int, str], ...]]] = {}
        self._taken: dict[str, Ticket] = {}
        self._unanswered: list[tuple[str, str, Ticket]] = []
        self._count = 0
        self._closed: Callable[[], Outcome] | None = None

    def store(
        self, name: str, payload: Json, time: float, answer: "asyncio.Future[Outcome] | None" = None
    ) -> None:
        """An event with an encoded payload; InvalidInput if the wait that lives cannot take it."""
        waits = [wait for waiter, wait in self._waits if wait.name == name and not waiter.done()]
        if waits and waits[0].type is not None:
            encode_payload(decode(payload), waits[0].type)
        self._put(Ticket(self._next(), name, payload, time, answer))

    def store_plain(self, name: str, payload: object, time: float) -> None:
        """An event from outside: plain JSON, converted to the type its wait declares."""
        self._put(Ticket(self._next(), name, None, time, plain=payload, is_plain=True))

    def wait(self, loop: VirtualLoop, wait: EventWait) -> Waiter:
        """A live wait, in line by its time, then by lower index; done if the event is there."""
        waiter: Waiter = loop.create_future()
        self._since[waiter] = (loop.time(), natural(wait.op.path))
        self._waits.append((waiter, wait))
        self._waits.sort(key=lambda live: self._since[live[0]])
        self._match(wait.name)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """The wait is over."""
        self._waits = [(other, wait) for other, wait in self._waits if other is not waiter]

    def give_back(self, paths: Sequence[str]) -> None:
        """What was taken at these paths is there again, in its old place."""
        tickets = [self._taken.pop(path) for path in paths if path in self._taken]
        self._unanswered = [item for item in self._unanswered if item[2] not in tickets]
        self._stored = sorted([*self._stored, *tickets], key=lambda ticket: ticket.order)
        for name in {ticket.name for ticket in tickets}:
            self._match(name)

    def reply(self, scope: str, name: str, value: Json) -> None:
        """Answer the oldest message that `scope` took under `name`."""
        for item in self._unanswered:
            if item[:2] == (scope, name):
                self._unanswered.remove(item)
                answer = item[2].answer
                if answer is not None and not answer.done():
                    answer.set_result(Completed(value))
                return
        raise RuntimeError(f"reply({name!r}): this scope took no message that is unanswered")

    def close(self, outcome: Callable[[], Outcome]) -> None:
        """The run has ended: who waits for an answer, or asks later, gets this one."""
        self._closed = outcome
        tickets: Iterable[Ticket] = [*self._stored, *(item[2] for item in self._unanswered)]
        for ticket in tickets:
            if ticket.answer is not None and not ticket.answer.done():
                ticket.answer.set_result(outcome())

    def _put(self, ticket: Ticket) -> None:
        if self._closed is not None and ticket.answer is not None:
            ticket.answer.set_result(self._closed())
        self._stored.append(ticket)
        self._match(ticket.name)

    def _match(self, name: str) -> None:
        for waiter, wait in self._waits:
            if wait.name != name or waiter.done():
                continue
            ticket = next((ticket for ticket in self._stored if ticket.name == name), None)
            if ticket is None:
                return
            self._stored.remove(ticket)
            self._deliver(ticket, waiter, wait)

    def _deliver(self, ticket: Ticket, waiter: Waiter, wait: EventWait) -> None:
        try:
            payload = ticket.plain if ticket.is_plain else decode(ticket.encoded)
            if ticket.is_plain or wait.type is not None:
                ticket = ticket._replace(encoded=encode_payload(payload, wait.type))
        except InvalidInput as error:
            waiter.set_exception(ScriptError(misfit(wait.name, error)))
            return
        self._taken[wait.op.path] = ticket
        self._unanswered.append((wait.op.scope.path, wait.name, ticket))
        waiter.set_result(ticket)

    def _next(self) -> int:
        self._count += 1
        return self._count
