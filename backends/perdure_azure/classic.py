"""An orchestrator on SDK 1: the classic protocol, and what goes wrong in it, kept out of the way.

Each episode gives the host the list of all actions since the start, one for each `yield`. The host
goes through it and waits for one action before it takes the next, while the SDK has long gone on
(azure-functions-durable-python#603). Ids are counted on both sides. So here

- each action has a timer in it that is cancelled already: the host never waits, and takes ids in
  the very order in which the SDK did (OutOfProcOrchestrationShim.cs, CreateTimer; read 2026-11);
- nothing is retried by the host, and no timer is longer than the host cuts: both take ids late;
- one wait for messages is open all the time, so that none is deferred, which gives it to every
  wait that comes later (#507); no event is waited for under its own name, for one that comes early
  would be;
- messages of an episode that begins a new generation are carried in its input (#331);
- nothing is gathered by the SDK (#513, #428).
"""

import json
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, final
from urllib.parse import quote

from perdure.codec.text import Json
from perdure.runtime.envelope import pack, unpack
from perdure.runtime.episode import Limits, run_episode
from perdure.runtime.host import LostError
from perdure_azure.limits import LIMITS
from perdure_azure.names import FIND, MESSAGE, START, TELL, function_name, instance_id
from perdure_azure.neighbours import found, started

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow, Step
    from perdure_azure.sdk import Client1, Context1, Task1

__all__ = ["find_run", "orchestrate", "start_run", "tell_run"]

LONGEST_TIMER = 3 * 86_400.0
"""Seconds; the host cuts timers of more than six days."""


def orchestrate(
    context: "Context1", flow: "Flow[..., Any]", functions: "FunctionTable | None" = None
) -> "Generator[Task1, object, Json]":
    """Run a flow as the body of an orchestrator: `return (yield from orchestrate(...))`."""
    return (yield from run_episode(Sdk1(context), context.get_input(), flow, functions))


@final
class Sdk1:
    """See `perdure.runtime.episode.Sdk`."""

    tells_at_once = False

    def __init__(self, context: "Context1") -> None:
        self._context = context
        self._new: list[Task1] = []
        """Tasks that the host has not been told of."""
        self.limits = Limits(*(LIMITS[name].value for name in Limits._fields))

    def now(self) -> float:
        """Engine time."""
        return self._context.current_utc_datetime.timestamp()

    def run_id(self) -> str:
        """The instance's, which is the run's where Azure takes that."""
        return self._context.instance_id

    def is_replaying(self) -> bool:
        """Whether this was executed in an earlier episode."""
        return self._context.is_replaying

    def step(self, step: "Step[..., object]", given: Json) -> "Task1":
        """An activity."""
        return self._activity(function_name(step.__perdure_ref__), given)

    def child(self, flow: "Flow[..., object]", given: Json, run: str) -> "Task1":
        """A sub-orchestration."""
        name, instance = function_name(flow.__perdure_ref__), instance_id(run)
        return self._asked(self._context.call_sub_orchestrator(name, given, instance))

    def start(self, flow: "Flow[..., object]", given: Json, run: str) -> "Task1":
        """An activity with a client."""
        name = function_name(flow.__perdure_ref__)
        return self._activity(START, pack({"name": name, "run": run, "input": given}))

    def find(self, run: str) -> "Task1":
        """An activity with a client too."""
        return self._activity(FIND, pack({"run": run}))

    def message(self) -> "Task1":
        """An external event of a name that no flow has."""
        return self._asked(self._context.wait_for_external_event(MESSAGE))

    def event(self, name: str) -> None:
        """Not here: see above, #507."""

    def tell(self, run: str, message: Json) -> "Task1":
        """Only a client raises events of another orchestration."""
        return self._activity(TELL, pack({"run": run, "message": message}))

    def show(self, status: Json) -> None:
        """The custom status."""
        self._context.set_custom_status(status)

    def unread(self, taken: int) -> Sequence[object]:
        """Those of this episode that come after the one it ends with."""
        inputs = [event.Input for event in self._context.histories if event.Name == MESSAGE]
        return [json.loads(each or "null") for each in inputs[taken:]]

    def begin_again(self, given: Json) -> None:
        """Continue as new."""
        self._context.continue_as_new(given)

    # Tasks

    def timer(self, when: float) -> "Task1":
        """Of a moment, or of a part of the way there."""
        fires = datetime.fromtimestamp(min(when, self.now() + LONGEST_TIMER), UTC)
        return self._asked(self._context.create_timer(fires))

    def is_done(self, task: "Task1") -> bool:
        """Succeeded or failed."""
        return task.is_completed

    def value(self, task: "Task1") -> object:
        """A task fails when what ran it was lost."""
        if isinstance(task.result, Exception):
            raise LostError
        return task.result

    def drop(self, task: "Task1") -> None:
        """A timer is cancelled; nothing else can be."""
        cancel = getattr(task, "cancel", None)
        if cancel is not None and not task.is_completed:
            cancel()

    def first(self, tasks: "Sequence[Task1]") -> "Task1":
        """One task waits for all; what is new goes to the host with a timer that is over."""
        over = [self._over()] if any(task in self._new for task in tasks) else []
        self._new.clear()
        return self._context.task_any([*tasks, *over])

    def _over(self) -> "Task1":
        timer = self._context.create_timer(self._context.current_utc_datetime)
        self.drop(timer)
        return timer

    def _activity(self, name: str, given: Json) -> "Task1":
        return self._asked(self._context.call_activity(name, given))

    def _asked(self, task: "Task1") -> "Task1":
        self._new.append(task)
        return task


async def find_run(call: object, client: "Client1") -> dict[str, Json]:
    """ "running", "ended", or None where there is no such run."""
    status = await client.get_status(_quoted(str(unpack(call)["run"])))
    return found(status.runtime_status)


async def start_run(call: object, client: "Client1") -> dict[str, Json]:
    """Start a run unless it exists; RunConflict where that has another flow or input."""
    data = unpack(call)
    run, given = str(data["run"]), data["input"]
    status = await client.get_status(_quoted(run), show_input=True)
    if status.runtime_status is None:
        await client.start_new(str(data["name"]), _quoted(run), given)
        return pack({"run": run})
    there = status.input_
    return started(run, json.loads(there) if isinstance(there, str) else there, given)


async def tell_run(call: object, client: "Client1") -> dict[str, Json]:
    """Write to a run; nothing happens if that has ended."""
    data = unpack(call)
    instance = _quoted(str(data["run"]))
    if unpack(found((await client.get_status(instance)).runtime_status))["found"] == "running":
        await client.raise_event(instance, MESSAGE, data["message"])
    return pack({})


def _quoted(run: str) -> str:
    """The SDK writes it into an address as it is."""
    return quote(instance_id(run), safe="")
