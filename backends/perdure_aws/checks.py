"""What Step Functions cannot take, or this target does not lower yet: refused at its line."""

from perdure.diagnostics import Report
from perdure.machine.graph import scopes
from perdure.machine.ir import Machines
from perdure.machine.runs import check_runs
from perdure_aws.limits import value_of
from perdure_aws.written import check_written

__all__ = ["check"]


def check(machines: Machines, report: Report) -> None:
    """Report every state that cannot be emitted exactly."""
    for machine in machines.machines:
        for scope in scopes(machine.root):
            check_written(scope, report)
    check_runs(machines, report, target="aws", invocation=value_of("lambda_seconds"))
