"""`perdure.testing.run(target="aws")`: the compiled flow itself, on an engine, in virtual time.

Compiles in memory, imports the bundle from its zip, lets the emitted definition run, and answers
its Tasks with the bundle's own site code. Scripts stand in for the bodies of steps; everything
else is what is deployed.
"""

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import final

from perdure.codec import Json, encode
from perdure.diagnostics import Refused
from perdure.driver import FlowName
from perdure.errors import InvalidInput
from perdure.machine.emit import module_name
from perdure.machine.ir import Machine, Machines
from perdure.runtime.values import encode_input
from perdure.sites.error_names import CANCELLED
from perdure.sites.failures import SiteFailure
from perdure.sites.host import Host
from perdure.sites.keep import unkept
from perdure.sites.site import invoke
from perdure.sites.state import fields, text
from perdure.store.protocol import RunStore, Versions
from perdure.testing.bundles import Loaded, active_bundle
from perdure.testing.machine_runs import (
    Compiled,
    MachineRun,
    ScriptedSteps,
    compiled_for,
    refused_input,
)
from perdure.testing.request import RUN_ID, RUN_SEED, Request, Result, ScriptedEvent
from perdure.testing.spans import Spans, places_of
from perdure.trace import End, Trace
from perdure_aws.ended import error_of, record_end
from perdure_aws.engine import engine
from perdure_aws.engine.interface import START, Execution, LambdaContext, Simulation
from perdure_aws.engine.stores import STORES
from perdure_aws.target import AwsTarget, folder_of

__all__ = ["Refused", "compiled", "run_flow", "run_loaded"]


def run_flow(request: Request) -> Result:
    """Compile the flow of the request and run it on the engine it names (moto's by default)."""
    program, machines, artifacts = compiled(FlowName(request.file, request.flow))
    request.scripts.check_names(step.name for step in program.steps)
    bundle = artifacts["bundle.zip"]
    assert isinstance(bundle, bytes), "the bundle is a zip"
    definitions: dict[str, Mapping[str, Json]] = {
        str(one.ref): json.loads(artifacts[_definition_of(one, machines)])
        for one in machines.machines
    }
    spans = Spans(machines, places_of(artifacts))
    with active_bundle(bundle, [module_name(one.ref) for one in machines.machines]) as loaded:
        return run_loaded(request, loaded, definitions, spans)


def run_loaded(
    request: Request,
    loaded: Loaded,
    definitions: Mapping[str, Mapping[str, Json]],
    spans: Spans,
) -> Result:
    """Run what is compiled and imported already; `definitions` by flow, the entry's first."""
    try:
        arguments = encode_input(loaded.flow, request.arguments)
    except InvalidInput as error:
        return refused_input(error)
    with _simulated(request, loaded, definitions) as test:
        execution = test.simulation.run(
            next(iter(definitions.values())),
            {"run": {"id": RUN_ID, "seed": RUN_SEED}, "input": arguments},
            name=RUN_ID,
        )
        return test.result(execution, spans)


def _definition_of(machine: Machine, machines: Machines) -> str:
    """The path of the artifact."""
    is_entry = machine is machines.machines[0]
    folder = "" if is_entry else f"{folder_of(machine.ref, machines)}/"
    return f"{folder}definition.asl.json"


def compiled(name: FlowName) -> Compiled:
    """One flow, compiled in memory; `Refused` where this target says no."""
    return compiled_for(name, AwsTarget())


@contextmanager
def _simulated(
    request: Request, loaded: Loaded, definitions: Mapping[str, Mapping[str, Json]]
) -> Generator["Test"]:
    """`engine="moto+dynamodb"` keeps the run in DynamoDB's form of the store, also on moto.

    SQLite's is the default: it takes milliseconds where moto's DynamoDB takes a second.
    """
    name, _, kept_in = (request.engine or "moto").partition("+")
    with STORES[kept_in]() as store:
        yield Test(request, loaded, store, name, definitions)


