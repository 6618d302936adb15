"""`perdure.testing.run(target="gcp")`: the emitted workflow itself, in virtual time.

Compiles in memory, deploys the YAML into a project of `perdure_gcp.workflows` (strict: it refuses
what no page documents), and answers its requests with the very code of the sites' service.
Scripts stand in for the bodies of steps.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import final

from perdure.codec import Json, encode
from perdure.diagnostics import Refused
from perdure.driver import FlowName
from perdure.errors import InvalidInput
from perdure.machine.ir import Machines
from perdure.runtime.values import encode_input
from perdure.sites.executions import execution_name
from perdure.sites.host import Host
from perdure.sites.state import fields, text
from perdure.store.protocol import RunStore, Versions
from perdure.store.sqlite import SqliteStore
from perdure.testing.bundles import Loaded, active_bundle
from perdure.testing.machine_runs import (
    Compiled,
    MachineRun,
    ScriptedSteps,
    compiled_for,
    refused_input,
)
from perdure.testing.request import RUN_ID, RUN_SEED, Request, Result, ScriptedEvent
from perdure.testing.spans import Spans
from perdure.trace import End, Trace
from perdure_gcp.answers import answer
from perdure_gcp.ended import record_end
from perdure_gcp.engine.invocations import Invocation, invoke
from perdure_gcp.generations import argument_of
from perdure_gcp.target import GcpTarget, folder_of, sites_of
from perdure_gcp.workflows import Execution, Failure, Project, Response
from perdure_gcp.workflows import Request as Sent
from perdure_gcp.workflows.http import Later
from perdure_gcp.workflows.project import START

__all__ = ["Refused", "compiled", "run_flow", "run_loaded"]

SITES = "https://sites.example"


def run_flow(request: Request) -> Result:
    """Compile the flow of the request and run it on the Workflows engine."""
    program, machines, artifacts = compiled(FlowName(request.file, request.flow))
    bundle = artifacts["bundle.zip"]
    assert isinstance(bundle, bytes), "the bundle is a zip"
    request.scripts.check_names(step.name for step in program.steps)
    sources = {
        str(one.ref): str(artifacts[_path_of(number, machines)])
        for number, one in enumerate(machines.machines)
    }
    with active_bundle(bundle, list(sites_of(machines, program))) as loaded:
        return run_loaded(request, loaded, sources, Spans(machines, {}))


def run_loaded(
    request: Request,
    loaded: Loaded,
    sources: Mapping[str, str],
    spans: Spans,
    *,
    calm: bool = False,
) -> Result:
    """Run what is compiled and imported; `sources`: workflows by flow, the entry's first.

    `calm`: no early ring is lost, and what can go on goes on in order. A lost ring costs a wait
    some time, which a flow may see; so who compares times with another engine's runs it calm.
    """
    try:
        arguments = encode_input(loaded.flow, request.arguments)
    except InvalidInput as error:
        return refused_input(error)
    store = SqliteStore(":memory:")
    test = Test(request, loaded, store, sources, calm=calm)
    try:
        execution = test.execute(next(iter(sources)), arguments)
        return test.result(execution, spans)
    finally:
        for invocation in test.invocations:
            invocation.give_up()
        store.close()


def _path_of(number: int, machines: Machines) -> str:
    folder = "" if number == 0 else f"{folder_of(machines.machines[number].ref, machines)}/"
    return f"{folder}workflow.yaml"


def compiled(name: FlowName) -> Compiled:
    """One flow, compiled in memory; `Refused` where this target says no."""
    return compiled_for(name, GcpTarget())


@final
class Test:
    """One test run: the project, and the sites' service that answers it."""

    def __init__(
        self,
        request: Request,
        loaded: Loaded,
        store: RunStore,
        sources: Mapping[str, str],
        *,
        calm: bool,
    ) -> None:
        self.loaded = loaded
        self.run = MachineRun(request, loaded, store)
        self.started: dict[str, Execution] = {}
        """Executions by the name that their run gives them."""
        self.invocations: list[Invocation] = []
        self.waits_for_ever = False
        """The last answer was to a wait that nothing but an event ends."""
        self.generations: list[Execution] = []
        """Those that the run went through."""
        self.branches: list[Execution] = []
        """Those that are branches of its forks."""
        self.project = Project(seed=request.seed, kept=1.0 if calm else 0.5, in_order=calm)
        for flow, source in sources.items():
            self.project.deploy(flow, source, {"PERDURE_SITES": SITES})
        self.project.route(SITES, self._serve)
        for number, event in enumerate(request.events):
            self._at(event.after, partial(self._deliver, event, number))
        if request.cancel is not None:
            self._at(request.cancel, self._cancel)

    def execute(self, flow: str, arguments: Json) -> Execution:
        """The run itself, to its end."""
        given: dict[str, Json] = {"run": {"id": RUN_ID, "seed": RUN_SEED}, "input": arguments}
        execution = self.start(flow, argument_of(given, self.run.store))
        self.started[execution_name(RUN_ID)] = execution
        self.generations.append(execution)
        known = 0
        while known < len(self.generations):
            known = len(self.generations)
            self.project.run_all(until=self.generations[-1])
        return self.generations[-1]

    def start(self, flow: str, argument: dict[str, Json]) -> Execution:
        """An execution; its end is told to the sites, as the log of the real one would."""
        execution = self.project.start(flow, argument)
        began = self.project.clock
        execution.ended.append(lambda: self._ended(execution, argument, began))
        return execution

    def _ended(self, execution: Execution, argument: Mapping[str, Json], began: float) -> None:
        if _is_a_year_old(execution) and self.waits_for_ever:
            return  # nothing but the engine's own limit ends it
        host = self._host(execution.workflow, Invocation(self.project, _nothing))
        record_end(
            host,
            {
                "state": execution.state,
                "argument": json.dumps(argument),
                "startTime": _moment(began),
                "endTime": _moment(self.project.clock),
                "error": {"payload": json.dumps(execution.error)},
            },
        )

    # --- the sites' service ---------------------------------------------------------------------

    def _serve(self, sent: Sent) -> Response | Later | Failure:
        return invoke(
            self.project, lambda invocation: self._answer(sent, invocation), self.invocations
        )

    def _answer(self, sent: Sent, invocation: Invocation) -> Response:
        asked: dict[str, Json] = json.loads(sent.body)
        host = self._host(text(fields(asked["ask"])["flow"]), invocation)
        try:
            said = answer(host, asked, self.run, waits=partial(self.run.waits, host))
        except BaseException as error:
            self.run.failure = self.run.failure or error
            raise
        self.waits_for_ever = said.get("forever") is True
        return Response(200, json.dumps(said, ensure_ascii=False).encode())

    def _host(self, flow: str, invocation: Invocation) -> Host:
        """What the sites of that flow work with."""
        table = self.loaded.tables[flow]
        return Host(
            table=table,
            store=self.run.store,
            steps=ScriptedSteps(self.run, invocation.sleep),
            bell=Doorbells(self.project),
            executions=Executions(self),
            flow_named=self.loaded.flows.__getitem__,
            versions=Versions("test", "3.13", 1, table.digest),
            target="gcp",
            now=invocation.now,
            sleep=invocation.sleep,
            functions=self.loaded.functions,
            misfit=self.run.misfit,
            settle=invocation.settle,
            waiting_branches=100_000,
        )

    # --- what comes from outside ----------------------------------------------------------------

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        self.project.happen_at(START + seconds, action)

    def _deliver(self, event: ScriptedEvent, number: int) -> None:
        self.run.deliver(event, number, Doorbells(self.project), self.project.clock)

    def _cancel(self) -> None:
        self.run.cancel(Doorbells(self.project), Executions(self), self.project.clock)

    # --- the end --------------------------------------------------------------------------------

    def result(self, execution: Execution, spans: Spans) -> Result:
        """The result of the run, with the trace that its sites reported."""
        entries = self.run.entries(spans, over=execution.state != "ACTIVE")
        value: object = None
        error: BaseException | None = None
        match execution.state:
            case "SUCCEEDED":
                value = self.run.recorded_value()
                end = End("done", encode(value))
            case "ACTIVE":
                end = End("waiting")
            case "FAILED" if _is_a_year_old(execution) and self.waits_for_ever:
                end = End("waiting")
            case "FAILED" | "CANCELLED":
                error = self.run.recorded_error() or asyncio.CancelledError()
                is_cancelled = isinstance(error, asyncio.CancelledError)
                stopped = is_cancelled and execution.state == "CANCELLED"
                end = End("cancelled") if stopped else self.run.failed_with(error)
        return Result(
            Trace(entries, end, frozenset(self.run.ended)),
            result=value,
            error=error,
            transitions=sum(one.steps for one in (*self.generations, *self.branches)),
            history=tuple(
                entry for one in (*self.generations, *self.branches) for entry in one.history
            ),
            logs=tuple(self.run.logs),
        )


