"""An explanation as data: what a target says of a flow, in terms that no target owns.

A *stop* is a thing an engine passes and counts (a state, a step); a *graph* is all stops of one
scope with the ways between them. Counts are by the name of a unit.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, final

from perdure.source import Span

__all__ = [
    "Counts",
    "Explanation",
    "FlowExplained",
    "Graph",
    "Note",
    "Price",
    "Row",
    "Stop",
    "Unit",
    "Way",
]

type Counts = Mapping[str, int]
"""How much of each unit; what is missing is 0."""


@final
class Unit(NamedTuple):
    """Something that an engine counts, limits or bills."""

    name: str
    """In the plural, as the engine's own documents call it."""
    what: str
    """One clause that says when one more is counted."""


@final
class Price(NamedTuple):
    """What a unit costs beyond the free tier."""

    unit: str
    dollars: str | None
    """For `per` of them, as a decimal number; None: no page that could be read says it."""
    per: int
    free: str
    """What is free each month, "" for nothing."""
    where: str
    """The region, or the tier."""
    source: str
    seen: str
    """The date at which the source was read."""


@final
class Way(NamedTuple):
    """One way on from a stop.

    `next`: nothing went wrong; `decided`: the decision came out as `name`; `raised`: an exception
    for the handler `name` ("": none takes it); `ended`: what the wait `name` came to is for a
    handler; `lost`: an error that no Python saw, or a cancel.
    """

    kind: Literal["next", "decided", "raised", "ended", "lost"]
    name: str
    to: str | None
    """None: the scope ends here."""
    failed: bool
    """Whether it leads to nothing but the scope's failing."""
    counts: Counts


@final
class Stop(NamedTuple):
    """Something that an engine passes."""

    name: str
    kind: Literal["site", "step", "decision", "wait", "fork", "child", "done", "failed"]
    """`step`: a site with an operation in it; `site`: Python alone."""
    label: str | None
    """Of the operation that it performs; None without one, "" if only run time knows."""
    span: Span
    counts: Counts
    """Of passing it once, whether or not its operation begins."""
    work: Counts
    """Of its operation, beside that."""
    again: Counts
    """Of each further attempt."""
    each: Counts
    """Of each branch, beside what the branch passes."""
    ways: tuple[Way, ...]
    branches: "tuple[Graph, ...]" = ()
    recorded: bool = True
    """Whether a trace has an entry of its operation."""
    elsewhere: tuple[str, ...] = ()
    """Of a recursive fork: the scopes of its branches, whose graphs stand at another stop."""


@final
class Graph(NamedTuple):
    """The stops of one scope, in program order."""

    scope: str
    start: str
    stops: Mapping[str, Stop]


@final
class Note(NamedTuple):
    """What is said of a line: where a piece of it runs, and why there."""

    file: str
    line: int
    kind: Literal["engine", "site", "body"]
    """The engine's own state; a generated function around or between operations; a step's body."""
    where: str
    why: str
    counts: Counts


@final
class Row(NamedTuple):
    """What one way through a flow costs.

    `path`: from the start to an end, each loop passed without a turn of its own; `turn`: one more
    turn of a loop; `branch`: one branch of a fork; `retry`: one more attempt.
    """

    kind: Literal["path", "turn", "branch", "retry"]
    name: str
    span: Span
    """Of what tells it from the others."""
    through: tuple[str, ...]
    """The stops with operations and decisions, in order."""
    counts: Counts


@final
class FlowExplained(NamedTuple):
    """One flow: the entry, or one that it awaits or starts, which is a run of its own."""

    flow: str
    span: Span
    graph: Graph
    run: Counts
    """Of each run, beside what it passes; part of each `path`."""
    notes: tuple[Note, ...]
    rows: tuple[Row, ...]


@final
class Explanation(NamedTuple):
    """All that is said of a flow on one target."""

    target: str
    units: tuple[Unit, ...]
    """The first is what explanations are about; the others follow by weight."""
    prices: tuple[Price, ...]
    flows: tuple[FlowExplained, ...]
    remarks: tuple[str, ...]
    """What holds for the whole: limits, hand-over, what is not in the cost."""
