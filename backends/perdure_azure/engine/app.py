"""Imports an emitted project in this process, and calls its functions as the Functions host does."""

import asyncio
import base64
import importlib
import inspect
import json
import sys
import types
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import durabletask.internal.orchestrator_service_pb2 as pb
from azure.durable_functions.internal.converters import ActivityTriggerConverter
from azure.functions.meta import Datum
from durabletask.internal import helpers

__all__ = ["App", "imported"]

RUNTIME = ("perdure/", "perdure_azure/")


@contextmanager
def imported(files: Mapping[str, str | bytes], folder: Path) -> Generator[types.ModuleType]:
    """The module `function_app` of a project, while its modules are the ones `import` finds."""
    names = _written(files, folder)
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Auth level is not applied")
            module = importlib.import_module("function_app")
        yield module
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def _written(files: Mapping[str, str | bytes], folder: Path) -> set[str]:
    """Write what is not the runtime, which this process has; the names of all modules in it."""
    names: set[str] = set()
    for path, content in files.items():
        if path.startswith(RUNTIME):
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        if path.endswith(".py"):
            parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
            names |= {".".join(parts[: length + 1]) for length in range(len(parts))}
    return names


@final
class App:
    """The functions of a `DFApp`, by the names the engine knows them under."""

    def __init__(self, app: Any) -> None:  # a DFApp
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
            response.result.CopyFrom(helpers.get_string_value(text))
        return response

    def close(self) -> None:
        """End the event loop that coroutine functions ran in."""
        self._loop.close()

    def _call(self, name: str, value: object) -> Any:
        function = self._functions[name]
        answer = function.get_user_function()(**{function.get_trigger().name: value})
        return self._loop.run(answer) if inspect.iscoroutine(answer) else answer
