"""The body of a step in a test: it runs in a real event loop of its own, in no virtual time.

What it awaits takes real time (`asyncio.sleep(1)` is a second), while the clock of the test stands
still; its timeout is real as well. So on every target.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, final

__all__ = ["BodyLoop"]


@final
class BodyLoop:
    """One real event loop for all bodies of a test: clients that steps share keep working."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    def run[R](
        self, loop: asyncio.AbstractEventLoop, body: Callable[[], Coroutine[Any, Any, R]]
    ) -> asyncio.Future[R]:
        """What the body gives, as a future of the test's `loop`, which stands still meanwhile.

        From a plain callback: inside a task of that loop no other loop may run.
        """
        done: asyncio.Future[R] = loop.create_future()

        def call() -> None:
            if done.done():
                return
            asyncio._set_running_loop(None)
            try:
                value = self._real().run(body())
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(value)
            finally:
                asyncio._set_running_loop(loop)

        loop.call_soon(call)
        return done

    def close(self) -> None:
        """Give up what the bodies left running."""
        if self._runner is not None:
            self._runner.close()

    def _real(self) -> asyncio.Runner:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner
