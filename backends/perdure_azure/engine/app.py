"""Calls the functions of an emitted project as the Functions host does."""

import asyncio
import base64
import inspect
import json
import types
from typing import TYPE_CHECKING, Any, final

import durabletask.internal.orchestrator_service_pb2 as pb
from azure.durable_functions.internal.converters import ActivityTriggerConverter
from azure.functions.meta import Datum
from durabletask.internal import helpers

if TYPE_CHECKING:
    from perdure_azure.sdk import Client

__all__ = ["App"]


@final
class App:
    """The functions of a `DFApp`, by the names the engine knows them under."""

    def __init__(self, app: Any, client: "Client") -> None:  # a DFApp
        self._client = client
        self._loop = asyncio.Runner()
        self._functions: dict[str, Any] = {}
        for function in app.get_functions():
            trigger = function.get_trigger()
            named = getattr(trigger, "orchestration", None) or getattr(trigger, "activity", None)
            self._functions[named or function.get_function_name()] = function

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
