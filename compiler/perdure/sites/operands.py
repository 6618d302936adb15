"""Operands of operations, made ready: bound, checked, encoded, with the path of the record.

The driver calls `Prepare` when it arrives at an operation; what it raises is raised there, as in
CPython. An operation that a site performs stays live Python; one of Step Functions' own becomes
JSON in the state.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeGuard, final

from perdure.codec import Json, UncodableError, encode, encode_slots
from perdure.codec.descriptors import to_json
from perdure.durations import due, seconds_of
from perdure.errors import LimitExceeded
from perdure.language import Flow as UserFlow
from perdure.language import Step
from perdure.operations import epoch_of
from perdure.runtime.engine import Operation as Started
from perdure.runtime.lazy import Lazy
from perdure.runtime.scope import Scope as Counts
from perdure.runtime.scope import key_text
from perdure.runtime.values import bind, declared_type, encode_arguments
from perdure.sites import (
    DEADLINES,
    Call,
    Deadline,
    Flow,
    Group,
    Operation,
    Scope,
    Slots,
    branch_name,
    deadlines_of,
    group_of,
)
from perdure.sites.addressed import Send, start, to_other, to_own
from perdure.sites.fork_rules import decides_of, list_of, rows_of, waits
from perdure.sites.operation_values import flow_of, operands_of, site_of, step_of
from perdure.sites.state import State, fields, text
from perdure.sites.waits import NEVER, Contestant, earlier, first_due, limit

__all__ = [
    "EngineOperands",
    "Prepare",
    "StepCall",
    "Wait",
    "by_name",
    "moment",
    "wait_of",
    "whole_seconds",
]

OUTCOMES_BYTES = 70_000
"""Of the ends of a fork's branches together; larger ones go by reference."""
PATH_BYTES = 800
"""Of a fork's path: a sort key has 1,024 bytes, with what stands around it and below."""
EXECUTION_SECONDS = 31_536_000
"""The life of an execution (step-functions/latest/dg/service-quotas.html)."""
_EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*")


@final
@dataclass(frozen=True, slots=True)
class StepCall:
    """A step with its arguments by parameter name, encoded."""

    step: Step[..., object]
    arguments: Mapping[str, Json]
    value: Started | None = None
    """Of an operation that was a value: its path, which is counted already, and its call site."""


@final
@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for events and for time, with what is known of each contestant."""

    path: str
    contestants: tuple[Contestant, ...]
    details: tuple[Mapping[str, Json], ...]
    """Of each: label, path, the declared type of an event's payload, the arguments of a sleep."""
    is_race: bool
    deadline: float | None = None
    """When a deadline around the wait ends it."""

    @property
    def over(self) -> float | None:
        """When the wait is over without an event."""
        return earlier(first_due(self.contestants), self.deadline)

    def as_json(self, now: float) -> dict[str, Json]:
        """The operands of a wait that the next state registers."""
        contestants: list[Json] = [
            {"name": c.name, "event": c.event, "due": c.due, **detail}
            for c, detail in zip(self.contestants, self.details, strict=True)
        ]
        return {
            "path": self.path,
            "race": self.is_race,
            "contestants": contestants,
            "timeout": limit(self.over, now),
            **({} if self.deadline is None else {"deadline": self.deadline}),
        }


@final
@dataclass(frozen=True, slots=True)
class EngineOperands:
    """What a state of Step Functions' own needs, as JSON for the state."""

    data: Json


