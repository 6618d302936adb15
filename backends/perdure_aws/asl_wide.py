"""Wide gathers as states: a Task with a token beside the Map (see `perdure.sites.wide`).

the site before          perdure.Wide[gather]      -> "gather (wide)"
the first state          perdure.Entered[gather]   -> "gather", the Map: a chunk begins
the site behind          perdure.Chunk             -> "end of chunk"
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.ir import ForkKind
from perdure.machine.ir import Choose, Route, Run, Spawn, State
from perdure.sites.error_names import CHUNK, entered, wide
from perdure_aws import expressions as jsonata
from perdure_aws.asl_ends import ending_of
from perdure_aws.asl_waits import waiting
from perdure_aws.expressions import expression

if TYPE_CHECKING:
    from perdure_aws.asl import ScopeStates

__all__ = ["Wide"]


class Wide:
    """What wide gathers add to the states of a scope; nothing but at the root."""

    def __init__(self, scope: "ScopeStates") -> None:
        self._scope = scope
        spawns = [s for s in scope.scope.states if isinstance(s, Spawn)] if scope.is_root else []
        names = scope.whole.names
        self._states = {s.name: names.extra(f"{s.name} (wide)") for s in spawns if _may_be_wide(s)}
        self._end = names.extra("end of chunk") if self._states else ""

    def catchers(self, state: State) -> Iterator[Json]:
        """Catchers of the sites before and behind such a Map, and of the first state."""
        said = expression(jsonata.cause("next"))
        if isinstance(state, Run | Route):
            for spawn in self._ahead(state):
                name = self._states[spawn.name]
                yield {"ErrorEquals": [wide(spawn.pc)], "Output": said, "Next": name}
            if any(
                native.name in self._states for native in self._scope.before.get(state.name, ())
            ):
                yield {"ErrorEquals": [CHUNK], "Next": self._end}
        start = self._scope.scope.start
        if start is not None and start.to == state.name:
            for name in self._states:
                to = self._scope.name(name)
                yield {"ErrorEquals": [entered(name)], "Output": said, "Next": to}

    def _ahead(self, state: Run | Route) -> Iterator[Spawn]:
        """The Maps that come next, with nothing but choices between."""
        edges = [*([state.next] if state.next else []), *(way.edge for way in state.on_raise)]
        pending, seen = [edge.to for edge in edges], set[str]()
        while pending:
            name = pending.pop()
            found = self._scope.by_name[name]
            if name in seen:
                continue
            seen.add(name)
            if isinstance(found, Spawn) and name in self._states:
                yield found
            if isinstance(found, Choose):
                pending.extend(edge.to for _, edge in found.exits)
                pending.extend(way.edge.to for way in found.raised)

    def add(self) -> None:
        """The states beside the flow's own."""
        scope = self._scope
        for name, added in self._states.items():
            spawn = scope.by_name[name]
            assert isinstance(spawn, Spawn), "only forks are wide"
            edge = spawn.next
            more = {"origin": spawn.pc, "kind": str(spawn.fork.kind)}
            onward: dict[str, Json] = {
                "Output": jsonata.along(edge.at, edge.bind, "chunks", "true", **more),
                "Next": scope.name(edge.to),
            }
            scope.extra(added, spawn, {**waiting(scope, spawn, added, wide=name), **onward})
        if self._states:
            first = scope.by_name[next(iter(self._states))]
            scope.extra(self._end, first, {"Type": "Succeed"})


def _may_be_wide(state: Spawn) -> bool:
    fork = state.fork
    return fork.over is not None and fork.kind is ForkKind.ALL and ending_of(fork).wins is None
