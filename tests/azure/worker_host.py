"""`python -S worker_host.py PROJECT BACKENDS SDK FUNCTION INPUT PACKAGES...`: the worker's host.

Microsoft's Python worker library indexes the project and runs all its functions; here is what the
host says to it, and the hub of orchestrations behind it, in virtual time. `perdure` is that of the
project; only the engine's code comes from BACKENDS. Prints JSON: what was indexed, and the end.
"""

import asyncio
import base64
import json
import logging
import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any


class Message:
    """Any message of the protocol between host and worker."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def WhichOneof(self, _: str) -> str | None:  # noqa: N802  # protobuf's
        return next(iter(self.__dict__), None)


def _protocol() -> Any:
    names = (
        "WorkerInitResponse WorkerMetadata FunctionMetadataResponse FunctionLoadResponse"
        " InvocationResponse RpcException RpcFunctionMetadata RpcRetryOptions ParameterBinding"
        " RpcHttp NullableString NullableBool TypedData"
    )
    kinds: dict[str, Any] = {name: type(name, (Message,), {}) for name in names.split()}
    kinds["StatusResult"] = type("StatusResult", (Message,), {"Success": "ok", "Failure": "failed"})
    directions = {"inout": 2, "out": 1, "in_": 0, "undefined": 0}
    kinds["BindingInfo"] = type("BindingInfo", (Message,), directions)
    return SimpleNamespace(**kinds)


class Worker:
    """The worker, as the host speaks to it."""

    def __init__(self, folder: str) -> None:
        self._worker: Any = import_module("azure_functions_runtime")
        self._runner = asyncio.Runner()
        started = SimpleNamespace(capabilities={}, function_app_directory=folder)
        request = SimpleNamespace(
            request=SimpleNamespace(worker_init_request=started),
            properties={"host": "127.0.0.1", "protos": _protocol()},
        )
        self._must(self._runner.run(self._worker.worker_init_request(request)))
        self._worker.start_threadpool_executor()
        found = self._must(self._runner.run(self._worker.functions_metadata_request(None)))
        self.functions: dict[str, list[str]] = {}
        self._ids: dict[str, str] = {}
        self._triggers: dict[str, str] = {}
        for each in found.function_metadata_results:
            self._ids[each.name] = each.function_id
            bindings = [json.loads(one) for one in each.raw_bindings]
            self.functions[each.name] = [one["type"] for one in bindings]
            triggers = [one["name"] for one in bindings if one["type"].endswith("Trigger")]
            self._triggers[each.name] = triggers[0]
            load = SimpleNamespace(function_id=each.function_id, metadata=each)
            told = SimpleNamespace(request=SimpleNamespace(function_load_request=load))
            self._must(self._runner.run(self._worker.function_load_request(told)))

    def invoke(self, name: str, text: str) -> Any:
        """The return value of a function; RuntimeError with what the worker says it raised."""
        data = Message(name=self._triggers[name], data=Message(string=text))
        data.WhichOneof = lambda _: "data"  # type: ignore[method-assign]  # name comes first there
        nothing = SimpleNamespace(source="", stack_trace="", message="")
        invocation = SimpleNamespace(
            invocation_id="1",
            function_id=self._ids[name],
            input_data=[data],
            trigger_metadata={},
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=nothing),
        )
        request = SimpleNamespace(request=SimpleNamespace(invocation_request=invocation))
        answer = self._must(self._runner.run(self._worker.invocation_request(request)))
        value: Any = answer.return_value
        return value.json if hasattr(value, "json") else value.string

    def close(self) -> None:
        """Stop its threads."""
        self._worker.stop_threadpool_executor()
        self._runner.close()

    def _must(self, answer: Any) -> Any:
        if answer.result.status != "ok":
            raise RuntimeError(answer.result.exception.message)
        return answer


class Observer:
    """Looks away."""

    def ran(self, instance: str, *, renewed: bool) -> None:
        """An episode."""

    def took(self) -> float:
        """No time."""
        return 0.0


def _memory(worker: Worker) -> Any:
    """The hub of SDK 2."""
    import durabletask.internal.orchestrator_service_pb2 as pb

    from perdure_azure.engine import memory

    class App:
        def __init__(self, *_: object) -> None: ...

        def orchestrate(self, request: Any) -> Any:
            events = [*request.pastEvents, *request.newEvents]
            (*_, started) = (each for each in events if each.HasField("executionStarted"))
            body = base64.b64encode(request.SerializeToString()).decode()
            answer = worker.invoke(started.executionStarted.name, body)
            response = pb.OrchestratorResponse()
            response.ParseFromString(base64.b64decode(answer))
            return response

        def attempt(self, request: Any) -> Any:
            instance, task = request.orchestrationInstance.instanceId, request.taskId
            response = pb.ActivityResponse(instanceId=instance, taskId=task)
            response.result.value = str(worker.invoke(request.name, request.input.value))
            return response

        def close(self) -> None: ...

    setattr(memory, "App", App)  # noqa: B010  # checkers would have it typed
    return memory.Memory(None, 1767225600.0, 0, Observer())


def _classic(worker: Worker) -> Any:
    """The hub of SDK 1."""
    from perdure_azure.engine.classic import Classic

    def function(name: str) -> Any:
        def orchestrate(context: Any) -> Any:
            return worker.invoke(name, context.body)

        def attempt(call: Any) -> Any:
            return json.loads(worker.invoke(name, json.dumps(call)))

        called = orchestrate if "orchestrationTrigger" in worker.functions[name] else attempt
        return SimpleNamespace(get_function_name=lambda: name, get_user_function=lambda: called)

    app = SimpleNamespace(get_functions=lambda: [function(name) for name in worker.functions])
    return Classic(app, 1767225600.0, 7, Observer())


def main(folder: str, backends: str, sdk: str, name: str, given: str, *packages: str) -> None:
    """Index, run to the end, print."""
    sys.path[:] = [folder, *sys.path[1:], *packages]
    worker = Worker(folder)
    import perdure_azure

    perdure_azure.__path__.append(f"{backends}/perdure_azure")
    hub = _classic(worker) if sdk == "1" else _memory(worker)
    hub.start_instance(name, "run", given)
    plain = {"event": "go", "payload": 5}
    event = ("perdure.message", plain) if sdk == "1" else ("go", 5)
    hub.later(
        hub.now + 60, lambda: hub.raise_event("run", event[0], json.dumps(event[1])), inside=False
    )
    while not hub.has_ended("run") and (hub.work() or hub.advance()):
        pass
    ended = hub.ended("run")
    worker.close()
    print(json.dumps([worker.functions, ended.output, ended.problem, perdure_azure.__file__]))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main(*sys.argv[1:])
