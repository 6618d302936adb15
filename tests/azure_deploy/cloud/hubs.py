# pyright: reportAssignmentType=false, reportPrivateUsage=false
# (a call has a dozen methods that nobody calls; functions of an app are looked into)
"""Task hubs with the apps that serve them: Microsoft's in-memory backend, in virtual time.

What runs is the app of the zip that was pushed last, with the releases that are in it.
"""

import importlib
import io
import os
import sys
import zipfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import durabletask.internal.orchestrator_service_pb2 as pb
import grpc
from durabletask.internal import orchestrator_service_pb2_grpc as stubs

from perdure_azure.engine.app import App
from perdure_azure.engine.backend import VirtualBackend
from perdure_azure.engine.client import BackendClient
from perdure_azure.engine.files import imported_from
from perdure_azure.routing import forget_missing_secrets

__all__ = ["Channel", "Hub"]

START = 1767225600.0


class Hub(VirtualBackend):
    """A hub; `app` serves it once there is one."""

    def __init__(self, name: str) -> None:
        super().__init__(START)
        self.name = name
        self.app: _Loaded | None = None

    def push(self, content: bytes, folder: Path, settings: Mapping[str, str]) -> None:
        """Another zip: the app is another one from now on."""
        self.close()
        self.app = _Loaded(content, folder, BackendClient(self), settings)

    def call(self, name: str, **given: Any) -> Any:
        """A function of the app that is given the durable client."""
        assert self.app is not None
        with self.app.active():
            called = self.app.functions._functions[name].get_user_function().client_function
            return called(**given, client=BackendClient(self))

    def close(self) -> None:
        if self.app is not None:
            self.app.close()

    def StartInstance(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = super().StartInstance(request, context)
        found = self.instance(answer.instanceId)
        found.created_at = found.last_updated_at = datetime.fromtimestamp(self.now, UTC)
        return answer

    def work(self, until: float = START) -> None:
        """All that is to do, and that comes to be until a moment."""
        assert self.app is not None, f"nothing was pushed for {self.name}"
        with self.app.active():
            while self._one() or (self._is_due(until) and self.advance()):
                pass
        self.now = max(self.now, until)

    def _is_due(self, until: float) -> bool:
        return bool(self._at_once) or bool(self._agenda and self._agenda[0].when <= until)

    def _one(self) -> bool:
        item = self.next_work()
        if item is None:
            return False
        assert self.app is not None
        if item.HasField("orchestratorRequest"):
            response: Any = self.app.functions.orchestrate(item.orchestratorRequest)
            response.completionToken = item.completionToken
            self.complete_orchestrator(response)
            found = self.instance(item.orchestratorRequest.instanceId)
            found.last_updated_at = datetime.fromtimestamp(self.now, UTC)
        else:
            done = self.app.functions.attempt(item.activityRequest)
            done.completionToken = item.completionToken
            self.complete_activity(done)
        return True


@contextmanager
def environment_of(settings: Mapping[str, str]) -> Generator[None]:
    """The settings of an app as its process has them."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _Loaded:
    """An app: its modules, out of the way of all others while it does nothing."""

    def __init__(
        self, content: bytes, folder: Path, client: Any, settings: Mapping[str, str]
    ) -> None:
        before = set(os.environ) - set(settings)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        self.files = files
        self._folder = folder
        with (
            environment_of(settings),
            imported_from(files, folder, ["function_app"]) as modules,
        ):
            self.module = modules["function_app"]
            # What it has put there is there as long as its process lives.
            self._settings = {name: os.environ[name] for name in os.environ if name not in before}
            self._modules: dict[str, ModuleType] = {
                name: module
                for name, module in sys.modules.items()
                if str(getattr(module, "__file__", "") or "").startswith(f"{folder}/")
            }
        self.functions = App(self.module.app, client)

    @contextmanager
    def active(self) -> Generator[None]:
        hidden = {name: sys.modules[name] for name in self._modules if name in sys.modules}
        sys.modules.update(self._modules)
        sys.path.insert(0, str(self._folder))
        importlib.invalidate_caches()
        try:
            with environment_of(self._settings):
                forget_missing_secrets()
                yield
        finally:
            sys.path.remove(str(self._folder))
            for name in self._modules:
                sys.modules.pop(name, None)
            sys.modules.update(hidden)

    def close(self) -> None:
        self.functions.close()
        for other in self.module.older.values():
            other.close()


class _Refused(grpc.RpcError, grpc.Call):  # type: ignore[misc]
    """What a server aborts with."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._code, self._details = code, details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details

    initial_metadata = trailing_metadata = is_active = time_remaining = cancel = None
    add_callback = None


class _Context:
    """Of one call."""

    def abort(self, code: grpc.StatusCode, details: str) -> Any:
        raise _Refused(code, details)

    def is_active(self) -> bool:
        return True


class Channel:
    """A connection to a hub in this process: messages cross as bytes, as protobuf writes them."""

    def __init__(self, hub: Hub, request: Any) -> None:
        self._hub = hub
        self._request = request

    def unary_unary(
        self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Any:
        name = method.rpartition("/")[2]
        answer = getattr(self._hub, name)

        def call(message: Any, **_: Any) -> Any:
            def done() -> Any:
                return answer(_parsed(name, request_serializer(message)), _Context())

            return response_deserializer(self._request(f"grpc {name}", done).SerializeToString())

        return call

    def unary_stream(
        self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Any:
        name = method.rpartition("/")[2]
        answer = getattr(self._hub, name)

        def call(message: Any, **_: Any) -> Any:
            def done() -> Any:
                return [*answer(_parsed(name, request_serializer(message)), _Context())]

            return (
                response_deserializer(one.SerializeToString())
                for one in self._request(f"grpc {name}", done)
            )

        return call

    stream_unary = stream_stream = unary_unary

    def subscribe(self, *_: Any, **__: Any) -> None: ...
    def unsubscribe(self, *_: Any, **__: Any) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Any: ...
    def __exit__(self, *_: Any) -> Any: ...


REQUESTS = {
    "StartInstance": pb.CreateInstanceRequest,
    "GetInstance": pb.GetInstanceRequest,
    "QueryInstances": pb.QueryInstancesRequest,
    "RaiseEvent": pb.RaiseEventRequest,
    "TerminateInstance": pb.TerminateRequest,
    "StreamInstanceHistory": pb.StreamInstanceHistoryRequest,
}


def _parsed(name: str, content: bytes) -> Any:
    message: Any = REQUESTS[name]()
    message.ParseFromString(content)
    assert hasattr(stubs.TaskHubSidecarServiceServicer, name)
    return message
