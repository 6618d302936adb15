"""Faults on purpose: `--inject STEP=fail`, to see what a flow makes of them.

    STEP=fail            the next attempt raises Injected("injected") before the body runs
    STEP=fail:TypeError  ... or another built-in exception
    STEP=delay:2s        the next attempt takes so much longer
    STEP=twice           the body of the next attempt runs twice, as after a lost response
    STEP=die             the process is killed after the body has run, before that is recorded

STEP is a step's name, a path (`gather[0]/quote`), or `*`; `*3` at the end means the next three.
A STEP that the flow cannot come to is refused before anything runs.
"""

import asyncio
import builtins
import os
import re
import signal
from collections import Counter
from collections.abc import Collection
from typing import Final, NamedTuple, final

from perdure.diagnostics import nearest
from perdure.durations import seconds_of
from perdure.local.bodies import Attempt, Bodies
from perdure.runtime.bodies import Attempted, raised

__all__ = ["Fault", "Injected", "Injector", "read_fault"]

_FORM: Final = re.compile(
    r"(?P<step>.+?)=(?P<kind>[a-z]+)(?::(?P<value>[^*]+))?(?:\*(?P<times>\d+))?"
)


class Injected(Exception):  # noqa: N818  # it is no error of anybody
    """A failure that `--inject` asked for."""


class Fault(NamedTuple):
    """What goes wrong, where, and how often."""

    step: str
    kind: str
    value: str
    times: int

    def hits(self, attempt: Attempt) -> bool:
        """Say whether an attempt is meant."""
        return self.step in ("*", attempt.name, attempt.path)

    def written(self) -> str:
        """Return it as `--inject` takes it, for one attempt."""
        return f"{self.step}={self.kind}{':' * bool(self.value)}{self.value}"


def read_fault(text: str, names: Collection[str]) -> Fault:
    """Read one `STEP=KIND[:VALUE][*TIMES]`; ValueError says what is wrong.

    `names`: what steps are called, and what paths of steps end with.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is no fault: write `STEP=fail`, `STEP=delay:2s`, `STEP=twice`")
    step, kind, value, times = found.group("step", "kind", "value", "times")
    fault = Fault(step, kind, value or "", 1 if times is None else int(times))
    if fault.times < 1:
        raise ValueError(f"`{text}` is for no attempt: write `*1` or more, or no `*` at all")
    _check_step(step, names)
    if kind == "delay":
        seconds_of(fault.value)
    elif kind == "fail":
        _error(fault)
    elif kind not in ("twice", "die"):
        raise ValueError(f"`{kind}` is no fault: there are `fail`, `delay`, `twice` and `die`")
    elif value:
        raise ValueError(f"`{kind}` takes no value")
    return fault


def _check_step(step: str, names: Collection[str]) -> None:
    """A path is known by its last label: how often a loop comes to it is not."""
    called = step.rpartition("/")[2].partition("#")[0]
    if step == "*" or step in names or called in names:
        return
    meant = nearest(called, sorted(names))
    hint = f"; the nearest is `{meant}`" if meant else ""
    raise ValueError(f"no step of the flow is called `{step}`{hint}")


def _error(fault: Fault) -> Exception:
    if not fault.value:
        return Injected("injected")
    kind: object = getattr(builtins, fault.value, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        raise ValueError(f"`{fault.value}` is no built-in exception")
    return kind("injected")


@final
class Injector:
    """`Bodies` that do what other bodies do, but for the faults."""

    def __init__(self, bodies: Bodies, faults: list[Fault]) -> None:
        self._bodies = bodies
        self._left = [fault for fault in faults for _ in range(fault.times)]

    def unmet(self) -> list[str]:
        """Return the faults that no attempt has met, each with how many of it are left."""
        left = Counter(fault.written() for fault in self._left)
        return [f"{text}*{times}" if times > 1 else text for text, times in left.items()]

    async def run(self, attempt: Attempt) -> Attempted:
        """Run an attempt, with what is injected into it."""
        kinds = {fault.kind: fault for fault in self._due(attempt)}
        if "delay" in kinds:
            await asyncio.sleep(seconds_of(kinds["delay"].value))
        if "fail" in kinds:
            return raised(_error(kinds["fail"]))
        if "twice" in kinds:
            await self._bodies.run(attempt)
        attempted = await self._bodies.run(attempt)
        if "die" in kinds:
            os.kill(os.getpid(), signal.SIGKILL)
        return attempted

    def _due(self, attempt: Attempt) -> list[Fault]:
        due = {fault for fault in self._left if fault.hits(attempt)}
        for fault in due:
            self._left.remove(fault)
        return [*due]
