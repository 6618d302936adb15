# pyright: reportPrivateUsage=false
# (the worker's logic is moto's to run, and its history is read without the API's copies)
"""Run a definition on moto's interpreter, corrected, under a virtual clock."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, final

from moto.stepfunctions.parser.api import (
    ExecutionAbortedEventDetails,
    ExecutionTimedOutEventDetails,
    HistoryEvent,
    HistoryEventType,
    StateMachineType,
)
from moto.stepfunctions.parser.asl.eval.evaluation_details import (
    AWSExecutionDetails,
    EvaluationDetails,
    ExecutionDetails,
    StateMachineDetails,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded, ProgramError
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.backend.execution_worker_comm import ExecutionWorkerCommunication

from perdure_aws.asl_check import check
from perdure_aws.engine.interface import (
    START,
    DefinitionRejected,
    EngineCannot,
    Event,
    Execution,
    Json,
    LambdaFunction,
)
from perdure_aws.engine.moto_faults import CORRECTIONS
from perdure_aws.engine.moto_faults.failures import details_of
from perdure_aws.engine.moto_faults.sizes import size_of
from perdure_aws.engine.patches import patched
from perdure_aws.engine.primitives import aws_time
from perdure_aws.engine.run import Ending, Machine, Run
from perdure_aws.engine.scheduler import Scheduler
from perdure_aws.limits import value_of

__all__ = ["MotoEngine", "MotoSimulation"]

_ACCOUNT: Final = "123456789012"
_REGION: Final = "us-east-1"
_ROLE: Final = f"arn:aws:iam::{_ACCOUNT}:role/perdure"


@final
class MotoEngine:
    """The interpreter of moto."""

    name = "moto"

    def simulation(
        self,
        *,
        functions: Mapping[str, LambdaFunction],
        start: datetime = START,
        seed: int = 0,
        max_events: int = 25_000,
    ) -> "MotoSimulation":
        """See `interface.Engine`."""
        return MotoSimulation(functions=functions, start=start, seed=seed, max_events=max_events)


@final
class _Communication(ExecutionWorkerCommunication):
    """Told by moto when the machine has come to its end."""

    def __init__(self, simulation: "MotoSimulation", machine: Machine) -> None:
        self._simulation = simulation
        self._machine = machine
        self.worker: ExecutionWorker | None = None

    def terminated(self) -> None:
        env = self.worker.env if self.worker else None
        if env is None:
            raise EngineCannot("moto's worker ended without an environment")
        state = env.program_state()
        if isinstance(state, ProgramEnded):
            ending = Ending("SUCCEEDED", output=env.states.get_input())
        elif isinstance(state, ProgramError):
            details = state.error or {}
            ending = Ending("FAILED", error=details.get("error"), cause=details.get("cause"))
        else:
            raise EngineCannot(f"moto's worker ended in the state {type(state).__name__}")
        self._simulation.core.end(self._machine, ending)


@final
class MotoSimulation:
    """See `interface.Simulation`. Use it for one `run`."""

    def __init__(
        self,
        *,
        functions: Mapping[str, LambdaFunction],
        start: datetime = START,
        seed: int = 0,
        max_events: int = 25_000,
    ) -> None:
        self._start = start
        self._scheduler = Scheduler(start, seed)
        self.core = Run(self._scheduler, functions, seed, max_events)
        self._used = False
        self._when_ended: list[Callable[[Execution], None]] = []

    def now(self) -> datetime:
        """The virtual time."""
        return self._scheduler.now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Do `action` at `when`, before anything else due then."""
        self._scheduler.arm(when, action, kind=0)

    def send_task_success(self, token: str, output: Json) -> bool:
        """Answer a waiting task."""
        text = json.dumps(output, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        if size_of(output) > value_of("payload_bytes"):
            raise ValueError("SendTaskSuccess: the output is larger than 262144 bytes")
        return self._answer(token, text, None, None)

    def send_task_failure(self, token: str, error: str = "", cause: str = "") -> bool:
        """Fail a waiting task."""
        if len(error) > value_of("error_characters") or len(cause) > value_of("cause_characters"):
            raise ValueError("SendTaskFailure: error has at most 256 characters, cause 32768")
        return self._answer(token, None, error, cause)

    def send_task_heartbeat(self, token: str) -> bool:
        """Say that a waiting task is alive."""
        waiting = self.core.waiting.get(token)
        if waiting is None or waiting.answered or (waiting.task and waiting.task.killed):
            return False
        waiting.changed.set()
        return True

    def _answer(self, token: str, output: str | None, error: str | None, cause: str | None) -> bool:
        waiting = self.core.waiting.get(token)
        if waiting is None or waiting.answered or (waiting.task and waiting.task.killed):
            return False
        waiting.answered = True
        waiting.output, waiting.error, waiting.cause = output, error, cause
        waiting.changed.set()
        return True

    def stop(
        self, error: str | None = None, cause: str | None = None, *, name: str | None = None
    ) -> None:
        """StopExecution."""
        known = self.core.executions
        for machine in [*known.values()][:1] if name is None else [known[name]]:
            details = ExecutionAbortedEventDetails(error=error or "", cause=cause or "")
            self._conclude(
                machine,
                Ending("ABORTED", error=error, cause=cause),
                HistoryEventType.ExecutionAborted,
                details_of(executionAbortedEventDetails=details),
            )

    def begin(self, definition: Mapping[str, Json], execution_input: Json, *, name: str) -> bool:
        """StartExecution, while another one runs."""
        if name in self.core.executions:
            return False
        _validate(definition, execution_input, name)
        self._begin(definition, execution_input, name)
        return True

    def events(self, name: str) -> int:
        """How many events the history of an execution has."""
        worker = self.core.executions[name].worker
        return len(worker.env.event_manager._history_event_list) if worker and worker.env else 0

    def when_ended(self, action: Callable[[Execution], None]) -> None:
        """Do `action` with each execution that ends."""
        self._when_ended.append(action)

    def run(
        self,
        definition: Mapping[str, Json],
        execution_input: Json,
        *,
        name: str,
        until_idle: bool = False,
    ) -> Execution:
        """Run `definition` to its end, or until nothing can happen any more."""
        if self._used:
            raise ValueError("a simulation runs once")
        self._used = True
        _validate(definition, execution_input, name)
        outer = self.core.activate()
        try:
            with patched(CORRECTIONS):
                machine = self._begin(definition, execution_input, name)
                self._drive(machine, until_idle)
                return self._result(machine)
        finally:
            self.core.deactivate(outer)

    def set_out(self, definition: Mapping[str, Json], execution_input: Json, *, name: str) -> None:
        """Start an execution that goes on only in `go_on`: the clock is somebody else's."""
        self._used = True
        _validate(definition, execution_input, name)
        outer = self.core.activate()
        try:
            with patched(CORRECTIONS):
                self._begin(definition, execution_input, name)
        finally:
            self.core.deactivate(outer)

    def go_on(self, until: datetime) -> Execution:
        """Everything that happens up to that moment; how the execution stands then."""
        machine = next(iter(self.core.executions.values()))
        outer = self.core.activate()
        try:
            with patched(CORRECTIONS):
                self._scheduler.drive(lambda: False, limit=until)
                self._scheduler.now = max(self._scheduler.now, until)
                return self._result(machine)
        finally:
            self.core.deactivate(outer)

    def due(self) -> datetime | None:
        """When something is going to happen by itself."""
        return self._scheduler.due()

    def close(self) -> None:
        """End what was set out: no thread of it is left."""
        with patched(CORRECTIONS):
            self._scheduler.close()

    def _drive(self, machine: Machine, until_idle: bool) -> None:
        try:
            while not self._has_ended(machine):
                self._scheduler.now = max(self._scheduler.now, self._oldest()[0])
                self._time_out(self._oldest()[1])
            self._scheduler.drive(lambda: self.core.under_way == 0)
            if len(self.core.executions) > 1:  # those that have nothing left but their end
                self._scheduler.drive(lambda: False, limit=self._scheduler.now)
            if until_idle:
                self._scheduler.drive(lambda: False)
        finally:
            self._scheduler.close()

    def _has_ended(self, machine: Machine) -> bool:
        """Drive until it has, or until nothing can happen; False: an execution's year is over."""
        if machine.ending is not None:
            return True
        over = self._scheduler.drive(lambda: machine.ending is not None, limit=self._oldest()[0])
        return over or self._scheduler.due() is None

    def _oldest(self) -> tuple[datetime, Machine]:
        """When the next execution has lived for a year, and which."""
        alive = [m for m in self.core.executions.values() if m.ending is None]
        year = timedelta(seconds=value_of("execution_seconds"))
        oldest = min(alive, key=lambda machine: machine.started)
        return oldest.started + year, oldest

    def _begin(self, definition: Mapping[str, Json], given: Json, name: str) -> Machine:
        path, now = (len(self.core.executions),), self._scheduler.now
        machine = Machine(path=path, name=name, started=now)
        machine.on_end.append(lambda: self._tell_end(machine))
        self.core.executions[name] = machine
        communication = _Communication(self, machine)
        worker = ExecutionWorker(
            evaluation_details=_details(definition, given, name, now),
            exec_comm=communication,
            cloud_watch_logging_session=None,
            activity_store={},
        )
        communication.worker = worker

        def body() -> None:
            worker._execution_logic()  # type: ignore[no-untyped-call]

        machine.worker = worker
        self._scheduler.spawn(machine.path, body)
        seconds = definition.get("TimeoutSeconds")
        if isinstance(seconds, int):
            due = self._scheduler.now + timedelta(seconds=seconds)
            timer = self._scheduler.arm(due, lambda: self._time_out(machine), path=machine.path)
            machine.on_end.append(lambda: self._scheduler.disarm(timer))
        return machine

    def _time_out(self, machine: Machine) -> None:
        details = details_of(executionTimedOutEventDetails=ExecutionTimedOutEventDetails())
        self._conclude(machine, Ending("TIMED_OUT"), HistoryEventType.ExecutionTimedOut, details)

    def _conclude(
        self, machine: Machine, ending: Ending, kind: HistoryEventType, details: EventDetails
    ) -> None:
        """The execution ends from outside."""
        env = machine.worker.env if machine.worker else None
        if machine.ending is not None:
            return
        self.core.concluding = machine
        if env is not None:
            env.event_manager.add_event(
                context=env.event_history_context,
                event_type=kind,
                event_details=details,
                timestamp=self._scheduler.now,
            )
        self.core.end(machine, ending)

    def _tell_end(self, machine: Machine) -> None:
        for action in self._when_ended:
            action(self._result(machine))

    def _result(self, machine: Machine) -> Execution:
        ending = machine.ending or Ending("RUNNING")
        env = machine.worker.env if machine.worker else None
        listed = env.event_manager._history_event_list if env else []
        events = [_plain(event) for event in listed]
        return Execution(
            status=ending.status,
            output=ending.output,
            error=ending.error,
            cause=ending.cause,
            history=tuple(events),
            states=tuple(machine.states),
            started=machine.started,
            stopped=machine.stopped,
            name=machine.name,
        )


def _plain(event: HistoryEvent) -> Event:
    kind = event.get("type")
    return {**event, "type": kind.value if kind else ""}


def _validate(definition: Mapping[str, Json], given: Json, name: str) -> None:
    findings = [finding for finding in check(definition) if finding.rejected]
    if findings:
        raise DefinitionRejected("\n".join(str(finding) for finding in findings))
    if size_of(given) > value_of("payload_bytes"):
        raise ValueError("StartExecution: the input is larger than 262144 bytes")
    if not 1 <= len(name) <= value_of("name_characters"):
        raise ValueError("StartExecution: a name has 1 to 80 characters")


def _details(
    definition: Mapping[str, Json], given: Json, name: str, now: datetime
) -> EvaluationDetails:
    base = f"arn:aws:states:{_REGION}:{_ACCOUNT}"
    return EvaluationDetails(
        aws_execution_details=AWSExecutionDetails(account=_ACCOUNT, region=_REGION, role_arn=_ROLE),
        execution_details=ExecutionDetails(
            arn=f"{base}:execution:machine:{name}",
            name=name,
            role_arn=_ROLE,
            inpt=json.loads(json.dumps(given)),
            start_time=aws_time(now),
        ),
        state_machine_details=StateMachineDetails(
            arn=f"{base}:stateMachine:machine",
            name="machine",
            typ=StateMachineType.STANDARD,
            definition=json.dumps(definition, ensure_ascii=True),
        ),
    )
