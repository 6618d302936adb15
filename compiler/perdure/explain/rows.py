"""What the ways through a flow cost: a row for the longest, one for each way that leads elsewhere.

Comes in: a graph. Goes out: rows. A row goes along the longest way there is, with as few handlers
as can be, and with no turn of a loop that need not be; turns, branches of a list and attempts have
rows of their own. So there are as many rows as there are ways, not as many as combinations of them.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, Literal, NamedTuple, final

from perdure.explain.counting import plus
from perdure.explain.model import Counts, Graph, Row, Stop, Way

__all__ = ["LONGEST", "rows_of"]

LONGEST: Final = "happy path: the longest way without an error"


def rows_of(graph: Graph, run: Counts, unit: str) -> Iterator[Row]:
    """All rows of a flow; `run` is part of each path, `unit` says what is longest."""
    yield from _Rows(graph, unit).all(run)
    yield from _branches(graph, unit, "")
    yield from _retries(graph)


@final
class _Leg(NamedTuple):
    """A piece of a way: how many handlers it goes to, what it counts (less than 0, so that the
    least is the best), the ways it takes in order, and where it ends (less than 0 likewise: of
    ways that are as long, the one that ends later in the source is the happy one).
    """

    handlers: int
    length: int
    ways: "tuple[tuple[str, int], ...]"
    end: int = 0

    def then(self, other: "_Leg") -> "_Leg":
        """This one, and the other behind it."""
        return _Leg(
            self.handlers + other.handlers,
            self.length + other.length,
            self.ways + other.ways,
            other.end,
        )

    @property
    def weight(self) -> tuple[int, int, int]:
        """The best has the least."""
        return self.handlers, self.length, self.end


type _Step = tuple[str, int]
"""A stop, and which of its ways."""
type _Last = Callable[[str], list[_Leg]]
type _Kind = Literal["path", "turn", "branch", "retry"]


@final
class _Rows:
    """The rows of one graph, without those of its forks."""

    def __init__(self, graph: Graph, unit: str) -> None:
        self._graph = graph
        self._unit = unit
        self._order: list[str] = []
        """Before those that it leads to, back edges aside."""
        self._back: set[_Step] = set()
        self._find_loops()
        self._to_end = self._suffixes(self._ends)
        self._to_failing = self._suffixes(self._failures)
        self._done: set[_Step] = set()

    def best(self) -> Counts:
        """What the longest way counts."""
        leg = self._to_end.get(self._graph.start)
        return {} if leg is None else self._counts(leg.ways, self._last(leg.ways))

    def all(self, run: Counts) -> Iterator[Row]:
        """Paths, those that fail behind them, then turns."""
        paths = [*self._paths(run)]
        heads = dict.fromkeys(self._to(step) for step in sorted(self._back, key=self._place))
        turns = [row for head in heads for row in self._turns(head)]
        yield from paths
        yield from self._failing(run)
        yield from turns

    def _paths(self, run: Counts) -> Iterator[Row]:
        first = self._to_end.get(self._graph.start)
        if first is not None:
            yield self._row("path", LONGEST, first.ways, run, self._graph.stops[self._graph.start])
        for stop, title, ways in self._through(self._graph.start, self._to_end):
            yield self._row("path", title, ways, run, stop)

    def _failing(self, run: Counts) -> Iterator[Row]:
        for stop, title, ways in self._through(self._graph.start, self._to_failing):
            yield self._row("path", f"{title}, and the run fails", ways, run, stop)

    def _through(
        self, start: str, ends: dict[str, _Leg], closing: Collection[_Step] = ()
    ) -> Iterator[tuple[Stop, str, tuple[_Step, ...]]]:
        """The longest way from a stop to an end through each way that no row has taken yet."""
        before = self._prefixes(start)
        for name, number, way in self._deviations():
            ahead, behind = before.get(name), self._behind(name, number, ends)
            if (name, number) in closing:
                behind = _Leg(int(_is_handler(way)), 0, ((name, number),))
            if ahead is not None and behind is not None and (name, number) not in self._done:
                stop = self._graph.stops[name]
                yield stop, _title(stop, way), ahead.then(behind).ways

    def _turns(self, head: str) -> Iterator[Row]:
        """One more turn of a loop: the longest, and those that go elsewhere in it."""
        closing = sorted((step for step in self._back if self._to(step) == head), key=self._place)
        to_head = self._suffixes(
            lambda name: [
                _Leg(int(_is_handler(self._way(step))), 0, (step,))
                for step in closing
                if step[0] == name
            ]
        )
        first = to_head.get(head)
        if first is None:
            return
        yield self._row("turn", f"each turn of `{head}`", first.ways, {}, self._graph.stops[head])
        for stop, title, ways in self._through(head, to_head, closing):
            yield self._row("turn", f"… {title}", ways, {}, stop)

    # --- the graph ------------------------------------------------------------------------------

    def _find_loops(self) -> None:
        """Depth first: which ways lead back, and an order for all others."""
        state: dict[str, bool] = {}
        stack = [(self._graph.start, iter(self._ways(self._graph.start)))]
        state[self._graph.start] = True
        while stack:
            name, ways = stack[-1]
            step = next(ways, None)
            if step is None:
                stack.pop()
                state[name] = False
                self._order.append(name)
                continue
            to = self._to((name, step))
            if state.get(to):
                self._back.add((name, step))
            elif to not in state:
                state[to] = True
                stack.append((to, iter(self._ways(to))))
        self._order.reverse()

    def _ways(self, name: str) -> Iterator[int]:
        """The ways that a row can take, normal ones first."""
        ways = self._graph.stops[name].ways
        found = [number for number, way in enumerate(ways) if way.to is not None and _counts(way)]
        return iter(sorted(found, key=lambda number: _is_handler(ways[number])))

    def _to(self, step: _Step) -> str:
        to = self._way(step).to
        assert to is not None, "a way to a stop"
        return to

    def _way(self, step: _Step) -> Way:
        return self._graph.stops[step[0]].ways[step[1]]

    def _place(self, step: _Step) -> tuple[int, int]:
        return self._order.index(step[0]), step[1]

    def _ends(self, name: str) -> list[_Leg]:
        """Ways out of the scope."""
        stop = self._graph.stops[name]
        if stop.kind == "done":
            return [_Leg(0, 0, ())]
        ways = enumerate(stop.ways)
        return [
            _Leg(0, 0, ((name, number),))
            for number, way in ways
            if way.to is None and not way.failed and _counts(way)
        ]

    def _failures(self, name: str) -> list[_Leg]:
        """Ways on which an error that nothing takes ends the scope."""
        ways = enumerate(self._graph.stops[name].ways)
        found = [number for number, way in ways if way.kind == "raised" and not way.name]
        return [_Leg(0, 0, ((name, number),)) for number in found]

    def _suffixes(self, last: _Last) -> dict[str, _Leg]:
        """The best way on from each stop to where `last` says that it may end."""
        found: dict[str, _Leg] = {}
        for name in reversed(self._order):
            own, line = -self._length(name), -self._graph.stops[name].span.line
            legs = [leg._replace(length=own, end=line) for leg in last(name)]
            for number in self._ways(name):
                leg = self._behind(name, number, found)
                if leg is not None:
                    legs.append(leg)
            if legs:
                found[name] = min(legs, key=lambda leg: leg.weight)
        return found

    def _behind(self, name: str, number: int, found: dict[str, _Leg]) -> _Leg | None:
        """A stop left one way, and the best from there."""
        step = (name, number)
        way = self._way(step)
        if way.to is None or step in self._back or way.to not in found:
            return None
        own = _Leg(int(_is_handler(way)), -self._length(name), (step,))
        return own.then(found[way.to])

    def _prefixes(self, start: str) -> dict[str, _Leg]:
        """The best way from `start` to each stop, without what that stop counts."""
        found = {start: _Leg(0, 0, ())}
        for name in self._order:
            if name not in found:
                continue
            for number in self._ways(name):
                step = (name, number)
                if step in self._back:
                    continue
                way, to = self._way(step), self._to(step)
                leg = found[name].then(_Leg(int(_is_handler(way)), -self._length(name), (step,)))
                if to not in found or leg.weight < found[to].weight:
                    found[to] = leg
        return found

    def _deviations(self) -> Iterator[tuple[str, int, Way]]:
        """What is decided, in program order, and the handlers."""
        for name, stop in self._graph.stops.items():
            for number, way in enumerate(stop.ways):
                if _counts(way) and (way.kind == "decided" or _is_handler(way)):
                    yield name, number, way

    # --- counts ---------------------------------------------------------------------------------

    def _length(self, name: str) -> int:
        return _passed(self._graph.stops[name], self._unit).get(self._unit, 0)

    def _last(self, ways: tuple[_Step, ...]) -> str | None:
        return self._way(ways[-1]).to if ways else self._graph.start

    def _counts(self, ways: tuple[_Step, ...], last: str | None) -> Counts:
        parts = [_passed(self._graph.stops[name], self._unit) for name, _ in ways]
        parts += [self._way(step).counts for step in ways]
        if last is not None and self._graph.stops[last].kind in {"done", "failed"}:
            parts.append(self._graph.stops[last].counts)
        return plus(*parts)

    def _row(self, kind: _Kind, name: str, ways: tuple[_Step, ...], run: Counts, stop: Stop) -> Row:
        self._done.update(ways)
        last = None if kind == "turn" else self._last(ways)
        stops = [self._graph.stops[name] for name, _ in ways]
        through = tuple(stop.name for stop in stops if stop.label is not None)
        return Row(kind, name, stop.span, through, plus(run, self._counts(ways, last)))


def _counts(way: Way) -> bool:
    """Whether rows follow it: not where only the engine's own faults or an uncaught error lead."""
    return way.kind != "lost" and not way.failed and not (way.kind == "raised" and not way.name)


