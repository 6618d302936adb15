"""Stand-ins for `threading`, `time` and `datetime` that moto's modules are given for a run.

In a task of a scheduler they work on its virtual clock; anywhere else they are the real things,
so that other users of moto in this process see no difference.
"""

import datetime as real_datetime
import threading as real_threading
import time as real_time
from collections.abc import Callable
from datetime import timedelta
from typing import final, override

from perdure_aws.engine.scheduler import Path, Scheduler, Signal, Task, current

__all__ = [
    "DatetimeModule",
    "ThreadingModule",
    "TimeModule",
    "VirtualEvent",
    "VirtualThread",
    "aws_time",
    "now",
]

FOREVER = 99_999_999
"""moto's default for a timeout that nobody asked for: no timer is armed for it."""


def _scheduler() -> Scheduler:
    task = current()
    if task is None:
        raise RuntimeError("not in a task of a simulation")
    return task.scheduler


def now() -> real_datetime.datetime:
    """The virtual time of the current task, or the real one."""
    task = current()
    return task.scheduler.now if task else real_datetime.datetime.now(real_datetime.UTC)


def aws_time(when: real_datetime.datetime) -> str:
    """As Step Functions writes times: milliseconds and `Z`."""
    utc = when.astimezone(real_datetime.UTC)
    text = real_datetime.datetime.isoformat(utc, timespec="milliseconds")  # not `_Instant`'s
    return text.removesuffix("+00:00") + "Z"


@final
class VirtualEvent:
    """`threading.Event` on the virtual clock."""

    def __init__(self) -> None:
        self._signal = Signal()

    def is_set(self) -> bool:
        """As in threading."""
        return self._signal.is_set

    def set(self) -> None:
        """As in threading."""
        self._signal.set()

    def clear(self) -> None:
        """As in threading."""
        self._signal.clear()

    def wait(self, timeout: float | None = None) -> bool:
        """As in threading; a timeout of moto's default length is none."""
        scheduler = _scheduler()
        if timeout is None or timeout >= FOREVER:
            return scheduler.wait(self._signal)
        return scheduler.wait(self._signal, scheduler.now + timedelta(seconds=timeout))


@final
class VirtualThread:
    """`threading.Thread` as a task of the current task's scheduler, in the same branch."""

    native_id = 0

    def __init__(
        self,
        *,
        target: Callable[..., None],
        args: tuple[object, ...] = (),
        name: str | None = None,
        daemon: bool | None = None,
        path: Path | None = None,
    ) -> None:
        self._body: Callable[[], None] = lambda: target(*args)
        self._task: Task | None = None
        self.path = path

    def start(self) -> None:
        """As in threading; it runs when the baton comes to it."""
        parent = current()
        if parent is None:
            raise RuntimeError("not in a task of a simulation")
        self._task = parent.scheduler.spawn(
            parent.path if self.path is None else self.path, self._body
        )

    def kill(self) -> None:
        """Nobody waits for it any more."""
        if self._task is not None:
            self._task.kill()

    def is_alive(self) -> bool:
        """As in threading."""
        return self._task is not None and not self._task.done.is_set

    def join(self, timeout: float | None = None) -> None:
        """As in threading."""
        if self._task is not None:
            _scheduler().wait(
                self._task.done, None if timeout is None else now() + timedelta(seconds=timeout)
            )


class ThreadingModule:
    """What moto uses of `threading`."""

    Lock = real_threading.Lock
    RLock = real_threading.RLock

    @staticmethod
    def Event() -> VirtualEvent | real_threading.Event:  # noqa: N802  (threading's spelling)
        """A virtual event in a task, else a real one."""
        return VirtualEvent() if current() else real_threading.Event()

    @staticmethod
    def Thread(  # noqa: N802
        *,
        target: Callable[..., None],
        args: tuple[object, ...] = (),
        name: str | None = None,
        daemon: bool | None = None,
    ) -> VirtualThread | real_threading.Thread:
        """A task in a task, else a real thread."""
        if current():
            return VirtualThread(target=target, args=args)
        return real_threading.Thread(target=target, args=args, name=name, daemon=daemon)


class TimeModule:
    """What moto uses of `time`."""

    @staticmethod
    def time() -> float:
        """Seconds since the epoch."""
        return now().timestamp() if current() else real_time.time()

    @staticmethod
    def sleep(seconds: float) -> None:
        """Block."""
        task = current()
        if task:
            task.scheduler.sleep(seconds)
        else:
            real_time.sleep(seconds)


class _Instant(real_datetime.datetime):
    """A time that writes itself as AWS does."""

    @override
    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return aws_time(self) if current() else super().isoformat(sep, timespec)

    @override
    @classmethod
    def now(cls, tz: real_datetime.tzinfo | None = None) -> "_Instant":
        value = now().astimezone(tz) if current() else real_datetime.datetime.now(tz)
        if tz is None:
            value = value.replace(tzinfo=None)
        return cls.combine(value.date(), value.timetz())


class DatetimeModule:
    """What moto uses of `datetime`."""

    datetime = _Instant
    timezone = real_datetime.timezone
    timedelta = real_datetime.timedelta
