"""What Workflows cannot take, or this target does not lower yet: refused at its line."""

from perdure import rules
from perdure.diagnostics import Report
from perdure.machine.graph import scopes
from perdure.machine.ir import Block, Machines, Scope, Use
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
            _check_groups(scope, report)
            check_waits(scope, report, target="gcp", most=value_of("execution_seconds"))
    check_runs(machines, report, target="gcp", invocation=INVOCATION_SECONDS)


def _check_groups(scope: Scope, report: Report) -> None:
    """Groups whose bodies go on waiting: `perdure.sites.open_groups` starts their tasks on aws."""
    what = "a TaskGroup whose body waits after it has created a task"
    for node in scope.nodes.values():
        for code in node.code if isinstance(node, Block) else ():
            if isinstance(code, Use) and code.function == "begin_group" and code.values:
                line = node.span.line
                report.error(rules.NOT_LOWERED, node.span, what=what, target="gcp", line=line)
