"""What Workflows cannot take, or this target does not lower yet: refused at its line."""

from perdure import rules
from perdure.diagnostics import Report
from perdure.ir import OpKind
from perdure.machine.graph import scopes
from perdure.machine.ir import Machines, Run
from perdure.machine.policies import MARGIN, Policies
from perdure_gcp.workflows.limits import value_of

__all__ = ["INVOCATION_SECONDS", "check"]

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

INVOCATION_SECONDS = value_of("http_seconds") - MARGIN
"""The longest step: a request of a workflow ends after half an hour."""


def check(machines: Machines, report: Report) -> None:
    """Report every state that cannot be emitted exactly."""
    policies = Policies(machines.steps, invocation=INVOCATION_SECONDS)
    for machine in machines.machines:
        for scope in scopes(machine.root):
            for state in scope.states:
                match state:
                    case Run() if state.op.kind not in SITE_OPERATIONS:
                        _not_yet(report, f"`{state.op.kind}` of another run", state)
                    case Run() if policies.longest(state.op) > INVOCATION_SECONDS:
                        report.error(
                            rules.STEP_TOO_LONG,
                            state.span,
                            step=state.op.label,
                            value=f"{policies.longest(state.op)} s",
                            limit=f"{INVOCATION_SECONDS}s",
                            target="gcp",
                        )
                    case _:
                        pass


def _not_yet(report: Report, what: str, state: Run) -> None:
    report.error(rules.NOT_LOWERED, state.span, what=what, target="gcp", line=state.span.line)
