"""The host of the classic protocol: what its extension and Durable Task Framework do, modelled.

An orchestrator of SDK 1 answers each episode with all actions since its start. `Replay` does with
them what OutOfProcOrchestrationShim.cs (WebJobs.Extensions.DurableTask a7c6d694) and
TaskOrchestrationExecutor.cs (DurableTask.Core 5217032) do, both read 2026-11: the whole history is
gone through anew, one action is waited for before the next is taken, ids come from one counter,
what the history has is compared with what is asked for, and an instance ends when no task is open.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, final

__all__ = ["Event", "NonDeterministicError", "Replay", "moment", "text_of"]

type Event = dict[str, Any]
"""An event of a history, as the protocol's JSON has it."""

STARTED: Final = 0
SCHEDULED, COMPLETED, FAILED = 4, 5, 6
CHILD_CREATED, CHILD_COMPLETED, CHILD_FAILED = 7, 8, 9
TIMER_CREATED, TIMER_FIRED = 10, 11
EPISODE, EPISODE_OVER = 12, 13
RAISED: Final = 15

ALL: Final = 12
"""Of actions: WhenAll."""


class NonDeterministicError(Exception):
    """The history has something else than what is asked for."""


@final
class _Awaited:
    """A task of the host: what is asked for, or several at once."""

    def __init__(self) -> None:
        self.done = False
        self.failed = False
        self._then: list[Callable[[], None]] = []

    def when_done(self, then: Callable[[], None]) -> None:
        if self.done:
            then()
        else:
            self._then.append(then)

    def finish(self, *, failed: bool = False) -> None:
        if not self.done:
            self.done, self.failed = True, failed
            for then in self._then:
                then()


