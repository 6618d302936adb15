"""From what sites report to trace entries; labels and call sites come from the Machine IR."""

import json
from collections.abc import Iterator, Mapping
from typing import final

from perdure.codec import Json
from perdure.ir import Op
from perdure.machine.graph import scopes
from perdure.machine.ir import Await, Child, Machines, Run, Scope, Sleep, Spawn
from perdure.runtime.site import NOWHERE, Site
from perdure.runtime.usage import usage_from
from perdure.sites.state import fields, text
from perdure.source import Span
from perdure.trace import TraceEntry

__all__ = ["Spans", "places_of"]


@final
class Spans:
    """Call sites of operations by label, contestants of races by their names."""

    def __init__(self, machines: Machines, places: Mapping[str, str]) -> None:
        self._places = places
        self._sites: dict[tuple[str, str], Site] = {}
        self._contestants: dict[tuple[str, str, str], Op] = {}
        for machine in machines.machines:
            flow = str(machine.ref)
            for scope in scopes(machine.root):
                for label, op, name in _operations(scope):
                    self._sites[flow, op.label] = _site(op.label, op.span)
                    self._contestants[flow, label, name] = op

    def place(self, state: str) -> str:
        """File and line of a state of the definition."""
        return self._places.get(state, state)

    def entry(self, record: Mapping[str, Json]) -> TraceEntry:
        """The trace entry of a record."""
        path, label, contestant = text(record["path"]), text(record["label"]), record["contestant"]
        flow = text(record["flow"])
        if contestant is not None:
            fork = path.rpartition("[")[0].rpartition("/")[2].partition("#")[0]
            label = self._contestants[flow, fork, text(contestant)].label
            path = f"{path}/{label}"
        attempts, time = record["attempts"], record["time"]
        assert isinstance(attempts, int | float), "attempts are counted"
        assert isinstance(time, int | float), "time is a number"
        return TraceEntry(
            text(record["prefix"]) + path,
            text(record["kind"]),
            text(record["name"]),
            fields(record["arguments"]),
            int(attempts),
            record["outcome"],
            _own(record) or self._sites.get((flow, label), NOWHERE),
            float(time),
            usage_from(record.get("usage")),
        )


def places_of(artifacts: Mapping[str, bytes | str]) -> dict[str, str]:
    """`file:line` of each state, from the source map."""
    states = json.loads(artifacts["source-map.json"])["states"]
    return {name: f"{one['file']}:{one['line']}" for name, one in states.items()}


def _operations(scope: Scope) -> Iterator[tuple[str, Op, str]]:
    """(label of the fork or operation, operation, name as contestant) of a scope."""
    for state in scope.states:
        match state:
            case Run() | Sleep() | Child():
                yield state.op.label, state.op, ""
            case Await():
                for one in state.alternatives:
                    yield _fork_label(scope, state), one.op, one.name
            case Spawn():
                pass
            case _:
                pass


def _fork_label(scope: Scope, state: Await) -> str:
    node = scope.nodes[state.pc]
    fork = getattr(node, "fork", None)
    return str(fork.label) if fork is not None else state.alternatives[0].op.label


def _own(record: Mapping[str, Json]) -> Site | None:
    """The call site that came with an operation which was a value."""
    match record.get("site"):
        case [str(label), str(file), int(line), int(column), int(end_line), int(end_column)]:
            return Site(label, file, line, column, end_line, end_column)
        case _:
            return None


def _site(label: str, span: Span) -> Site:
    return Site(label, span.file, span.line, span.column, span.end_line, span.end_column)
