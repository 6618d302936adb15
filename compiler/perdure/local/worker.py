"""Drives the runs of one program as they become due, until told to stop.

A run that only waits stays here for a while, so that one which is woken often is not repeated
from its log each time; with more than `KEEP` of them the one that moved longest ago is parked:
its memory is freed, and its row in `wakes` says when it is due. So ten thousand runs that wait
cost a file and nothing else.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, final

from perdure.local.tree import Tree
from perdure.store.runs import find_run

if TYPE_CHECKING:
    from perdure.language import Flow
    from perdure.local.engine import Engine
    from perdure.local.run import LocalRun
    from perdure.local.wakes import Program

__all__ = ["GRACE", "IDLE", "Worker"]

MOST: Final = 200
"""Runs that are driven at once."""
KEEP: Final = 100
"""Of those, how many may do nothing but wait."""
IDLE: Final = 60.0
"""Seconds without work after which the process ends; a new one begins when a run is due."""
GRACE: Final = 10.0
"""Seconds that steps under way have to end when the worker is to stop."""
_LOOK: Final = 1.0
"""Seconds after which is looked for due runs, even if nobody wrote anything."""


@final
class Worker:
    """Drives the runs of one program. `told` hears of faults."""

    def __init__(
        self,
        engine: "Engine",
        flow: "Flow[..., object]",
        program: "Program",
        *,
        idle: float = IDLE,
        told: "Callable[[str, BaseException], None]",
    ) -> None:
        self._engine = engine
        self._flow = flow
        self._program = program
        self._idle = idle
        self._told = told
        self._parent = os.getppid()
        self._hungry = True
        self._looked = 0.0
        self._moved = engine.now()
        engine.polls = True
        engine.on_look = self._look
        engine.on_pause = self._pause
        engine.on_quiet = self._quiet
        engine.on_fault = self._fault

    def run(self) -> None:
        """Work until there has been nothing to do for a while, or `stop` was called."""
        self._engine.start_polling()
        self._engine.loop.call_soon(self._take)
        self._engine.loop.run_forever()
        self._engine.rest()

    def stop(self, grace: float = GRACE) -> None:
        """Begin nothing any more; let steps under way end for some seconds, then let go."""
        if self._engine.draining:
            self._engine.loop.stop()
            return
        self._engine.draining = True
        self._engine.loop.call_later(grace, self._engine.loop.stop)

    def _look(self) -> None:
        if os.getppid() != self._parent and not self._engine.draining:
            # Whoever started this process is gone: another one may work on the store by now.
            self.stop()
        now = self._engine.now()
        if self._engine.saw_changes or now - self._looked > _LOOK:
            self._hungry = True
        if self._hungry:
            self._take()
        if not self._engine.working and now - self._moved > self._idle:
            self._engine.loop.stop()

    def _take(self) -> None:
        """Take as many due runs as there is room for."""
        engine, self._looked = self._engine, self._engine.now()
        room = MOST - len(engine.trees)
        if engine.draining or room <= 0:
            return
        names = engine.leases.take_due(engine.wakes, self._program, self._looked, room)
        self._hungry = len(names) == room
        if names:
            self._moved = self._looked
        for name in names:
            record = find_run(engine.store, name)
            if record.end is None:
                engine.drive_held(record, self._flow, Tree(name))

    def _pause(self) -> None:
        engine = self._engine
        if engine.working:
            self._moved = engine.now()
        if len(engine.trees) > KEEP:
            quiet = [tree for tree in engine.trees.values() if tree.is_quiet]
            if len(quiet) > KEEP:
                engine.park(quiet[: len(quiet) - KEEP // 2])
        if self._hungry and len(engine.trees) < MOST:
            engine.loop.call_soon(self._take)
            self._hungry = False

    def _quiet(self) -> bool:
        if self._engine.draining:
            self._engine.loop.stop()
        return False

    def _fault(self, run: "LocalRun", error: BaseException) -> None:
        """One run cannot go on; the others do. It is looked at again when something rings."""
        self._told(run.tree.root, error)
        self._engine.let_go(run.tree, None)
