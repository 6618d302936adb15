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

from perdure.codec import Json, decode, decode_error, decode_slots, encode
from perdure.diagnostics import Refused, Report
from perdure.driver import FlowName, build_machines, build_program, check_flow
from perdure.errors import InvalidInput
from perdure.ir import Program
from perdure.machine.emit import module_name
from perdure.machine.ir import Machine, Machines
from perdure.runtime.bodies import Attempted, raised
from perdure.runtime.engine import LogRecord
from perdure.runtime.scope import current
from perdure.runtime.values import encode_input, failed
from perdure.sites.bodies import timed_attempt
from perdure.sites.cancel import cancel, rested
from perdure.sites.children import ring_results
from perdure.sites.error_names import CANCELLED
from perdure.sites.failures import SiteFailure
from perdure.sites.host import Host
from perdure.sites.keep import unkept
from perdure.sites.operations import Attempt
from perdure.sites.site import invoke
from perdure.sites.site_waits import given_up
from perdure.sites.state import fields, text
from perdure.sites.visit import Visit
from perdure.store.inbox import put_event
from perdure.store.match import match, rung
from perdure.store.protocol import RunRecord, RunStore, Versions
from perdure.store.runs import find_run
from perdure.testing.answers import answered
from perdure.testing.bundles import Loaded, active_bundle
from perdure.testing.request import RUN_ID, RUN_SEED, Request, Result, ScriptedEvent
from perdure.testing.scripts import Attempt as ScriptedAttempt
from perdure.testing.scripts import RunsBody, ScriptError
from perdure.testing.spans import Spans, places_of
from perdure.trace import End, Trace, error_json
from perdure_aws.ended import error_of, record_end
from perdure_aws.engine import engine
from perdure_aws.engine.interface import START, Execution, LambdaContext, Simulation
from perdure_aws.engine.stores import STORES
from perdure_aws.target import AwsTarget, folder_of

__all__ = ["Refused", "compiled", "run_flow"]


def run_flow(request: Request) -> Result:
    """Compile the flow of the request and run it on the engine it names (moto's by default)."""
    program, machines, artifacts = compiled(FlowName(request.file, request.flow))
    request.scripts.check_names(step.name for step in program.steps)
    bundle = artifacts["bundle.zip"]
    assert isinstance(bundle, bytes), "the bundle is a zip"
    with active_bundle(bundle, [module_name(one.ref) for one in machines.machines]) as loaded:
        try:
            arguments = encode_input(loaded.flow, request.arguments)
        except InvalidInput as error:
            return _refused_input(error)
        definitions = {
            str(one.ref): json.loads(artifacts[_definition_of(one, machines)])
            for one in machines.machines
        }
        with _simulated(request, loaded, definitions) as test:
            execution = test.simulation.run(
                definitions[str(program.entry)],
                {"run": {"id": RUN_ID, "seed": RUN_SEED}, "input": arguments},
                name=RUN_ID,
            )
            return test.result(execution, Spans(machines, places_of(artifacts)))


def _definition_of(machine: Machine, machines: Machines) -> str:
    """The path of the artifact."""
    is_entry = machine is machines.machines[0]
    folder = "" if is_entry else f"{folder_of(machine.ref, machines)}/"
    return f"{folder}definition.asl.json"