def _is_handler(way: Way) -> bool:
    return way.kind in {"raised", "ended"}


def _title(stop: Stop, way: Way) -> str:
    if _is_handler(way):
        return f"`{way.name}` ends with an error" if way.kind == "ended" else way.name
    return f"{stop.name}: {way.name}"


def _passed(stop: Stop, unit: str) -> Counts:
    """A stop, with the longest way of each branch that is written out."""
    own = plus(stop.counts, stop.work)
    if not stop.branches or _is_list(stop):
        return own
    inside = [plus(stop.each, _Rows(branch, unit).best()) for branch in stop.branches]
    return plus(own, *inside)


def _is_list(stop: Stop) -> bool:
    """Whether its branches are as many as a list has items."""
    return len(stop.branches) == 1 and stop.branches[0].scope.endswith("[*]")


def _branches(graph: Graph, unit: str, inside: str) -> Iterator[Row]:
    for stop in graph.stops.values():
        for branch in stop.branches:
            title = branch.scope.removesuffix("[*]")
            for row in _Rows(branch, unit).all(stop.each):
                if row.kind == "path":
                    other = "" if row.name == LONGEST else f", {row.name}"
                    name = f"each branch of `{title}`" if _is_list(stop) else f"branch `{title}`"
                    yield row._replace(kind="branch", name=f"{name}{other}")
                else:
                    yield row
            yield from _branches(branch, unit, branch.scope)


def _retries(graph: Graph) -> Iterator[Row]:
    """One row for all operations whose attempts cost the same."""
    found: dict[tuple[tuple[str, int], ...], list[Stop]] = {}
    for stop in _all_stops(graph):
        if stop.again:
            found.setdefault(tuple(sorted(stop.again.items())), []).append(stop)
    for stops in found.values():
        names = tuple(dict.fromkeys(stop.name for stop in stops))
        yield Row("retry", "each further attempt", stops[0].span, names, stops[0].again)


def _all_stops(graph: Graph) -> Iterable[Stop]:
    for stop in graph.stops.values():
        yield stop
        for branch in stop.branches:
            yield from _all_stops(branch)
