"""Each call of a function goes to the code of the release that its run began on.

A run's release stands in the input of its orchestration and in each call of a step. The newest
release is this process; each older one is a process of its own (`perdure_azure.served`), in which
nothing of the newest is imported. A run that was started by hand is told its release in its first
episode, by which it begins again.
"""

import asyncio
import base64
import inspect
import json
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perdure.codec.text import Json
from perdure.runtime.envelope import is_envelope, pack, unpack
from perdure_azure.elsewhere import Elsewhere
from perdure_azure.releases import FOLDER, Releases, chosen, read_releases

if TYPE_CHECKING:
    import durabletask.internal.orchestrator_service_pb2 as pb

__all__ = ["forget_missing_secrets", "route"]

REFERENCE: Final = "@Microsoft.KeyVault("
"""What an app setting still says when Key Vault has no such secret."""

type Others = Mapping[str, Elsewhere]


def route(app: Any, file: str) -> Mapping[str, Elsewhere]:  # a DFApp
    """Let the functions of an app run the code of the release that is called; gives the older
    ones."""
    folder = Path(file).parent
    releases = read_releases(folder)
    if releases is None:
        return {}
    forget_missing_secrets()
    others = {name: Elsewhere(folder / FOLDER / name) for name in releases.older}
    builders = {_name(each): each for each in app._function_builders}
    for functions in releases.older.values():
        for name in functions.orchestrators:
            if name not in builders:
                builders[name] = app.orchestration_trigger(context_name="context")(_gone(name))
        for name in functions.activities:
            if name not in builders:
                builders[name] = app.activity_trigger(input_name="call")(_lost(name))
    for name, builder in builders.items():
        kind = type(builder._function.get_trigger()).__name__
        inner = builder._function._func
        if kind == "OrchestrationTrigger" and not name.startswith("BuiltIn"):
            builder._function._func = _orchestrator(name, inner, builder, releases, others)
        elif kind == "ActivityTrigger" and not hasattr(inner, "client_function"):
            builder._function._func = _activity(name, inner, builder, releases, others)
    return others


def forget_missing_secrets() -> None:
    """A secret that nobody has set is missing: its reference is no value."""
    for name, value in [*os.environ.items()]:
        if value.startswith(REFERENCE):
            del os.environ[name]


def _name(builder: Any) -> str:
    function = builder._function
    return str(function._name or function._func.__name__)


def _orchestrator(
    name: str, inner: Callable[..., Any], builder: Any, releases: Releases, others: Others
) -> Callable[..., Any]:
    parameter = builder._function.get_trigger().name

    @wraps(inner)
    async def orchestrate(*args: Any, **kwargs: Any) -> Any:
        given = kwargs[parameter] if parameter in kwargs else args[0]
        request = _request(given.body)
        release, plain = _release_of(request)
        if plain:
            return _begin_again(request, chosen(request.instanceId, releases.live))
        if release in ("", releases.newest):
            return await inner(*args, **kwargs)
        return await asyncio.to_thread(_other(others, release).orchestrate, name, given.body)

    return orchestrate


def _activity(
    name: str, inner: Callable[..., Any], builder: Any, releases: Releases, others: Others
) -> Callable[..., Any]:
    parameter = builder._function.get_trigger().name

    @wraps(inner)
    def attempt(*args: Any, **kwargs: Any) -> Any:
        call = kwargs[parameter] if parameter in kwargs else args[0]
        release = str(unpack(call).get("release", "")) if is_envelope(call) else ""
        if release in ("", releases.newest):
            return inner(*args, **kwargs)
        return _other(others, release).attempt(name, call)

    if inspect.iscoroutinefunction(inner):
        raise RuntimeError(f"the activity {name} is a coroutine function")  # none is emitted
    return attempt


def _other(others: Others, release: str) -> Elsewhere:
    if release not in others:
        raise RuntimeError(f"release {release} is not in this app any more")
    return others[release]


def _request(body: str) -> "pb.OrchestratorRequest":
    import durabletask.internal.orchestrator_service_pb2 as pb

    request = pb.OrchestratorRequest()
    request.ParseFromString(base64.b64decode(body))
    return request


def _release_of(request: "pb.OrchestratorRequest") -> tuple[str, bool]:
    """The release of a run; whether it was started by hand, and has none yet."""
    data = json.loads(_started(request).input.value or "null")
    if not is_envelope(data):
        return "", True
    return str(unpack(data).get("release", "")), False


def _started(request: "pb.OrchestratorRequest") -> "pb.ExecutionStartedEvent":
    """Of a run that began again there are several, in some histories: the last one counts."""
    events = [*request.pastEvents, *request.newEvents]
    started = [event for event in events if event.HasField("executionStarted")]
    last: pb.ExecutionStartedEvent = started[-1].executionStarted
    return last


def _begin_again(request: "pb.OrchestratorRequest", release: str) -> str:
    """The run continues as new, with its release beside what it was given."""
    import durabletask.internal.orchestrator_service_pb2 as pb

    plain: Json = json.loads(_started(request).input.value or "null")
    action = pb.OrchestratorAction(id=0)
    action.completeOrchestration.orchestrationStatus = pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
    action.completeOrchestration.result.value = json.dumps(
        pack({"plain": plain, "release": release})
    )
    came = [event for event in request.newEvents if event.HasField("eventRaised")]
    action.completeOrchestration.carryoverEvents.extend(came)
    response = pb.OrchestratorResponse(instanceId=request.instanceId, actions=[action])
    return base64.b64encode(response.SerializeToString()).decode()


def _gone(name: str) -> Callable[..., Any]:
    """An orchestrator that only older releases have."""

    def orchestrate(context: Any, given: Any) -> Any:
        raise RuntimeError(f"{name} is in older releases only")
        yield

    orchestrate.__name__ = name
    return orchestrate


def _lost(name: str) -> Callable[..., Any]:
    def attempt(call: Any) -> Any:
        raise RuntimeError(f"{name} is in older releases only")

    attempt.__name__ = name
    return attempt
