"""The runs of a deployed environment: started, watched, woken, cancelled from outside.

Everything goes through the run store and the alias of the flow's machine, as it does for whoever
else starts runs; nothing is kept here.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, final

from botocore.exceptions import ClientError

from perdure.codec import Json, encode_error
from perdure.deploying.client import DeployedClient
from perdure.deployment import DeployError, Happened, Place
from perdure.errors import LimitExceeded, RunConflict
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.values import failed
from perdure.sites.cancel import cancel
from perdure.sites.executions import execution_name, generation_name
from perdure.sites.fork_records import branches_of
from perdure.sites.keep import unkept
from perdure.store.inbox import put_event
from perdure.store.match import doorbells, live_waiters, match, rung
from perdure.store.protocol import Doorbell, End, RunRecord, Status, UnknownRun
from perdure.store.runs import digest_of, end_run, find_run, get_run, request_cancel
from perdure.store.starts import is_noted, note_start
from perdure_aws.deploy.account import code_of
from perdure_aws.deploy.environment import Environment
from perdure_aws.deploy.happened import happened, joined, over, together
from perdure_aws.deploy.machines import GONE
from perdure_aws.deploy.names import flow_stack
from perdure_aws.ended import error_of
from perdure_aws.limits import value_of

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient


__all__ = ["AwsRuns"]


@final
class AwsRuns:
    """See `perdure.deployment.Runs`."""

    def __init__(self, place: Place) -> None:
        self.environment = Environment(place, _unsaid)
        self.store = self.environment.store
        self.steps = self.environment.account.stepfunctions
        self.client = DeployedClient(self)
        self._machines: dict[str, list[str]] = {}

    def start(self, flow: str, arguments: Mapping[str, Json], run: str) -> None:
        """Start an execution through the flow's alias; repeating it is the run that there is."""
        known, digest = get_run(self.store, run), digest_of(dict(arguments))
        if known is not None:
            _check_same(run, known.flow, flow, known.input_digest == digest)
            return
        alias, fresh = self._alias(flow), os.urandom(16).hex()
        size, limit = len(_input_text(run, fresh, arguments)), value_of("payload_bytes")
        if size > limit:
            raise LimitExceeded(
                f"payload_bytes: the input has {size} bytes, and Step Functions takes {limit}"
            )
        # Noted first: from here on it may be sent to, and a start that is repeated is this one.
        seed, _ = note_start(self.store, run, flow, digest, fresh, now=time.time())
        text = _input_text(run, seed, arguments)
        try:
            self.steps.start_execution(stateMachineArn=alias, name=execution_name(run), input=text)
        except ClientError as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise
            self._check_started(flow, arguments, run, alias)

    def send(self, run: str, event: str, payload: Json, *, id: str, asks: bool = False) -> None:
        """Store an event, and ring whoever waits for it."""
        known = get_run(self.store, run) is not None or is_noted(self.store, run)
        if not known and not self._is_starting(run):
            raise UnknownRun(f"no run has the id {run!r}")
        put_event(self.store, run, event, payload, id=id, now=time.time(), asks=asks)
        self._ring(match(self.store, run, event))

    def wake(self, run: str) -> None:
        """See `perdure.deployment.Runs`: of a bell that was lost, another one."""
        for event in sorted({n for waiter in live_waiters(self.store, run) for n in waiter.names}):
            match(self.store, run, event)
        self._ring(doorbells(self.store, run))

    def _ring(self, bells: Iterable[Doorbell]) -> None:
        for bell in bells:
            self.ring(bell.token)
            rung(self.store, bell)

    def cancel(self, run: str, *, at_once: bool) -> None:
        """See `perdure.deployment.Runs`."""
        record = find_run(self.store, run)
        if record.end is not None:
            return
        if not at_once:
            cancel(self.store, run, self, _Stops(self), now=time.time())
            return
        request_cancel(self.store, run, at_once=True)
        branches = [one for names, _ in self._branches(record) for one in names]
        for execution in reversed([*self._executions(record), *branches]):
            self.environment.machines.stop(execution, "the run was cancelled")
        error = encode_error(asyncio.CancelledError())
        end_run(self.store, run, End(Status.CANCELLED, error=error), time.time())

    def happened(self, record: RunRecord) -> Happened:
        """See `perdure.deployment.Runs`."""
        found = [joined([self._happened_in(one) for one in self._executions(record)])]
        for executions, under_way in self._branches(record):
            branch = joined([self._happened_in(one) for one in executions])
            found.append(branch if under_way else over(branch))
        return together(found)

    def _branches(self, record: RunRecord) -> Iterator[tuple[list[str], bool]]:
        """The executions of branches, and whether each is under way."""
        for names, under_way in branches_of(self.store, record.run):
            found = (self._execution(record.flow, name) for name in names)
            if executions := [one for one in found if one is not None]:
                yield executions, under_way

    def _executions(self, record: RunRecord) -> list[str]:
        """Those that a run went through: a long one hands itself over to another, and so on."""
        found: list[str] = []
        for number in count(1):
            execution = self._execution(record.flow, generation_name(record.run, number))
            if execution is None:
                return found
            found.append(execution)
        raise AssertionError("it has an end")

    def _happened_in(self, execution: str) -> Happened:
        said = self.steps.describe_state_machine_for_execution(executionArn=execution)
        definition: dict[str, Json] = json.loads(said["definition"])
        events = self._events(execution)
        return happened(events, definition, lambda said: unkept(self.store, said))

    def outcome(self, run: str) -> Outcome | None:
        """How a run ended, None while it goes on. A run that never claimed its id ended with its
        execution.
        """
        record = get_run(self.store, run)
        if record is not None and record.end is not None:
            end = record.end
            return Completed(end.value) if end.status is Status.COMPLETED else Failed(end.error)
        for machine in self._all_machines():
            said = self._described(machine, execution_name(run))
            if said is not None and said["status"] != "RUNNING":
                return _outcome_of(said)
        return None

    # --- the protocol of `perdure.sites.waits.Bell` ---------------------------------------------

    def ring(self, token: str) -> bool:
        """SendTaskSuccess; False when nobody waits any more."""
        return self._answered(lambda c: c.send_task_success(taskToken=token, output="true"))

    def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure; False when nobody waits any more."""
        return self._answered(
            lambda c: c.send_task_failure(taskToken=token, error=error, cause=cause)
        )

    def stop(self, flow: str, name: str) -> None:
        """StopExecution, unless it has ended."""
        execution = self._execution(flow, name)
        if execution is not None:
            self.environment.machines.stop(execution, "the run was cancelled")

    # --- where things are -----------------------------------------------------------------------

    def _alias(self, flow: str) -> str:
        name = flow.rpartition(":")[2]
        stack = self.environment.stacks.find(flow_stack(self.environment.place, name))
        if stack is None or "Live" not in stack.outputs:
            where = self.environment.place.environment.name
            raise DeployError(f"`{name}` is not deployed in {where}: run `perdure deploy {where}`")
        return stack.outputs["Live"]

    def _machines_of(self, flow: str) -> list[str]:
        """The machines that run a flow: its own, and those of flows that start it."""
        if not self._machines:
            for one in self.environment.flows():
                named: dict[str, str] = json.loads(one.stack.outputs.get("Machines", "{}"))
                for ref, arn in named.items():
                    self._machines.setdefault(ref, []).append(arn)
        return self._machines.get(flow, [])

    def _all_machines(self) -> Iterator[str]:
        self._machines_of("")
        for arns in self._machines.values():
            yield from arns

    def _execution(self, flow: str, name: str) -> str | None:
        for machine in self._machines_of(flow):
            if self._described(machine, name) is not None:
                return _execution_arn(machine, name)
        return None

    def _described(self, machine: str, name: str) -> Mapping[str, Any] | None:
        """DescribeExecution; None where the machine has none of this name."""
        try:
            # Any: the stub's TypedDict, read by two keys.
            said: Any = self.steps.describe_execution(executionArn=_execution_arn(machine, name))
        except ClientError as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return None
            raise
        found: Mapping[str, Any] = said
        return found

    def _is_starting(self, run: str) -> bool:
        """Whether an execution is under way that has not claimed its run's id yet."""
        name = execution_name(run)
        found = (self._described(machine, name) for machine in self._all_machines())
        return any(said is not None and said["status"] == "RUNNING" for said in found)

    def _events(self, execution: str) -> Iterator[Mapping[str, object]]:
        pages = self.steps.get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=execution, includeExecutionData=True):
            for event in page["events"]:
                yield {**event}

    # --- inside ---------------------------------------------------------------------------------

    def _check_started(
        self, flow: str, arguments: Mapping[str, Json], run: str, alias: str
    ) -> None:
        """There is an execution of this name: the same start, or another one."""
        said = self._described(alias.rpartition(":")[0], execution_name(run))
        text = None if said is None else said.get("input")
        given: Any = json.loads(text) if isinstance(text, str) else {}
        same = digest_of(given.get("input")) == digest_of(dict(arguments))
        _check_same(run, flow, flow, same)

    def _answered(self, answer: "Callable[[SFNClient], object]") -> bool:
        try:
            answer(self.steps)
        except ClientError as error:
            if code_of(error) in GONE:
                return False
            raise
        return True


