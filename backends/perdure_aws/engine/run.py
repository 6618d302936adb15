"""What one simulation keeps while it runs; the corrections of moto find it through `active()`."""

import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NoReturn, final

from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from perdure_aws.engine.interface import EngineCannot, Json, LambdaFunction
from perdure_aws.engine.jsonata import Evaluator
from perdure_aws.engine.scheduler import Killed, Path, Scheduler, Signal, Task, current

__all__ = ["Ending", "Machine", "Run", "Waiting", "active", "maybe_active"]

_ACTIVE: Final[ContextVar["Run | None"]] = ContextVar("perdure_moto_run", default=None)


@final
@dataclass(slots=True)
class Ending:
    """How an execution ended."""

    status: str
    output: Json = None
    error: str | None = None
    cause: str | None = None


@final
@dataclass(slots=True)
class Waiting:
    """A task that waits for its token: the answer, once there is one."""

    changed: Signal = field(default_factory=Signal)
    task: Task | None = None
    answered: bool = False
    output: str | None = None
    error: str | None = None
    cause: str | None = None


@final
@dataclass(slots=True)
class Machine:
    """One execution under way (the run's own, or one that startExecution began)."""

    path: Path
    name: str
    started: datetime
    ending: Ending | None = None
    ended: Signal = field(default_factory=Signal)
    worker: ExecutionWorker | None = None
    stopped: datetime | None = None
    states: list[str] = field(default_factory=list[str])
    stores: dict[int, tuple[VariableStore, dict[str, int]]] = field(
        default_factory=dict[int, tuple[VariableStore, dict[str, int]]]
    )
    on_end: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])


@final
class Run:
    """The state of one simulation."""

    def __init__(
        self,
        scheduler: Scheduler,
        functions: Mapping[str, LambdaFunction],
        seed: int,
        max_events: int,
    ) -> None:
        self.scheduler = scheduler
        self.functions = functions
        self.max_events = max_events
        self.random = random.Random(f"perdure/{seed}")
        self.evaluator = Evaluator(self.random)
        self.waiting: dict[str, Waiting] = {}
        self.executions: dict[str, Machine] = {}
        self.invocations = 0
        self.under_way = 0
        self.concluding: Machine | None = None

    def activate(self) -> Token["Run | None"]:
        """Tasks begun from here on belong to this run."""
        return _ACTIVE.set(self)

    @staticmethod
    def deactivate(outer: Token["Run | None"]) -> None:
        """The calling context belongs to the run that it belonged to before."""
        _ACTIVE.reset(outer)

    def machine(self) -> Machine:
        """The execution that the current task belongs to."""
        task = current()
        if task is None:
            if self.concluding is None:
                raise RuntimeError("only a task belongs to an execution")
            return self.concluding
        path = task.path
        owner = [m for m in self.executions.values() if path[: len(m.path)] == m.path]
        return max(owner, key=lambda machine: len(machine.path))

    def end(self, machine: Machine, ending: Ending) -> None:
        """The execution is over: nothing of it runs on but invocations."""
        if machine.ending is None:
            machine.ending = ending
            machine.stopped = self.scheduler.now
            machine.ended.set()
            self.scheduler.kill(machine.path)
            for action in machine.on_end:
                action()

    def cannot(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        """The whole simulation ends with `EngineCannot`."""
        failure = EngineCannot(reason)
        failure.__cause__ = cause
        self.scheduler.failure = self.scheduler.failure or failure
        raise Killed


def active() -> Run:
    """The run of the current task."""
    run = _ACTIVE.get()
    if run is None:
        raise RuntimeError("not in a simulation")
    return run


def maybe_active() -> Run | None:
    """The run of the current task, None outside of every simulation."""
    return _ACTIVE.get()
