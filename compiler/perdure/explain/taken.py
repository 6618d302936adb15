"""What a run has cost, given what it did: the walks through a graph that agree with a trace.

Comes in: a flow's graph, the trace of a run (of any engine: it says nothing of states), a unit.
Goes out: every count that some walk agrees with, mostly one. So the counts of an explanation can
be held against what an engine has counted.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple, final

from perdure.explain.counting import plus, times
from perdure.explain.model import Counts, Graph, Stop, Way
from perdure.trace import CANCELLED, Trace

__all__ = ["predict"]

_HEAD = re.compile(r"(?P<label>[^\[#]+)(?P<occurrence>#\d+)?(?:\[(?P<branch>.*)\])?")


@final
class _Item(NamedTuple):
    """One operation that a scope did."""

    key: str
    label: str
    attempts: int
    outcome: str
    """value, error, cancelled, or "" for what only its branches say."""
    branches: "Mapping[str, _Taken]"


@final
class _Taken(NamedTuple):
    """What one scope did, in order; `whole`: it ended by itself."""

    items: tuple[_Item, ...]
    whole: bool
    failed: bool | None
    """None: not known."""


def predict(graph: Graph, run: Counts, trace: Trace, unit: str) -> frozenset[int]:
    """What runs with this trace may have counted; empty if the graph has no such run."""
    whole = trace.end.status in {"done", "failed"}
    entries: _Entries = [(one.path, one.attempts, one.outcome) for one in trace.entries]
    failed = None if not whole else trace.end.status == "failed"
    taken = _taken(entries, trace.ended or frozenset(), "", whole, failed)
    walked = _Walk(graph, taken, unit, dict(_scopes(graph))).walks()
    return frozenset(count + run.get(unit, 0) for _, count in walked)


def _scopes(graph: Graph) -> Iterator[tuple[str, Graph]]:
    """Every graph by its scope."""
    yield graph.scope, graph
    for stop in graph.stops.values():
        for branch in stop.branches:
            yield from _scopes(branch)


type _Entries = list[tuple[str, int, object]]


def _taken(
    entries: _Entries, ended: AbstractSet[str], prefix: str, whole: bool, failed: bool | None
) -> _Taken:
    """The operations of the scope below `prefix`, from entries with paths relative to it."""
    groups: dict[str, _Entries] = {}
    for entry in entries:
        head, _, _ = entry[0].partition("/")
        groups.setdefault(head.partition("[")[0], []).append(entry)
    items = [_item(key, found, ended, prefix) for key, found in groups.items()]
    return _Taken(tuple(items), whole, failed)


def _item(key: str, entries: _Entries, ended: AbstractSet[str], prefix: str) -> _Item:
    own = [entry for entry in entries if "/" not in entry[0] and "[" not in entry[0]]
    inside: dict[str, _Entries] = {}
    for path, attempts, outcome in entries:
        head, slash, rest = path.partition("/")
        if slash and head.endswith("]"):
            inside.setdefault(head, []).append((rest, attempts, outcome))
    for branch in ended:
        head = branch.removeprefix(prefix)
        if branch.startswith(f"{prefix}{key}[") and "/" not in head:
            inside.setdefault(head, [])
    branches = {
        head[len(key) + 1 : -1]: _taken(
            found, ended, f"{prefix}{head}/", f"{prefix}{head}" in ended, None
        )
        for head, found in inside.items()
    }
    attempts, outcome = (own[-1][1], _outcome(own[-1][2])) if own else (1, _race(inside))
    return _Item(key, key.partition("#")[0], attempts, outcome, branches)


def _race(branches: Mapping[str, _Entries]) -> str:
    """How a race of waits ended: as the one of them that was not cancelled did."""
    outcomes = [_outcome(outcome) for found in branches.values() for _, _, outcome in found]
    return next((one for one in ("error", "value") if one in outcomes), "")


def _outcome(outcome: object) -> str:
    if outcome == CANCELLED:
        return "cancelled"
    return "error" if isinstance(outcome, Mapping) and "error" in outcome else "value"


type _Found = frozenset[tuple[int, int]]
"""Walks: how much of them is out of the ordinary, and what they count."""


@final
class _Walk:
    """All walks of one scope."""

    def __init__(self, graph: Graph, taken: _Taken, unit: str, scopes: Mapping[str, Graph]) -> None:
        """`scopes`: the graphs of all scopes, for forks whose branches stand elsewhere."""
        self._graph = graph
        self._scopes = scopes
        self._taken = taken
        self._unit = unit
        self._known: dict[tuple[str, int], _Found] = {}
        self._open: set[tuple[str, int]] = set()

    def walks(self) -> _Found:
        """What the scope may have counted."""
        return self._from(self._graph.start, 0)

    def _from(self, name: str, at: int) -> _Found:
        """What may be counted from entering a stop to the end, `at` operations being done."""
        key = (name, at)
        if key in self._known:
            return self._known[key]
        if key in self._open:  # a turn that does nothing is no walk
            return frozenset()
        self._open.add(key)
        found = _usual(self._passing(self._graph.stops[name], at))
        self._open.discard(key)
        self._known[key] = found
        return found

    def _passing(self, stop: Stop, at: int) -> Iterator[tuple[int, int]]:
        items = self._taken.items
        if not self._taken.whole and at == len(items):
            yield 0, 0  # it may have been ended before it came here
        own = stop.counts.get(self._unit, 0)
        if stop.kind in {"done", "failed"}:
            if self._is_end(at, stop.kind == "failed"):
                yield 0, own
            return
        for used, odd, cost, outcome in self._performed(stop, at):
            if not self._taken.whole and at + used == len(items):
                yield odd, own + cost
            for way in stop.ways:
                strange = _strange(stop, way, used > 0, outcome)
                if strange is not None:
                    for more, after in self._along(way, at + used):
                        yield odd + strange + more, own + cost + after

    def _along(self, way: Way, at: int) -> Iterable[tuple[int, int]]:
        counts = way.counts.get(self._unit, 0)
        if way.to is not None:
            return ((odd, counts + after) for odd, after in self._from(way.to, at))
        return ((0, counts),) if self._is_end(at, way.failed) else ()

    def _is_end(self, at: int, failed: bool) -> bool:
        taken = self._taken
        return at == len(taken.items) and taken.failed in (None, failed)

    def _performed(self, stop: Stop, at: int) -> Iterator[tuple[int, int, int, str]]:
        """How many operations of the trace a stop does, how odd that is, what they cost beside
        it, and how they ended; of a site, how the operation before it did.
        """
        items = self._taken.items
        yield 0, 0, 0, items[at - 1].outcome if at and stop.kind == "site" else ""
        if at == len(items) or stop.label is None or not stop.recorded:
            return
        item = items[at]
        if stop.label not in ("", item.label):
            return
        if stop.kind != "fork":
            work = plus(stop.work, times(item.attempts - 1, stop.again))
            yield 1, 0, work.get(self._unit, 0), item.outcome
            return
        for odd, cost in self._branches(stop, item):
            yield 1, odd, stop.work.get(self._unit, 0) + cost, ""

    def _branches(self, stop: Stop, item: _Item) -> _Found:
        """What the branches of a fork may have counted together."""
        sums: _Found = frozenset({(0, 0)})
        graphs = stop.branches or tuple(self._scopes[id] for id in stop.elsewhere)
        by_name = {graph.scope.rpartition("[")[2][:-1]: graph for graph in graphs}
        each = stop.each.get(self._unit, 0)
        for name, taken in item.branches.items():
            graph = by_name.get(name) or by_name.get("*") or graphs[0]
            found = _Walk(graph, taken, self._unit, self._scopes).walks()
            sums = _usual(
                (odd + more, before + each + one) for odd, before in sums for more, one in found
            )
        return sums


def _usual(walks: Iterable[tuple[int, int]]) -> _Found:
    """Those that are least out of the ordinary: code raises where nothing else explains it."""
    found = frozenset(walks)
    least = min((odd for odd, _ in found), default=0)
    return frozenset(walk for walk in found if walk[0] == least)


def _strange(stop: Stop, way: Way, performed: bool, outcome: str) -> int | None:
    """How far out of the ordinary it is to leave a stop that way; None: it cannot be.

    `outcome` is that of its operation, of a site that of the wait before it.
    """
    match way.kind:
        case "raised" if stop.kind == "step" and performed:
            return 0 if outcome != "value" else None if way.name else 1
        case "raised":
            return 0 if stop.kind == "site" and outcome == "error" else 1
        case "next" if stop.kind == "step":
            return None if stop.recorded and not performed else int(outcome == "error") * 2
        case "next" if stop.kind in {"wait", "child"}:
            return int(outcome == "cancelled") if performed else None
        case "next" if stop.kind == "site" and outcome == "error":
            return int(any(other.kind == "ended" for other in stop.ways))
        case "lost" if stop.kind in {"wait", "child", "fork"}:
            return 0 if outcome == "cancelled" else 1 if outcome != "value" else None
        case "lost":
            return 1 if outcome == "error" and performed else None
        case "ended":
            return None if performed or outcome == "value" else 0
        case _:
            return 0
