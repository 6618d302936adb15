"""`perdure.testing.run(target="gcp")`: the emitted workflow itself, in virtual time.

Compiles in memory, deploys the YAML into a project of `perdure_gcp.workflows` (strict: it refuses
what no page documents), and answers its requests with the very code of the sites' service.
Scripts stand in for the bodies of steps.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import final

from perdure.codec import Json, decode, decode_error, decode_slots, encode
from perdure.diagnostics import Refused, Report
from perdure.driver import FlowName, build_machines, build_program, check_flow
from perdure.errors import InvalidInput, LimitExceeded
from perdure.ir import Program
from perdure.machine.ir import Machines
from perdure.runtime.bodies import Attempted, raised
from perdure.runtime.engine import LogRecord
from perdure.runtime.scope import current
from perdure.runtime.values import encode_input, failed
from perdure.sites.bodies import timed_attempt
from perdure.sites.cancel import cancel, rested
from perdure.sites.children import ring_results
from perdure.sites.executions import execution_name
from perdure.sites.host import Host
from perdure.sites.keep import unkept
from perdure.sites.operations import Attempt
from perdure.sites.site_waits import given_up
from perdure.sites.state import fields, text
from perdure.sites.visit import Visit
from perdure.store.inbox import put_event
from perdure.store.match import match, rung
from perdure.store.protocol import RunRecord, RunStore, Versions
from perdure.store.runs import find_run
from perdure.store.sqlite import SqliteStore
from perdure.testing.answers import answered
from perdure.testing.bundles import Loaded, active_bundle
from perdure.testing.request import RUN_ID, RUN_SEED, Request, Result, ScriptedEvent
from perdure.testing.scripts import Attempt as ScriptedAttempt
from perdure.testing.scripts import RunsBody, ScriptError
from perdure.testing.spans import Spans
from perdure.trace import End, Trace, error_json
from perdure_gcp.answers import answer
from perdure_gcp.engine.invocations import Invocation, invoke
from perdure_gcp.target import GcpTarget, folder_of, sites_of
from perdure_gcp.workflows import Execution, Failure, Project, Response
from perdure_gcp.workflows import Request as Sent
from perdure_gcp.workflows.http import Later
from perdure_gcp.workflows.project import START

__all__ = ["Refused", "compiled", "run_flow"]

SITES = "https://sites.example"


def run_flow(request: Request) -> Result:
    """Compile the flow of the request and run it on the Workflows engine."""
    program, machines, artifacts = compiled(FlowName(request.file, request.flow))
    bundle = artifacts["bundle.zip"]
    assert isinstance(bundle, bytes), "the bundle is a zip"
    request.scripts.check_names(step.name for step in program.steps)
    with active_bundle(bundle, list(sites_of(machines, program))) as loaded:
        try:
            arguments = encode_input(loaded.flow, request.arguments)
        except InvalidInput as error:
            return Result(Trace((), End("failed", None, error_json(failed(error)))), error=error)
        sources = {
            str(one.ref): str(artifacts[_path_of(number, machines)])
            for number, one in enumerate(machines.machines)
        }
        store = SqliteStore(":memory:")
        try:
            test = Test(request, loaded, store, sources)
            execution = test.run(str(program.entry), arguments)
            return test.result(execution, Spans(machines, {}))
        finally:
            store.close()


def _path_of(number: int, machines: Machines) -> str:
    folder = "" if number == 0 else f"{folder_of(machines.machines[number].ref, machines)}/"
    return f"{folder}workflow.yaml"


def compiled(
    name: FlowName,
) -> tuple[Program, Machines, Mapping[str, bytes | str]]:
    """Flow IR, Machine IR and artifacts of one flow; `Refused` where this target says no."""
    report = Report()
    target = GcpTarget()
    analysis = check_flow(name, report)
    program = None if analysis is None else build_program(analysis, report)
    machines = None if program is None else build_machines(program, "gcp", report)
    if machines is not None:
        target.check(machines, report)
    if analysis is None or program is None or machines is None or not report.ok:
        raise Refused(report)
    return program, machines, target.lower(machines, program, analysis.project)


@final
class Test:
    """One test run: the project, the store, the script, and what the sites reported."""

    def __init__(
        self, request: Request, loaded: Loaded, store: RunStore, sources: Mapping[str, str]
    ) -> None:
        self.request = request
        self.loaded = loaded
        self.store = store
        self.records: list[Mapping[str, Json]] = []
        self.logs: list[LogRecord] = []
        self.ended: set[str] = set()
        """Branches that ended by themselves."""
        self.failure: BaseException | None = None
        self.waits: dict[tuple[str, str, str], tuple[Host, Mapping[str, Json]]] = {}
        """What the sites that registered a wait were told, by run, scope and pc."""
        self.prefixes: dict[str, str | None] = {RUN_ID: ""}
        """What stands before the paths of a run in the trace; None: it has a trace of its own."""
        self.started: dict[str, Execution] = {}
        """Executions by the name that their run gives them."""
        self.cancelled = False
        self.project = Project(seed=request.seed)
        for flow, source in sources.items():
            self.project.deploy(flow, source, {"PERDURE_SITES": SITES})
        self.project.route(SITES, self._serve)
        for number, event in enumerate(request.events):
            self._at(event.after, partial(self._deliver, event, number))
        if request.cancel is not None:
            self._at(request.cancel, self._cancel)

    def run(self, flow: str, arguments: Json) -> Execution:
        """The run itself, to its end."""
        given: dict[str, Json] = {"run": {"id": RUN_ID, "seed": RUN_SEED}, "input": arguments}
        execution = self.project.start(flow, {"state": json.dumps(given)})
        self.started[execution_name(RUN_ID)] = execution
        self.project.run_all(until=execution)
        return execution

    # --- the sites' service ---------------------------------------------------------------------

    def _serve(self, sent: Sent) -> Response | Later | Failure:
        return invoke(self.project, lambda invocation: self._answer(sent, invocation))

    def _answer(self, sent: Sent, invocation: Invocation) -> Response:
        asked: dict[str, Json] = json.loads(sent.body)
        host = self._host(text(fields(asked["ask"])["flow"]), invocation)
        try:
            said = answer(host, asked, self, waits=partial(self._waits, host))
        except BaseException as error:
            self.failure = self.failure or error
            raise
        return Response(200, json.dumps(said, ensure_ascii=False).encode())

    def _waits(self, host: Host, event: Mapping[str, Json]) -> None:
        run = text(fields(unkept(self.store, fields(event["next"]))["run"])["id"])
        self.waits[run, text(event["scope"]), text(event["wait"])] = (host, event)

    def _host(self, flow: str, invocation: Invocation) -> Host:
        """What the sites of that flow work with."""
        table = self.loaded.tables[flow]
        return Host(
            table=table,
            store=self.store,
            steps=ScriptedSteps(self, invocation),
            bell=Doorbells(self.project),
            executions=Executions(self),
            flow_named=self.loaded.flows.__getitem__,
            versions=Versions("test", "3.13", 1, table.digest),
            target="gcp",
            now=invocation.now,
            sleep=invocation.sleep,
            functions=self.loaded.functions,
            misfit=self._misfit,
            settle=invocation.settle,
            waiting_branches=100_000,
        )

    def _misfit(self, problem: str) -> None:
        self.failure = self.failure or ScriptError(problem)

    def told(self, event: Mapping[str, Json], said: Mapping[str, Json]) -> None:
        """What an invocation reports."""
        said = unkept(self.store, said)
        run = text(fields(unkept(self.store, fields(event["next"]))["run"])["id"])
        records, logs, ended = said.get("records"), said.get("logs"), said.get("ended")
        if isinstance(records, list):
            for record in records:
                self.record(run, text(event["flow"]), fields(record))
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
        self.project.at(START + seconds, action)

    def _deliver(self, event: ScriptedEvent, number: int) -> None:
        now = self.project.clock
        payload = encode(event.payload)
        put_event(self.store, RUN_ID, event.name, payload, id=f"scripted {number}", now=now)
        for bell in match(self.store, RUN_ID, event.name):
            Doorbells(self.project).ring(bell.token)
            rung(self.store, bell)

    def _given_up(self) -> None:
        """Record the waits that no site will come after: the run was cancelled in them."""
        known = {text(record["prefix"]) + text(record["path"]) for record in self.records}
        for host, event in self.waits.values():
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
        bell = Doorbells(self.project)
        now = self.project.clock
        cancel(self.store, RUN_ID, bell, Executions(self), now=now, ended=self._ring)

    def _ring(self, record: RunRecord) -> None:
        flow = self.loaded.flows[record.flow]
        now = self.project.clock
        ring_results(self.store, record, Doorbells(self.project), flow, now)

    # --- the end --------------------------------------------------------------------------------

    def result(self, execution: Execution, spans: Spans) -> Result:
        """The result of the run, with the trace that its sites reported."""
        if self.failure is not None:
            raise self.failure
        if self.cancelled and execution.state != "ACTIVE":
            self._given_up()
        entries = tuple(spans.entry(record) for record in self.records)
        value: object = None
        error: BaseException | None = None
        match execution.state:
            case "SUCCEEDED":
                record = find_run(self.store, RUN_ID).end
                assert record is not None, "the last site has recorded the end"
                value = decode(record.value)
                end = End("done", encode(value))
            case "ACTIVE":
                end = End("waiting")
            case "CANCELLED":
                error, end = asyncio.CancelledError(), End("cancelled")
            case "FAILED" if _is_a_year_old(execution):
                end = End("waiting")  # nothing but the engine's own limit ends it
            case "FAILED":
                error = _error_of(execution)
                is_cancel = self.cancelled and isinstance(error, asyncio.CancelledError)
                told = error_json(failed(error))
                end = End("cancelled") if is_cancel else End("failed", None, told)
        return Result(
            Trace(entries, end, frozenset(self.ended)),
            result=value,
            error=error,
            transitions=execution.steps,
            history=tuple(execution.history),
            logs=tuple(self.logs),
        )


@final
@dataclass(frozen=True, slots=True)
class ScriptedSteps:
    """Runs attempts by the test's script."""

    test: Test
    invocation: Invocation

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
            self.invocation.sleep(attempt.until - attempt.now)
            return None
        if ended > deadline:
            self.invocation.sleep(deadline - attempt.now)
            return raised(TimeoutError())
        self.invocation.sleep(answer.after_seconds)
        return answered(step, answer)


