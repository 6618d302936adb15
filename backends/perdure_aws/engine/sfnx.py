"""`sfnx.testing` as a second, independent runner, where time and order do not matter.

It runs branches one after the other and lets no time pass, so everything whose outcome depends on
time or order is `EngineCannot`: task tokens, waits inside branches, timeouts that could fire,
actions at a time, and a branch that fails beside others. There is no history.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NoReturn, final

import sfnx.testing

from perdure_aws.asl_graph import inner_scopes
from perdure_aws.engine.interface import (
    START,
    DefinitionRejected,
    EngineCannot,
    Execution,
    Json,
    LambdaFunction,
)
from perdure_aws.engine.lambdas import FunctionMissing, find_function, respond
from perdure_aws.engine.patches import Patches
from perdure_aws.json_shapes import is_object

__all__ = ["SfnxEngine", "SfnxSimulation"]

_INVOKE = "arn:aws:states:::lambda:invoke"


@final
class SfnxEngine:
    """The runner of sfnx."""

    name = "sfnx"

    def simulation(
        self,
        *,
        functions: Mapping[str, LambdaFunction],
        start: datetime = START,
        seed: int = 0,
        max_events: int = 25_000,
    ) -> "SfnxSimulation":
        """See `interface.Engine`. `seed` and `max_events` are without meaning here."""
        return SfnxSimulation(functions, start)


@final
@dataclass(frozen=True, slots=True)
class _Shape:
    """What of a definition decides whether order and time matter."""

    branched: bool = False
    timed: bool = False
    inside: frozenset[str] = field(default_factory=frozenset[str])
    uncaught: frozenset[str] = field(default_factory=frozenset[str])


@final
class _Context:
    """The `context` of one invocation."""

    def __init__(self, simulation: "SfnxSimulation", name: str, number: int) -> None:
        self.function_name = name
        self.aws_request_id = f"00000000-0000-4000-8000-{number:012d}"
        self._simulation = simulation

    def now(self) -> datetime:
        return self._simulation.now()

    def is_abandoned(self) -> bool:
        """It runs one thing after the other."""
        return False

    def settle(self, depth: int) -> None:
        """Nothing happens beside an invocation."""

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._simulation.pass_time(seconds, "a function sleeps")

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@final
class SfnxSimulation:
    """See `interface.Simulation`."""

    def __init__(self, functions: Mapping[str, LambdaFunction], start: datetime) -> None:
        self._functions = functions
        self._start = start
        self._now = start
        self._shape = _Shape()
        self._calls = 0
        self._failed_inside = False
        self._refusal: EngineCannot | None = None

    def now(self) -> datetime:
        """The time that waits and sleeps have made pass."""
        return self._now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Refused."""
        raise EngineCannot("sfnx has no clock at which something could be done")

    def send_task_success(self, token: str, output: Json) -> bool:
        """Refused."""
        raise EngineCannot("sfnx has no task tokens")

    def send_task_failure(self, token: str, error: str = "", cause: str = "") -> bool:
        """Refused."""
        raise EngineCannot("sfnx has no task tokens")

    def send_task_heartbeat(self, token: str) -> bool:
        """Refused."""
        raise EngineCannot("sfnx has no task tokens")

    def stop(
        self, error: str | None = None, cause: str | None = None, *, name: str | None = None
    ) -> None:
        """Refused."""
        raise EngineCannot("sfnx cannot stop an execution")

    def begin(self, definition: Mapping[str, Json], execution_input: Json, *, name: str) -> bool:
        """Refused."""
        raise EngineCannot("sfnx runs one execution")

    def events(self, name: str) -> int:
        """None that are counted: sfnx has no limit of them."""
        return 0

    def when_ended(self, action: Callable[[Execution], None]) -> None:
        """Nobody is told: whoever ran it sees its end."""

    def run(
        self,
        definition: Mapping[str, Json],
        execution_input: Json,
        *,
        name: str,
        until_idle: bool = False,
    ) -> Execution:
        """Run `definition` to its end."""
        self._shape = _shape_of(definition)
        patches = Patches()
        patches.replace(sfnx.testing, "execution_context", _context_named(name))
        try:
            ran = sfnx.testing.run(
                definition,
                execution_input,
                self._task,
                functions={"now": self._text_now, "millis": self._millis},
                on_wait=self._waited,
                start_time=_text(self._start),
            )
        except (sfnx.testing.Unsupported, sfnx.testing.InvalidDefinition) as error:
            raise DefinitionRejected(str(error)) from error
        finally:
            patches.restore()
            if self._refusal is not None:
                raise self._refusal
        return self._result(ran, name)

    def _result(self, ran: sfnx.testing.Execution, name: str) -> Execution:
        failed = ran.error is not None
        entered = self._shape.inside & set(ran.states)
        if self._failed_inside or (failed and entered) or self._shape.uncaught & set(ran.states):
            raise EngineCannot("a branch failed: how far its siblings came is a question of time")
        output: Json = None if failed else json.loads(json.dumps(ran.output))
        return Execution(
            status="FAILED" if failed else "SUCCEEDED",
            output=output,
            error=ran.error,
            cause=ran.cause,
            states=ran.states,
            started=self._start,
            stopped=self._now,
            name=name,
        )

    def pass_time(self, seconds: float, why: str) -> None:
        """Move the clock, where that means the same on every engine."""
        if self._shape.branched or self._shape.timed:
            self._refuse(f"{why}, and branches or timeouts would see the time that passes")
        self._now += timedelta(seconds=seconds)

    def _refuse(self, reason: str) -> NoReturn:
        self._refusal = self._refusal or EngineCannot(reason)
        raise self._refusal

    def _task(self, call: sfnx.testing.Call) -> object:
        if call.resource.rpartition(":::")[2].partition(".")[2]:
            self._refuse(f"sfnx has no time in which {call.state} could wait for an answer")
        if call.resource != _INVOKE:
            self._refuse(f"sfnx does not know how to do {call.resource}")
        arguments = call.arguments
        if not is_object(arguments):
            self._refuse(f"the Arguments of {call.state} are no object")
        name = str(arguments.get("FunctionName"))
        self._calls += 1
        event: Json = json.loads(json.dumps(arguments.get("Payload", {})))
        try:
            function = find_function(self._functions, name)
        except FunctionMissing:
            self._fail(call, "Lambda.ResourceNotFoundException", f"Function not found: {name}")
        response = respond(function, event, _Context(self, name, self._calls), 900)
        if self._refusal is not None:
            raise self._refusal
        payload = response["Payload"]
        if "FunctionError" in response and is_object(payload):
            cause = json.dumps(payload, separators=(",", ":"))
            self._fail(call, str(payload["errorType"]), cause)
        return response

    def _fail(self, call: sfnx.testing.Call, error: str, cause: str) -> NoReturn:
        raise sfnx.testing.Failure(error, cause)

    def _waited(self, wait: sfnx.testing.Wait) -> None:
        if wait.seconds is not None:
            seconds = float(wait.seconds)
        else:
            moment = datetime.fromisoformat(str(wait.timestamp).upper())
            seconds = max(0.0, (moment.astimezone(UTC) - self._now).total_seconds())
        self.pass_time(seconds, f"{wait.state} waits")

    def _text_now(self, *arguments: object) -> str:
        if arguments:
            self._refuse("$now with a picture")
        return _text(self._now)

    def _millis(self) -> int:
        return int(self._now.timestamp() * 1000)


