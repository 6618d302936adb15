"""A client of the virtual backend, as an app's functions are given one."""

import json
from typing import NamedTuple, final

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask import history
from durabletask.internal.history_helpers import (  # pyright: ignore[reportMissingTypeStubs]
    collect_history_events,
)

from perdure.codec.text import Json
from perdure_azure.engine.backend import VirtualBackend

__all__ = ["BackendClient"]


class _State(NamedTuple):
    """See `perdure_azure.sdk.State`."""

    serialized_input: str | None
    runtime_status: object


@final
class BackendClient:
    """See `perdure_azure.sdk.Client`."""

    def __init__(self, backend: VirtualBackend) -> None:
        self._backend = backend

    def get_orchestration_state(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> _State | None:
        """Where an orchestration is."""
        state = self._backend.state(instance_id)
        if state is None:
            return None
        status = pb.OrchestrationStatus.Name(state.orchestrationStatus)
        return _State(state.input.value if fetch_payloads else None, status)

    def get_orchestration_history(self, instance_id: str) -> list[history.HistoryEvent]:
        """What happened in an orchestration."""
        return collect_history_events(self._backend.chunks(instance_id))

    def schedule_new_orchestration(
        self, orchestrator: str, *, input: Json, instance_id: str
    ) -> str:
        """Start one."""
        self._backend.start_instance(orchestrator, instance_id, json.dumps(input))
        return instance_id

    def raise_orchestration_event(self, instance_id: str, event_name: str, *, data: Json) -> None:
        """Raise an event of one."""
        self._backend.raise_event(instance_id, event_name, json.dumps(data))
