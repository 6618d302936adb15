"""Step Functions for deployments: machines, versions, aliases, executions that go on.

moto's service keeps one definition per machine, publishes no versions of a given revision, shares
no new executions out, and runs executions in real time on an interpreter without JSONata. This one
is the part of the API that perdure uses, on the simulation that its tests use; time stands still
but in `advance`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, final

from botocore.exceptions import ClientError

from perdure_aws.engine.interface import Execution
from perdure_aws.engine.simulation import MotoSimulation
from tests.aws_deploy.cloud.functions import Functions

__all__ = ["Machine", "Running", "States"]

type Answer = dict[str, Any]


@final
@dataclass(slots=True)
class Machine:
    """A machine, its published versions, its aliases."""

    arn: str
    definition: str
    role: str
    revision: int = 1
    versions: dict[int, str] = field(default_factory=dict[int, str])
    revisions: dict[int, int] = field(default_factory=dict[int, int])
    """The revision of each version."""
    aliases: dict[str, list[Answer]] = field(default_factory=dict[str, list[Answer]])
    published: int = 0


@final
@dataclass(slots=True)
class Running:
    """An execution."""

    arn: str
    machine: str
    version: str
    input: str
    simulation: MotoSimulation
    now: Execution
    started: datetime


@final
class States:
    """The service in one account and region."""

    def __init__(self, functions: Functions, clock: Callable[[], datetime]) -> None:
        self.functions = functions
        self.clock = clock
        self.machines: dict[str, Machine] = {}
        self.executions: dict[str, Running] = {}
        self.rules: dict[str, Any] = {}
        """EventBridge's, by name: who is told of ends."""
        self.ended: list[Callable[[Running], None]] = []
        self._random = Random(0)
        self._under_way = False

    # --- machines -------------------------------------------------------------------------------

    def put_machine(self, arn: str, definition: str, role: str) -> Machine:
        """Create or update."""
        known = self.machines.get(arn)
        if known is None:
            known = self.machines[arn] = Machine(arn, definition, role)
        elif (known.definition, known.role) != (definition, role):
            known.definition, known.role = definition, role
            known.revision += 1
        return known

    def publish(self, arn: str, revision: str) -> str:
        """Publish a revision; one that is published already is the version it was."""
        machine = self.machines[arn]
        assert revision == str(machine.revision), "only the newest revision can be published"
        for number, known in machine.revisions.items():
            if known == machine.revision:
                return f"{arn}:{number}"
        machine.published += 1
        machine.versions[machine.published] = machine.definition
        machine.revisions[machine.published] = machine.revision
        return f"{arn}:{machine.published}"

    def delete(self, arn: str) -> None:
        """A machine goes with its versions; its executions are stopped."""
        self.machines.pop(arn, None)
        for one in self.executions.values():
            if one.machine == arn and one.now.status == "RUNNING":
                self._stop(one, "", "the machine was deleted")

    # --- the API --------------------------------------------------------------------------------

    def call(self, operation: str, given: Mapping[str, Any]) -> Answer:
        """One request."""
        return {
            "DescribeStateMachine": self._describe_state_machine,
            "DescribeStateMachineAlias": self._describe_state_machine_alias,
            "ListStateMachineVersions": self._list_state_machine_versions,
            "ListStateMachineAliases": self._list_state_machine_aliases,
            "DeleteStateMachineAlias": self._delete_state_machine_alias,
            "DeleteStateMachineVersion": self._delete_state_machine_version,
            "ListExecutions": self._list_executions,
            "StartExecution": self._start_execution,
            "DescribeExecution": self._describe_execution,
            "DescribeStateMachineForExecution": self._describe_state_machine_for_execution,
            "GetExecutionHistory": self._get_execution_history,
            "StopExecution": self._stop_execution,
            "SendTaskSuccess": self._send_task_success,
            "SendTaskFailure": self._send_task_failure,
        }[operation](given)

    def _describe_state_machine(self, given: Mapping[str, Any]) -> Answer:
        arn = given["stateMachineArn"]
        machine, version = self._version(arn)
        definition = machine.definition if version is None else machine.versions[version]
        return {"stateMachineArn": arn, "definition": definition, "roleArn": machine.role}

    def _describe_state_machine_alias(self, given: Mapping[str, Any]) -> Answer:
        arn = given["stateMachineAliasArn"]
        base, _, name = arn.rpartition(":")
        machine = self.machines.get(base)
        if machine is None or name not in machine.aliases:
            raise self._refused("ResourceNotFound", arn)
        return {"stateMachineAliasArn": arn, "routingConfiguration": machine.aliases[name]}

    def _list_state_machine_versions(self, given: Mapping[str, Any]) -> Answer:
        machine, _ = self._version(given["stateMachineArn"])
        listed = [
            {"stateMachineVersionArn": f"{machine.arn}:{number}"}
            for number in sorted(machine.versions, reverse=True)
        ]
        return {"stateMachineVersions": listed}

    def _list_state_machine_aliases(self, given: Mapping[str, Any]) -> Answer:
        machine, _ = self._version(given["stateMachineArn"])
        listed = [{"stateMachineAliasArn": f"{machine.arn}:{name}"} for name in machine.aliases]
        return {"stateMachineAliases": listed}

    def _delete_state_machine_alias(self, given: Mapping[str, Any]) -> Answer:
        base, _, name = given["stateMachineAliasArn"].rpartition(":")
        if self.machines[base].aliases.pop(name, None) is None:
            raise self._refused("ResourceNotFound", name)
        return {}

    def _delete_state_machine_version(self, given: Mapping[str, Any]) -> Answer:
        arn = given["stateMachineVersionArn"]
        machine, number = self._version(arn)
        shares = [one for routing in machine.aliases.values() for one in routing]
        if any(one["stateMachineVersionArn"] == arn for one in shares):
            raise self._refused("ConflictException", "an alias refers to the version")
        machine.versions.pop(number or 0, None)
        return {}

    def _list_executions(self, given: Mapping[str, Any]) -> Answer:
        machine, _ = self._version(given["stateMachineArn"])
        wanted = given.get("statusFilter")
        return {
            "executions": [
                {
                    "executionArn": one.arn,
                    "stateMachineArn": one.machine,
                    "stateMachineVersionArn": one.version,
                    "name": one.arn.rpartition(":")[2],
                    "status": one.now.status,
                    "startDate": one.started,
                }
                for one in self.executions.values()
                if one.machine == machine.arn and wanted in (None, one.now.status)
            ]
        }

    def _start_execution(self, given: Mapping[str, Any]) -> Answer:
        version = self._chosen(given["stateMachineArn"])
        base, _, number = version.rpartition(":")
        name = given["name"]
        arn = base.replace(":stateMachine:", ":execution:") + f":{name}"
        known = self.executions.get(arn)
        if known is not None:
            if known.now.status == "RUNNING" and known.input == given["input"]:
                return {"executionArn": arn, "startDate": known.started}
            raise self._refused("ExecutionAlreadyExists", arn)
        simulation = MotoSimulation(functions=self.functions, start=self.clock())
        simulation.core.random.seed(arn)  # tokens differ between executions
        definition = json.loads(self.machines[base].versions[int(number)])
        simulation.set_out(definition, json.loads(given["input"]), name=name)
        one = Running(
            arn, base, version, given["input"], simulation, Execution("RUNNING"), self.clock()
        )
        self.executions[arn] = one
        self.settle()
        return {"executionArn": arn, "startDate": one.started}

    def _describe_execution(self, given: Mapping[str, Any]) -> Answer:
        one = self._execution(given["executionArn"])
        answer: Answer = {
            "executionArn": one.arn,
            "stateMachineArn": one.machine,
            "stateMachineVersionArn": one.version,
            "status": one.now.status,
            "input": one.input,
            "startDate": one.started,
        }
        if one.now.status == "SUCCEEDED":
            answer["output"] = json.dumps(one.now.output)
        if one.now.status == "FAILED":
            answer.update(error=one.now.error, cause=one.now.cause)
        return answer

    def _describe_state_machine_for_execution(self, given: Mapping[str, Any]) -> Answer:
        one = self._execution(given["executionArn"])
        number = int(one.version.rpartition(":")[2])
        return {"definition": self.machines[one.machine].versions[number]}

    def _get_execution_history(self, given: Mapping[str, Any]) -> Answer:
        history = self._execution(given["executionArn"]).now.history
        events = [{**e, "timestamp": datetime.fromisoformat(str(e["timestamp"]))} for e in history]
        if given.get("reverseOrder"):
            events.reverse()
        begin, size = int(given.get("nextToken", "0")), given.get("maxResults", 1000)
        page: Answer = {"events": events[begin : begin + size]}
        if begin + size < len(events):
            page["nextToken"] = str(begin + size)
        return page

    def _stop_execution(self, given: Mapping[str, Any]) -> Answer:
        one = self._execution(given["executionArn"])
        self._stop(one, given.get("error", ""), given.get("cause", ""))
        return {"stopDate": self.clock()}

    def _send_task_success(self, given: Mapping[str, Any]) -> Answer:
        output = json.loads(given["output"])
        return self._answered(lambda s: s.send_task_success(given["taskToken"], output))

    def _send_task_failure(self, given: Mapping[str, Any]) -> Answer:
        error, cause = given.get("error", ""), given.get("cause", "")
        return self._answered(lambda s: s.send_task_failure(given["taskToken"], error, cause))

    # --- time -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything that is due by now, in all executions, until nothing is."""
        if self._under_way:
            return
        self._under_way = True
        try:
            before = None
            while before != (now := [self._go_on(one) for one in [*self.executions.values()]]):
                before = now
        finally:
            self._under_way = False

    def next_due(self) -> datetime | None:
        """When some execution goes on by itself."""
        live = [one for one in self.executions.values() if one.now.status == "RUNNING"]
        return min((d for one in live if (d := one.simulation.due())), default=None)

    def close(self) -> None:
        """End all executions."""
        for one in self.executions.values():
            one.simulation.close()

    def _go_on(self, one: Running) -> int:
        was = one.now.status
        if was == "RUNNING":
            one.now = one.simulation.go_on(self.clock())
            if one.now.status != "RUNNING":
                for told in self.ended:
                    told(one)
        return len(one.now.history)

    # --- inside ---------------------------------------------------------------------------------

    def _answered(self, answer: Callable[[MotoSimulation], bool]) -> Answer:
        taken = any(answer(one.simulation) for one in self.executions.values())
        if not taken:
            raise self._refused("TaskTimedOut", "the token is used up")
        self.settle()
        return {}

    def _stop(self, one: Running, error: str, cause: str) -> None:
        if one.now.status == "RUNNING":
            one.simulation.stop(error, cause)
            self.settle()

    def _chosen(self, arn: str) -> str:
        """The version that an execution starts on."""
        base, _, name = arn.rpartition(":")
        machine = self.machines.get(base)
        if machine is None:
            raise self._refused("StateMachineDoesNotExist", arn)
        if name.isdigit():
            return arn
        shares = machine.aliases[name]
        found = self._random.choices(shares, [one["weight"] for one in shares])[0]
        return str(found["stateMachineVersionArn"])

    def _version(self, arn: str) -> tuple[Machine, int | None]:
        base, _, number = arn.rpartition(":")
        if arn in self.machines:
            return self.machines[arn], None
        if base in self.machines and number.isdigit():
            return self.machines[base], int(number)
        raise self._refused("StateMachineDoesNotExist", arn)

    def _execution(self, arn: str) -> Running:
        if arn not in self.executions:
            raise self._refused("ExecutionDoesNotExist", arn)
        return self.executions[arn]

    def _refused(self, code: str, what: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": what}}, "StepFunctions")
