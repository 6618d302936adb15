"""A worker for a whole store: looks which runs are due, and has a process for each program.

A program is a flow with the source its runs began with. Each has a process of its own, so that
two versions of a module never meet, a flow that kills its process takes nobody along, and flows
run side by side. Which process drives a run is settled by leases; any number of supervisors may
serve one store.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Final, NamedTuple, final

from perdure.local.lease import Leases
from perdure.local.wakes import Program, Wakes
from perdure.store.sqlite import SqliteStore

__all__ = ["Supervisor"]

_CARE: Final = 2.0
"""Seconds between looks for processes that have died elsewhere."""
_LONGEST_PAUSE: Final = 60.0
_MARGIN: Final = 5.0
"""Seconds that a process has to leave once no step keeps it."""
_BRIEFLY: Final = 0.02
_HOPELESS: Final = 6
"""So often a background worker tries a program: more than a step may be lost (`StepLost`)."""


class _Trouble(NamedTuple):
    """A program whose process failed so often in a row, and when (on the steady clock) it may be
    tried again."""

    times: int
    until: float


@final
class Supervisor:
    """Has the processes. `command` gives the command line of one program's.

    What is due is so by the wall clock; how long a look or a pause lasts does not hang on it, for
    it may be set back.
    """

    def __init__(
        self,
        store: SqliteStore,
        command: Callable[[Program], list[str]],
        *,
        environment: Mapping[str, str],
        folder: str,
        say: Callable[[str], None],
        owner: str | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steady = steady
        self._store = store
        self._command = command
        self._environment = environment
        self._folder = folder
        self._say = say
        self._wakes = Wakes(store)
        self._leases = Leases(store, owner or f"{os.getpid()}-{os.urandom(8).hex()}")
        self._processes: dict[Program, subprocess.Popen[bytes]] = {}
        self._trouble: dict[Program, _Trouble] = {}
        self._seen = -1
        self._next = self._cared = -inf

    @property
    def has_work(self) -> bool:
        """Whether a process works now."""
        return bool(self._processes)

    def retire(self) -> bool:
        """Leave the store to itself, if all that is left waits for somebody; whether it is so."""
        if self._processes:
            return False
        hopeless = {
            program for program, trouble in self._trouble.items() if trouble.times >= _HOPELESS
        }
        return self._leases.retire(self._wakes, hopeless)

    def begin(self, now: float) -> None:
        """Say in the store that this process drives what is due."""
        self._leases.serve(now)

    def look(self, now: float) -> None:
        """See what became of the processes, and start those that are needed."""
        lost = [program for program, process in self._processes.items() if process.poll()]
        steady = self._steady()
        self._reap(steady)
        if lost or steady - self._cared > _CARE:
            self._cared = steady
            self._leases.renew(now)
            self._leases.take_over(now)
        changes = self._store.changes()
        if changes == self._seen and steady < self._next and not lost:
            return
        self._seen = changes
        for program in self._wakes.due_programs(now):
            self._start(program, steady)
        # Also without a change: a process that ended may have left runs that became due meanwhile.
        due = self._wakes.next_due()
        self._next = steady + (1.0 if due is None else min(due - now, 1.0))

    def _reap(self, steady: float) -> None:
        for program, process in [*self._processes.items()]:
            code = process.poll()
            if code is None:
                continue
            del self._processes[program]
            if code == 0:
                self._trouble.pop(program, None)
                continue
            times = self._trouble[program].times + 1 if program in self._trouble else 1
            pause = min(2.0 ** (times - 1) / 2, _LONGEST_PAUSE)
            self._trouble[program] = _Trouble(times, steady + pause)
            how = f"was killed by signal {-code}" if code < 0 else f"left with {code}"
            self._say(f"the process of {program.flow} {how}; again in {pause:g} s")

    def _start(self, program: Program, steady: float) -> None:
        trouble = self._trouble.get(program)
        if program in self._processes or (trouble is not None and steady < trouble.until):
            return
        self._processes[program] = subprocess.Popen(
            self._command(program),
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            # What a terminal's Ctrl-C sends goes to this process alone, which passes it on.
            start_new_session=True,
        )

    def end(self, grace: float, hurry: Callable[[], bool]) -> None:
        """Let the processes stop in an orderly way; kill those that do not.

        When somebody is in a `hurry`, they do not wait for steps any more.
        """
        left = [*self._processes.values()]
        for process in left:
            process.terminate()
        until, hurried = time.monotonic() + grace + _MARGIN, False
        while left := [process for process in left if process.poll() is None]:
            if hurry() and not hurried:
                hurried, until = True, min(until, time.monotonic() + _MARGIN)
                for process in left:
                    process.terminate()
            if time.monotonic() > until:
                for process in left:
                    process.kill()
                    process.wait()
            time.sleep(_BRIEFLY)
        self._processes.clear()
        self._leases.give_up()