@final
class _Stops:
    """`perdure.sites.executions.Executions`, of whom nobody asks more than to stop."""

    def __init__(self, runs: AwsRuns) -> None:
        self._runs = runs

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """Children are started by sites."""
        raise AssertionError(f"a cancel starts nothing: {flow} {name}")

    def stop(self, flow: str, name: str) -> None:
        """StopExecution, unless it has ended."""
        self._runs.stop(flow, name)


def _input_text(run: str, seed: str, arguments: Mapping[str, Json]) -> str:
    """What an execution is started with."""
    given: dict[str, Json] = {"run": {"id": run, "seed": seed}, "input": dict(arguments)}
    return json.dumps(given, separators=(",", ":"))


def _check_same(run: str, known: str, flow: str, same_input: bool) -> None:
    if known != flow:
        raise RunConflict(f"run {run!r} is a run of {known}, not of {flow}")
    if not same_input:
        raise RunConflict(f"run {run!r} was started with another input")


def _execution_arn(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def _outcome_of(said: Mapping[str, Any]) -> Outcome:
    """The outcome of an execution whose run says nothing."""
    if said["status"] == "SUCCEEDED":
        return Completed(json.loads(said.get("output", "null")))
    return failed(error_of(said["status"], said.get("error"), said.get("cause")))


def _unsaid(line: str) -> None:
    """Progress that nobody waits for."""