@final
class Replay:
    """One episode on the host's side: the history gone through with the list of actions."""

    def __init__(self, history: Sequence[Event], actions: Sequence[Mapping[str, Any]]) -> None:
        self._actions = actions
        self._at = 0
        self._ids = 0
        self._asked: dict[int, Event] = {}
        """By id, what was asked for and is not in the history yet: the decisions."""
        self._open: dict[int, _Awaited] = {}
        self._waiting: defaultdict[str, list[_Awaited]] = defaultdict(list)
        self._buffered: defaultdict[str, deque[Event]] = defaultdict(deque)
        self._kinds: dict[int, int] = {}
        self._now = 0.0
        self.again: Any = None
        """The input under which it continues as new."""
        for event in history:
            self._happen(event)

    @property
    def decisions(self) -> list[Event]:
        """What is new, in the order of ids."""
        return [self._asked[id] for id in sorted(self._asked)]

    @property
    def is_through(self) -> bool:
        """Whether the host waits for no action any more."""
        return self._at == len(self._actions)

    def open(self, kind: int | None = None) -> list[int]:
        """The ids of tasks that have not ended."""
        return [id for id in self._open if kind in (None, self._kinds[id])]

    def _happen(self, event: Event) -> None:
        match event["EventType"]:
            case 0:
                self._go_on()
            case 4 | 7 | 10:
                self._recorded(event)
            case 5 | 6 | 8 | 9 as kind:
                self._finish(event["TaskScheduledId"], failed=kind in (FAILED, CHILD_FAILED))
            case 11:
                self._finish(event["TimerId"])
            case 12:
                self._now = max(self._now, moment(event["Timestamp"]))
            case 15:
                self._raised(event)
            case _:
                pass

    def _recorded(self, event: Event) -> None:
        asked = self._asked.pop(event["EventId"], None)
        if asked is None or (asked["EventType"], asked.get("Name")) != (
            event["EventType"],
            event.get("Name"),
        ):
            raise NonDeterministicError(f"the history has {event}, and the code asks for {asked}")

    def _finish(self, id: int, *, failed: bool = False) -> None:
        awaited = self._open.pop(id, None)
        if awaited is not None:
            awaited.finish(failed=failed)

    def _raised(self, event: Event) -> None:
        name = event["Name"].lower()
        if self._waiting[name]:
            self._waiting[name].pop().finish()  # the newest wait
        else:
            self._buffered[name].append(event)

    def _go_on(self) -> None:
        """The next actions, as long as none has to be waited for."""
        while self._at < len(self._actions):
            awaited = self._invoke(self._actions[self._at])
            if not awaited.done:
                awaited.when_done(self._after_one)
                return
            self._at += 1

    def _after_one(self) -> None:
        self._at += 1
        self._go_on()

    def _invoke(self, action: Mapping[str, Any]) -> _Awaited:
        match action["actionType"]:
            case 0:
                name, given = action["functionName"], action.get("input")
                return self._ask(SCHEDULED, Name=name, Input=given)
            case 1:
                return self._retried(action)
            case 2:
                name, given = action["functionName"], action.get("input")
                instance = action["instanceId"]
                return self._ask(CHILD_CREATED, Name=name, Input=given, InstanceId=instance)
            case 4:
                self.again = action["input"]
                return _done()
            case 5:
                return self._timer(action)
            case 6:
                return self._event(action["externalEventName"].lower())
            case 11 | 12 as kind:
                parts = [self._invoke(part) for part in action["compoundActions"]]
                return _several(parts, all if kind == ALL else any)
            case unknown:
                raise NotImplementedError(f"nobody asks for an action {unknown}")

    def _ask(self, kind: int, **fields: Any) -> _Awaited:
        id, self._ids = self._ids, self._ids + 1
        self._asked[id] = {"EventType": kind, "EventId": id, **fields}
        self._kinds[id] = kind
        self._open[id] = _Awaited()
        return self._open[id]

    def _retried(self, action: Mapping[str, Any]) -> _Awaited:
        """By the host (RetryInterceptor): after each failure a timer, after that a new attempt.

        No app of ours asks for it; with it the model shows what goes wrong with it (#603).
        """
        options, whole, count = action["retryOptions"], _Awaited(), 0

        def attempt() -> None:
            asked = self._ask(SCHEDULED, Name=action["functionName"], Input=action.get("input"))
            asked.when_done(lambda: after(asked.failed))

        def after(failed: bool) -> None:
            nonlocal count
            count += 1
            if not failed:
                whole.finish()
                return
            last = count >= options["maxNumberOfAttempts"]
            seconds = 0 if last else options["firstRetryIntervalInMilliseconds"] / 1000
            timer = self._ask(TIMER_CREATED, FireAt=text_of(self._now + seconds), Over=False)
            timer.when_done(lambda: whole.finish(failed=True) if last else attempt())

        attempt()
        return whole

    def _timer(self, action: Mapping[str, Any]) -> _Awaited:
        """A cancelled one is asked for all the same, rings, and nobody listens."""
        id, cancelled = self._ids, bool(action.get("isCanceled"))
        awaited = self._ask(TIMER_CREATED, FireAt=action["fireAt"], Over=cancelled)
        if cancelled:
            self._finish(id)
        return awaited

    def _event(self, name: str) -> _Awaited:
        if self._buffered[name]:
            self._buffered[name].popleft()
            return _done()
        awaited = _Awaited()
        self._waiting[name].append(awaited)
        return awaited


def _done() -> _Awaited:
    awaited = _Awaited()
    awaited.finish()
    return awaited


def _several(parts: Sequence[_Awaited], enough: Callable[[Sequence[bool]], bool]) -> _Awaited:
    if not parts:
        # Task.WhenAny of nothing raises ArgumentException, Task.WhenAll is done.
        raise NotImplementedError("no app of ours waits for nothing")
    whole = _Awaited()

    def look() -> None:
        if enough([part.done for part in parts]):
            whole.finish(failed=any(part.failed for part in parts))

    for part in parts:
        part.when_done(look)
    return whole


def moment(text: str) -> float:
    """Of the protocol's text."""
    return datetime.fromisoformat(text).timestamp()


def text_of(time: float) -> str:
    """As the protocol writes it."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