@final
@dataclass(frozen=True, slots=True)
class Executions:
    """Starts and stops executions in the project."""

    test: Test

    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        """A new execution, once for each name; traces of children lie below their parents'."""
        if name in self.test.started:
            return
        if "branch" in given:
            self.test.started[name] = self.test.project.start(flow, dict(given))
            return
        record = find_run(self.test.store, text(fields(given["run"])["id"]))
        prefixes = self.test.prefixes
        over = [run for run in prefixes if record.run.startswith(f"{run}/")]
        above = max(over, key=len, default="")
        if record.parent is None or prefixes.get(above) is None:
            prefixes[record.run] = None
        else:
            prefixes[record.run] = record.run.removeprefix(f"{RUN_ID}/") + "/"
        state = {"state": json.dumps(dict(given))}
        self.test.started[name] = self.test.project.start(flow, state)

    def events(self, flow: str, name: str) -> int:
        """Nobody asks: executions of Workflows are not handed over by the length of a history."""
        raise AssertionError("no history is counted")

    def stop(self, flow: str, name: str) -> None:
        """Cancel an execution: what the run rested in is the last line of its trace."""
        run = next((run for run in self.test.prefixes if execution_name(run) == name), None)
        if run is None:  # a branch
            self.test.project.cancel(self.test.started[name])
            return
        rest = rested(self.test.store, run)
        if rest is not None:
            self.test.record(run, flow, {**fields(rest["line"]), "time": self.test.project.clock})
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


def _log(record: Mapping[str, Json]) -> LogRecord:
    logger = record["logger"]
    return LogRecord(
        text(record["scope"]),
        int(str(record["ordinal"])),
        None if logger is None else text(logger),
        text(record["level"]),
        text(record["text"]),
    )


def _is_a_year_old(execution: Execution) -> bool:
    error = execution.error
    tags = error.get("tags") if isinstance(error, dict) else None
    return tags == ["TimeoutError"]  # those of the flow have our own name too


def _error_of(execution: Execution) -> BaseException:
    """The flow's own error, or the limit of Workflows that ended it."""
    error = execution.error
    if not isinstance(error, dict):
        return RuntimeError(repr(error))
    encoded, message, tags = error.get("error"), error.get("message"), error.get("tags")
    if isinstance(encoded, str):
        return decode_error(json.loads(encoded))
    if isinstance(message, str) and isinstance(tags, list):
        if "MemoryLimitExceededError" in tags:
            return LimitExceeded(f"memory_bytes: {message}")
        if "ResourceLimitError" in tags:
            return LimitExceeded(message)
    return RuntimeError(repr(error))