@final
class Test:
    """One test run: the simulation, and the sites function that answers it."""

    def __init__(
        self,
        request: Request,
        loaded: Loaded,
        store: RunStore,
        name: str,
        definitions: Mapping[str, Mapping[str, Json]],
    ) -> None:
        self.definitions = definitions
        self.loaded = loaded
        self.run = MachineRun(request, loaded, store)
        self.simulation: Simulation = engine(name).simulation(
            functions={"${Sites}": self.handle}, seed=request.seed
        )
        self.forks: dict[str, dict[str, Json]] = {}
        """What the input of an execution says that is one of a branch, by its name."""
        self.branches: list[Execution] = []
        """The executions of branches that have ended."""
        self.simulation.when_ended(self._ended)
        for number, event in enumerate(request.events):
            self._at(event.after, partial(self._deliver, event, number))
        if request.cancel is not None:
            self._at(request.cancel, self._cancel)

    def now(self) -> float:
        """Seconds of the virtual clock."""
        return self.simulation.now().timestamp()

    # --- the sites function ---------------------------------------------------------------------

    def handle(self, event: Json, context: LambdaContext) -> Json:
        """Answer a Task with the bundle's own site code."""
        asked = fields(event)
        host = self.host(text(asked["flow"]), context)
        if "wait" in asked:
            self.run.waits(host, asked)
        try:
            reply = invoke(host, asked)
        except SiteFailure as failure:
            self._told(asked, json.loads(str(failure)), context)
            raise
        except BaseException as error:
            self.run.failure = self.run.failure or error
            raise
        if reply is not None:
            self._told(asked, fields(reply), context)
        return reply

    def _told(
        self, asked: Mapping[str, Json], said: Mapping[str, Json], context: LambdaContext
    ) -> None:
        """What a site says; of one that nobody waits for, only that its operation was given up."""
        if not context.is_abandoned():
            self.run.told(asked, said)
            return
        records = unkept(self.run.store, said).get("records")
        for record in records if isinstance(records, list) else ():
            self.run.told(asked, {"records": [{**fields(record), "outcome": "cancelled"}]})

    def host(self, flow: str, context: LambdaContext) -> Host:
        """What the sites of that flow work with."""
        table = self.loaded.tables[flow]
        return Host(
            table=table,
            store=self.run.store,
            steps=ScriptedSteps(self.run, context.sleep),
            bell=Doorbells(self.simulation),
            executions=Executions(self),
            flow_named=self.loaded.flows.__getitem__,
            versions=Versions("test", "3.13", 1, table.digest),
            target="aws",
            wide=True,
            forks=True,
            now=lambda: context.now().timestamp(),
            sleep=context.sleep,
            functions=self.loaded.functions,
            misfit=self.run.misfit,
            settle=context.settle,
        )

    def _ended(self, execution: Execution) -> None:
        """What EventBridge would tell the handler, and the handler does."""
        run = self.run.runs[execution.name]
        if execution.name in self.forks:
            self.branches.append(execution)
        given: Json = json.dumps({"run": {"id": run}, **self.forks.get(execution.name, {})})
        host = self.host(next(iter(self.loaded.tables)), _Outside(self.simulation))
        record_end(
            host,
            {
                "name": execution.name,
                "status": execution.status,
                "input": given,
                "error": execution.error,
                "cause": execution.cause,
            },
        )

    # --- what comes from outside ----------------------------------------------------------------

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        self.simulation.at(START + timedelta(seconds=seconds), action)

    def _deliver(self, event: ScriptedEvent, number: int) -> None:
        self.run.deliver(event, number, Doorbells(self.simulation), self.now())

    def _cancel(self) -> None:
        self.run.cancel(Doorbells(self.simulation), Executions(self), self.now())

    # --- the end --------------------------------------------------------------------------------

    def result(self, execution: Execution, spans: Spans) -> Result:
        """The result of the run, with the trace that its sites reported."""
        entries = self.run.entries(spans, over=execution.status != "RUNNING")
        value: object = None
        error: BaseException | None = None
        match execution.status:
            case "SUCCEEDED":
                value = self.run.recorded_value()
                end = End("done", encode(value))
            case "RUNNING":
                end = End("waiting")
            case "ABORTED":
                error, end = asyncio.CancelledError(), End("cancelled")
            case _:
                place = spans.place(execution.states[-1]) if execution.states else None
                error = self.run.recorded_error() or error_of(
                    execution.status, execution.error, execution.cause, place
                )
                end = self.run.failed_with(error)
        return Result(
            Trace(entries, end, frozenset(self.run.ended)),
            result=value,
            error=error,
            transitions=sum(one.transitions for one in (execution, *self.branches)),
            history=(execution.history + tuple(e for one in self.branches for e in one.history)),
            logs=tuple(self.run.logs),
        )


@final
@dataclass(frozen=True, slots=True)
class _Outside:
    """The clock of what happens outside of every invocation."""

    simulation: Simulation
    function_name = "${Sites}"
    aws_request_id = "outside"

    def now(self) -> datetime:
        """The virtual time."""
        return self.simulation.now()

    def sleep(self, seconds: float) -> None:
        """Nothing that is told of an end waits."""
        raise AssertionError("an end is recorded at once")

    def is_abandoned(self) -> bool:
        """Nobody waits for it."""
        return False

    def settle(self, depth: int) -> None:
        """As `sleep`."""
        raise AssertionError("an end is recorded at once")

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 900_000


@final
@dataclass(frozen=True, slots=True)
class Executions:
    """Starts and stops executions in the simulation."""

    test: Test

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """StartExecution."""
        self.test.run.begins(name, text(fields(given["run"])["id"]))
        if "fork" in given:
            self.test.forks[name] = {"fork": given["fork"]}
        self.test.simulation.begin(self.test.definitions[flow], dict(given), name=name)

    def events(self, flow: str, name: str) -> int:
        """The length of a history."""
        return self.test.simulation.events(name)

    def stop(self, flow: str, name: str) -> None:
        """StopExecution."""
        if name not in self.test.forks:
            self.test.run.stops(name, flow, self.test.now())
        self.test.simulation.stop(CANCELLED, "the run was cancelled", name=name)


@final
@dataclass(frozen=True, slots=True)
class Doorbells:
    """Rings the tokens of the simulation."""

    simulation: Simulation

    def ring(self, token: str) -> bool:
        """SendTaskSuccess."""
        return self.simulation.send_task_success(token, True)

    def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure."""
        return self.simulation.send_task_failure(token, error, cause)