@final
class Prepare:
    """Makes operands ready in one site: its scope, its clock, the slots at that point."""

    def __init__(
        self,
        table: Flow,
        slots: Slots,
        counts: Counts,
        *,
        now: Callable[[], float],
        cancelled: Callable[[], bool],
        waiting_branches: int,
        wide: bool = False,
    ) -> None:
        """`wide`: a gather at the root of a flow may have any number of branches."""
        self._wide = wide
        self._waiting_branches = waiting_branches
        self._cancelled = cancelled
        self._table = table
        self._slots = slots
        self._counts = counts
        self._now = now
        self.passed: str | None = None
        """The limit that operands would pass: the run ends, no handler of the flow sees it."""

    def __call__(self, node: Operation, operands: object) -> object:
        """Operands of the operation at `node`, live for a site's own, JSON for the engine's."""
        if isinstance(operands, Call) and _is_value(operands.callee):
            if node.kind != "run":
                node = node._replace(label=site_of(operands.callee).label)
                return self(node, flow_of(operands.callee))
            asked = step_of(operands.callee, self._counts)
            return StepCall(asked.step, asked.arguments, asked.op)
        if isinstance(operands, Call) and _is_flow(operands.callee):
            if node.kind == "run":
                return start(operands.callee, operands)
            return EngineOperands(self._child(node, operands.callee, operands))
        if isinstance(operands, Call):
            step = _step(operands.callee)
            # Encoded here: what cannot cross is an error of the flow, raised at its operation.
            given = bind(step, operands.args, operands.kwargs)
            try:
                return StepCall(step, encode_arguments(step, given))
            except TypeError:
                self._counts.enter(node.label)  # it began, as on every engine
                raise
        if node.kind == "run":
            written = by_name(operands)
            return to_other(written) if "handle" in written else to_own(written)
        return self._engine_operands(node, by_name(operands))

    def _engine_operands(self, node: Operation, operands: Mapping[str, object]) -> object:
        value = operands.get("value")
        if _is_value(value):
            node = node._replace(label=site_of(value).label)
            operands = operands_of(value)
        if "handle" in operands:
            return EngineOperands(self._ask(node, operands))
        if _is_wait(operands):
            wait = self.wait(node, operands)
            return wait if node.kind == "wait" else EngineOperands(wait.as_json(self._now()))
        if "duration" in operands or "until" in operands:
            return EngineOperands(self._sleep(node, operands))
        return EngineOperands(self._fork(node, operands))

    # --- waits ----------------------------------------------------------------------------------

    def wait(self, node: Operation, operands: Mapping[str, object]) -> Wait:
        """The contestants of a single event, or of a race."""
        single = "name" in operands and not isinstance(operands["name"], Mapping)
        written: Mapping[str, object] = {"": operands} if single else operands
        now = self._now()
        parts = [_contestant(name, by_name(one), now) for name, one in written.items()]
        for contestant, _ in parts:
            self._lasts(contestant.due, "a sleep" if contestant.event is None else "a wait")
        path = self._counts.enter(node.label)
        details = [
            {"label": node.label, **detail, "path": path if single else f"{path}[{c.name}]"}
            for c, detail in parts
        ]
        contestants = tuple(c for c, _ in parts)
        return Wait(path, contestants, tuple(details), not single, self._deadline())

    def _deadline(self) -> float | None:
        """When the next deadline around this place is due."""
        around = deadlines_of(self._slots)
        first = None if around is None else around.first()
        return None if first is None else first.due

    def _lasts(self, when: float | None, what: str) -> None:
        """LimitExceeded where an execution cannot last until then."""
        if when is not None and when - self._now() > EXECUTION_SECONDS:
            self.passed = (
                f"execution_seconds: {what} of {when - self._now():.0f} s, and an execution"
                f" lasts {EXECUTION_SECONDS}"
            )
            raise LimitExceeded(self.passed)

    def _sleep(self, node: Operation, operands: Mapping[str, object]) -> Json:
        when, arguments = _sleep_until(operands, self._now())
        self._lasts(when, "a sleep")
        path = self._counts.enter(node.label)
        record: dict[str, Json] = {"path": path, "label": node.label, "arguments": arguments}
        deadline = self._deadline()
        until = when if deadline is None else min(when, deadline)
        left = whole_seconds(until - self._now())
        return {
            "until": moment(until),
            "seconds": left,
            "record": record,
            **({"overtaken": True} if until < when else {}),
        }

    def _child(self, node: Operation, flow: UserFlow[..., object], call: Call) -> Json:
        given = bind(flow, call.args, call.kwargs)
        path = self._counts.enter(node.label)
        deadline = self._deadline()
        arguments = encode_arguments(flow, given, self._counts.run.functions)
        return {
            "flow": flow.__perdure_ref__,
            "name": flow.name,
            "arguments": arguments,
            "path": path,
            "label": node.label,
            "seconds": NEVER if deadline is None else whole_seconds(deadline - self._now()),
        }

    def _ask(self, node: Operation, operands: Mapping[str, object]) -> Json:
        asked = to_other(operands)
        assert isinstance(asked, Send), "a question has a name"
        path = self._counts.enter(node.label)
        deadline = self._deadline()
        return {
            "ask": asked.handle.id,
            "event": asked.event,
            "payload": encode(asked.payload, functions=self._counts.run.functions),
            "path": path,
            "label": node.label,
            "seconds": NEVER if deadline is None else whole_seconds(deadline - self._now()),
        }

    # --- forks ----------------------------------------------------------------------------------

    def _fork(self, node: Operation, operands: Mapping[str, object]) -> Json:
        if "label" in operands:
            node = node._replace(label=str(operands["label"]))
        branches = self._branches(node)
        items = operands.get("over")
        if "group" in operands:
            return self._group(node, branches, group_of(operands["group"]))
        rows: list[tuple[Scope, str, Sequence[object]]] = (
            [(scope, name, ()) for name, scope in branches.items()]
            if items is None
            else rows_of(branches["*"], list_of(items), named=node.fork == "race")
        )
        decides = decides_of(node, operands, len(rows))
        path = self._fork_path(node)
        if node.fork == "quorum":
            decides["fork"] = path
        starts: list[Json] = [
            self._start(
                scope,
                f"{path}[{key_text(name)}]",
                row,
                {"name": name, "index": index, **decides} if decides else {},
                OUTCOMES_BYTES // len(rows),
            )
            for index, (scope, name, row) in enumerate(rows)
        ]
        most = operands.get("limit")
        ready: dict[str, Json] = {"branches": starts, "path": path}
        waits_limited = isinstance(most, int) and waits(branches.get("*"))
        plain = node.fork == "all" and not decides and not node.forked
        if self._wide and items is not None and plain:
            ready["wide"] = not waits_limited
        if items is not None and not ready.get("wide"):
            self._all_start(node, branches["*"], len(starts), most)
        if "limit" in operands:
            ready["limit"] = most if isinstance(most, int) else 0  # 0: as many as can be
        if operands.get("return_exceptions"):
            ready["return_exceptions"] = True
        if "k" in decides:
            ready["quorum"] = decides["k"]
        return ready

    def _fork_path(self, node: Operation) -> str:
        """A recursive fork makes longer ones at each turn; they are in keys of the run store."""
        path = self._counts.enter(node.label)
        size = len(path.encode())
        if node.forked and size > PATH_BYTES:
            self.passed = (
                f"path_bytes: a path of {size} bytes after as many forks in one another, and the"
                f" run store takes {PATH_BYTES}"
            )
            raise LimitExceeded(self.passed)
        return path

    def _group(self, node: Operation, branches: Mapping[str, Scope], group: Group) -> Json:
        """The tasks of a group: a branch of its own for each, or all in one."""
        if group.path:
            return {"branches": [], "path": group.path, "group": group.cancelled}
        path = self._fork_path(node)
        decides: dict[str, Json] = {"fork": path, "keep": group.keep}
        starts: list[Json] = []
        for index, row in group.begin():
            scope = branches.get(str(index)) or branches["*"]
            slots = scope.begin_task(self._slots, row)
            begun = {"name": str(index), "index": index, **decides}
            starts.append(
                self._state(scope, f"{path}[{index}]", slots, begun, OUTCOMES_BYTES // 40)
            )
        if "*" in branches:
            self._all_start(node, branches["*"], len(starts), None)
        return {"branches": starts, "path": path}

    def task(
        self, group: Group, own: Deadline, scope: Scope, index: int, row: Mapping[str, object]
    ) -> Mapping[str, Json]:
        """The state that a task of a group begins with whose body goes on waiting."""
        slots = scope.begin_task({}, row)
        around = deadlines_of(self._slots)
        assert around is not None, "a group stands among the deadlines of its scope"
        slots[DEADLINES] = around.of_task(own)
        branch: dict[str, Json] = {"name": str(index), "index": index, "fork": group.path}
        branch["keep"] = True
        return fields(self._state(scope, f"{group.path}[{index}]", slots, branch, 1))

    def _all_start(self, node: Operation, branch: Scope, count: int, most: object) -> None:
        """Branches that wait must all be under way at once; only those of steps may queue."""
        if node.forked:
            return
        at_once = min(count, most) if isinstance(most, int) else count
        if waits(branch) and at_once > self._waiting_branches:
            self.passed = (
                f"inline_map_concurrency: {at_once} branches that wait, and the engine runs"
                f" {self._waiting_branches} at once"
            )
            raise LimitExceeded(self.passed)

    def _branches(self, node: Operation) -> dict[str, Scope]:
        """The scopes of the fork's branches by name, in order."""
        return {branch_name(id): self._table.scopes[id] for id in node.branches}

    def _start(
        self,
        scope: Scope,
        path: str,
        row: Sequence[object],
        decides: Mapping[str, Json],
        share: int,
    ) -> Json:
        return self._state(scope, path, scope.begin(self._slots, row), decides, share)

    def _state(
        self,
        scope: Scope,
        path: str,
        slots: Slots,
        decides: Mapping[str, Json],
        share: int,
    ) -> Json:
        run = self._counts.run
        try:
            captured = encode_slots(slots, ordered=True, functions=run.functions, live=True)
        except UncodableError as fault:
            fault.forget_slot()
            raise
        state = State(run.id, run.seed, scope.entry, captured, path, share=max(share, 1))
        state.cancelled = self._cancelled()  # branches of a cleanup are not cancelled again
        if decides:
            state.branch = decides
        return state.write(fresh=True)


def wait_of(operands: Mapping[str, Json]) -> Wait:
    """The wait that the site before reported as operands."""
    contestants = [fields(c) for c in _json_list(operands["contestants"])]
    return Wait(
        text(operands["path"]),
        tuple(
            Contestant(text(c["name"]), _text_or_none(c["event"]), _number_or_none(c["due"]))
            for c in contestants
        ),
        tuple(contestants),
        bool(operands["race"]),
        _number_or_none(operands.get("deadline")),
    )


def whole_seconds(left: float) -> int:
    """A time limit of a Task: at least a second; the site that follows waits for the rest."""
    return max(1, math.floor(left))


def moment(time: float) -> str:
    """An instant as Step Functions reads it."""
    return (
        datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _contestant(
    name: str, written: Mapping[str, object], now: float
) -> tuple[Contestant, dict[str, Json]]:
    if "duration" in written or "until" in written:
        when, arguments = _sleep_until(written, now)
        return Contestant(name, None, when), {"label": "sleep", "arguments": arguments}
    event = written["name"]
    if not isinstance(event, str) or not _EVENT_NAME.fullmatch(event):
        raise ValueError(f"not an event name: {event!r} (a-z, then a-z, 0-9 and _)")
    timeout = written.get("timeout")
    when_over = None if timeout is None else due(now, seconds_of(timeout))
    declared = declared_type(written.get("type"))
    detail: dict[str, Json] = {"type": None if declared is None else to_json(declared)}
    return Contestant(name, event, when_over), detail


def _sleep_until(written: Mapping[str, object], now: float) -> tuple[float, dict[str, Json]]:
    """When a sleep is over, and how a trace shows its arguments."""
    until = written.get("until")
    if (until is None) == (written.get("duration") is None):
        raise TypeError("sleep() takes a duration or until=, one of them")
    if until is None:
        seconds = seconds_of(written["duration"])
        return due(now, seconds), {"seconds": _whole(seconds)}
    if not isinstance(until, datetime):
        raise TypeError(f"sleep(until=) takes a datetime, not {until!r}")
    when = epoch_of(until)
    return due(now, when - now), {"until": _whole(when)}


def _whole(number: float) -> Json:
    return int(number) if number.is_integer() else number


def _is_wait(operands: Mapping[str, object]) -> bool:
    if "name" in operands and "over" not in operands:
        return True
    inner = list(operands.values())
    return bool(inner) and all(isinstance(one, Mapping) for one in inner)


def by_name(value: object) -> Mapping[str, object]:
    """Operands as emitted code gives them: by the name of the parameter, or of the contestant."""
    assert _is_object(value), f"operands are a dict, not {value!r}"
    return value


def _step(callee: object) -> Step[..., object]:
    if not _is_step(callee):
        raise TypeError(f"{callee!r} is no step")
    return callee


def _json_list(value: Json) -> Sequence[Json]:
    assert isinstance(value, Sequence), "contestants are a list"
    return value


def _text_or_none(value: Json) -> str | None:
    return None if value is None else text(value)


def _number_or_none(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_value(value: object) -> TypeGuard[Lazy[object]]:
    return isinstance(value, Lazy)


def _is_flow(value: object) -> TypeGuard[UserFlow[..., object]]:
    return isinstance(value, UserFlow)


def _is_step(value: object) -> TypeGuard[Step[..., object]]:
    return isinstance(value, Step)
