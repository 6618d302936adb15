"""Runs one test request: compiled, imported, driven on one of the hosts to its end."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, final

from perdure.codec import decode_slots
from perdure.codec.text import Json
from perdure.durations import due
from perdure.errors import InvalidInput
from perdure.runtime.bodies import Attempted, raised
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.envelope import pack, unpack
from perdure.runtime.episode import Episode
from perdure.runtime.host import Identity
from perdure.runtime.inputs import flow_input
from perdure.runtime.values import encode_input, failed, result_of
from perdure.runtime.watch import watcher
from perdure.testing.answers import answered
from perdure.testing.request import RUN_ID, RUN_SEED, START, Request, Result
from perdure.testing.scripts import Attempt, RunsBody, ScriptError
from perdure.trace import End, Trace, error_json
from perdure_azure.engine.compiled import compiled
from perdure_azure.engine.files import imported_from
from perdure_azure.engine.machine import Machine, Observer
from perdure_azure.engine.sdk1 import sdk1
from perdure_azure.names import MESSAGE, function_name

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow, Step
    from perdure.runtime.host import Attempt as AttemptCall

__all__ = ["run_flow", "run_loaded"]

CANCELS: str = "run"
"""How a test cancels: "now" would leave no time for cleanup."""
LONGEST_IN_TESTS = 40
"""Events after which a run hands over: few, so that tests see it happen."""


def run_flow(request: Request) -> Result:
    """Compile the flow of the request for Azure, and run it."""
    classic = request.engine == "classic"
    project = compiled(request.file, request.flow, sdk=1 if classic else 2)
    request.scripts.check_names(project.steps)
    with (
        TemporaryDirectory() as folder,
        sdk1() if classic else nullcontext(),
        imported_from(project.files, Path(folder), ["function_app"]) as modules,
    ):
        return run_loaded(request, modules["function_app"], project.entry)


def run_loaded(request: Request, module: ModuleType, entry: str) -> Result:
    """Run what is compiled and imported already: the module `function_app`, the flow's name."""
    return _run(module, _flow_of(module, entry), function_name(entry), request)


def _flow_of(module: ModuleType, entry: str) -> "Flow[..., Any]":
    name, _, qualname = entry.partition(":")
    table: dict[str, ModuleType] = module.modules
    found: Flow[..., Any] = getattr(table[name], qualname)
    return found


def _run(module: ModuleType, flow: "Flow[..., Any]", name: str, request: Request) -> Result:
    try:
        arguments = encode_input(flow, request.arguments)
    except InvalidInput as error:
        outcome = failed(error)
        return Result(Trace((), End("failed", None, error_json(outcome))), error=error)
    drive = _Drive(module.app, request, module.functions)
    token = watcher.set(drive)
    try:
        identity = Identity(RUN_ID, RUN_SEED, RUN_ID)
        return drive.run(name, flow_input(flow, identity, arguments))
    finally:
        watcher.reset(token)
        drive.close()


class _Seen(NamedTuple):
    """What was seen of an orchestration last."""

    episode: Episode[Any]


