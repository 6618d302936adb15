"""An explanation from machines and what a target says of them: one way for all targets."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from perdure.explain.counting import plus
from perdure.explain.graph import Inside, Meter, graph_of
from perdure.explain.model import (
    Counts,
    Explanation,
    FlowExplained,
    Graph,
    Note,
    Price,
    Stop,
    Unit,
)
from perdure.explain.notes import Teller, notes_of
from perdure.explain.rows import rows_of
from perdure.machine.ir import Machine, Machines

__all__ = ["Explainer", "explained"]


class Explainer(Meter, Teller, Protocol):
    """What a target says, whole."""

    units: tuple[Unit, ...]
    prices: tuple[Price, ...]

    def begun(self, machine: Machine) -> Counts:
        """Of each run, beside what it passes."""
        ...

    def remarks(self, machines: Machines, flows: Sequence[FlowExplained]) -> Iterable[str]:
        """What holds for the whole."""
        ...


def explained(target: str, machines: Machines, explainer: Explainer) -> Explanation:
    """All flows of a program, the entry first."""
    flows = tuple(_flow(machine, explainer) for machine in machines.machines)
    remarks = tuple(explainer.remarks(machines, flows))
    return Explanation(target, explainer.units, explainer.prices, flows, remarks)


def _flow(machine: Machine, explainer: Explainer) -> FlowExplained:
    inside = Inside(machine, machine.root)
    graph, begun = graph_of(inside, explainer), explainer.begun(machine)
    counts = {stop.name: plus(stop.counts, stop.work) for stop in _stops(graph)}
    notes = _notes(inside, explainer, counts)
    rows = tuple(rows_of(graph, begun, explainer.units[0].name))
    return FlowExplained(machine.ref.qualname, machine.span, graph, begun, notes, rows)


def _notes(inside: Inside, explainer: Explainer, counts: "dict[str, Counts]") -> tuple[Note, ...]:
    """In the order of the source, none twice."""
    found: list[Note] = []
    for note in notes_of(inside, explainer, counts):
        if note not in found:
            found.append(note)
    return tuple(sorted(found, key=_order))


def _order(note: Note) -> tuple[str, int, bool]:
    return note.file, note.line, note.kind == "site"


def _stops(graph: Graph) -> Iterator[Stop]:
    for stop in graph.stops.values():
        yield stop
        for branch in stop.branches:
            yield from _stops(branch)