def _text(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _context_named(name: str) -> Callable[[object, str], dict[str, object]]:
    """sfnx names every execution \"execution\"; ours have the name that they were given."""
    original = sfnx.testing.execution_context

    def context(execution_input: object, start_time: str) -> dict[str, object]:
        made = original(execution_input, start_time)
        execution = made["Execution"]
        arn = f"arn:aws:states:us-east-1:123456789012:execution:machine:{name}"
        named = {"Name": name, "Id": arn}
        return {**made, "Execution": {**execution, **named} if is_object(execution) else named}

    return context


def _shape_of(definition: Mapping[str, Json]) -> _Shape:
    """What the whole definition says about time: branches, and timeouts that could fire."""
    branched = timed = "TimeoutSeconds" in definition
    branched = False
    inside, uncaught = set[str](), set[str]()
    for name, state, inner in _states(definition, inner=False):
        kind = state.get("Type")
        branched = branched or kind in ("Parallel", "Map")
        timed = timed or "TimeoutSeconds" in state or "HeartbeatSeconds" in state
        if inner:
            inside.add(name)
            if kind == "Fail":
                uncaught.add(name)
    return _Shape(branched, timed, frozenset(inside), frozenset(uncaught))


def _states(
    scope: Mapping[str, object], *, inner: bool
) -> Iterator[tuple[str, Mapping[str, object], bool]]:
    """All states; whether they run beside others."""
    states = scope.get("States")
    if not is_object(states):
        return
    for name, state in states.items():
        if is_object(state):
            yield name, state, inner
            scopes = list(inner_scopes(state))
            beside = inner or len(scopes) > 1 or state.get("Type") == "Map"
            for _, below in scopes:
                yield from _states(below, inner=beside)
