"""Hand-over: a long run goes on in another execution of the same machine.

A site at the head of a loop that finds the history long fails by a name of its own:

    head of a loop      perdure.HandOver    -> "hand over"
    "hand over"         Task with a token: starts the next generation, from that head; the first
                        one waits there until the run has ended
    "after hand over"   gives what the run gave

The first state of the machine, given the state of a loop head, fails by the name of that head, and
is caught there. So a run that is short enough sees nothing of all this.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.machine.loops import heads
from perdure.sites.error_names import HAND_OVER, entered
from perdure_aws import expressions as jsonata
from perdure_aws.asl_waits import hand_over
from perdure_aws.expressions import expression

if TYPE_CHECKING:
    from perdure_aws.asl import ScopeStates

__all__ = ["HandOver"]

EXECUTION = expression("$states.context.Execution.Name")


class HandOver:
    """What hand-over adds to the states of a scope; nothing but at the root, in branches that are
    executions of their own, and to loops.
    """

    def __init__(self, scope: "ScopeStates") -> None:
        self._scope = scope
        self._heads = heads(scope.scope) if scope.is_root or scope.is_forked else ()
        self._state = scope.whole.names.extra("hand over") if self._heads else ""

    def asked(self, name: str) -> dict[str, Json]:
        """What a site is told that may hand over, and the first one, where runs come in."""
        return {"execution": EXECUTION} if name in self._heads else {}

    def catchers(self, name: str) -> Iterator[Json]:
        """Catchers of the head of a loop, and of the first state."""
        said = expression(jsonata.cause("next"))
        if name in self._heads:
            yield {"ErrorEquals": [HAND_OVER], "Output": said, "Next": self._state}
        start = self._scope.scope.start
        if start is not None and start.to == name and self._scope.is_root:
            for head in self._heads:
                if head != name:
                    to = self._scope.name(head)
                    yield {"ErrorEquals": [entered(head)], "Output": said, "Next": to}

    def add(self) -> None:
        """The two states beside the flow's own."""
        if not self._heads:
            return
        after = self._scope.whole.names.extra("after hand over")
        head = self._scope.by_name[self._heads[0]]
        hand_over(self._scope, head, self._state, after)
