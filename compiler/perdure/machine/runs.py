"""What no site can do on a target: refused at its line, before anything is emitted."""

from perdure import rules
from perdure.diagnostics import Report
from perdure.ir import OpKind
from perdure.machine.graph import scopes
from perdure.machine.ir import Machines, Run
from perdure.machine.policies import Policies

__all__ = ["check_runs"]

SITE_OPERATIONS = frozenset(
    {
        OpKind.STEP,
        OpKind.TABLE,
        OpKind.VALUE,
        OpKind.PROGRESS,
        OpKind.REPLY,
        OpKind.START,
        OpKind.SEND,
        OpKind.CANCEL,
    }
)
"""Operations that a site does itself today."""


def check_runs(machines: Machines, report: Report, *, target: str, invocation: int) -> None:
    """Report operations that sites do not do, and steps longer than one `invocation` (seconds)."""
    policies = Policies(machines.steps, invocation=invocation)
    for machine in machines.machines:
        for scope in scopes(machine.root):
            for state in scope.states:
                if isinstance(state, Run):
                    _check(state, policies.longest(state.op), report, target, invocation)


def _check(state: Run, longest: int, report: Report, target: str, invocation: int) -> None:
    op, span = state.op, state.span
    if op.kind not in SITE_OPERATIONS:
        what = f"`{op.kind}` of another run"
        report.error(rules.NOT_LOWERED, span, what=what, target=target, line=span.line)
    elif longest > invocation:
        value, limit = f"{longest} s", f"{invocation}s"
        report.error(
            rules.STEP_TOO_LONG, span, step=op.label, value=value, limit=limit, target=target
        )
