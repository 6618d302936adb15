"""One entry of a site into a scope of a run: from the state that arrived to the one that leaves.

It decodes the state, drives the flow's code, binds what came along, and writes the next state.
What a site does in between is in `perdure.sites.site`; waits are in `perdure.sites.site_waits`.
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import NoReturn, final

from perdure.codec import (
    Json,
    UncodableError,
    conform,
    decode_error,
    decode_slots,
    encode,
    encode_slots,
)
from perdure.errors import LimitExceeded
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.scope import Scope as Counts
from perdure.runtime.values import failed, result_type
from perdure.sites import (
    Catch,
    Operation,
    Site,
    Slots,
    Stop,
    children,
    deadlines_of,
    forked,
    messages,
    open_groups,
    site_forks,
    site_waits,
    wide,
)
from perdure.sites.cancel import is_overtaken, rest
from perdure.sites.error_names import AGAIN, ended, lingering, raised
from perdure.sites.error_names import wide as wide_name
from perdure.sites.failures import SiteFailure, failure
from perdure.sites.host import DEEPER, Host
from perdure.sites.keep import CAUSE_CHARACTERS, PAYLOAD_BYTES, keep, short, size_of, small, unkept
from perdure.sites.operands import EngineOperands, Prepare, moment, whole_seconds
from perdure.sites.operations import Again, Records
from perdure.sites.runs import SiteRun, begin, end_of_run
from perdure.sites.state import State, fields, text
from perdure.sites.waits import earlier
from perdure.store.runs import get_run

__all__ = ["Visit"]

EVENTS_OF_A_SITE = 30
"""Of a history: a Task's five, and more than the states between two sites have."""
PART_BYTES = 70_000
"""Of that, at a fork: the state, what its branches begin with, what they end with."""


