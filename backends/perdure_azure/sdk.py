"""What is used of Microsoft's SDK, as types: nothing here runs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from perdure.codec.text import Json

__all__ = [
    "Client",
    "Client1",
    "Context",
    "Context1",
    "DoorClient",
    "DurableTask",
    "State",
    "Task1",
]


class DurableTask(Protocol):
    """`durabletask.task.Task`."""

    @property
    def is_complete(self) -> bool:
        """Completed, failed or cancelled."""
        ...

    @property
    def is_failed(self) -> bool:
        """Failed."""
        ...

    def get_result(self) -> object:
        """Its value."""
        ...

    def cancel(self) -> bool:
        """Of timers and waits for events: give it up."""
        ...


class Context(Protocol):
    """`durabletask.task.OrchestrationContext`."""

    @property
    def instance_id(self) -> str:
        """The id of the orchestration."""
        ...

    @property
    def current_utc_datetime(self) -> datetime:
        """Engine time without a time zone, the same again when it is replayed."""
        ...

    @property
    def is_replaying(self) -> bool:
        """Whether this was executed in an earlier episode."""
        ...

    def call_activity(self, activity: str, *, input: Json) -> DurableTask:
        """Schedule an activity."""
        ...

    def call_sub_orchestrator(
        self, orchestrator: str, *, input: Json, instance_id: str
    ) -> DurableTask:
        """Start an orchestration and wait for its end."""
        ...

    def create_timer(self, fire_at: datetime) -> DurableTask:
        """Start a timer."""
        ...

    def wait_for_external_event(self, name: str) -> DurableTask:
        """Wait for the next event of a name."""
        ...

    def send_event(self, instance_id: str, event_name: str, *, data: Json) -> None:
        """Raise an event of another orchestration."""
        ...

    def set_custom_status(self, custom_status: Json) -> None:
        """Publish what the orchestration is at."""
        ...

    def continue_as_new(self, new_input: Json, *, save_events: bool) -> None:
        """Begin again with an empty history."""
        ...


class State(Protocol):
    """`durabletask.client.OrchestrationState`."""

    @property
    def serialized_input(self) -> str | None:
        """JSON text."""
        ...

    @property
    def runtime_status(self) -> object:
        """A member of `OrchestrationStatus`."""
        ...


class Client(Protocol):
    """`azure.durable_functions.SyncDurableFunctionsClient`."""

    def get_orchestration_state(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> State | None:
        """Where an orchestration is."""
        ...

    def schedule_new_orchestration(
        self, orchestrator: str, *, input: Json, instance_id: str
    ) -> str:
        """Start one."""
        ...

    def raise_orchestration_event(self, instance_id: str, event_name: str, *, data: Json) -> None:
        """Raise an event of one."""
        ...


class DoorClient(Client, Protocol):
    """The same, as the door of an app needs it."""

    def get_orchestration_history(self, instance_id: str) -> Sequence[object]:
        """What happened in an orchestration."""
        ...


class Task1(Protocol):
    """`azure.durable_functions.models.Task.TaskBase`."""

    @property
    def is_completed(self) -> bool:
        """Succeeded or failed."""
        ...

    @property
    def result(self) -> object:
        """Its value, or the exception that it failed with."""
        ...


class Event1(Protocol):
    """`azure.durable_functions.models.history.HistoryEvent`."""

    @property
    def Name(self) -> str | None:  # noqa: N802  # as it is there
        """Of an activity, or an external event."""
        ...

    @property
    def Input(self) -> str | None:  # noqa: N802  # as it is there
        """JSON text."""
        ...


class Context1(Protocol):
    """`azure.durable_functions.DurableOrchestrationContext` of SDK 1."""

    @property
    def instance_id(self) -> str:
        """The id of the orchestration."""
        ...

    @property
    def current_utc_datetime(self) -> datetime:
        """Engine time, the same again when it is replayed."""
        ...

    @property
    def is_replaying(self) -> bool:
        """Whether this was executed in an earlier episode."""
        ...

    @property
    def histories(self) -> Sequence[Event1]:
        """All events of this generation, also those that are still to come in this episode."""
        ...

    def get_input(self) -> object:
        """The input, decoded."""
        ...

    def call_activity(self, name: str, input_: Json) -> Task1:
        """Run an activity."""
        ...

    def call_sub_orchestrator(self, name: str, input_: Json, instance_id: str) -> Task1:
        """Start an orchestration and wait for its end."""
        ...

    def create_timer(self, fire_at: datetime) -> Task1:
        """Start a timer."""
        ...

    def wait_for_external_event(self, name: str) -> Task1:
        """Wait for an event of a name."""
        ...

    def task_any(self, activities: Sequence[Task1]) -> Task1:
        """The first of these to end."""
        ...

    def set_custom_status(self, status: Json) -> None:
        """Publish what the orchestration is at."""
        ...

    def continue_as_new(self, input_: Json) -> None:
        """Begin again with an empty history."""
        ...


class Status1(Protocol):
    """`azure.durable_functions.models.DurableOrchestrationStatus`."""

    @property
    def runtime_status(self) -> object:
        """A member of `OrchestrationRuntimeStatus`; None where there is no such orchestration."""
        ...

    @property
    def input_(self) -> object:
        """The input."""
        ...


class Client1(Protocol):
    """`azure.durable_functions.DurableOrchestrationClient` of SDK 1."""

    async def get_status(self, instance_id: str, *, show_input: bool = False) -> Status1:
        """Where an orchestration is."""
        ...

    async def start_new(
        self, orchestration_function_name: str, instance_id: str, client_input: Json
    ) -> str:
        """Start one."""
        ...

    async def raise_event(self, instance_id: str, event_name: str, event_data: Json) -> None:
        """Raise an event of one."""
        ...
