"""A tiny orchestrator: executes the states of a machine with its emitted sites, in this process.

Everything that crosses between two states goes through the codec. Operations are answered by a
script. Notes the states that were entered.
"""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from perdure.codec import decode, decode_slots, encode, encode_slots
from perdure.ir import ForkKind, Op
from perdure.machine import ir
from perdure.sites import Call, Flow, Functions, Site, Slots, Stop
from tests.machine.plain import Script

__all__ = ["Ended", "interpret"]


type Flows = Mapping[str, tuple[ir.Machine, Flow]]
"""All flows of a program, by name."""


class Ended(NamedTuple):
    """How a scope ended."""

    value: Any
    error: BaseException | None


class _Report(NamedTuple):
    """What crosses to the next state: the last site's report."""

    at: str
    slots: Any
    decisions: dict[str, str]
    raised: str | None = None
    value: Any = None
    error: BaseException | None = None


class Interpreter:
    """Runs one machine."""

    def __init__(self, flow: Flow, script: Script, others: Flows, limit: int = 3000) -> None:
        self.flow = flow
        self.functions = Functions(flow)
        self.script = script
        self.others = others
        self.transitions: list[str] = []
        self.limit = limit

    def run(self, scope: ir.Scope, slots: dict[str, Any]) -> Ended:
        states = {state.name: state for state in scope.states}
        assert scope.start is not None
        edge = scope.start
        report = _Report(edge.at, self._encoded(slots), {})
        while True:
            state = states[edge.to]
            self.transitions.append(state.name)
            assert len(self.transitions) < self.limit, self.transitions[-9:]
            match state:
                case ir.Done():
                    return Ended(report.value, None)
                case ir.Failed():
                    assert report.error is not None
                    return Ended(None, report.error)
                case ir.Choose():
                    edge = _chosen(state, report)
                    report = report._replace(raised=None)
                case _:
                    edge, report = self._step(scope, state, edge, report)

    def _step(
        self, scope: ir.Scope, state: ir.State, edge: ir.Edge, report: _Report
    ) -> tuple[ir.Edge, _Report]:
        match state:
            case ir.Run():
                return self._run(scope, state, report)
            case ir.Route():
                site = self._site(scope, report.slots)
                stop = site.drive(report.at, state.target)
                return self._after(state, site, stop, scope)
            case ir.Await():
                return self._await(scope, state, report)
            case ir.Sleep():
                operands: dict[str, Any] = report.value
                return self._native(
                    state, report, lambda: self.script.ask("sleep", (operands.get("duration"),))
                )
            case ir.Spawn():
                return self._native(state, report, lambda: self._fork(state, report))
            case ir.Child():
                return self._native(state, report, lambda: self._child(report.value))
            case _:
                raise AssertionError(state)

    def _encoded(self, slots: Any) -> Any:
        return encode_slots(slots, functions=self.functions)

    def _decoded(self, slots: Any) -> Any:
        return decode_slots(slots, functions=self.functions)

    def _site(self, scope: ir.Scope, slots: Any) -> Site:
        table = self.flow.scopes[scope.id]
        return Site(table, Slots(self._decoded(slots)))

    def _report(self, site: Site, stop: Stop) -> _Report:
        slots = (
            {} if stop.kind in {"return", "failed"} else site.scope.crossing(site.slots, stop.at)
        )
        value: Any = stop.value
        if not isinstance(value, Call):
            value = decode(encode(value))
        return _Report(
            stop.at, self._encoded(slots), stop.decisions, stop.raised, value, stop.error
        )

    def _run(self, scope: ir.Scope, state: ir.Run, report: _Report) -> tuple[ir.Edge, _Report]:
        site = self._site(scope, report.slots)
        stop = site.drive(report.at, state.pc)
        if stop.kind != "operation":
            return self._raised(state.on_raise, site, stop)
        assert stop.at == state.pc
        try:
            value = self._perform(state.op, stop.value)
        except Exception as error:
            return self._raised(state.on_raise, site, site.fail(state.pc, error))
        stop = site.resume(state.pc, value)
        return self._after(state, site, stop, scope)

    def _after(
        self, state: ir.Run | ir.Route, site: Site, stop: Stop, scope: ir.Scope
    ) -> tuple[ir.Edge, _Report]:
        """Behind an operation: an exception is data if a `Choose` follows."""
        follows = {s.name: s for s in scope.states}
        after = None if state.next is None else follows[state.next.to]
        listed = after.raised if isinstance(after, ir.Choose) else ()
        data = isinstance(state, ir.Run) and stop.raised in {one.handler for one in listed}
        if stop.raised is not None and not data:
            return self._raised(state.on_raise, site, stop)
        assert state.next is not None
        return state.next, self._report(site, stop)

    def _raised(
        self, raised: tuple[ir.Raised, ...], site: Site, stop: Stop
    ) -> tuple[ir.Edge, _Report]:
        assert stop.raised is not None, stop
        edge = {one.handler: one.edge for one in raised}[stop.raised]
        return edge, self._report(site, stop)._replace(raised=None)

    def _perform(self, op: Op, operands: Any) -> Any:
        if isinstance(operands, Call):
            name: str = getattr(operands.callee, "name")  # noqa: B009  # a Step of plain.py
            args = tuple(decode(encode(one)) for one in operands.args)
            return decode(encode(self.script.ask(name, args)))
        return self.script.ask(op.kind, tuple(operands.values()))

    def _await(self, scope: ir.Scope, state: ir.Await, report: _Report) -> tuple[ir.Edge, _Report]:
        operands = report.value
        if state.prologue:
            site = self._site(scope, report.slots)
            stop = site.drive(report.at, state.pc)
            if stop.kind != "operation":
                return self._raised(state.on_raise, site, stop)
            operands = cast(Any, stop.value)
        return self._native(state, report, lambda: self._wait(state, operands))

    def _wait(self, state: ir.Await, operands: dict[str, Any]) -> Any:
        if not state.race:
            return self.script.ask("event", (operands["name"], operands.get("timeout")))
        first = state.alternatives[0]
        own = operands[first.name]
        if "duration" in own:
            return first.name, self.script.ask("sleep", (own["duration"],))
        return first.name, self.script.ask("event", (own["name"], own.get("timeout")))

    def _native(self, state: Any, report: _Report, perform: Any) -> tuple[ir.Edge, _Report]:
        try:
            value, edge = perform(), state.next
        except Exception as error:
            value, edge = error, state.on_error
            if edge.bind is None:
                return edge, report._replace(error=error)
        slots = self._decoded(report.slots)
        if edge.bind is not None:
            slots[edge.bind] = decode(encode(value))
        return edge, _Report(edge.at, self._encoded(slots), {})

    def _child(self, call: Call) -> Any:
        """Another machine, with arguments by name, defaults applied."""
        flow: Any = call.callee
        bound = inspect.signature(flow).bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        machine, table = self.others[flow.__name__]
        inner = Interpreter(table, self.script, self.others)
        ended = inner.run(machine.root, decode_slots(encode_slots(bound.arguments)))
        if ended.error is not None:
            raise ended.error
        return ended.value

    def _fork(self, state: ir.Spawn, report: _Report) -> Any:
        operands: dict[str, Any] = report.value
        around = self._decoded(report.slots)
        ended: list[Ended] = []
        if state.fork.over is not None:
            scope = state.branches[0]
            table = self.flow.scopes[scope.id]
            for item in operands["over"]:
                items = (item,) if len(scope.params) == 1 else item
                ended.append(self.run(scope, table.begin(around, items if scope.params else ())))
        else:
            for scope in state.branches:
                slots = self.flow.scopes[scope.id].begin(around)
                ended += [self.run(scope, slots)]
        errors = [one.error for one in ended if one.error is not None]
        if state.fork.kind is ForkKind.RACE:
            if ended[0].error is not None:
                raise ended[0].error
            return state.fork.branches[0].name, ended[0].value
        if errors and not operands.get("return_exceptions"):
            raise errors[0]
        return [one.value if one.error is None else one.error for one in ended]


def _chosen(state: ir.Choose, report: _Report) -> ir.Edge:
    for raised in state.raised:
        if report.raised == raised.handler:
            return raised.edge
    if state.decision is None:
        return dict(state.exits)[""]
    return dict(state.exits)[report.decisions[state.decision]]


def interpret(flows: Flows, script: Script, arguments: dict[str, Any]) -> tuple[Ended, list[str]]:
    """The end of the flow `main`, and the names of the states that it entered."""
    machine, flow = flows["main"]
    interpreter = Interpreter(flow, script, flows)
    return interpreter.run(machine.root, arguments), interpreter.transitions
