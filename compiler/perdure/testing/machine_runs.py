"""What a test run on a machine target is, whatever engine runs it: `MachineRun`, `ScriptedSteps`.

The engine brings its clock, its doorbells and its executions; compiled sites run in this process.
Here is what they report, what comes from outside, how the trace is put together, and how a step
is answered by its script.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, final

from perdure.backend import Artifacts, MachineTarget
from perdure.codec import Json, decode, decode_error, decode_slots, encode
from perdure.diagnostics import Refused, Report
from perdure.driver import FlowName, build_machines, build_program, check_flow
from perdure.errors import InvalidInput
from perdure.ir import Program
from perdure.machine.ir import Machines
from perdure.runtime.bodies import Attempted, raised
from perdure.runtime.engine import LogRecord
from perdure.runtime.scope import current
from perdure.runtime.values import failed
from perdure.sites.bodies import timed_attempt
from perdure.sites.cancel import cancel, rested
from perdure.sites.children import ring_results
from perdure.sites.executions import Executions
from perdure.sites.host import Host
from perdure.sites.keep import unkept
from perdure.sites.operations import Attempt
from perdure.sites.site_waits import given_up
from perdure.sites.state import fields, text
from perdure.sites.visit import Visit
from perdure.sites.waits import Bell
from perdure.store.inbox import put_event
from perdure.store.match import match, rung
from perdure.store.protocol import RunRecord, RunStore
from perdure.store.runs import find_run
from perdure.testing.answers import answered
from perdure.testing.bundles import Loaded
from perdure.testing.request import RUN_ID, Request, Result, ScriptedEvent
from perdure.testing.scripts import Attempt as ScriptedAttempt
from perdure.testing.scripts import RunsBody, ScriptError
from perdure.testing.spans import Spans
from perdure.trace import End, Trace, TraceEntry, error_json

__all__ = ["Compiled", "MachineRun", "ScriptedSteps", "compiled_for", "refused_input"]


@final
class Compiled(NamedTuple):
    """Flow IR, Machine IR and artifacts of one flow."""

    program: Program
    machines: Machines
    artifacts: Artifacts


def compiled_for(name: FlowName, target: MachineTarget) -> Compiled:
    """One flow, compiled in memory; `Refused` where the target says no."""
    report = Report()
    analysis = check_flow(name, report)
    program = None if analysis is None else build_program(analysis, report)
    machines = None if program is None else build_machines(program, target.name, report)
    if machines is not None:
        target.check(machines, report)
    if analysis is None or program is None or machines is None or not report.ok:
        raise Refused(report)
    return Compiled(program, machines, target.lower(machines, program, analysis.project))


def refused_input(error: InvalidInput) -> Result:
    """The result of a run that its input kept from starting."""
    return Result(Trace((), End("failed", None, error_json(failed(error)))), error=error)


@final
class MachineRun:
    """One run under test: what its sites report, and what reaches it from outside."""

    def __init__(self, request: Request, loaded: Loaded, store: RunStore) -> None:
        self.request = request
        self.loaded = loaded
        self.store = store
        self.records: list[Mapping[str, Json]] = []
        self.logs: list[LogRecord] = []
        self.ended: set[str] = set()
        """Branches that ended by themselves."""
        self.failure: BaseException | None = None
        """The first error of our own: the test gets it instead of a result."""
        self.runs = {RUN_ID: RUN_ID}
        """The run of each execution, by the execution's name."""
        self.prefixes: dict[str, str | None] = {RUN_ID: ""}
        """What stands before the paths of a run in the trace; None: it has a trace of its own."""
        self.cancelled = False
        self._waits: dict[tuple[str, str, str], tuple[Host, Mapping[str, Json]]] = {}
        """What the sites that registered a wait were told, by run, path of the scope and pc."""

    # --- what sites report ----------------------------------------------------------------------

    def told(self, event: Mapping[str, Json], said: Mapping[str, Json]) -> None:
        """What an invocation reports: lines of the trace, log records, branches that ended."""
        said = unkept(self.store, said)
        run = text(fields(self._state(event)["run"])["id"])
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

    def waits(self, host: Host, event: Mapping[str, Json]) -> None:
        """A site registers a wait; the last word about each counts."""
        state = self._state(event)
        scope = state.get("scope")
        path = text(scope["path"]) if isinstance(scope, Mapping) else ""
        self._waits[text(fields(state["run"])["id"]), path, text(event["wait"])] = (host, event)

    def misfit(self, problem: str) -> None:
        """A payload does not fit the wait that took it."""
        self.failure = self.failure or ScriptError(problem)

    def _state(self, event: Mapping[str, Json]) -> Mapping[str, Json]:
        return unkept(self.store, fields(event["next"]))

    # --- executions -----------------------------------------------------------------------------

    def begins(self, name: str, run: str) -> RunRecord:
        """An execution of that run begins; traces of children lie below their parents'."""
        record = find_run(self.store, run)
        self.runs[name] = record.run
        if record.run not in self.prefixes:
            over = [run for run in self.prefixes if record.run.startswith(f"{run}/")]
            above = self.prefixes.get(max(over, key=len, default=""))
            is_apart = record.parent is None or above is None
            inner = record.run.removeprefix(f"{RUN_ID}/") + "/"
            self.prefixes[record.run] = None if is_apart else inner
        return record

    def stops(self, name: str, flow: str, now: float) -> None:
        """An execution is stopped: what its run rested in is the last line of its trace."""
        run = self.runs[name]
        rest = rested(self.store, run)
        if rest is not None:
            self.record(run, flow, {**fields(rest["line"]), "time": now})

    # --- what comes from outside ----------------------------------------------------------------

    def deliver(self, event: ScriptedEvent, number: int, bell: Bell, now: float) -> None:
        """A scripted event comes."""
        payload = encode(event.payload)
        put_event(self.store, RUN_ID, event.name, payload, id=f"scripted {number}", now=now)
        for one in match(self.store, RUN_ID, event.name):
            bell.ring(one.token)
            rung(self.store, one)

    def cancel(self, bell: Bell, executions: Executions, now: float) -> None:
        """The run is asked to cancel."""
        self.cancelled = True

        def ended(record: RunRecord) -> None:
            ring_results(self.store, record, bell, self.loaded.flows[record.flow], now)

        cancel(self.store, RUN_ID, bell, executions, now=now, ended=ended)

    # --- the end --------------------------------------------------------------------------------

    def recorded_value(self) -> object:
        """What the run gave, as its last site recorded it."""
        record = find_run(self.store, RUN_ID).end
        assert record is not None, "the last site has recorded the end"
        return decode(record.value)

    def recorded_error(self) -> BaseException | None:
        """How the run failed, if that is recorded: whole, however long its text is."""
        recorded = find_run(self.store, RUN_ID).end
        if recorded is None or recorded.error is None:
            return None
        return decode_error(recorded.error)

    def failed_with(self, error: BaseException) -> End:
        """The end of a run that failed, or that was cancelled and says so."""
        if self.cancelled and isinstance(error, asyncio.CancelledError):
            return End("cancelled")
        return End("failed", None, error_json(failed(error)))

    def entries(self, spans: Spans, *, over: bool) -> tuple[TraceEntry, ...]:
        """The trace; `over`: the run has ended, and no site comes after the waits it was in."""
        if self.failure is not None:
            raise self.failure
        if self.cancelled and over:
            self._give_up()
        return tuple(spans.entry(record) for record in self.records)

    def _give_up(self) -> None:
        """Record the waits that no site will come after: the run was cancelled in them."""
        known = {text(record["prefix"]) + text(record["path"]) for record in self.records}
        for host, event in self._waits.values():
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


