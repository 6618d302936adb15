"""The classic protocol, driven: SDK 1's own code on the model of its host, interleaved by a seed.

Virtual time moves when nothing is left to do at an instant. Seed 0 hands on what came first, all of
it in one episode; any other seed picks which function runs next, and how many of the messages that
wait for an orchestration come in one episode.
"""

import asyncio
import heapq
import inspect
import json
import types
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from random import Random
from typing import Any, NamedTuple, final
from urllib.parse import parse_qs, unquote, urlsplit

from azure.functions.durable_functions import ActivityTriggerConverter
from azure.functions.meta import Datum

from perdure_azure.engine.classic_host import (
    CHILD_COMPLETED,
    CHILD_FAILED,
    COMPLETED,
    EPISODE,
    EPISODE_OVER,
    FAILED,
    RAISED,
    STARTED,
    TIMER_CREATED,
    TIMER_FIRED,
    Event,
    NonDeterministicError,
    Replay,
    moment,
    text_of,
)
from perdure_azure.engine.machine import Ended, Observer

__all__ = ["Classic", "StalledError"]

ERROR_FOLLOWS = "\n\n$OutOfProcData$:"
"""Between the text of an orchestrator's exception and the state that the host reads."""
THREE_DAYS, SIX_DAYS = "3.00:00:00", "6.00:00:00"


class StalledError(AssertionError):
    """The host waits for an action while the code has gone on, or a timer is left at the end."""


class _Parent(NamedTuple):
    instance: str
    task: int


class _Due(NamedTuple):
    when: float
    inside: bool
    order: int
    happen: Callable[[], None]


class _AtOnce(NamedTuple):
    """A timer that was due when it was made: it ends the instant, for deeper runs first."""

    height: int
    order: int
    happen: Callable[[], None]


@final
class _Instance:
    def __init__(self, name: str, given: str, parent: _Parent | None, depth: int) -> None:
        self.name = name
        self.input = given
        self.parent = parent
        self.depth = depth
        self.history: list[Event] = []
        self.inbox: deque[Event] = deque()
        self.status: str | None = None
        self.output: str | None = None
        self.problem: str | None = None
        self.over = False


