"""The contract between the compiler and a target.

A target is data about its engine and a small lowering. There are two families: a machine target
gets the flow as control-flow graphs (Step Functions, Workflows), a code target as structured
statements (Azure, and others later). Both may rely on verified IR; both must not mutate it, read
the clock or the environment, or touch the network. `check` reports what the engine cannot take
(PDR3xx) and `lower` runs only when nothing was reported, so it never has to say no.

The limits of an engine are rows of one table: checks, engines under test and the docs read it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, final

if TYPE_CHECKING:
    from perdure.diagnostics import Report
    from perdure.explain.model import Explanation
    from perdure.ir import Program
    from perdure.machine.ir import Machines
    from perdure.probing import Prober
    from perdure.project import Project

__all__ = [
    "Artifacts",
    "CodeTarget",
    "Limit",
    "Limits",
    "MachineTarget",
    "Target",
    "load_prober",
    "load_target",
    "target_names",
]

GROUP = "perdure.backends"
BUILT_IN: Mapping[str, str] = {
    "aws": "perdure_aws:backend",
    "azure": "perdure_azure:backend",
    "gcp": "perdure_gcp:backend",
}
"""Targets of this distribution, so that finding them needs no scan of what is installed."""

PROBERS: Mapping[str, str] = {
    "aws": "perdure_aws.probe:PROBER",
    "gcp": "perdure_gcp.probe.prober:PROBER",
}
"""Those of `perdure probe`."""

type Artifacts = Mapping[str, bytes | str]
"""What a target writes for one flow: relative path (with `/`) to content."""


@final
class Limit(NamedTuple):
    """One documented limit of an engine."""

    value: int
    unit: str
    source: str
    """Where it is documented, and the date it was read."""
    remedy: str
    """What the compiler does about it, or what the user can."""


type Limits = Mapping[str, Limit]


class MachineTarget(Protocol):
    """An engine that runs a graph of states; Python runs at sites."""

    family: Literal["machine"]
    name: str
    limits: Limits
    has_door: bool
    """Whether what it emits serves webhooks and schedules; else the driver refuses them."""

    def check(self, machines: "Machines", report: "Report") -> None:
        """Report what this engine cannot take, at its line."""
        ...

    def lower(self, machines: "Machines", program: "Program", project: "Project") -> Artifacts:
        """The artifacts of one flow that `check` let pass."""
        ...

    def explain(self, machines: "Machines") -> "Explanation":
        """Where each line of a flow that `check` let pass runs, why, and what its ways cost."""
        ...


class CodeTarget(Protocol):
    """An engine that runs code which waits; the flow stays one readable function."""

    family: Literal["code"]
    name: str
    limits: Limits
    keeps_whole_statements: bool
    """Whether it prints what the IR keeps whole (`Unlowered`); else the driver refuses that."""
    has_door: bool
    """See `MachineTarget`."""

    def oldest_python(self, project: "Project") -> tuple[int, int]:
        """The oldest Python that the engine's runtime takes; an older pin is refused."""
        ...

    def check(self, program: "Program", report: "Report") -> None:
        """Report what this engine cannot take, at its line."""
        ...

    def lower(self, program: "Program", project: "Project") -> Artifacts:
        """The artifacts of one flow that `check` let pass."""
        ...

    def explain(self, machines: "Machines") -> "Explanation":
        """As of a machine target: the ways through a flow are those of its machines."""
        ...


type Target = MachineTarget | CodeTarget


def target_names() -> tuple[str, ...]:
    """Every target that is installed, in alphabetical order."""
    from importlib.metadata import entry_points

    return tuple(sorted({*BUILT_IN, *entry_points(group=GROUP).names}))


def load_prober(name: str) -> "Prober | None":
    """What asks a target's open questions of a real account; None where there is nothing."""
    from importlib import import_module

    if name not in PROBERS:
        return None
    module, _, attribute = PROBERS[name].partition(":")
    prober: Prober = getattr(import_module(module), attribute)
    return prober


def load_target(name: str) -> Target | None:
    """The target of that name; None if none is installed."""
    if name in BUILT_IN:
        from importlib import import_module

        module, _, attribute = BUILT_IN[name].partition(":")
        target: Target = getattr(import_module(module), attribute)
        return target
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        loaded: Target = entry.load()
        return loaded
    return None
