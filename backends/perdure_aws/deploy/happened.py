"""What a run did, read off the history of its execution.

Comes in: the events of GetExecutionHistory, and a way to fetch what was too long for them. Goes
out: the records that the sites left in their answers, with when each operation began and the
line it stands in; what is under way; the ways that were taken. An event belongs to the state that
`previousEventId` leads back to.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.deployment import Happened
from perdure.sites.failures import told
from perdure_aws.json_shapes import is_object

__all__ = ["happened", "joined", "over", "together"]

type Event = Mapping[str, object]
type Fetch = Callable[[Mapping[str, Json]], Mapping[str, Json]]


@final
class Entered(NamedTuple):
    """A state that was entered, or a task of it that was scheduled."""

    name: str
    time: float
    payload: Mapping[str, Json]
    """What its site was asked; {} of states that are no sites."""


def happened(events: Iterable[Event], definition: Mapping[str, Json], fetch: Fetch) -> Happened:
    """Everything in the order in which it ended; what is under way last."""
    reader = _History(fetch, dict(_places(definition)))
    for event in events:
        reader.take(event)
    return Happened(
        (*reader.operations, *reader.under_way.values()),
        tuple(reader.logs),
        tuple(reader.decisions),
    )


def joined(found: Sequence[Happened]) -> Happened:
    """What happened in the executions of one run, one after another.

    What an earlier one has under way is the wait for the later one, and nothing of the flow.
    """
    return together([*map(over, found[:-1]), *found[-1:]])


def over(found: Happened) -> Happened:
    """What happened in an execution that is over: nothing of it is under way."""
    ended = tuple(op for op in found.operations if op.get("time") is not None)
    return found._replace(operations=ended)


def together(found: Sequence[Happened]) -> Happened:
    """What happened in executions beside each other."""
    return Happened(
        tuple(operation for one in found for operation in one.operations),
        tuple(log for one in found for log in one.logs),
        tuple(decision for one in found for decision in one.decisions),
    )


@final
class _History:
    """The events so far."""

    def __init__(self, fetch: Fetch, places: Mapping[str, str]) -> None:
        self._fetch = fetch
        self._places = places
        self._entries: dict[str, float] = {}
        """When each state was entered last."""
        self._states: dict[int, Entered] = {}
        """By the id of each event: the state it belongs to."""
        self._choosing: dict[int, Entered] = {}
        self.operations: list[Mapping[str, Json]] = []
        self.logs: list[Mapping[str, Json]] = []
        self.decisions: list[Mapping[str, Json]] = []
        self.under_way: dict[tuple[str, str], Mapping[str, Json]] = {}
        self._failures: dict[str, list[Json]] = {}
        self._began: dict[str, float] = {}

    def take(self, event: Event) -> None:
        """One event more."""
        kind, number = str(event["type"]), _number(event, "id")
        before = _number(event, "previousEventId") or number - 1
        time = _time(event)
        match kind:
            case _ if kind.endswith("StateEntered"):
                name = str(_details(event, "stateEntered").get("name", ""))
                self._states[number] = Entered(name, time, {})
                self._entries[name] = time
                self._decided(before, name)
                if kind == "ChoiceStateEntered":
                    self._choosing[number] = self._states[number]
            case "TaskScheduled":
                entered = self._states.get(before, Entered("", time, {}))
                asked = _object(_details(event, "taskScheduled").get("parameters"))
                payload = asked.get("Payload")
                state = entered._replace(payload=payload if isinstance(payload, dict) else {})
                self._states[number] = state
                self._begun(state)
            case _:
                if before in self._states:
                    self._states[number] = self._states[before]
                if before in self._choosing:
                    self._choosing[number] = self._choosing[before]
                self._ended(kind, event, time)

    def _decided(self, before: int, name: str) -> None:
        """A state that follows a Choice is what was chosen."""
        choice = self._choosing.pop(before, None)
        if choice is not None:
            line = self._places.get(choice.name)
            said: dict[str, Json] = {
                "state": choice.name,
                "to": name,
                "time": choice.time,
                "line": line,
            }
            self.decisions.append(said)

    def _begun(self, state: Entered) -> None:
        payload = state.payload
        if "run" not in payload:
            return
        path = _path(payload)
        self._began.setdefault(path, state.time)
        self.under_way[str(payload.get("scope")), state.name] = {
            "path": path,
            "kind": "step",
            "name": state.name,
            "arguments": {},
            "attempts": 1,
            "began": self._began[path],
            "time": None,
            "outcome": None,
            "line": self._places.get(state.name),
            "failures": self._failures.get(path, []),
        }

    def _ended(self, kind: str, event: Event, time: float) -> None:
        state = self._states.get(_number(event, "id"))
        if state is None:
            return
        match kind:
            case "TaskSucceeded":
                answer = _object(_details(event, "taskSucceeded").get("output"))
                payload = answer.get("Payload")
                self._said(state, payload if isinstance(payload, dict) else {}, time)
            case "TaskFailed":
                cause = _details(event, "taskFailed").get("cause")
                self._said(state, told(cause if isinstance(cause, str) else ""), time)
            case "TaskTimedOut":
                self.under_way.pop((str(state.payload.get("scope")), state.name), None)
            case _:
                pass

    def _said(self, state: Entered, said: Mapping[str, Json], time: float) -> None:
        """What a site reported."""
        self.under_way.pop((str(state.payload.get("scope")), state.name), None)
        said = self._fetch(said)
        self._failed(said, time)
        records, logs = said.get("records"), said.get("logs")
        for record in records if isinstance(records, list) else ():
            if isinstance(record, dict):
                self.operations.append(self._operation(record, state))
        for log in logs if isinstance(logs, list) else ():
            if isinstance(log, dict):
                self.logs.append({**log, "time": time})

    def _failed(self, said: Mapping[str, Json], time: float) -> None:
        """An attempt that is made again."""
        following = said.get("next")
        again = following.get("again") if isinstance(following, dict) else None
        if not isinstance(again, dict) or "path" not in again:
            return
        path, _, number = str(again["path"]).rpartition("~")
        failure: dict[str, Json] = {
            "attempt": int(number) - 1,
            "time": time,
            "error": again.get("last"),
        }
        self._failures.setdefault(path, []).append(failure)

    def _operation(self, record: Mapping[str, Json], state: Entered) -> Mapping[str, Json]:
        path, label = str(record["path"]), str(record["label"])
        if record.get("contestant") is not None:
            path = f"{path}/{record['name']}"
        # What a native state did is told by the site after it.
        own = record["kind"] != "step" and label in self._places
        began = self._began.pop(path, state.time)
        return {
            **record,
            "path": path,
            "began": self._entries.get(label, began) if own else began,
            "line": self._places.get(label if own else state.name),
            "failures": self._failures.pop(path, []),
        }


def _places(graph: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """The line of each state, as its comment says it."""
    states = graph.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        yield name, str(state.get("Comment", ""))
        branches = state.get("Branches")
        inner = [*(branches if isinstance(branches, list) else ()), state.get("ItemProcessor")]
        for one in inner:
            if isinstance(one, dict):
                yield from _places(one)


def _path(payload: Mapping[str, Json]) -> str:
    """Where the operation of a site stands, as near as can be told before it has ended."""
    state = payload.get("next")
    scope = state.get("scope") if isinstance(state, dict) else None
    within = str(scope.get("path", "")) if isinstance(scope, dict) else ""
    site = str(payload.get("site", ""))
    return f"{within}/{site}" if within else site


def _details(event: Event, name: str) -> Mapping[str, object]:
    found = event.get(f"{name}EventDetails")
    return found if is_object(found) else {}


def _object(text: object) -> Mapping[str, Json]:
    if not isinstance(text, str):
        return {}
    try:
        found: Json = json.loads(text)
    except ValueError:
        return {}  # cut: what is longer than an event takes
    return found if isinstance(found, dict) else {}


def _number(event: Event, name: str) -> int:
    found = event.get(name, 0)
    return found if isinstance(found, int) else 0


def _time(event: Event) -> float:
    found = event["timestamp"]
    return found.timestamp() if isinstance(found, datetime) else 0.0
