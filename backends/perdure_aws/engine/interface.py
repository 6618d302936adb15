"""What tests and `perdure.testing` say to an engine that runs Step Functions definitions.

In: a definition in JSONata mode (a Python dict), the functions that its Lambda tasks name, scripted
actions on a virtual clock. Out: an `Execution`. Nothing here imports an engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, final

__all__ = [
    "START",
    "DefinitionRejected",
    "Engine",
    "EngineCannot",
    "Event",
    "Execution",
    "Json",
    "LambdaContext",
    "LambdaFunction",
    "Simulation",
]

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
type Event = dict[str, object]

START = datetime(2026, 1, 1, tzinfo=UTC)


class EngineCannot(Exception):  # noqa: N818  (it says what it is where it is raised)
    """The engine cannot reproduce what AWS does here; it never answers with a guess."""


class DefinitionRejected(ValueError):  # noqa: N818
    """CreateStateMachine would refuse this definition: one line per finding."""


class LambdaContext(Protocol):
    """What a handler is given beside its event."""

    @property
    def function_name(self) -> str:
        """The name under which the definition called the function."""
        ...

    @property
    def aws_request_id(self) -> str:
        """Differs between any two invocations of a run, equal between two equal runs."""
        ...

    def now(self) -> datetime:
        """The virtual time."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block this invocation while the virtual clock moves."""
        ...

    def is_abandoned(self) -> bool:
        """Whether nobody waits for this invocation any more: its outcome is dropped."""
        ...

    def settle(self, depth: int) -> None:
        """Let everything else go first that is due at this instant, and who settles deeper."""
        ...

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds of virtual time until the function's own timeout."""
        ...


class LambdaFunction(Protocol):
    """A handler in process.

    What it raises fails the task: errorType is the exception's class name, or its attribute
    `error_type`. An attribute `timeout_seconds` of the function is its own timeout (default 900).
    """

    def __call__(self, event: Json, context: LambdaContext, /) -> Json:
        """Answer one invocation."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Execution:
    """How an execution went.

    `status` is SUCCEEDED, FAILED, TIMED_OUT, ABORTED, or RUNNING: idle, with nothing scheduled.
    `history` is GetExecutionHistory's list of events with timestamps of the virtual clock;
    `states` the names of the states entered, in order.
    """

    status: str
    output: Json = None
    error: str | None = None
    cause: str | None = None
    history: tuple[Event, ...] = ()
    states: tuple[str, ...] = ()
    started: datetime = START
    stopped: datetime | None = None
    name: str = ""

    @property
    def transitions(self) -> int:
        """The number of state entries."""
        return len(self.states)


class Simulation(Protocol):
    """One run of one definition under a virtual clock."""

    def now(self) -> datetime:
        """The virtual time."""
        ...

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Do `action` when the clock reaches `when`, before anything else that is due then."""
        ...

    def send_task_success(self, token: str, output: Json) -> bool:
        """Answer a waiting task. False: the token is used up, timed out or unknown."""
        ...

    def send_task_failure(self, token: str, error: str = "", cause: str = "") -> bool:
        """Fail a waiting task. False: the token is used up, timed out or unknown."""
        ...

    def send_task_heartbeat(self, token: str) -> bool:
        """Say that a waiting task is alive. False: the token is used up, timed out or unknown."""
        ...

    def stop(
        self, error: str | None = None, cause: str | None = None, *, name: str | None = None
    ) -> None:
        """StopExecution: the execution (of that name, else the first) ends ABORTED."""
        ...

    def begin(self, definition: Mapping[str, Json], execution_input: Json, *, name: str) -> bool:
        """StartExecution, while another one runs; False: there is one of that name already."""
        ...

    def events(self, name: str) -> int:
        """How many events the history of an execution has."""
        ...

    def when_ended(self, action: Callable[[Execution], None]) -> None:
        """Do `action` with each execution that ends, as a rule on its change of status would."""
        ...

    def run(
        self,
        definition: Mapping[str, Json],
        execution_input: Json,
        *,
        name: str,
        until_idle: bool = False,
    ) -> Execution:
        """Run until the execution ends, or until nothing can ever happen (status RUNNING).

        `until_idle`: after its end also do what is still scheduled (`at` actions). Invocations
        that outlive their task always run to their end, as they do on AWS.
        """
        ...


class Engine(Protocol):
    """Makes simulations."""

    name: str

    def simulation(
        self,
        *,
        functions: Mapping[str, LambdaFunction],
        start: datetime = START,
        seed: int = 0,
        max_events: int = 25_000,
    ) -> Simulation:
        """Make one."""
        ...
