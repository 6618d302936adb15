"""One invocation of the sites function: a state comes in, the next one goes out.

    run    drive to the operation, perform it, drive on to the next stop
    route  drive to the next stop
    wait   register a wait under a task token; what answers is the doorbell
    over   a wait's time is up: look once more

Nothing here knows Lambda, DynamoDB or moto: those are the `Host`.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import final

from perdure.codec import (
    Json,
    conform_json,
    decode,
    decode_error,
    decode_slots,
    encode,
    encode_error,
    encode_slots,
)
from perdure.codec.descriptors import from_json
from perdure.codec.functions import FunctionTable
from perdure.errors import LimitExceeded
from perdure.language import Flow as UserFlow
from perdure.runtime.engine import Completed, Outcome
from perdure.runtime.scope import Scope as Counts
from perdure.runtime.scope import current
from perdure.runtime.values import failed, result_of
from perdure.sites import Flow, Operation, Site, Slots, Stop
from perdure.store.match import get_waiter
from perdure.store.protocol import RunStore, Versions
from perdure.store.runs import get_run
from perdure_aws import joins, waits
from perdure_aws.error_names import AGAIN, raised
from perdure_aws.failures import SiteFailure, failure
from perdure_aws.operands import (
    EngineOperands,
    Message,
    Prepare,
    StepCall,
    Wait,
    by_name,
    moment,
    wait_of,
)
from perdure_aws.operations import Again, Records, StepRunner, perform_message, perform_step
from perdure_aws.runs import SiteRun, begin, end_of_run
from perdure_aws.state import State, fields, text

__all__ = ["Host", "invoke"]

PAYLOAD_BYTES = 245_000
"""What a site hands on at most: Step Functions takes 262,144 bytes, with what it adds itself."""


@final
@dataclass(frozen=True, slots=True)
class Host:
    """What a site works with: the flow, the run store, who runs steps, time, doorbells."""

    flow: UserFlow[..., object]
    table: Flow
    store: RunStore
    steps: StepRunner
    bell: waits.Bell
    versions: Versions
    now: Callable[[], float]
    sleep: Callable[[float], None]
    functions: FunctionTable
    """Names the nested functions of the emitted module."""


def invoke(host: Host, event: Mapping[str, Json]) -> Json:
    """Answer one invocation; what it raises fails the Task under the exception's `error_type`."""
    visit = Visit(host, event)
    token = current.set(visit.counts)
    try:
        if "token" in event:
            return visit.register(text(event["wait"]), text(event["token"]))
        if "over" in event:
            return visit.time_is_up(text(event["over"]))
        if "run" in event:
            return visit.perform(text(event["run"]))
        route = event.get("route")
        return visit.route(None if route is None else text(route))
    finally:
        current.reset(token)