@final
class _Drive:
    """The host's place: hands out work, keeps the clock, and is the watcher of what runs."""

    def __init__(self, app: Any, request: Request, functions: "FunctionTable") -> None:
        self._request = request
        self._functions = functions
        self._machine = _machine(request.engine)(app, START, request.seed, self)
        self._delay = 0.0
        self._failure: BaseException | None = None
        self._episode: Episode[Any] | None = None
        self._seen: dict[str, _Seen] = {}
        self._over: list[_Seen] = []
        """The last of generations that handed over."""
        self.longest = LONGEST_IN_TESTS

    def run(self, name: str, data: Json) -> Result:
        """Until the orchestration has ended, or nothing can ever happen."""
        for number, event in enumerate(self._request.events):
            payload: Any = event.payload
            message: dict[str, Json] = {"event": event.name, "payload": payload, "plain": True}
            self._sends(event.after, {**message, "id": f"test-{number}"})
        if self._request.cancel is not None:
            self._sends(self._request.cancel, {"cancel": CANCELS})
        self._machine.start_instance(name, RUN_ID, json.dumps(data))
        while not self._machine.has_ended(RUN_ID):
            if not self._work() and not self._machine.advance():
                break
        return self._result()

    def close(self) -> None:
        """Give up what is left."""
        for seen in self._seen.values():
            seen.episode.abandon()
        self._machine.close()

    def _work(self) -> bool:
        worked = self._machine.work()
        if self._failure is not None:
            raise self._failure
        return worked

    def _sends(self, after: float, message: dict[str, Json]) -> None:
        text = json.dumps(pack(message))
        send = partial(self._machine.raise_event, RUN_ID, MESSAGE, text)
        self._machine.later(START + after, send, inside=False)

    # What the app tells its watcher, and the machine its observer.

    def took(self) -> float:
        """As the script says."""
        seconds, self._delay = self._delay, 0.0
        return seconds

    def began(self, episode: Episode[Any]) -> None:
        """An episode begins."""
        self._episode = episode

    def ended(self, episode: Episode[Any]) -> None:
        """A run that ends waits for nothing any more, unless it was stopped."""
        stopped = CANCELS == "now" or episode.stopped
        if not stopped and not episode.waits.is_idle():
            self._failure = AssertionError(f"{episode.tree} ends, and waits for something still")

    def misfit(self, problem: str) -> None:
        """The script sent what no sender could have: the test ends."""
        self._failure = self._failure or ScriptError(problem)

    def clock(self) -> float:
        """Virtual time."""
        return self._machine.now

    def attempt(
        self, step: "Step[..., object]", call: "AttemptCall", arguments: dict[str, Json]
    ) -> Attempted | None:
        """The scripted answer; its time is what the engine then waits."""
        try:
            return self._answer(step, call, arguments)
        except BaseException as error:
            self._failure = error
            raise

    def _answer(
        self, step: "Step[..., object]", call: "AttemptCall", arguments: dict[str, Json]
    ) -> Attempted | None:
        values = decode_slots(arguments, functions=self._functions)
        answer = self._request.scripts.answer(Attempt(step.name, call.path, call.number, values))
        if isinstance(answer, RunsBody):
            return None
        now = self._machine.now
        deadline = due(now, call.timeout)
        if now + answer.after_seconds > deadline:
            self._delay = deadline - now
            return raised(TimeoutError())
        self._delay = answer.after_seconds
        return answered(step, answer)

    # The end.

    def ran(self, instance: str, *, renewed: bool) -> None:
        """An episode repeats what the one before it did, and goes on from there."""
        episode, self._episode = self._episode, None
        if episode is None:
            return  # its input was refused
        episode.abandon()
        before = self._seen.get(instance)
        if before is not None:
            known = [entry._replace(outcome=None) for entry in before.episode.entries]
            done = [entry._replace(outcome=None) for entry in episode.entries]
            if done[: len(known)] != known:
                raise AssertionError(f"replayed differently: {done} after {known}")
        seen = _Seen(episode)
        if renewed:
            self._over.append(seen)
            self._seen.pop(instance, None)
        else:
            self._seen[instance] = seen

    def _result(self) -> Result:
        outcome, status = self._outcome()
        value: object = None
        error: BaseException | None = None
        end = End(status)
        if isinstance(outcome, Completed):
            end = End(status, outcome.value)
        elif isinstance(outcome, Failed) and status == "failed":
            end = End(status, None, error_json(outcome))
        if outcome is not None:
            try:
                value = result_of(outcome, self._functions)
            except BaseException as raised_by_flow:
                error = raised_by_flow
        every = [each.episode for each in (*self._over, *self._seen.values())]
        seen = [each for each in every if each.tree == RUN_ID]
        entries = sorted((e for each in seen for e in each.entries), key=lambda entry: entry.time)
        return Result(
            Trace(tuple(entries), end, frozenset().union(*(each.branches for each in seen))),
            result=value,
            error=error,
            history=self._machine.history(RUN_ID),
            logs=tuple(log for each in every for log in each.logs),
            progress=next((e.progress for e in reversed(seen) if e.progress is not None), None),
        )

    def _outcome(self) -> tuple[Outcome | None, str]:
        """How the orchestration ended, from what the engine keeps of it."""
        if not self._machine.has_ended(RUN_ID):
            return None, "waiting"
        ended = self._machine.ended(RUN_ID)
        if ended.problem is None:
            data = unpack(json.loads(ended.output or "null"))
            if data["status"] == "done":
                return Completed(data["value"]), "done"
            import asyncio

            return failed(asyncio.CancelledError()), str(data["status"])
        if not ended.status:
            raise RuntimeError(f"the orchestration failed: {ended.problem}")
        data = unpack(json.loads(ended.status))
        if "error" not in data:  # no status holds it
            return failed(RuntimeError(ended.problem)), "failed"
        return Failed(data["error"]), "failed"


def _machine(engine: str | None) -> "Callable[[Any, float, int, Observer], Machine]":
    if engine == "classic":
        from perdure_azure.engine.classic import Classic

        return Classic
    from perdure_azure.engine.memory import Memory

    return Memory