@final
class Classic:
    """See `perdure_azure.engine.machine.Machine`."""

    strict = True
    """Whether a test fails where the host waits: what is written by hand makes it wait."""

    def __init__(self, app: Any, start: float, seed: int, observer: Observer) -> None:
        self.now = start
        self._observer = observer
        self._random = Random(seed) if seed else None
        self._instances: dict[str, _Instance] = {}
        self._ready: deque[str] = deque()
        self._jobs: deque[tuple[str, Event]] = deque()
        self._agenda: list[_Due] = []
        self._at_once: list[_AtOnce] = []
        self._order = 0
        self._loop = asyncio.Runner()
        app._require_auth_level = True
        self._functions = {
            each.get_function_name(): each.get_user_function() for each in app.get_functions()
        }
        _answer_calls(self._called)

    def start_instance(self, name: str, instance: str, data: str) -> None:
        """Start an orchestration with JSON text as its input."""
        self._begin(instance, _Instance(name, data, None, 0))

    def raise_event(self, instance: str, name: str, data: str) -> None:
        """Send an event with JSON text as its payload."""
        self._post(instance, {"EventType": RAISED, "EventId": -1, "Name": name, "Input": data})

    def later(self, when: float, happen: Callable[[], None], *, inside: bool) -> None:
        """Let something happen at a moment."""
        self._order += 1
        heapq.heappush(self._agenda, _Due(when, inside, self._order, happen))

    def has_ended(self, instance: str) -> bool:
        """Whether an orchestration has come to its end."""
        return self._instances[instance].over

    def ended(self, instance: str) -> Ended:
        """How it ended."""
        found = self._instances[instance]
        return Ended(found.output, found.status, found.problem)

    def history(self, instance: str) -> tuple[object, ...]:
        """Events of the protocol's JSON."""
        return tuple(self._instances[instance].history)

    def close(self) -> None:
        """End the event loop that coroutine functions ran in."""
        self._loop.close()

    # What happens next

    def work(self) -> bool:
        """Run one function that is due at this instant; False if there is none."""
        jobs_first = self._random is not None and self._random.random() < 0.5
        for orchestrates in (not jobs_first, jobs_first):
            queue: deque[Any] = self._ready if orchestrates else self._jobs
            if queue:
                if self._random is not None:
                    queue.rotate(-self._random.randrange(len(queue)))
                one = queue.popleft()
                if orchestrates:
                    self._episode(one)
                else:
                    self._attempt(*one)
                return True
        return False

    def advance(self) -> bool:
        """Let what is next in time happen; False if there is nothing.

        What comes from outside comes one at a time, before all that is due inside at its moment.
        """
        if self._at_once:
            heapq.heappop(self._at_once).happen()
            return True
        if not self._agenda:
            return False
        self.now = max(self.now, self._agenda[0].when)
        while self._agenda and self._agenda[0].when <= self.now:
            due = heapq.heappop(self._agenda)
            due.happen()
            if not due.inside:
                break
        return True

    def _begin(self, instance: str, made: _Instance) -> None:
        if instance in self._instances:
            raise RuntimeError(f"there is an instance {instance!r} already")
        self._instances[instance] = made
        self._post(instance, _started(made))

    def _post(self, instance: str, event: Event) -> None:
        found = self._instances.get(instance)
        if found is None or found.over:
            return
        found.inbox.append(event)
        if instance not in self._ready:
            self._ready.append(instance)

    # Orchestrations

    def _episode(self, instance: str) -> None:
        found = self._instances[instance]
        if found.over:
            return
        for event in found.history:
            event["IsPlayed"] = True
        found.history.append(self._stamped({"EventType": EPISODE, "EventId": -1}))
        count = len(found.inbox)
        if self._random is not None:
            count = self._random.randint(1, count)
        found.history += [self._stamped(found.inbox.popleft()) for _ in range(count)]
        if found.inbox:
            self._ready.append(instance)
        state = self._answer(instance, found)
        try:
            replay = Replay(found.history, state["actions"][0])
        except NonDeterministicError as problem:
            if self.strict:
                raise
            found.over, found.problem = True, str(problem)
            return
        if self.strict:
            self._check(instance, state, replay)
        for decision in replay.decisions:
            found.history.append(self._stamped(decision))
            self._decide(instance, found, decision)
        found.history.append(self._stamped({"EventType": EPISODE_OVER, "EventId": -1}))
        found.status = (
            json.dumps(state["customStatus"]) if "customStatus" in state else found.status
        )
        ends = replay.is_through and not replay.open()
        self._observer.ran(instance, renewed=ends and replay.again is not None)
        if ends and (state["isDone"] or "error" in state):
            self._end(instance, found, state, replay)

    def _answer(self, instance: str, found: _Instance) -> dict[str, Any]:
        """The state that the orchestrator gives, or that its exception carries."""
        body = {
            "history": found.history,
            "input": found.input,
            "instanceId": instance,
            "isReplaying": len(found.history) > 2,
            "parentInstanceId": None if found.parent is None else found.parent.instance,
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": 2,
            "longRunningTimerIntervalDuration": THREE_DAYS,
            "maximumShortTimerDuration": SIX_DAYS,
            "defaultHttpAsyncRequestSleepTimeMillseconds": 30_000,
        }
        orchestrate = self._functions[found.name]
        try:
            with warnings.catch_warnings():
                # "Potential duplicate completion"
                warnings.simplefilter("error" if self.strict else "ignore", UserWarning)
                text = orchestrate(types.SimpleNamespace(body=json.dumps(body)))
        except Exception as error:
            _, separator, text = str(error).partition(ERROR_FOLLOWS)
            if not separator:
                raise
        state: dict[str, Any] = json.loads(text)
        return state

    def _check(self, instance: str, state: dict[str, Any], replay: Replay) -> None:
        if not replay.is_through:
            raise StalledError(f"{instance}: the host waits while the code has gone on")
        over = state["isDone"] or "error" in state
        if over and replay.open(TIMER_CREATED):
            raise StalledError(f"{instance} has ended, and timers are open")

    def _decide(self, instance: str, found: _Instance, decision: Event) -> None:
        match decision["EventType"]:
            case 4:
                self._jobs.append((instance, decision))
            case 7:
                parent = _Parent(instance, decision["EventId"])
                child = _Instance(decision["Name"], _text(decision), parent, found.depth + 1)
                self._begin(decision["InstanceId"], child)
            case _:
                fires, id = moment(decision["FireAt"]), decision["EventId"]
                rings = {"EventType": TIMER_FIRED, "EventId": -1, "TimerId": id}
                ring = partial(self._post, instance, {**rings, "FireAt": decision["FireAt"]})
                if fires > self.now:
                    self.later(fires, ring, inside=True)
                elif decision["Over"]:
                    ring()
                else:
                    self._order += 1
                    heapq.heappush(self._at_once, _AtOnce(-found.depth, self._order, ring))

    def _end(self, instance: str, found: _Instance, state: dict[str, Any], replay: Replay) -> None:
        if replay.again is not None:
            # What the host had buffered for it is gone (#331); what had not come yet comes.
            found.input, found.history = _text({"Input": replay.again}), []
            found.inbox.appendleft(_started(found))
            if instance not in self._ready:
                self._ready.append(instance)
            return
        found.over = True
        found.output = json.dumps(state.get("output"))
        found.problem = state.get("error")
        if found.parent is None:
            return
        told: Event = {"EventId": -1, "TaskScheduledId": found.parent.task}
        if found.problem is None:
            told |= {"EventType": CHILD_COMPLETED, "Result": found.output}
        else:
            told |= {"EventType": CHILD_FAILED, "Reason": found.problem, "Details": ""}
        self._post(found.parent.instance, told)

    def _stamped(self, event: Event) -> Event:
        return {**event, "IsPlayed": False, "Timestamp": text_of(self.now)}

    # Activities

    def _attempt(self, instance: str, decision: Event) -> None:
        told: Event = {"EventId": -1, "TaskScheduledId": decision["EventId"]}
        try:
            told |= {"EventType": COMPLETED, "Result": self._run(decision)}
        except Exception as error:
            reason = f"Activity function '{decision['Name']}' failed: "
            told |= {"EventType": FAILED, "Reason": f"{reason} {error!r}", "Details": ""}
        seconds = self._observer.took()
        if seconds:
            self.later(self.now + seconds, partial(self._post, instance, told), inside=True)
        else:
            self._post(instance, told)

    def _run(self, decision: Event) -> str:
        function = self._functions[decision["Name"]]
        converter: Any = ActivityTriggerConverter  # half of its types are missing
        call = converter.decode(Datum(_text(decision), "string"), trigger_metadata=None)
        given = {"call": call}
        if "client" in inspect.signature(function).parameters:
            given["client"] = json.dumps(_BINDING)
        answer = function(**given)
        answer = self._loop.run(answer) if inspect.iscoroutine(answer) else answer
        text = converter.encode(answer, expected_type=None).value
        return text if isinstance(text, str) else json.dumps(text)

    # The host's HTTP interface, which the SDK's client calls

    def _called(self, method: str, address: str, text: str | None) -> list[Any]:
        parts = urlsplit(address)
        path = [unquote(part) for part in parts.path.split("/") if part]
        match method, path:
            case "GET", ["instances", instance]:
                return self._found(instance, shows_input="showInput" in parse_qs(parts.query))
            case "POST", ["orchestrators", name, instance]:
                self.start_instance(name, instance, text or "null")
                return [202, {"id": instance}]
            case "POST", ["instances", instance, "raiseEvent", name]:
                gone = self._instances[instance].over
                self.raise_event(instance, name, text or "null")
                return [410 if gone else 202, None]
            case _:
                raise NotImplementedError(f"{method} {address}")

    def _found(self, instance: str, *, shows_input: bool) -> list[Any]:
        found = self._instances.get(instance)
        if found is None:
            return [404, f"No instance with ID {instance} found."]
        ended = "Completed" if found.problem is None else "Failed"
        status: dict[str, Any] = {"instanceId": instance, "createdTime": text_of(self.now)}
        status["runtimeStatus"] = ended if found.over else "Running"
        if shows_input:
            status["input"] = json.loads(found.input)
        return [200, status]


_BINDING: Mapping[str, Any] = {
    "taskHubName": "hub",
    "creationUrls": {},
    "managementUrls": {},
    "rpcBaseUrl": "http://host/",
}
"""What the host gives for a client."""


def _answer_calls(called: Callable[[str, str, str | None], list[Any]]) -> None:
    """Let the SDK's client reach this host without a network."""
    client = import_module("azure.durable_functions.models.DurableOrchestrationClient")

    async def get(url: str, *_: object) -> list[Any]:
        return called("GET", url, None)

    async def post(url: str, data: str | None = None, *_: object, **__: object) -> list[Any]:
        return called("POST", url, data)

    vars(client).update(get_async_request=get, post_async_request=post)


def _started(instance: _Instance) -> Event:
    name, given = instance.name, instance.input
    return {
        "EventType": STARTED,
        "EventId": -1,
        "Name": name,
        "Input": given,
        "Version": "",
    }


def _text(event: Event) -> str:
    """The input of an action as JSON text: the SDK gives some as text, some as what it means."""
    given = event.get("Input")
    return given if isinstance(given, str) else json.dumps(given)
