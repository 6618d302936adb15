"""Microsoft's in-memory backend with the functions of an app on SDK 2."""

from functools import partial
from typing import Any, final

import durabletask.internal.orchestrator_service_pb2 as pb

from perdure_azure.engine.app import App
from perdure_azure.engine.backend import VirtualBackend
from perdure_azure.engine.client import BackendClient
from perdure_azure.engine.machine import Ended, Observer

__all__ = ["Memory"]


@final
class Memory(VirtualBackend):
    """See `perdure_azure.engine.machine.Machine`."""

    def __init__(self, app: Any, start: float, seed: int, observer: Observer) -> None:
        super().__init__(start, seed)
        self._observer = observer
        self._app = App(app, BackendClient(self))

    def work(self) -> bool:
        """Run one function that is due at this instant; False if there is none."""
        item = self.next_work()
        if item is None:
            return False
        if item.HasField("orchestratorRequest"):
            response = self._app.orchestrate(item.orchestratorRequest)
            response.completionToken = item.completionToken
            self._observer.ran(item.orchestratorRequest.instanceId, renewed=_hands_over(response))
            self.complete_orchestrator(response)
        else:
            self._attempt(item.activityRequest, item.completionToken)
        return True

    def _attempt(self, request: pb.ActivityRequest, token: str) -> None:
        response = self._app.attempt(request)
        response.completionToken = token
        complete = partial(self.complete_activity, response)
        seconds = self._observer.took()
        if seconds:
            self.later(self.now + seconds, complete, inside=True)
        else:
            complete()

    def ended(self, instance: str) -> Ended:
        """How it ended."""
        found = self.instance(instance)
        failed = found.status != pb.ORCHESTRATION_STATUS_COMPLETED
        problem = str(found.failure_details) if failed else None
        return Ended(found.output, found.custom_status, problem)

    def history(self, instance: str) -> tuple[object, ...]:
        """Events of protobuf."""
        return tuple(self.instance(instance).history)

    def close(self) -> None:
        """End the event loop that coroutine functions ran in."""
        self._app.close()


def _hands_over(response: pb.OrchestratorResponse) -> bool:
    return any(
        action.completeOrchestration.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
        for action in response.actions
        if action.HasField("completeOrchestration")
    )
