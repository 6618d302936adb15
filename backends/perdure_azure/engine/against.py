"""Whether runs under way go on under new code: their stored histories are executed again with it.

Comes in: an emitted project, and the history of an orchestration (protobuf's JSON of its events).
Goes out: whether the new code asks for the very same things in the same order, and if not, at
which line of it. Nothing runs but the orchestrator: activities have their recorded outcomes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeGuard, cast, final

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.internal import helpers
from google.protobuf import json_format  # type: ignore[import-untyped]  # no stubs

from perdure.runtime.envelope import unpack
from perdure.runtime.episode import Episode
from perdure.runtime.site import Site
from perdure.runtime.watch import watcher
from perdure_azure.engine.app import App
from perdure_azure.engine.backend import VirtualBackend
from perdure_azure.engine.client import BackendClient
from perdure_azure.engine.compiled import compiled
from perdure_azure.engine.files import imported_from

__all__ = ["Verdict", "check_history", "check_run", "history_text"]


class Verdict(NamedTuple):
    """Of one run: `problem` is None where it goes on; else what differs, and where it stood."""

    run: str
    problem: str | None
    site: Site | None


def history_text(run: str, events: Sequence[Any]) -> str:
    """A stored history as `check_history` reads it; `events` are of protobuf."""
    rows = [json_format.MessageToDict(event) for event in events]
    return json.dumps({"version": 1, "run": run, "events": rows})


def check_run(file: Path, flow: str | None, text: str) -> Verdict:
    """Compile a flow and execute a stored history of it again; RefusedError."""
    return check_history(compiled(file, flow).files, text)


def check_history(files: Mapping[str, str | bytes], text: str) -> Verdict:
    """Execute a history again with an emitted project."""
    run, events = _read(text)
    with (
        TemporaryDirectory() as folder,
        imported_from(files, Path(folder), ["function_app"]) as modules,
    ):
        return _executed(modules["function_app"].app, run, events)


def _read(text: str) -> tuple[str, list[pb.HistoryEvent]]:
    """The run and its events; ValueError says what is wrong with the text."""
    data: object = json.loads(text)
    if not _is_table(data):
        raise ValueError('it is no object like {"version": 1, "run": "...", "events": [...]}')
    if data.get("version") != 1:
        raise ValueError(f"a history of version {data.get('version')!r}: this perdure reads 1")
    run, rows = data.get("run"), data.get("events")
    if not isinstance(run, str) or not _is_list(rows):
        raise ValueError('it has no text "run", or no list "events"')
    events = [_event(number, row) for number, row in enumerate(rows)]
    if not any(event.HasField("executionStarted") for event in events):
        raise ValueError("no event of it says which orchestrator was started")
    if not events[0].HasField("orchestratorStarted"):
        raise ValueError("its first event does not begin an episode")
    return run, events


def _is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _event(number: int, row: object) -> pb.HistoryEvent:
    try:
        event = pb.HistoryEvent()
        json_format.ParseDict(cast("dict[str, Any]", row), event)  # it says itself what it is not
    except Exception as error:  # whatever JSON there may be in its place
        raise ValueError(f"event {number} is none of protobuf: {error}") from None
    return event


def _executed(app: Any, run: str, events: list[pb.HistoryEvent]) -> Verdict:
    over = [event for event in events if event.HasField("executionCompleted")]
    if over:
        return Verdict(run, None, None)
    seen = _Seen()
    token = watcher.set(seen)
    functions = App(app, BackendClient(VirtualBackend(0.0)))
    try:
        begins = helpers.new_orchestrator_started_event()
        begins.timestamp.CopyFrom(events[-1].timestamp)
        request = pb.OrchestratorRequest(instanceId=run, pastEvents=events, newEvents=[begins])
        response = functions.orchestrate(request)
    except KeyError as error:
        return Verdict(run, f"there is no orchestrator {error} any more", None)
    finally:
        watcher.reset(token)
        functions.close()
        if seen.episode is not None:
            seen.episode.abandon()
    return _verdict(run, events, response, seen)


def _verdict(
    run: str, events: list[pb.HistoryEvent], response: pb.OrchestratorResponse, seen: "_Seen"
) -> Verdict:
    site = seen.episode.at if seen.episode is not None else None
    for action in response.actions:
        if action.HasField("completeOrchestration"):
            failure = action.completeOrchestration.failureDetails
            if failure.errorType and not failure.errorType.endswith("FlowFailed"):
                first = str(failure.errorMessage).partition("\n")[0]
                return Verdict(run, first or str(failure.errorType), site)
    if seen.episode is None:
        return Verdict(run, "the orchestrator did not run", None)
    asked = seen.episode.asked
    for recorded, call in zip(_recorded(events), asked, strict=False):
        if recorded != unpack(call.input):
            return Verdict(run, f"`{call.name}` is called otherwise than it was", call.site)
    if len(asked) < len(_recorded(events)):
        return Verdict(run, "the code ends before what the history has", site)
    return Verdict(run, None, None)


def _recorded(events: list[pb.HistoryEvent]) -> list[Mapping[str, object]]:
    """What steps were called with, in order."""
    texts = [e.taskScheduled.input.value for e in events if e.HasField("taskScheduled")]
    return [unpack(json.loads(text)) for text in texts]


@final
class _Seen:
    """The watcher of the execution: nothing is answered, time stands in the history."""

    longest = 1 << 60

    def __init__(self) -> None:
        self.episode: Episode[Any] | None = None

    def began(self, episode: Episode[Any]) -> None:
        """The orchestrator was entered."""
        self.episode = episode

    def ended(self, episode: Episode[Any]) -> None:
        """It goes on as it did."""

    def attempt(self, step: object, call: object, arguments: object) -> None:
        """No activity runs."""

    def misfit(self, problem: str) -> None:
        """It was taken when it came."""

    def clock(self) -> float:
        """Nobody asks."""
        return 0.0
