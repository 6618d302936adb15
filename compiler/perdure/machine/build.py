"""The pipeline of the Machine IR: a verified program in, machines ready for a target out."""

from collections.abc import Callable

from perdure.ir import Program
from perdure.machine.closures import refuse_rebound
from perdure.machine.ir import Machines
from perdure.machine.lower import lower
from perdure.machine.place import place
from perdure.machine.verify import verify

__all__ = ["MACHINE_PASSES", "build_machines"]

MACHINE_PASSES: tuple[Callable[[Machines], Machines], ...] = (
    refuse_rebound,
    place,
)


def build_machines(program: Program) -> Machines:
    """Lower, then each pass, verified after each. Look at `refusals` before emitting."""
    machines = lower(program)
    verify(machines, after="lower")
    for run_pass in MACHINE_PASSES:
        machines = run_pass(machines)
        verify(machines, after=run_pass.__name__)
    return machines
