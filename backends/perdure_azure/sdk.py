"""What is used of Microsoft's SDK, as types: nothing here runs."""

from datetime import datetime
from typing import Protocol

from perdure.codec.text import Json

__all__ = ["Client", "Context", "DurableTask", "State"]


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
