"""Invocations of a service inside a project: Python that may sleep while the virtual clock moves.

Each runs on a thread of its own, but never two at once: a thread that sleeps hands over to the
project, which wakes it when its time has come. So nothing hangs on the operating system.
"""

import threading
from collections.abc import Callable
from typing import Final, final

from perdure_gcp.workflows import Failure, Project, Response
from perdure_gcp.workflows.http import Later

__all__ = ["Invocation", "invoke"]

MINUTE: Final = 60.0


@final
class _GivenUp(BaseException):
    """The run is over, and the invocation sleeps."""


@final
class Invocation:
    """One invocation under way."""

    def __init__(self, project: Project, work: "Callable[[Invocation], Response]") -> None:
        self._project = project
        self._work = work
        self._turn = threading.Semaphore(0)
        self._theirs = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._later = Later()
        self._error: BaseException | None = None
        self._answer: Response | None = None
        self._given_up = False

    def now(self) -> float:
        """The project's clock."""
        return self._project.clock

    def sleep(self, seconds: float) -> None:
        """Let the clock move."""
        if seconds <= 0:
            return
        self._sleep_until(self._project.clock + seconds)

    def _sleep_until(self, time: float, last: int | None = None) -> None:
        self._project.at(time, self._wake, last=last)
        self._theirs.release()
        self._turn.acquire()
        if self._given_up:
            raise _GivenUp

    def settle(self, depth: int) -> None:
        """Let everything else go first that is due at this instant, and who settles deeper."""
        self._sleep_until(self._project.clock, depth)

    def begin(self) -> Response | Later:
        """Run until the answer is there, or until it sleeps."""
        self._thread.start()
        self._go_on()
        return self._later if self._answer is None else self._answer

    def give_up(self) -> None:
        """Nobody goes on with it: its thread ends."""
        if self._thread.is_alive():
            self._given_up = True
            self._turn.release()
            self._thread.join()

    def _go_on(self) -> None:
        if not self._thread.is_alive() and self._answer is not None:
            return
        self._turn.release()
        self._theirs.acquire()
        if self._error is not None:
            raise self._error

    def _wake(self) -> None:
        self._go_on()
        if self._answer is not None:
            self._later.arrive(self._answer)

    def _run(self) -> None:
        self._turn.acquire()
        try:
            self._answer = self._work(self)
        except _GivenUp:
            pass
        except BaseException as error:  # whoever runs the project gets it
            self._error = error
        finally:
            self._theirs.release()


def invoke(
    project: Project, work: Callable[[Invocation], Response], begun: list[Invocation]
) -> Response | Later | Failure:
    """The answer of `work`, which may sleep; `begun` gets the invocation."""
    invocation = Invocation(project, work)
    begun.append(invocation)
    return invocation.begin()
