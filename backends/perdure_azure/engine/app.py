"""Calls the functions of an emitted project as the Functions host does."""

import asyncio
import base64
import inspect
import json
import logging
import types
from typing import TYPE_CHECKING, Any, Final, final

import durabletask.internal.orchestrator_service_pb2 as pb
from azure.durable_functions.internal.converters import ActivityTriggerConverter
from azure.functions.meta import Datum
from durabletask.internal import helpers
from durabletask.worker import TaskHubGrpcWorker

if TYPE_CHECKING:
    from perdure_azure.sdk import Client

__all__ = ["App"]

_QUIET: Final = logging.Logger("perdure_azure.engine", logging.ERROR)


@final
class App:
    """The functions of a `DFApp`, by the names the engine knows them under."""

    def __init__(self, app: Any, client: "Client") -> None:  # a DFApp
        self._client = client
        self._loop = asyncio.Runner()
        self._functions: dict[str, Any] = {}
        # Without HTTP functions it warns that they have no auth level.
        app._require_auth_level = True
        for function in app.get_functions():
            trigger = function.get_trigger()
            named = getattr(trigger, "orchestration", None) or getattr(trigger, "activity", None)
            self._functions[named or function.get_function_name()] = function
            _wait_in_one(function.get_user_function())

    def orchestrate(self, request: pb.OrchestratorRequest) -> pb.OrchestratorResponse:
        """Run an episode."""
        events = [*request.pastEvents, *request.newEvents]
        started = [event for event in events if event.HasField("executionStarted")]
        body = base64.b64encode(request.SerializeToString()).decode()
        answer = self._call(started[-1].executionStarted.name, types.SimpleNamespace(body=body))
        response = pb.OrchestratorResponse()
        response.ParseFromString(base64.b64decode(answer))
        return response

    def attempt(self, request: pb.ActivityRequest) -> pb.ActivityResponse:
        """Run an activity."""
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId, taskId=request.taskId
        )
        call = ActivityTriggerConverter.decode(
            Datum(request.input.value, "string"), trigger_metadata=None
        )
        try:
            result = ActivityTriggerConverter.encode(
                self._call(request.name, call), expected_type=None
            )
        except Exception as error:
            response.failureDetails.CopyFrom(helpers.new_failure_details(error))
        else:
            text = result.value if isinstance(result.value, str) else json.dumps(result.value)
            response.result.value = text
        return response

    def close(self) -> None:
        """End the event loop that coroutine functions ran in."""
        self._loop.close()

    def _call(self, name: str, value: object) -> Any:
        function = self._functions[name]
        called = function.get_user_function()
        given = {function.get_trigger().name: value}
        if hasattr(called, "client_function"):
            answer = called.client_function(**given, client=self._client)
        else:
            answer = called(**given)
        return self._loop.run(answer) if inspect.iscoroutine(answer) else answer


def _wait_in_one(handle: Any) -> None:
    """The SDK takes a long wait in pieces of three days: in virtual time, in one.

    It warns of each cancelled timer that the backend lets ring all the same; nobody can act on it.
    """
    function = inspect.unwrap(handle)
    if not inspect.isfunction(function):
        return
    worker = inspect.getclosurevars(function).nonlocals.get("worker")
    if isinstance(worker, TaskHubGrpcWorker):
        vars(worker).update(_maximum_timer_interval=None, _logger=_QUIET)