@final
class Visit:
    """One entry into a scope of a run, from the state that arrived to the one that leaves."""

    def __init__(self, host: Host, event: Mapping[str, Json]) -> None:
        self.host = host
        self.event = event
        self.scope_id = text(event["scope"])
        self.scope = host.table.scopes[self.scope_id]
        data = fields(event["next"])
        entered = datetime.fromisoformat(text(event["entered"])).timestamp()
        self.state = state = self._arrived(data, entered)
        if state.again is not None:
            entered = float(str(state.again["entered"]))
        self.entered = entered
        self.run = SiteRun(state.run, state.seed, entered, host.functions)
        # Pure code reads clock, seed and logs of its run; every operation is the site's to do.
        self.counts = Counts(self.run, state.path)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self.counts.counts.update(state.counts)
        self.counts.reads, self.counts.clocks = state.reads, state.clocks
        self.slots = Slots(decode_slots(_slots(state.slots), functions=host.functions))
        prepare = Prepare(host.table, self.scope_id, self.slots, self.counts, lambda: self.run.time)
        self.prepare = prepare
        self.site = Site(self.scope, self.slots, prepare)
        self.records = Records()

    def _arrived(self, data: Mapping[str, Json], entered: float) -> State:
        if "input" not in data:
            return State.read(data)
        host = self.host
        entry = host.table.scopes[""].entry
        state = begin(host.store, host.flow, data, entry=entry, versions=host.versions, now=entered)
        state.again = None if "again" not in data else fields(data["again"])
        return state

    # --- what a site does -----------------------------------------------------------------------

    def perform(self, pc: str) -> Json:
        """Drive to the operation at `pc`, perform it, drive on."""
        stop = self._drive(pc)
        if stop.kind != "operation" or stop.at != pc:
            raise self._failed(stop)
        try:
            outcome = self._operation(pc, stop.value)
        except _Repeat as repeat:
            raise self._again(repeat.again) from None
        self.run.time = self.host.now()
        if self._is_cancelled():
            raise self._failed(self.site.fail(pc, asyncio.CancelledError()))
        try:
            value = result_of(outcome)
        except BaseException as error:  # the flow's own, its handlers take it
            raise self._failed(self.site.fail(pc, error)) from None
        stop = self.site.resume(pc, value)
        if stop.raised is not None and "late" not in self.event:
            raise self._failed(stop)
        return self._reply(stop)

    def route(self, target: str | None) -> Json:
        """Drive to the next stop."""
        stop = self._drive(target)
        if stop.raised is not None:
            raise self._failed(stop)
        return self._reply(stop)

    def register(self, pc: str, token: str) -> Json:
        """Register the wait at `pc`; nobody reads the reply."""
        wait = self._new_wait(pc)
        waits.start(
            self.host.store,
            self.state.run,
            wait.path,
            wait.contestants,
            now=self.run.time,
            token=token,
            bell=self.host.bell,
        )
        self._cancel_if_asked(token)
        return None

    def time_is_up(self, pc: str) -> Json:
        """Settle a wait whose token has run out; an event that was there in time still wins."""
        wait = self._known_wait(pc)
        due = waits.first_due(wait.contestants)
        if due is not None and self.host.now() < due:
            self.host.sleep(due - self.host.now())
        waits.settle(self.host.store, self.state.run, wait.path, self.host.now())
        ended = waits.decided(self.host.store, self.state.run, wait.path, wait.contestants)
        if ended is None:
            raise RuntimeError(f"the wait {wait.path!r} is over, and not decided")
        if ended.timed_out and wait.contestants[ended.contestant].event is not None:
            self._record_event(pc, wait, ended.contestant, failed(TimeoutError()))
            error = encode_error(TimeoutError(), ordered=True)
            says: dict[str, Json] = {"error": error, "records": list(self.records.lines)}
            raise failure(raised(""), says)
        return None

    # --- driving --------------------------------------------------------------------------------

    def _drive(self, target: str | None) -> Stop:
        """From where the state says, after binding what came along."""
        along = self.state.along
        if along is None:
            return self.site.drive(self.state.at, target)
        bind = along.get("bind")
        slot = None if bind is None else text(bind)
        if "error" in along:
            error = decode_error(along["error"])
            self._wait_failed(along.get("origin"), error)
            self.site.bind(slot, error)
        elif "slept" in along:
            self._record_sleep(fields(along["slept"]))
            self.site.bind(slot, None)
        else:
            try:
                value = self._came_along(along)
            except BaseException as error:  # the flow's own
                return self.site.fail(text(along["origin"]), error)
            self.site.bind(slot, value)
        return self.site.drive(self.state.at, target)

    def _wait_failed(self, origin: Json, error: BaseException) -> None:
        """A wait ended with an error: what its own site would have counted and recorded."""
        if origin is None:
            return
        pc = text(origin)
        wait = self._known_wait(pc)
        if isinstance(error, asyncio.CancelledError):
            self.state.cancelled = True
            for index, contestant in enumerate(wait.contestants):
                if contestant.event is not None:
                    self._record_event(pc, wait, index, None)

    def _came_along(self, along: Mapping[str, Json]) -> object:
        """The value of the native operation before; its error is raised."""
        if "received" in along:
            return self._received(text(along["origin"]))
        if "won" in along:
            return joins.won(along["won"], text(along["kind"]))
        outcomes = along["outcomes"]
        assert isinstance(outcomes, list), "the branches of a fork end as a list"
        if along["kind"] == "quorum":
            raise joins.quorum_failed(outcomes)
        operands = self.state.operands or {}
        return joins.gathered(
            outcomes, return_exceptions=bool(operands.get("return_exceptions", False))
        )

    def _received(self, pc: str) -> object:
        """What the wait at `pc` gives: an event's payload, or a race's winner and value."""
        wait = self._known_wait(pc)
        ended = waits.decided(self.host.store, self.state.run, wait.path, wait.contestants)
        if ended is None:
            raise RuntimeError(f"the wait {wait.path!r} went on without a decision")
        contestant, detail = wait.contestants[ended.contestant], wait.details[ended.contestant]
        if contestant.event is None:
            for other, its_detail in zip(wait.contestants, wait.details, strict=True):
                if other.event is None and other.due == contestant.due:
                    self._record_sleep({**its_detail, "contestant": other.name})
            return contestant.name, None
        payload = decode(ended.payload)
        declared = detail["type"]
        if declared is not None:
            payload = conform_json(payload, from_json(declared), "payload")
        outcome = Completed(encode(payload))
        self._record_event(pc, wait, ended.contestant, outcome)
        value = result_of(outcome)
        return (contestant.name, value) if wait.is_race else value

    def _new_wait(self, pc: str) -> Wait:
        """The wait to register: operands of the site before, or evaluated by this one."""
        if self._node(pc).kind != "wait":
            return wait_of(self.state.operands or {})
        stop = self.site.drive(self.state.at, pc)
        if not isinstance(stop.value, Wait):
            raise self._failed(stop)
        return stop.value

    def _known_wait(self, pc: str) -> Wait:
        """The wait that was registered, as it was then.

        Evaluating its operands changes no slot, so whoever comes by does it again, at the time
        of the wait.
        """
        node = self._node(pc)
        if node.kind != "wait":
            return wait_of(self.state.operands or {})
        path = self.counts.peek(node.label)
        registered = get_waiter(self.host.store, self.state.run, path)
        entered = self.run.time
        self.run.time = entered if registered is None else registered.since
        try:
            return self.prepare.wait(node, by_name(node.code(self.slots)))
        finally:
            self.run.time = entered

    def _node(self, pc: str) -> Operation:
        node = self.scope.nodes[pc]
        assert isinstance(node, Operation), f"{pc!r} is an operation"
        return node

    # --- operations -----------------------------------------------------------------------------

    def _operation(self, pc: str, ready: object) -> Outcome:
        node = self._node(pc)
        again = self.state.again
        number = 1 if again is None else int(str(again["attempt"]))
        path = self.counts.enter(node.label)
        match ready:
            case StepCall():
                ended = perform_step(
                    self.host.steps,
                    ready.step,
                    ready.arguments,
                    run=self.state.run,
                    path=path,
                    label=node.label,
                    number=number,
                    now=self.host.now,
                    records=self.records,
                )
                if isinstance(ended, Again):
                    raise _Repeat(ended)
                return ended.outcome
            case Message():
                return perform_message(
                    self.host.store,
                    self.state.run,
                    ready.name,
                    ready.value,
                    path=path,
                    label=node.label,
                    now=self.host.now(),
                    records=self.records,
                )
            case _:
                raise TypeError(f"not an operation of a site: {ready!r}")

    def _record_sleep(self, record: Mapping[str, Json]) -> None:
        self.records.add(
            text(record["path"]),
            "sleep",
            "sleep",
            fields(record["arguments"]),
            Completed(None),
            label=text(record["label"]),
            time=self.run.time,
            contestant=record.get("contestant"),
        )

    def _record_event(self, pc: str, wait: Wait, index: int, outcome: Outcome | None) -> None:
        node = self._node(pc)
        contestant = wait.contestants[index]
        self.records.add(
            text(wait.details[index]["path"]),
            "event",
            contestant.event or "",
            {},
            outcome,
            label=node.label,
            time=self.run.time,
            contestant=contestant.name if wait.is_race else None,
        )

    # --- cancelling -----------------------------------------------------------------------------

    def _is_cancelled(self) -> bool:
        """Whether the flow must see a CancelledError here: once."""
        if self.state.cancelled:
            return False
        record = get_run(self.host.store, self.state.run)
        self.state.cancelled = record is not None and record.cancel is not None
        return self.state.cancelled

    def _cancel_if_asked(self, token: str) -> None:
        """A wait that begins when the run was cancelled already ends at once."""
        if self._is_cancelled():
            from perdure_aws.cancel import cancel_wait

            cancel_wait(self.host.bell, token)

    # --- leaving --------------------------------------------------------------------------------

    def _reply(self, stop: Stop) -> Json:
        return {
            "next": self._next(stop),
            "records": list(self.records.lines),
            "logs": [log._asdict() for log in self.run.logs],
        }

    def _next(self, stop: Stop) -> dict[str, Json]:
        """The state for what comes next."""
        more: dict[str, Json] = {}
        if stop.decisions:
            more["decisions"] = dict(stop.decisions)
        if stop.raised is not None:
            more["raised"] = stop.raised
        match stop.kind:
            case "native":
                more["operands"] = _engine_operands(stop.value)
            case "return":
                more.update(self._ended(completed_or_failed(stop.value)))
            case "failed":
                assert stop.error is not None, "a scope that failed has an error"
                more.update(self._ended(failed(stop.error)))
            case _:
                pass
        crossing = (
            {} if stop.kind in ("return", "failed") else self.scope.crossing(self.slots, stop.at)
        )
        state = self.state
        state.at = stop.at
        state.slots = encode_slots(crossing, ordered=True, functions=self.host.functions)
        repeating = self.scope.repeating
        state.counts = {n: c for n, c in self.counts.counts.items() if n in repeating}
        state.reads, state.clocks = self.counts.reads, self.counts.clocks
        return self._checked(state.write(**more))

    def _ended(self, outcome: Outcome) -> dict[str, Json]:
        """How the scope ends: its value or error; for a race, what the winning failure says."""
        kind = "value" if isinstance(outcome, Completed) else "error"
        data = outcome.value if isinstance(outcome, Completed) else outcome.error
        ended: dict[str, Json] = {kind: data}
        if not self.scope_id:
            end_of_run(self.host.store, self.state.run, outcome, self.host.now())
        if "wins" in self.event:
            branch = self.event["branch"]
            name = self.scope_id.rpartition("[")[2].rstrip("]")
            ended["won"] = json.dumps({"name": name, "index": branch, kind: data})
        return ended

    def _checked(self, state: dict[str, Json]) -> dict[str, Json]:
        size = len(json.dumps(state, ensure_ascii=False).encode())
        if size > PAYLOAD_BYTES:
            node = text(self.event.get("site"))
            error = LimitExceeded(
                f"payload_bytes: {size} bytes leave {node!r}, and Step Functions carries 262144"
            )
            raise failure("LimitExceeded", {"next": {"error": encode_error(error)}})
        return state

    def _failed(self, stop: Stop) -> SiteFailure:
        """The Task fails: its name says where the flow goes on, or that the run has failed."""
        says: dict[str, Json] = {
            "next": self._next(stop),
            "records": list(self.records.lines),
            "logs": [log._asdict() for log in self.run.logs],
        }
        handler = stop.raised or ""
        if handler or self.scope_id:
            return failure(raised(handler), says)
        return failure(type(stop.error).__name__, says)

    def _again(self, again: Again) -> SiteFailure:
        """Another attempt: the same state, entered once more at its time."""
        data = dict(fields(self.event["next"]))
        data["again"] = {
            "attempt": again.number,
            "until": moment(again.until),
            "entered": self.entered,
        }
        return failure(AGAIN, {"next": data})


class _Repeat(Exception):  # noqa: N818
    def __init__(self, again: Again) -> None:
        super().__init__()
        self.again = again


def completed_or_failed(value: object) -> Outcome:
    """The end of a scope that returned; a value that cannot cross is its error."""
    try:
        return Completed(encode(value, ordered=True, path="result"))
    except (TypeError, ValueError) as error:
        return failed(error)


def _slots(data: Json) -> dict[str, Json]:
    assert isinstance(data, dict), "slots are an object"
    return data


def _engine_operands(value: object) -> Json:
    assert isinstance(value, EngineOperands), "the driver stopped at an operation of the engine's"
    return value.data