@final
@dataclass(frozen=True, slots=True)
class Executions:
    """Starts and stops executions in the project."""

    test: Test

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """A new execution, once for each name: of a run, or of a branch."""
        if name in self.test.started:
            return
        execution = self.test.start(flow, argument_of(given, self.test.run.store))
        self.test.started[name] = execution
        if "branch" in given:
            self.test.branches.append(execution)
            return
        run = text(fields(given["run"])["id"])
        self.test.run.begins(name, run)
        if run == RUN_ID:
            self.test.generations.append(execution)

    def events(self, flow: str, name: str) -> int:
        """Nobody asks: executions of Workflows are not handed over by the length of a history."""
        raise AssertionError("no history is counted")

    def stop(self, flow: str, name: str) -> None:
        """Cancel an execution."""
        if name in self.test.run.runs:
            self.test.run.stops(name, flow, self.test.project.clock)
        self.test.project.cancel(self.test.started[name])


@final
@dataclass(frozen=True, slots=True)
class Doorbells:
    """Rings callbacks of the project: a token is a callback's URL."""

    project: Project

    def ring(self, token: str) -> bool:
        """A request to the callback; a ring says nothing."""
        return self.project.call_back(token) == 200

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Likewise: who waits asks the sites what became of the wait."""
        return self.ring(token)


def _is_a_year_old(execution: Execution) -> bool:
    error = execution.error
    tags = error.get("tags") if isinstance(error, dict) else None
    return tags == ["TimeoutError"]  # those of the flow have our own name too


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z")


def _nothing(_invocation: Invocation) -> Response:
    raise AssertionError("what is told of an end is not an invocation that answers")