@final
class Visit:
    """One entry into a scope of a run, from the state that arrived to the one that leaves."""

    def __init__(self, host: Host, event: Mapping[str, Json]) -> None:
        self.host = host
        self.event = event
        self.scope_id = text(event["scope"])
        self.scope = host.table.scopes[self.scope_id]
        data = unkept(host.store, fields(event["next"]))
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
        self.counts.logs = state.logs
        self.slots = Slots(decode_slots(_slots(state.slots), functions=host.functions))
        prepare = Prepare(
            host.table,
            self.slots,
            self.counts,
            now=lambda: self.run.time,
            cancelled=lambda: self.state.cancelled,
            waiting_branches=host.waiting_branches,
            wide=host.wide and not self.scope_id,
        )
        self.prepare = prepare
        open_groups.look(self)
        self.site = Site(self.scope, self.slots, prepare)
        self.records = Records()
        if not self.scope_id or state.fork is not None:
            state.events += EVENTS_OF_A_SITE

    def _arrived(self, data: Mapping[str, Json], entered: float) -> State:
        if "input" not in data:
            return State.read(data)
        host = self.host
        entry = host.table.scopes[""].entry
        state = begin(
            host.store,
            host.flow,
            data,
            entry=entry,
            versions=host.versions,
            target=host.target,
            now=entered,
        )
        state.again = None if "again" not in data else fields(data["again"])
        return state

    # --- driving --------------------------------------------------------------------------------

    def drive(self, target: str | None) -> Stop:
        """From where the state says, after binding what came along."""
        due = self.next_deadline() if self.state.fresh else None
        if due is not None and self.run.time > due:
            with suppress(asyncio.CancelledError):
                self.pass_deadline()
            return Stop("failed", self.state.at, {}, "", None, asyncio.CancelledError())
        if self.state.fresh and self.is_cancelled():
            # A branch that was still queued: none of its code has run, none runs now.
            return Stop("failed", self.state.at, {}, "", None, asyncio.CancelledError())
        along = self.state.along
        if along is None:
            return self.site.drive(self.state.at, target)
        bind = along.get("bind")
        slot = None if bind is None else text(bind)
        if "error" in along:
            error = decode_error(along["error"])
            if along.get("origin") is not None:
                site_waits.failed(self, text(along["origin"]), error)
            self.site.bind(slot, error)
            return self.site.drive(self.state.at, target)
        try:
            value = self._came_along(along)
        except SiteFailure:
            raise
        except BaseException as error:  # the flow's own
            if isinstance(error, asyncio.CancelledError):
                self.is_cancelled()
            origin = text(along["origin"])
            handler = self.node(origin).handler
            if handler and self._handles(origin):
                self.site.bind(self._caught_in(handler), error)
                return self.site.drive(handler, target)
            if handler:
                raise self._ended_with(origin, error) from None
            return self.site.fail(origin, error)
        self.site.bind(slot, value)
        return self.site.drive(self.state.at, target)

    def _came_along(self, along: Mapping[str, Json]) -> object:
        """The value of the native operation before; its error is raised."""
        if self.along_is("slept") or self.along_is("paused"):
            site_waits.slept(self, fields(along.get("slept", along.get("paused"))))
            return None
        if "received" in along:
            return site_waits.received(self, text(along["origin"]))
        if "ended" in along:
            if "ask" in (self.state.operands or {}):
                return messages.answered(self)
            return children.child_ended(self, text(along["origin"]))
        return site_forks.joined(self, along)

    def _handles(self, origin: str) -> bool:
        """Whether this very state is where an error of that native operation leads."""
        handled = self.event.get("handles")
        return isinstance(handled, list) and origin in handled

    def _caught_in(self, handler: str) -> str:
        """The slot that a handler finds its exception in."""
        catch = self.scope.nodes[handler]
        assert isinstance(catch, Catch), "a handler begins with a catch"
        return catch.slot

    def along_is(self, what: str, value: Json = None) -> bool:
        """Whether that came along, with this value if one is given."""
        along = self.state.along
        return along is not None and what in along and value in (None, along[what])

    def node(self, pc: str) -> Operation:
        """The operation at `pc`."""
        node = self.scope.nodes[pc]
        assert isinstance(node, Operation), f"{pc!r} is an operation"
        return node

    # --- cancelling -----------------------------------------------------------------------------

    def is_cancelled(self) -> bool:
        """Whether the flow must see a CancelledError here: once in each scope."""
        if self.state.cancelled:
            return False
        if self.cancel_is_asked():
            self.note_cancelled()
        return self.state.cancelled

    def note_cancelled(self) -> None:
        """The flow sees the CancelledError of its run: no deadline takes that back."""
        if not self.state.cancelled:
            self.state.cancelled = True
            around = deadlines_of(self.slots)
            if around is not None:
                around.cancelling += 1

    def cancel_is_asked(self) -> bool:
        """Whether somebody has asked the run to cancel."""
        record = get_run(self.host.store, self.state.run)
        return record is not None and record.cancel is not None

    def is_overtaken(self) -> bool:
        """Whether a race or a deadline of its parent has ended the run, before it knows."""
        return (
            not self.state.cancelled
            and self.cancel_is_asked()
            and is_overtaken(self.host.store, self.state.run)
        )

    def is_interrupted(self) -> bool:
        """Whether a group whose body this is has failed: what waits here ends."""
        return open_groups.is_interrupted(self)

    def give_up(self) -> NoReturn:
        """The operation ended without an outcome: by a cancel, or by a deadline."""
        if self.state.cancelled:
            raise asyncio.CancelledError
        self.pass_deadline()

    def next_deadline(self) -> float | None:
        """When the next deadline around this place is due."""
        around = deadlines_of(self.slots)
        first = None if around is None else around.first()
        return None if first is None else first.due

    def pass_deadline(self) -> NoReturn:
        """The next deadline has passed: the flow sees a CancelledError here."""
        self.settle_deadline()
        around = deadlines_of(self.slots)
        first = None if around is None else around.first()
        assert around is not None and first is not None, "what passed is there"  # noqa: PT018
        around.fire(first)
        raise asyncio.CancelledError

    def settle_deadline(self) -> None:
        """Let all else go first that is due at the moment of the next deadline."""
        around = deadlines_of(self.slots)
        if around is not None and (first := around.first()) is not None:
            self.host.settle(self.depth() - len(around.stack) + around.stack.index(first))

    def depth(self) -> int:
        """Of this place: how many children, forks and deadlines are around it."""
        blocks = len(around.stack) if (around := deadlines_of(self.slots)) is not None else 0
        return DEEPER * self.state.run.count("/") + self.state.path.count("[") + blocks

    def attempt_of(self, operands: Mapping[str, Json]) -> int:
        """The number of the attempt that is asked for."""
        number = operands.get("attempt", 1)
        assert isinstance(number, int | float), "attempts are counted"
        return int(number)

    # --- leaving --------------------------------------------------------------------------------

    def reply(self, stop: Stop) -> Json:
        """What a site answers: the next state, and what the run's trace gains."""
        if (passed := self.prepare.passed or self.run.passed) is not None:
            raise self._limit(passed)
        if stop.kind == "return" and (lost := self._uncodable(stop.value)) is not None:
            # No handler of the flow is left at its edge: the scope has failed.
            raise self.failed(Stop("failed", stop.at, {}, "", None, lost))
        try:
            state = self._next(stop)
        except UncodableError as lost:
            # What only run time knew to have no codec: the run ends, told apart by its TypeError.
            raise self.failed(Stop("failed", stop.at, {}, "", None, lost)) from None
        rest = self._rest()
        if size_of({"next": state, **rest}) > PAYLOAD_BYTES:
            rest = {"kept": keep(self.host.store, rest)}
        state = self._carried(state)
        if self._is_wide(state):
            raise self._fail(wide_name(stop.at), {"next": state, **rest})
        size = size_of({"next": state, **rest})
        if size > PAYLOAD_BYTES:
            raise self._limit(
                f"payload_bytes: {size} bytes of what the engine itself reads, and it carries"
                " 262144"
            )
        return {"next": state, **rest}

    def _carried(self, state: dict[str, Json]) -> dict[str, Json]:
        """The state as it travels: what is too large goes by reference.

        A fork's state and the ends of its branches travel on together.
        """
        operands = state.get("operands")
        forks = isinstance(operands, Mapping) and "branches" in operands
        alone = {name: value for name, value in state.items() if not forks or name != "operands"}
        if size_of(alone) <= (PART_BYTES if forks else PAYLOAD_BYTES // 2):
            return state
        return small(self.host.store, state)

    def failed(self, stop: Stop) -> SiteFailure:
        """The Task fails: its name says where the flow goes on, or that the run has failed."""
        if (passed := self.prepare.passed or self.run.passed) is not None:
            return self._limit(passed)
        handler = stop.raised or ""
        is_end = not handler and not self.scope_id
        name = type(stop.error).__name__ if is_end else raised(handler)
        try:
            # The name says it: in the state, the decision that follows would see it twice.
            state = self._next(stop._replace(raised=None))
        except UncodableError as lost:
            if stop.kind == "failed":
                raise
            return self.failed(Stop("failed", stop.at, {}, "", None, lost))
        name = wide_name(stop.at) if self._is_wide(state) else name
        return self._fail(name, {"next": state, **self._rest()})

    @staticmethod
    def _is_wide(state: Mapping[str, Json]) -> bool:
        operands = state.get("operands")
        return isinstance(operands, Mapping) and "wide" in operands

    def again(self, again: Again, pc: str, line: Mapping[str, Json]) -> SiteFailure:
        """Another attempt: the same state, entered once more at its time.

        `line`: how the trace shows the step if the run is cancelled before that.
        """
        if self._is_bare(pc):
            rest(self.host.store, self.state.run, self.state.generation, again.until, line)
        data = dict(unkept(self.host.store, fields(self.event["next"])))
        data.pop("fresh", None)
        deadline = self.next_deadline()
        until = earlier(again.until, deadline) or again.until
        data["again"] = {
            "attempt": again.number,
            "until": moment(until),
            "seconds": whole_seconds(until - self.host.now()),
            **({"overtaken": True} if until < again.until else {}),
            "entered": self.entered,
            "path": line["path"],
            **({"usage": line["usage"]} if "usage" in line else {}),
            "last": again.last.error if isinstance(again.last, Failed) else None,
        }
        return self._fail(AGAIN, {"next": data})

    def hand_over(self, name: str, data: Mapping[str, Json]) -> SiteFailure:
        """The run goes on in another execution, from this state, which has done nothing yet."""
        return self._fail(name, {"next": dict(data)})

    def lingering(self, origin: str) -> SiteFailure:
        """Children that were overtaken have not ended: this state is entered again when they have.

        It has done nothing yet.
        """
        return self._fail(lingering(origin), {"next": dict(fields(self.event["next"]))})

    def _ended_with(self, origin: str, error: BaseException) -> SiteFailure:
        """The native operation before ended with an error: where the flow goes on is its own edge.

        It is caught there already, as if Step Functions had seen it itself.
        """
        handler = self.node(origin).handler
        self.site.bind(self._caught_in(handler), error)
        state = self._next(Stop("settled", handler, {}))
        return self._fail(ended(origin), {"next": state, **self._rest()})

    def _fail(self, name: str, says: Mapping[str, Json]) -> SiteFailure:
        told = short(self.host.store, says)
        size = len(json.dumps(json.dumps(told)))
        if size > CAUSE_CHARACTERS and name.startswith("perdure."):
            return self._limit(
                f"cause_characters: {size} characters of operands follow an exception,"
                " and the engine carries 32768"
            )
        return failure(name, told)

    def _limit(self, what: str) -> SiteFailure:
        """The run ends: no handler of the flow sees this."""
        error = LimitExceeded(f"{what} ({text(self.event['line'])})")
        outcome = failed(error)
        self._end_run(outcome)
        return failure("LimitExceeded", {"next": {"error": outcome.error}})

    def _end_run(self, outcome: Outcome) -> None:
        """Record how the run ended, and tell those who wait for it."""
        host = self.host
        children.ring_ended(host, end_of_run(host.store, self.state.run, outcome, host.now()))

    def _rest(self) -> dict[str, Json]:
        """Lines of the trace and of the log."""
        return {
            "records": list(self.records.lines),
            **({"ended": list(self.records.ended)} if self.records.ended else {}),
            "logs": [log._asdict() for log in self.run.logs],
        }

    def _next(self, stop: Stop) -> dict[str, Json]:
        """The state for what comes next."""
        more: dict[str, Json] = {}
        is_end = stop.kind in ("return", "failed")
        if is_end and self.scope_id and not isinstance(stop.error, asyncio.CancelledError):
            self.records.ended.append(self.state.path)
        if stop.decisions:
            more["decisions"] = dict(stop.decisions)
        if stop.raised is not None:
            more["raised"] = stop.raised
        match stop.kind:
            case "native":
                if not self.node(stop.at).forked:
                    open_groups.begin_tasks(self)
                more["operands"] = self._operands(stop.at, stop.value)
            case "return":
                more.update(self._ended(Completed(self._returned(stop.value))))
            case "failed":
                assert stop.error is not None, "a scope that failed has an error"
                more.update(self._ended(failed(stop.error)))
            case _:
                pass
        crossing = {} if is_end else self.scope.crossing(self.slots, stop.at)
        state = self.state
        state.at = stop.at
        state.slots = encode_slots(crossing, ordered=True, functions=self.host.functions, live=True)
        state.counts = self._counts()
        state.reads, state.clocks = self.counts.reads, self.counts.clocks
        state.logs = self.counts.logs
        return state.write(**more)

    def _returned(self, value: object) -> Json:
        """What the scope gives: the flow's own result is what its annotation says."""
        declared = None if self.scope_id else result_type(self.host.flow)
        if declared is not None:
            value = conform(value, declared, "result")
        return encode(value, ordered=True, functions=self.host.functions, path="result")

    def _uncodable(self, value: object) -> TypeError | ValueError | None:
        """Why what a scope returned cannot cross, if it cannot."""
        try:
            self._returned(value)
        except (TypeError, ValueError) as error:
            return error
        return None

    def _counts(self) -> dict[str, int]:
        """Of labels that may come again: those in loops, and those that only values know."""
        labels = {n.label for n in self.scope.nodes.values() if isinstance(n, Operation)}
        once = labels - self.scope.repeating
        return {label: count for label, count in self.counts.counts.items() if label not in once}

    def _operands(self, pc: str, value: object) -> Json:
        assert isinstance(value, EngineOperands), "the driver stopped at an engine's operation"
        data = value.data
        if isinstance(data, dict) and "until" in data and self._is_late():
            now = self.host.now()
            return {**data, "until": moment(now), "seconds": 1}
        if isinstance(data, dict) and "until" in data and self._is_bare(pc):
            until = datetime.fromisoformat(text(data["until"])).timestamp()
            line = site_waits.sleep_line(fields(data["record"]), None, time=until)
            rest(self.host.store, self.state.run, self.state.generation, until, line)
        if isinstance(data, dict) and "branches" in data:
            is_forked = self.host.forks and self.node(pc).forked
            data = forked.prepared(self, pc, data) if is_forked else wide.prepared(self, pc, data)
        starts = _list(data.get("branches")) if isinstance(data, dict) else []
        if isinstance(data, dict) and size_of([*starts]) > PART_BYTES:
            return {**data, "branches": [self._kept(fields(start)) for start in starts]}
        return data

    def _kept(self, value: Mapping[str, Json]) -> Json:
        return {"kept": keep(self.host.store, value)}

    def _is_bare(self, pc: str) -> bool:
        """Whether Step Functions' own Wait stands there: nothing of the flow runs at a cancel."""
        return not (self.scope_id or self.node(pc).handler or self.state.cancelled)

    def _is_late(self) -> bool:
        """Whether a native wait must not begin: the run was cancelled while this site ran."""
        return not self.state.cancelled and self.cancel_is_asked()

    def _ended(self, outcome: Outcome) -> dict[str, Json]:
        """How the scope ends: its value or error; for a race, what the winning failure says."""
        kind = "value" if isinstance(outcome, Completed) else "error"
        data = outcome.value if isinstance(outcome, Completed) else outcome.error
        if not self.scope_id:
            self._end_run(outcome)
            return {kind: data}
        return site_forks.branch_end(self, kind, data)


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _slots(data: Json) -> dict[str, Json]:
    assert isinstance(data, dict), "slots are an object"
    return data
