"""One world of the reference: its clock, runs, inboxes, script and records.

Everything that several runs share. `perdure.reference.run.ReferenceRun` is what one run sees.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple, final

from perdure.runtime.engine import LogRecord
from perdure.runtime.loop import VirtualLoop
from perdure.testing.bodies import BodyLoop
from perdure.testing.request import START
from perdure.testing.scripts import Scripts

if TYPE_CHECKING:
    from perdure.reference.run import ReferenceRun

__all__ = ["Note", "World"]


class Note(NamedTuple):
    """One line of the history: what happened, when, in which run, to which operation."""

    time: float
    run: str
    what: str
    path: str


@final
class World:
    """What the runs of one test share."""

    def __init__(self, scripts: Scripts, seed: int = 0) -> None:
        self.loop = VirtualLoop(START, seed)
        self.scripts = scripts
        self.runs: dict[str, ReferenceRun] = {}
        self.history: list[Note] = []
        self.logs: list[LogRecord] = []
        self.failure: BaseException | None = None
        self.frozen = False
        """The test is over: nothing is recorded any more."""
        self._bodies = BodyLoop()

    def fail(self, error: BaseException) -> None:
        """The script does not fit, or the runner is at fault: the test ends with this error."""
        if self.failure is None:
            self.failure = error
        self.loop.stop()

    def note(self, run: str, what: str, path: str) -> None:
        """Add a line to the history."""
        if not self.frozen:
            self.history.append(Note(self.loop.time(), run, what, path))

    def run_body[R](self, body: Callable[[], Coroutine[Any, Any, R]]) -> asyncio.Future[R]:
        """Run a step's body in real time; its value, or error."""
        return self._bodies.run(self.loop, body)

    def close(self) -> None:
        """Give up what is left: tasks are cancelled, what they still do is not recorded."""
        self.frozen = True
        for run in self.runs.values():
            run.abandon()
        self.loop.drain(10_000)
        self.loop.close()
        self._bodies.close()
