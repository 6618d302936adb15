"""A baton scheduler with a virtual clock: many threads, exactly one of which runs at any moment.

In: tasks (a function, and a path that says which branch it belongs to) and timers. Tasks give the
baton back only where they block: `wait` for a signal and/or a due time. Out: a run that is a
function of its inputs and seed alone.

The order, which is the contract of every engine of this project: the clock moves only when no
task can run. What is due at the same instant happens in this order: scripted actions, then timers
by the path of their task (a lower branch index first), then by the order of arming. After each
of these every task that it woke runs until it blocks again. Runnable tasks are picked by path,
then by the order in which they became runnable; a seed other than 0 picks among them at random.
"""

import contextvars
import heapq
import random
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import NamedTuple, final

__all__ = ["Killed", "Path", "Scheduler", "Signal", "Task", "Timer", "current"]

type Path = tuple[int, ...]

_TASKS: dict[int, "Task"] = {}


class Killed(BaseException):
    """Raised where a task blocks once nobody waits for it any more. Not an `Exception`: nothing
    that runs in a task may take it for an outcome."""


def current() -> "Task | None":
    """The task that runs in this thread, None outside of every scheduler."""
    return _TASKS.get(threading.get_ident())


@final
class Signal:
    """A flag that tasks can wait for; once set it stays set until `clear`."""

    __slots__ = ("_waiters", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._waiters: list[Task] = []

    def set(self) -> None:
        """Set the flag and make all who wait runnable."""
        self.is_set = True
        waiters, self._waiters = self._waiters, []
        for task in waiters:
            task.wake()

    def clear(self) -> None:
        """Take the flag back; who was woken stays woken."""
        self.is_set = False

    def enlist(self, task: "Task") -> None:
        """`task` waits from now on."""
        self._waiters.append(task)

    def forget(self, task: "Task") -> None:
        """`task` no longer waits."""
        if task in self._waiters:
            self._waiters.remove(task)


class Timer(NamedTuple):
    """Something due. The fields are the order in which equal times are served."""

    when: datetime
    kind: int
    path: Path
    order: int
    fire: Callable[[], None]


@final
class Task:
    """One thread of an execution. It belongs to a branch: `path`."""

    def __init__(self, scheduler: "Scheduler", path: Path, body: Callable[[], None]) -> None:
        self.scheduler = scheduler
        self.path = path
        self.body = body
        self.done = Signal()
        self.order = 0
        self.runnable = False
        self.started = False
        self.killed = False
        self.shielded = 0
        self.resumed = threading.Lock()
        self.resumed.acquire()
        self.context = contextvars.copy_context()

    def wake(self) -> None:
        """Make the task runnable (again)."""
        if not self.runnable and not self.done.is_set:
            self.runnable = True
            self.order = next(self.scheduler.orders)
            self.scheduler.ready.append(self)

    def kill(self) -> None:
        """End the task where it blocks. What is shielded (a Lambda invocation) goes on first."""
        if self.done.is_set or self.killed:
            return
        self.killed = True
        if not self.started:
            self.done.set()
            if self.runnable:
                self.scheduler.ready.remove(self)
        elif self.shielded <= 0:
            self.wake()


@final
class Scheduler:
    """See the module. One per simulation; `drive` is called by the thread that owns it."""

    def __init__(self, start: datetime, seed: int) -> None:
        self.now = start
        self.orders = count()
        self.ready: list[Task] = []
        self.tasks: list[Task] = []
        self.failure: BaseException | None = None
        self._random = random.Random(seed) if seed else None
        self._timers: list[Timer] = []
        self._digesting = False
        """Something came from outside, and not all has happened yet that follows from it."""
        self._baton = threading.Lock()
        self._baton.acquire()
        self._idle: list[_Worker] = []
        self._workers: list[_Worker] = []

    def spawn(self, path: Path, body: Callable[[], None]) -> Task:
        """A new runnable task. An exception that leaves it ends the whole drive."""
        task = Task(self, path, body)
        self.tasks.append(task)
        task.wake()
        return task

    def arm(
        self, when: datetime, fire: Callable[[], None], *, path: Path = (), kind: int = 1
    ) -> Timer:
        """Call `fire` once the clock has reached `when` (kind 0: before all else due then; 2:
        after all else).
        """
        timer = Timer(max(when, self.now), kind, path, next(self.orders), fire)
        heapq.heappush(self._timers, timer)
        return timer

    def disarm(self, timer: Timer) -> None:
        """The timer never fires."""
        if timer in self._timers:
            self._timers.remove(timer)
            heapq.heapify(self._timers)

    def due(self) -> datetime | None:
        """When the next timer is due."""
        return self._timers[0].when if self._timers else None

    def wait(self, signal: Signal | None = None, until: datetime | None = None) -> bool:
        """Block the current task until `signal` is set or the clock reaches `until`.

        True: the signal is set. Neither given: wait for ever (until killed).
        """
        task = current()
        if task is None:
            raise RuntimeError("only a task can wait for virtual time")
        self.check_killed(task)
        if signal is not None and signal.is_set:
            return True
        timer = self.arm(until, task.wake, path=task.path) if until is not None else None
        if signal is not None:
            signal.enlist(task)
        self._release(task)
        if timer is not None:
            self.disarm(timer)
        if signal is not None:
            signal.forget(task)
        self.check_killed(task)
        return signal is not None and signal.is_set

    def settle(self, depth: int) -> None:
        """Let all that is due at this instant happen before the current task goes on.

        Of several that settle the deepest goes first, then who stands first. What came from
        outside has its consequences before the timers of its instant.
        """
        task = current()
        if task is None:
            raise RuntimeError("only a task can wait for virtual time")
        self.arm(self.now, task.wake, path=(-depth, *task.path), kind=-1 if self._digesting else 2)
        self._release(task)
        self.check_killed(task)

    def sleep(self, seconds: float) -> None:
        """Block the current task for `seconds` of virtual time."""
        if seconds > 0:
            self.wait(until=self.now + timedelta(seconds=seconds))

    def breathe(self) -> None:
        """A point where another runnable task may go first; only a seed ever makes one."""
        task = current()
        if task is not None and self._random is not None and self.ready:
            task.wake()
            self._release(task)
            self.check_killed(task)

    def check_killed(self, task: Task) -> None:
        """Leave the task if it has been killed and is not shielded."""
        if task.killed and task.shielded <= 0:
            raise Killed

    def kill(self, path: Path) -> None:
        """Kill every task at and below `path` but the one that asks."""
        asking = current()
        for task in list(self.tasks):
            if task is not asking and task.path[: len(path)] == path:
                task.kill()

    def kill_below(self, path: Path) -> None:
        """Kill every task of the branches of `path`, but none of `path` itself."""
        for task in list(self.tasks):
            if len(task.path) > len(path) and task.path[: len(path)] == path:
                task.kill()

    def drive(self, finished: Callable[[], bool], *, limit: datetime | None = None) -> bool:
        """Run until `finished`, or until nothing is left to happen (before `limit`): False."""
        outer = _TASKS.pop(threading.get_ident(), None)  # a task may drive a scheduler of its own
        try:
            return self._drive(finished, limit)
        finally:
            if outer is not None:
                _TASKS[threading.get_ident()] = outer

    def _drive(self, finished: Callable[[], bool], limit: datetime | None) -> bool:
        while not finished():
            if self.ready:
                self._resume(self._pick())
            elif self._timers and (limit is None or self._timers[0].when <= limit):
                timer = heapq.heappop(self._timers)
                self.now = timer.when
                if timer.kind >= 0:
                    self._digesting = timer.kind == 0
                timer.fire()
            else:
                return False
            if self.failure is not None:
                raise self.failure
        return True

    def close(self) -> None:
        """End every task and thread; afterwards none of them is alive."""
        for task in list(self.tasks):
            task.shielded = 0
            task.killed = False
            task.kill()
        while self.ready:
            self._resume(self.ready[0])
        for worker in self._workers:
            worker.dismiss()
        self._timers.clear()

    def _pick(self) -> Task:
        dying = [task for task in self.ready if task.killed and task.shielded <= 0]
        if dying:
            return dying[0]
        if self._random is not None:
            return self._random.choice(self.ready)
        return min(self.ready, key=lambda task: (task.path, task.order))

    def _resume(self, task: Task) -> None:
        self.ready.remove(task)
        task.runnable = False
        if task.started:
            task.resumed.release()
        else:
            task.started = True
            worker = self._idle.pop() if self._idle else self._hire()
            worker.begin(task)
        self._baton.acquire()

    def _release(self, task: Task) -> None:
        self._baton.release()
        task.resumed.acquire()

    def _hire(self) -> "_Worker":
        worker = _Worker(self)
        self._workers.append(worker)
        return worker

    def perform(self, task: Task, worker: "_Worker") -> None:
        """The thread of `worker` runs `task` to its end and gives the baton back."""
        _TASKS[threading.get_ident()] = task
        try:
            task.context.run(task.body)
        except Killed:
            pass
        except BaseException as failure:  # the drive raises it: nothing may be lost in a thread
            self.failure = self.failure or failure
        finally:
            del _TASKS[threading.get_ident()]
        self.tasks.remove(task)
        task.done.set()
        self._idle.append(worker)
        self._baton.release()


@final
class _Worker:
    """A thread that serves one task after the other: starting a thread is dear."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._task: Task | None = None
        self._called = threading.Lock()
        self._called.acquire()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="perdure-simulation")
        self._thread.start()

    def begin(self, task: Task) -> None:
        self._task = task
        self._called.release()

    def dismiss(self) -> None:
        self._task = None
        self._called.release()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            self._called.acquire()
            if self._task is None:
                return
            self._scheduler.perform(self._task, self)
