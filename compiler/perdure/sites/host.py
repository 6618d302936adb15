"""What a site works with: everything that the engine around it brings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from perdure.codec.functions import FunctionTable
from perdure.language import Flow as UserFlow
from perdure.sites import waits
from perdure.sites.executions import Executions
from perdure.sites.operations import StepRunner
from perdure.sites.table import Flow
from perdure.store.protocol import RunStore, Versions

__all__ = ["DEEPER", "Host"]

DEEPER: Final = 1000
"""A child is so much deeper than its parent, whatever is around either."""


@final
@dataclass(frozen=True, slots=True)
class Host:
    """What a site works with: the flow, the run store, who runs steps, time, doorbells."""

    table: Flow
    store: RunStore
    steps: StepRunner
    bell: waits.Bell
    executions: Executions
    flow_named: Callable[[str], UserFlow[..., object]]
    versions: Versions
    target: str
    """The name of the target, for the run's record."""
    now: Callable[[], float]
    sleep: Callable[[float], None]
    functions: FunctionTable
    """Names the nested functions of the emitted module."""
    misfit: Callable[[str], None] | None = None
    """Told of a payload that does not fit the wait that took it: in tests alone."""
    waiting_branches: int = 40
    """Branches that wait, and that one fork may have: of an inline Map, where nobody says more."""
    wide: bool = False
    """Whether the target takes a wide gather apart."""
    forks: bool = False
    """Whether the sites start the executions of branches (`perdure.sites.forked`)."""
    settle: Callable[[int], None] = lambda _depth: None
    """Lets everything else go first that happens at this instant, and whoever settles deeper.

    Only a virtual clock has such an instant.
    """

    @property
    def flow(self) -> UserFlow[..., object]:
        """The flow as the user wrote it: its module is imported now, if nothing else needed it."""
        return self.flow_named(self.table.ref)