@final
@dataclass(frozen=True, slots=True)
class ScriptedSteps:
    """Runs attempts by the test's script; `sleep` lets the engine's clock move."""

    run: MachineRun
    sleep: Callable[[float], None]

    def attempt(self, attempt: Attempt) -> Attempted | None:
        """The answer, after the time it takes; the body's where the script says so."""
        step, deadline = attempt.step, attempt.this.deadline.timestamp()
        arguments = decode_slots(dict(attempt.arguments))
        path = f"{self.run.prefixes[attempt.this.run_id] or ''}{attempt.path}"
        asked = ScriptedAttempt(step.name, path, attempt.this.attempt, arguments)
        answer = self.run.request.scripts.answer(asked)
        if isinstance(answer, RunsBody):
            return asyncio.run(timed_attempt(attempt))
        ended = attempt.now + answer.after_seconds
        if attempt.until is not None and attempt.until < min(ended, deadline):
            self.sleep(attempt.until - attempt.now)
            if not attempt.is_cancelled():
                return None
            attempt = replace(attempt, now=attempt.until)
            answer = answer._replace(after_seconds=ended - attempt.now)
        if ended > deadline:
            self.sleep(deadline - attempt.now)
            return raised(TimeoutError())
        self.sleep(answer.after_seconds)
        return answered(step, answer)


def _log(record: Mapping[str, Json]) -> LogRecord:
    logger = record["logger"]
    return LogRecord(
        text(record["scope"]),
        int(str(record["ordinal"])),
        None if logger is None else text(logger),
        text(record["level"]),
        text(record["text"]),
    )
