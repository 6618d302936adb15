"""durabletask's in-memory backend in virtual time, driven by calls instead of threads.

Microsoft's servicer keeps the history, buffers events and turns actions into work; only what
needs real time or another thread is replaced. `GetWorkItems` is asked until it has nothing; it
never waits, because its context says after one turn that nobody listens any more. Time stands in
each `orchestratorStarted` event.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, NamedTuple, NoReturn, final

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.internal import helpers
from durabletask.testing.in_memory_backend import (
    InMemoryOrchestrationBackend,
    OrchestrationInstance,
)
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]  # no stubs

from perdure_azure.limits import LIMITS

__all__ = ["VirtualBackend"]

MAX_HISTORY = 1_000_000


class _AtOnce(NamedTuple):
    """A timer that was due when it was made: deeper runs settle first."""

    height: int
    order: int
    happen: Callable[[], None]


class _Parent(NamedTuple):
    """Who waits for a sub-orchestration, as which task."""

    instance: str
    task: int


class _Due(NamedTuple):
    """Something that happens at a moment; what comes from outside goes before all else then."""

    when: float
    inside: bool
    order: int
    happen: Callable[[], None]


@final
class _Once:
    """The context of a call in this process: active for one turn, and no call is aborted."""

    def __init__(self) -> None:
        self._turns = 1

    def is_active(self) -> bool:
        self._turns -= 1
        return self._turns >= 0

    def abort(self, code: object, details: str) -> NoReturn:
        raise RuntimeError(f"the backend refuses: {details}")


class VirtualBackend(InMemoryOrchestrationBackend):
    """One task hub whose clock is `now`; another seed than 0 picks another interleaving."""

    def __init__(self, start: float, seed: int = 0) -> None:
        super().__init__(max_history_size=MAX_HISTORY)
        self.now = start
        self._agenda: list[_Due] = []
        self._at_once: list[_AtOnce] = []
        self._order = 0
        self._parents: dict[str, _Parent] = {}
        self._depths: dict[str, int] = {}
        self._random = Random(seed) if seed else None

    def start_instance(self, name: str, instance: str, data: str) -> None:
        """Start an orchestration with JSON text as its input."""
        begins = Timestamp()
        begins.FromDatetime(_moment(self.now))
        request = pb.CreateInstanceRequest(
            instanceId=instance,
            name=name,
            input=helpers.get_string_value(data),
            scheduledStartTimestamp=begins,
        )
        self.StartInstance(request, _once())

    def state(self, instance: str) -> pb.OrchestrationState | None:
        """What a client is told of an orchestration; None if there is none."""
        request = pb.GetInstanceRequest(instanceId=instance, getInputsAndOutputs=True)
        response = self.GetInstance(request, _once())
        return response.orchestrationState if response.exists else None

    def chunks(self, instance: str) -> list[pb.HistoryChunk]:
        """The history of an orchestration, as a client is given it."""
        request = pb.StreamInstanceHistoryRequest(instanceId=instance)
        return [*self.StreamInstanceHistory(request, _once())]

    def raise_event(self, instance: str, name: str, data: str) -> None:
        """Send an event with JSON text as its payload."""
        value = helpers.get_string_value(data)
        request = pb.RaiseEventRequest(instanceId=instance, name=name, input=value)
        self.RaiseEvent(request, _once())

    def next_work(self) -> pb.WorkItem | None:
        """The next piece of work, if there is any at this instant."""
        held = self._held_back()
        self._work_available.set()
        stream = self.GetWorkItems(pb.GetWorkItemsRequest(), _once())
        item = next(stream, None)
        self._orchestration_queue.extend(held)
        if item is not None and item.HasField("orchestratorRequest"):
            self._stamp(item.orchestratorRequest)
        return item

    def _held_back(self) -> tuple[str, ...]:
        """Orchestrations that wait for more to come, or for others, by the seed."""
        if self._random is None:
            return ()
        for queue in (self._orchestration_queue, self._activity_queue):
            if queue:
                queue.rotate(-self._random.randrange(len(queue)))
        if not self._activity_queue or self._random.random() < 0.5:
            return ()
        held = tuple(self._orchestration_queue)
        self._orchestration_queue.clear()
        return held

    def complete_orchestrator(self, response: pb.OrchestratorResponse) -> None:
        """An orchestrator function has answered."""
        for action in response.actions:
            _carried(action)
        status = len(response.customStatus.value.encode("utf-16-le"))
        if status > LIMITS["custom_status_bytes"].value:
            raise RuntimeError(f"the backend refuses a custom status of {status} bytes")
        self.CompleteOrchestratorTask(response, _once())
        if self.has_ended(response.instanceId):
            parent = self._parents.pop(response.instanceId, None)
            if parent is not None:
                self._tell_parent(parent, self.instance(response.instanceId))

    def _tell_parent(self, parent: _Parent, ended: OrchestrationInstance) -> None:
        waiting = self.instance(parent.instance)
        if self._is_terminal_status(waiting.status):
            return
        if ended.status == pb.ORCHESTRATION_STATUS_COMPLETED:
            event = helpers.new_sub_orchestration_completed_event(parent.task, ended.output)
        else:
            event = helpers.new_sub_orchestration_failed_event(parent.task, Exception("failed"))
        waiting.pending_events.append(event)
        self._enqueue_orchestration(parent.instance)

    def _watch_sub_orchestration(
        self, parent_instance_id: str, sub_instance_id: str, task_id: int
    ) -> None:
        """Instead of a thread that waits."""
        self._parents[sub_instance_id] = _Parent(parent_instance_id, task_id)
        self._depths[sub_instance_id] = self._depths.get(parent_instance_id, 0) + 1

    def complete_activity(self, response: pb.ActivityResponse) -> None:
        """An activity function has answered."""
        _carried(response)
        self.CompleteActivityTask(response, _once())

    def instance(self, instance: str) -> OrchestrationInstance:
        """The state of an orchestration."""
        return self._instances[instance]

    def has_ended(self, instance: str) -> bool:
        """Whether an orchestration has come to its end."""
        return self._is_terminal_status(self._instances[instance].status)

    def later(self, when: float, happen: Callable[[], None], *, inside: bool) -> None:
        """Let something happen at a moment."""
        self._order += 1
        heapq.heappush(self._agenda, _Due(when, inside, self._order, happen))

    def advance(self) -> bool:
        """Let what is next in time happen, when there is no work left; False if there is nothing.

        A timer that was due when it was made ends the instant, so it comes first. What comes from
        outside comes one at a time, before all that is due inside at its moment.
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

    def _fire(self, instance: str, timer: int, fires: datetime) -> None:
        found = self._instances[instance]
        if not self._is_terminal_status(found.status):
            found.pending_events.append(helpers.new_timer_fired_event(timer, fires))
            self._enqueue_orchestration(instance)

    def _process_create_timer_action(
        self, instance: OrchestrationInstance, action: pb.OrchestratorAction
    ) -> None:
        """Instead of a thread that sleeps."""
        fires = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, fires))
        fire = partial(self._fire, instance.instance_id, action.id, fires)
        if fires.timestamp() <= self.now:
            self._order += 1
            height = -self._depths.get(instance.instance_id, 0)
            heapq.heappush(self._at_once, _AtOnce(height, self._order, fire))
        else:
            self.later(fires.timestamp(), fire, inside=True)

    def _stamp(self, request: pb.OrchestratorRequest) -> None:
        """Virtual time into the events that begin an episode, here and in the history to come."""
        dispatched = self._instances[request.instanceId].dispatched_events
        for event in (*request.newEvents, *dispatched):
            if event.HasField("orchestratorStarted"):
                event.timestamp.FromDatetime(_moment(self.now))


def _carried(message: Any) -> None:  # of protobuf, which has no types
    """What the scheduler's limit is: of one message."""
    if message.ByteSize() > LIMITS["message_bytes"].value:
        raise RuntimeError(f"the backend refuses a message of {message.ByteSize()} bytes")


def _once() -> Any:  # stands for a grpc.ServicerContext, whose dozen other methods nobody calls
    return _Once()


def _moment(time: float) -> datetime:
    return datetime.fromtimestamp(time, UTC)
