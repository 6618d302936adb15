"""Where the branches of a fork or of a group stand: scopes of their own, or known already.

Comes in: a fork's place and its branches. Goes out: their scopes, or `Again` for each where the
fork is recursive and its branches were lowered at another place, or are being lowered around it.
"""

from typing import TYPE_CHECKING, final

from perdure.ir import Branch, Slot
from perdure.machine.context import Context
from perdure.machine.ir import Again, Scope
from perdure.source import Span

if TYPE_CHECKING:
    from perdure.machine.lower import Lowering

__all__ = ["ForkBranches"]


@final
class ForkBranches:
    """Those of one fork, by name; `which`: of a group whose tasks are one scope, what tells them
    apart; `forked`: they are executions of their own, recursive or not.
    """

    def __init__(  # noqa: PLR0917
        self,
        low: "Lowering",
        context: Context,
        label: str,
        span: Span,
        branches: tuple[tuple[str, Branch], ...],
        which: Slot | None = None,
        *,
        forked: bool = False,
    ) -> None:
        self._low = low
        self._context = context
        self._branches = [branch for _, branch in branches]
        self._which = which
        self.recursive = low.forks.is_one(context.frame, self._branches)
        found = low.forks.known(context.frame, label, span) if self.recursive else ()
        self.again = found
        self.places: tuple[Again, ...] = found
        """Where its branches stand."""
        self.forked = forked
        self._ids: list[str] = []
        if found:
            return
        inside = f"{low.scope}/" if low.scope else ""
        names = [name for name, _ in branches] if which is None else ["*"]
        self._ids = [low.scope_id(f"{inside}{label}[{name}]") for name in names]
        if self.recursive:
            # Whoever comes here may be in other helpers, and have deadlines around.
            self._context = context._replace(helpers=(), timed=low.frames.has_deadlines)
            low.forks.note(context.frame, label, span, self._all())
        self.places = self._all()

    def scopes(self) -> tuple[Scope, ...]:
        """A scope for each; none where they stand at another place."""
        if self.again:
            return ()
        if self._which is not None:
            id, which = self._ids[0], self._which
            return (self._low.choice_of_branches(self._branches, which, id, self._context),)
        return tuple(
            self._low.branch(branch, id, self._context)
            for id, branch in zip(self._ids, self._branches, strict=True)
        )

    def _all(self) -> tuple[Again, ...]:
        return tuple(map(self._again, range(len(self._ids))))

    def _again(self, number: int) -> Again:
        if self._which is not None:
            return Again(self._ids[0], ())  # its tasks bring along all that they need
        frame = self._context.frame
        captured = self._low.frames.captured(self._branches[number])
        slots = (frame.slot(name) for name in captured if name in frame.names)
        return Again(self._ids[number], tuple(slots))
