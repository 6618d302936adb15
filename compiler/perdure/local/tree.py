"""A run at the top with the children it drives: what is driven, parked and let go as one."""

import asyncio
from typing import TYPE_CHECKING, Final, final

from perdure.runtime.scope import current

if TYPE_CHECKING:
    from perdure.local.run import LocalRun

__all__ = ["Tree", "drop_tasks"]

_MOST_HANDLERS: Final = 100
"""Handlers around each other in one flow, at most, when it is dropped."""


@final
class Tree:
    """The runs of one tree that this process drives, by id."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.runs: dict[str, LocalRun] = {}
        self.working = 0
        """Steps under way or waiting for their next attempt."""
        self.gated = False
        """A step would begin, but this process is about to let go."""
        self.asking = 0
        """Questions to other runs without an answer: nothing rings for those."""

    @property
    def is_quiet(self) -> bool:
        """Only events and times can move it (to be asked when the loop is idle)."""
        return not self.working and not self.asking and not self.gated

    @property
    def names(self) -> frozenset[str]:
        """The ids of its runs."""
        return frozenset(self.runs)


def drop_tasks(loop: asyncio.AbstractEventLoop, tree: Tree | None = None) -> None:
    """Forget what still waits (in this tree, or anywhere): on disk it goes on waiting.

    A coroutine that is dropped gets GeneratorExit, and `except BaseException` or `finally` of a
    flow would go on from there, in whatever context is current when it is collected. So each is
    closed now, in its own context, where the run is halted and any operation only waits.
    """
    for task in asyncio.all_tasks(loop):
        scope = task.get_context().get(current)
        if tree is not None and (scope is None or scope.run.id not in tree.runs):
            continue
        # A pending task that is destroyed is what we want; asyncio would write about it.
        setattr(task, "_log_destroy_pending", False)  # noqa: B010  # no public way
        task.add_done_callback(_take_note)
        task.get_context().run(_close, task.get_coro())


def _take_note(task: "asyncio.Task[object]") -> None:
    """Should anything still wake it, that comes to nothing, and nobody need hear of it."""
    if not task.cancelled():
        task.exception()


def _close(work: object) -> None:
    close = getattr(work, "close", None)
    if close is None:
        return
    for _ in range(_MOST_HANDLERS):
        try:
            close()
        except RuntimeError:
            # A handler waits for an operation: the next GeneratorExit goes one further out.
            continue
        except Exception:
            return
        return