def compiled(name: FlowName) -> tuple[Program, Machines, Mapping[str, bytes | str]]:
    """Flow IR, Machine IR and artifacts of one flow; `Refused` where this target says no."""
    report = Report()
    target = AwsTarget()
    analysis = check_flow(name, report)
    program = None if analysis is None else build_program(analysis, report)
    machines = None if program is None else build_machines(program, "aws", report)
    if machines is not None:
        target.check(machines, report)
    if analysis is None or program is None or machines is None or not report.ok:
        raise Refused(report)
    return program, machines, target.lower(machines, program, analysis.project)


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
    """One test run: the simulation, the store, the script, and what the sites reported."""

    def __init__(
        self,
        request: Request,
        loaded: Loaded,
        store: RunStore,
        name: str,
        definitions: Mapping[str, Mapping[str, Json]],
    ) -> None:
        self.definitions = definitions
        self.request = request
        self.loaded = loaded
        self.store = store
        self.records: list[Mapping[str, Json]] = []
        self.logs: list[LogRecord] = []
        self.ended: set[str] = set()
        """Branches that ended by themselves."""
        self.failure: BaseException | None = None
        self.waits: list[tuple[Host, Mapping[str, Json]]] = []
        """What the sites that registered a wait were told."""
        self.names = {RUN_ID: RUN_ID}
        """The run of each execution, by its name."""
        self.prefixes: dict[str, str | None] = {RUN_ID: ""}
        """What stands before the paths of a run in the trace; None: it has a trace of its own."""
        self.cancelled = False
        self.simulation: Simulation = engine(name).simulation(
            functions={"${Sites}": self.handle}, seed=request.seed
        )
        self.simulation.when_ended(self._ended)
        for number, event in enumerate(request.events):
            self._at(event.after, partial(self._deliver, event, number))
        if request.cancel is not None:
            self._at(request.cancel, self._cancel)

    # --- the sites function ---------------------------------------------------------------------

    def handle(self, event: Json, context: LambdaContext) -> Json:
        """Answer a Task with the bundle's own site code."""
        asked = fields(event)
        host = self.host(text(asked["flow"]), context)
        if "wait" in asked:
            self.waits.append((host, asked))
        try:
            reply = invoke(host, asked)
        except SiteFailure as failure:
            self._told(asked, json.loads(str(failure)), context)
            raise
        except BaseException as error:
            self.failure = self.failure or error
            raise
        if reply is not None:
            self._told(asked, fields(reply), context)
        return reply

    def _told(
        self, asked: Mapping[str, Json], said: Mapping[str, Json], context: LambdaContext
    ) -> None:
        """What a site says; of one that nobody waits for, only that its operation was given up."""
        if not context.is_abandoned():
            self._reported(asked, said)
            return
        records = unkept(self.store, said).get("records")
        for record in records if isinstance(records, list) else ():
            self._reported(asked, {"records": [{**fields(record), "outcome": "cancelled"}]})

    def host(self, flow: str, context: LambdaContext) -> Host:
        """What the sites of that flow work with."""
        table = self.loaded.tables[flow]
        return Host(
            table=table,
            store=self.store,
            steps=ScriptedSteps(self, context),
            bell=Doorbells(self.simulation),
            executions=Executions(self),
            flow_named=self.loaded.flows.__getitem__,
            versions=Versions("test", "3.13", 1, table.digest),
            target="aws",
            wide=True,
            now=lambda: context.now().timestamp(),
            sleep=context.sleep,
            functions=self.loaded.functions,
            misfit=self._misfit,
            settle=context.settle,
        )

    def _ended(self, execution: Execution) -> None:
        """What EventBridge would tell the handler, and the handler does."""
        run = self.names[execution.name]
        given: Json = json.dumps({"run": {"id": run}})
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

    def _misfit(self, problem: str) -> None:
        self.failure = self.failure or ScriptError(problem)

    def _reported(self, asked: Mapping[str, Json], said: Mapping[str, Json]) -> None:
        said = unkept(self.store, said)
        arrived = unkept(self.store, fields(asked["next"]))
        run = text(fields(arrived["run"])["id"])
        records, logs, ended = said.get("records"), said.get("logs"), said.get("ended")
        if isinstance(records, list):
            for record in records:
                self.record(run, text(asked["flow"]), fields(record))
        prefix = self.prefixes[run]
        if isinstance(ended, list) and prefix is not None:
            self.ended.update(prefix + text(path) for path in ended)
        if isinstance(logs, list):
            self.logs.extend(_log(fields(log)) for log in logs)

    def record(self, run: str, flow: str, line: Mapping[str, Json]) -> None:
        """A line of the trace of a run, if the run belongs to the one that is tested."""
        prefix = self.prefixes[run]
        if prefix is not None:
            self.records.append({**line, "flow": flow, "prefix": prefix})

    # --- what comes from outside ----------------------------------------------------------------

    def _at(self, seconds: float, action: Callable[[], None]) -> None:
        self.simulation.at(START + timedelta(seconds=seconds), action)

    def _deliver(self, event: ScriptedEvent, number: int) -> None:
        now = self.simulation.now().timestamp()
        payload = encode(event.payload)
        put_event(self.store, RUN_ID, event.name, payload, id=f"scripted {number}", now=now)
        for bell in match(self.store, RUN_ID, event.name):
            self.simulation.send_task_success(bell.token, True)
            rung(self.store, bell)

    def _given_up(self) -> None:
        """Record the waits that no site will come after: the run was cancelled in them."""
        known = {text(record["prefix"]) + text(record["path"]) for record in self.records}
        for host, event in self.waits:
            visit = Visit(host, event)
            token = current.set(visit.counts)
            try:
                given_up(visit, text(event["wait"]))
            finally:
                current.reset(token)
            prefix = self.prefixes[visit.state.run] or ""
            for line in visit.records.lines:
                if prefix + text(line["path"]) not in known:
                    self.record(visit.state.run, text(event["flow"]), line)

    def _cancel(self) -> None:
        self.cancelled = True
        now = self.simulation.now().timestamp()
        bell = Doorbells(self.simulation)
        cancel(self.store, RUN_ID, bell, Executions(self), now=now, ended=self._ring)

    def _ring(self, record: RunRecord) -> None:
        now = self.simulation.now().timestamp()
        flow = self.loaded.flows[record.flow]
        ring_results(self.store, record, Doorbells(self.simulation), flow, now)

    # --- the end --------------------------------------------------------------------------------

    def _recorded_error(self) -> BaseException | None:
        """How the run failed, if a site has recorded that: whole, however long its text is."""
        recorded = find_run(self.store, RUN_ID).end
        if recorded is None or recorded.error is None:
            return None
        return decode_error(recorded.error)

    def result(self, execution: Execution, spans: Spans) -> Result:
        """The result of the run, with the trace that its sites reported."""
        if self.failure is not None:
            raise self.failure
        if self.cancelled and execution.status != "RUNNING":
            self._given_up()
        entries = tuple(spans.entry(record) for record in self.records)
        value: object = None
        error: BaseException | None = None
        match execution.status:
            case "SUCCEEDED":
                record = find_run(self.store, RUN_ID).end
                assert record is not None, "the last site has recorded the end"
                value = decode(record.value)
                end = End("done", encode(value))
            case "RUNNING":
                end = End("waiting")
            case "ABORTED":
                error, end = asyncio.CancelledError(), End("cancelled")
            case _:
                place = spans.place(execution.states[-1]) if execution.states else None
                error = self._recorded_error() or error_of(
                    execution.status, execution.error, execution.cause, place
                )
                is_cancel = self.cancelled and isinstance(error, asyncio.CancelledError)
                end = (
                    End("cancelled")
                    if is_cancel
                    else End("failed", None, error_json(failed(error)))
                )
        return Result(
            Trace(entries, end, frozenset(self.ended)),
            result=value,
            error=error,
            transitions=execution.transitions,
            history=execution.history,
            logs=tuple(self.logs),
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

    def settle(self) -> None:
        """As `sleep`."""
        raise AssertionError("an end is recorded at once")

    def get_remaining_time_in_millis(self) -> int:
        """Enough."""
        return 900_000


@final
@dataclass(frozen=True, slots=True)
class ScriptedSteps:
    """Runs attempts by the test's script."""

    test: Test
    context: LambdaContext

    def attempt(self, attempt: Attempt) -> Attempted | None:
        """The answer, after the time it takes; the body's where the script says so."""
        step, deadline = attempt.step, attempt.this.deadline.timestamp()
        scripts = self.test.request.scripts
        arguments = decode_slots(dict(attempt.arguments))
        path = f"{self.test.prefixes[attempt.this.run_id] or ''}{attempt.path}"
        answer = scripts.answer(ScriptedAttempt(step.name, path, attempt.this.attempt, arguments))
        if isinstance(answer, RunsBody):
            return asyncio.run(timed_attempt(attempt))
        ended = attempt.now + answer.after_seconds
        if attempt.until is not None and attempt.until < min(ended, deadline):
            self.context.sleep(attempt.until - attempt.now)
            return None
        if ended > deadline:
            self.context.sleep(deadline - attempt.now)
            return raised(TimeoutError())
        self.context.sleep(answer.after_seconds)
        return answered(step, answer)


@final
@dataclass(frozen=True, slots=True)
class Executions:
    """Starts and stops executions in the simulation."""

    test: Test

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """StartExecution; the traces of children lie below their parents'."""
        record = find_run(self.test.store, text(fields(given["run"])["id"]))
        prefixes = self.test.prefixes
        self.test.names[name] = record.run
        if record.run in prefixes:
            self.test.simulation.begin(self.test.definitions[flow], dict(given), name=name)
            return
        over = [run for run in prefixes if record.run.startswith(f"{run}/")]
        above = max(over, key=len, default="")
        if record.parent is None or prefixes.get(above) is None:
            prefixes[record.run] = None
        else:
            prefixes[record.run] = record.run.removeprefix(f"{RUN_ID}/") + "/"
        self.test.simulation.begin(self.test.definitions[flow], dict(given), name=name)

    def events(self, flow: str, name: str) -> int:
        """The length of a history."""
        return self.test.simulation.events(name)

    def stop(self, flow: str, name: str) -> None:
        """StopExecution: what the run rested in is the last line of its trace."""
        run = self.test.names[name]
        rest = rested(self.test.store, run)
        if rest is not None:
            self.test.record(
                run, flow, {**fields(rest["line"]), "time": self.test.simulation.now().timestamp()}
            )
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


def _log(record: Mapping[str, Json]) -> LogRecord:
    logger = record["logger"]
    return LogRecord(
        text(record["scope"]),
        int(str(record["ordinal"])),
        None if logger is None else text(logger),
        text(record["level"]),
        text(record["text"]),
    )


def _refused_input(error: InvalidInput) -> Result:
    end = End("failed", None, error_json(failed(error)))
    return Result(Trace((), end), error=error)
