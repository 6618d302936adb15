"""The task hub of a flow in the Durable Task Scheduler: its runs, as orchestrations."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, final

import durabletask.internal.orchestrator_service_pb2 as pb
import grpc
from durabletask.azuremanaged.client import DurableTaskSchedulerClient
from durabletask.client import OrchestrationQuery, OrchestrationState, OrchestrationStatus

from perdure.codec.text import Json
from perdure.runtime.envelope import is_envelope, pack, unpack
from perdure_azure.deploy import seams
from perdure_azure.deploy.account import Account
from perdure_azure.names import MESSAGE, function_name, instance_id

__all__ = ["ENDED", "Hub", "Instance"]

ENDED: Final = (
    OrchestrationStatus.COMPLETED,
    OrchestrationStatus.FAILED,
    OrchestrationStatus.TERMINATED,
)
UNDER_WAY: Final = [
    OrchestrationStatus.RUNNING,
    OrchestrationStatus.PENDING,
    OrchestrationStatus.SUSPENDED,
    OrchestrationStatus.CONTINUED_AS_NEW,
]


@final
class Instance(NamedTuple):
    """An orchestration, and what it was started with."""

    run: str
    id: str
    state: OrchestrationState
    given: Mapping[str, Json]
    """See `perdure.runtime.inputs.run_input`; {} where it was started by hand just now."""

    @property
    def flow(self) -> str:
        """`module:qualname`."""
        return str(self.given.get("flow", ""))

    @property
    def release(self) -> str:
        """That it runs on."""
        return str(self.given.get("release", ""))


@final
class Hub:
    """One hub. Requests are as the SDK makes them."""

    def __init__(self, account: Account, endpoint: str, name: str) -> None:
        address = endpoint.removeprefix("https://").rstrip("/")
        self._client = DurableTaskSchedulerClient(
            host_address=address if ":" in address else f"{address}:443",
            taskhub=name,
            token_credential=account.credential,
            channel=seams.channel(f"{address}/{name}"),
        )

    def find(self, run: str) -> Instance | None:
        """A run; None where there is none."""
        state = self._client.get_orchestration_state(instance_id(run))
        return None if state is None else _instance(state)

    def all(self, *, under_way: bool = False) -> Sequence[Instance]:
        """Runs, oldest first."""
        query = OrchestrationQuery(
            runtime_status=UNDER_WAY if under_way else None, fetch_inputs_and_outputs=True
        )
        found = map(_instance, self._client.get_all_orchestration_states(query))
        return sorted(found, key=lambda one: (one.state.created_at, one.id))

    def start(self, flow: str, run: str, given: Mapping[str, Json]) -> bool:
        """Start a run; False where one has its id already."""
        try:
            self._client.schedule_new_orchestration(
                function_name(flow), input={**given}, instance_id=instance_id(run)
            )
        except grpc.RpcError as error:
            if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.ALREADY_EXISTS:
                return False
            raise
        return True

    def tell(self, run: str, message: Mapping[str, Json]) -> None:
        """Write to a run."""
        self._client.raise_orchestration_event(instance_id(run), MESSAGE, data=pack(message))

    def terminate(self, run: str) -> None:
        """End an orchestration from outside, and those it waits for."""
        self._client.terminate_orchestration(instance_id(run), recursive=True)

    def history(self, run: str) -> list[pb.HistoryEvent]:
        """Everything that happened in its current generation."""
        request = pb.StreamInstanceHistoryRequest(instanceId=instance_id(run))
        # As protobuf, which an orchestrator is run again with: the SDK's method gives other types.
        stub: Any = self._client._stub  # pyright: ignore[reportPrivateUsage]
        return [event for chunk in stub.StreamInstanceHistory(request) for event in chunk.events]


def _instance(state: OrchestrationState) -> Instance:
    data: object = json.loads(state.serialized_input or "null")
    given = unpack(data) if is_envelope(data) else {}
    return Instance(str(given.get("run", state.instance_id)), state.instance_id, state, given)
