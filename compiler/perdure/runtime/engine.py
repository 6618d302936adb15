"""`Run`: what an engine that executes instrumented modules offers to one run.

The reference and the local engine implement it; both are asyncio loops. Everything an
operation needs arrives encoded; a `Run` never sees a value of the flow. The rules:

- A primitive raises CancelledError when its task is cancelled. If the cancellation carries
  `CANCEL_RUN` as message and a step is under way, the step ends and is recorded first;
  else (a race was lost, a deadline passed) the operation is recorded as cancelled and its late
  outcome is dropped.
- An operation recorded as cancelled waits, when repeated, until it is cancelled again.
- Outcomes that were recorded are returned again without running anything.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from perdure.codec.text import Json

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow, Step
    from perdure.runtime.scope import Scope
    from perdure.runtime.site import Site

__all__ = [
    "CANCEL_RUN",
    "Completed",
    "EventWait",
    "Failed",
    "FlowCall",
    "Json",
    "LogRecord",
    "Message",
    "Operation",
    "Outcome",
    "Run",
    "StepCall",
    "Timer",
]

CANCEL_RUN: Final = "perdure: the run is cancelled"
"""Message for `Task.cancel` of a run's main task; the flow sees a CancelledError without it."""


class Completed(NamedTuple):
    """An operation ended well; `value` is encoded."""

    value: Json


class Failed(NamedTuple):
    """An operation ended with an error, as `perdure.codec.encode_error` writes it."""

    error: Json


type Outcome = Completed | Failed


class Operation(NamedTuple):
    """Where an operation stands: its structural path, its call site, its scope."""

    path: str
    site: "Site"
    scope: "Scope"


class StepCall(NamedTuple):
    """One call of a step. `arguments`: encoded, by parameter name, defaults applied."""

    op: Operation
    step: "Step[..., object]"
    name: str
    arguments: Mapping[str, Json]


class FlowCall(NamedTuple):
    """A child flow, or a run started that nobody waits for (then `id` and `on` count)."""

    op: Operation
    flow: "Flow[..., object]"
    name: str
    arguments: Mapping[str, Json]
    id: str | None = None
    on: str | None = None


class EventWait(NamedTuple):
    """Wait for the oldest event of a name. `type`: the class or annotation it is declared as."""

    op: Operation
    name: str
    type: object
    timeout: float | None


class Timer(NamedTuple):
    """Wait until `perdure.durations.due(now, seconds)`, or until `until` (epoch, rounded up).

    `kind` is "sleep", or "timeout" for a deadline around operations, which no trace shows.
    """

    op: Operation
    kind: str
    seconds: float
    until: float | None = None


class Message(NamedTuple):
    """What goes to another run (`run` is its id) or, as reply or progress, out of this one."""

    op: Operation
    run: str
    name: str
    payload: Json


class LogRecord(NamedTuple):
    """A `print` or a call of a logger in the flow: shown once, also when the run is repeated."""

    scope: str
    ordinal: int
    logger: str | None
    level: str
    text: str


class Run(Protocol):
    """One run of one flow, as its operations see it."""

    @property
    def id(self) -> str:
        """The run id, ours on every engine."""
        ...

    @property
    def seed(self) -> str:
        """128 random bits in hexadecimal, drawn once per run."""
        ...

    @property
    def functions(self) -> "FunctionTable | None":
        """Names the nested functions of the flow's file, so that they can cross; see the codec."""
        ...

    async def step(self, call: StepCall) -> Outcome:
        """Run the step by its policy (attempts, delays, timeout), or return what is recorded."""
        ...

    async def child(self, call: FlowCall) -> Outcome:
        """Run a flow as a child, under the id `run id / path`."""
        ...

    async def start(self, call: FlowCall) -> str:
        """Start a run that nobody waits for; its id."""
        ...

    async def event(self, wait: EventWait) -> Outcome:
        """Take the oldest unclaimed event; TimeoutError('') as `Failed` at the due time."""
        ...

    async def sleep(self, timer: Timer) -> None:
        """Wait until the timer is due."""
        ...

    async def send(self, message: Message) -> None:
        """Store an event for another run."""
        ...

    async def ask(self, message: Message) -> Outcome:
        """Store an event for another run and wait for its reply."""
        ...

    async def cancel(self, op: Operation, run: str) -> None:
        """Ask another run to cancel."""
        ...

    async def reply(self, message: Message) -> None:
        """Answer the oldest unanswered event of this name that the op's scope took."""
        ...

    async def progress(self, message: Message) -> None:
        """Publish what the run is at. No trace entry."""
        ...

    def now(self, scope: str, ordinal: int) -> float:
        """Engine time in seconds since the epoch; the same again when this read is repeated."""
        ...

    def log(self, record: LogRecord) -> None:
        """Take a log record; a repeated one (same scope and ordinal) is dropped."""
        ...

    async def settle(self, depth: int) -> None:
        """Let everything happen that is due at this engine instant, deeper scopes first.

        Returns when every task of the run waits. A fork calls it before it decides who came
        first, so that ties go to the lower index, and a deadline before it interrupts. While a
        run is repeated from its records this is what keeps decisions the same: nobody is
        interrupted before all that was recorded has been given back to the flow.
        """
        ...

    def decided(self, path: str) -> Json:
        """What was recorded under `decide`, None if nothing."""
        ...

    def decide(self, path: str, kind: str, compute: Callable[[], Json]) -> Json:
        """The recorded decision of a fork, else what `compute` says now, which is recorded."""
        ...

    def branch_ended(self, path: str) -> None:
        """The branch with this path ended by itself, with a value or an error: for the trace."""
        ...

    def recorded(self, path: str) -> bool:
        """Whether this operation has any record yet."""
        ...

    def give_back(self, paths: Sequence[str]) -> None:
        """The events taken at these paths were taken by losers: back to the front they go."""
        ...
