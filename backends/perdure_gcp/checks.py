"""What Workflows cannot take, or this target does not lower yet: refused at its line."""

from perdure.diagnostics import Report
from perdure.machine.graph import scopes
from perdure.machine.ir import Machines
from perdure.machine.long_waits import check_waits
from perdure.machine.policies import MARGIN
from perdure.machine.runs import check_runs
from perdure_gcp.workflows.limits import value_of

__all__ = ["INVOCATION_SECONDS", "check"]

INVOCATION_SECONDS = value_of("http_seconds") - MARGIN
"""The longest step: a request of a workflow ends after half an hour."""


def check(machines: Machines, report: Report) -> None:
    """Report every state that cannot be emitted exactly."""
    for machine in machines.machines:
        for scope in scopes(machine.root):
            check_waits(scope, report, target="gcp", most=value_of("execution_seconds"))
    check_runs(machines, report, target="gcp", invocation=INVOCATION_SECONDS)
