"""What an engine that keeps the history offers to the one run that it executes: `Host`."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from perdure.codec.text import Json
from perdure.runtime.engine import FlowCall, LogRecord, Operation, Outcome, StepCall
from perdure.runtime.reads import child_seed
from perdure.runtime.usage import Usage
from perdure.trace import TraceEntry

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.runtime.site import Site

__all__ = ["Attempt", "Begun", "Host", "Identity", "LostError"]


class LostError(Exception):
    """What ran elsewhere ended without an outcome: its worker died, or it could not run at all."""


class Identity(NamedTuple):
    """Which run this is. `prefix` is where a child stands in the trace of `tree`, its oldest
    ancestor."""

    run: str
    seed: str
    tree: str
    prefix: str = ""

    def child(self, name: str) -> "Identity":
        """That of the child flow at this path."""
        seed = child_seed(self.seed, name)
        return Identity(f"{self.run}/{name}", seed, self.tree, f"{self.prefix}{name}/")


class Attempt(NamedTuple):
    """One attempt of a step: `path` is its place in the whole trace, `key` what the step sees."""

    run: str
    key: str
    path: str
    number: int
    timeout: float


class Begun(NamedTuple):
    """An operation that has started and has no trace entry yet."""

    op: Operation
    kind: str
    name: str
    arguments: dict[str, Json]
    due: float | None = None
    """Until when it waits."""


class Host(Protocol):
    """What an engine offers to the one run that it executes."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the flow's coroutines."""
        ...

    @property
    def over(self) -> bool:
        """Nobody will resume this: nothing starts any more, nothing is shown."""
        ...

    @property
    def functions(self) -> "FunctionTable | None":
        """Names nested functions of the flow's files."""
        ...

    def now(self) -> float:
        """Engine time."""
        ...

    def is_full(self) -> bool:
        """Whether the history is so long that the run had better begin a new one, and may."""
        ...

    def refused(self) -> None:
        """Something was asked although it is over."""
        ...

    async def until(self, when: float) -> None:
        """Wait for a moment."""
        ...

    async def settle(self, depth: int) -> None:
        """Until nothing else is to come at this instant; deeper callers go first."""
        ...

    async def attempt(
        self, call: StepCall, attempt: Attempt
    ) -> tuple[Outcome, bool, tuple[Usage, ...]]:
        """Outcome, whether the policy may try again, what was spent; LostError."""
        ...

    def jitter(self, key: str) -> float:
        """From [0, 1), the same when this is repeated."""
        ...

    def child(self, call: FlowCall, identity: Identity) -> "asyncio.Future[Outcome]":
        """Run a flow as a child; LostError."""
        ...

    async def start(self, call: FlowCall, identity: Identity) -> Outcome:
        """Start a run that nobody waits for, once; RunConflict as Failed."""
        ...

    async def find(self, run: str) -> str | None:
        """ "running", "ended", or None where there is no such run."""
        ...

    def tell(self, run: str, message: Mapping[str, Json]) -> None:
        """Write to another run; nothing happens if that has ended."""
        ...

    def expect(self, name: str) -> None:
        """The run waits for events of this name, which may come from outside as they are."""
        ...

    def show(self, progress: Json, site: "Site") -> None:
        """Publish what the run is at; the site is where it says so."""
        ...

    def log(self, record: LogRecord) -> None:
        """Show a record, once."""
        ...

    def begun(self, begun: Begun) -> None:
        """An operation starts."""
        ...

    def came(self, begun: Begun, outcome: Outcome | None) -> None:
        """It is over; None: it was cancelled."""
        ...

    def ended(self, entry: TraceEntry) -> int:
        """An operation has ended; the place of its entry."""
        ...

    def lost(self, place: int) -> None:
        """The operation with the entry at this place belongs to a loser after all."""
        ...

    def branch_ended(self, path: str) -> None:
        """A branch ended by itself."""
        ...

    def misfit(self, problem: str) -> None:
        """Somebody outside sent what does not fit."""
        ...
