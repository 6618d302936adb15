"""What explanations say of runs, held against what engines have counted.

A prediction is made from the source and from what the reference did: it knows no state. Where the
trace of a run fits several ways, for pure code decided and no operation shows how, it has several
answers; those cases are listed, and no others may have them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final, Protocol, runtime_checkable

from perdure.backend import load_target
from perdure.diagnostics import Report
from perdure.driver import (
    analyse,
    build_program,
    explain_program,
    find_flows,
    open_project,
    split_flow,
)
from perdure.explain.counting import plus, times
from perdure.explain.model import Explanation
from perdure.explain.taken import predict
from perdure.testing import Result
from perdure.trace import CANCELLED, Trace
from perdure_gcp.explained import LATE, ROUND
from perdure_gcp.workflows.execution import Entry
from tests.conformance.engines import CASES, ROOT, outcome

__all__ = ["SETTLED", "SEVERAL", "check_counts", "counts_of", "explanation", "was_cut"]

_DECIDED = "what pure code decides, and raises, is in no trace"

SEVERAL: Final[Mapping[str, str]] = {
    "saga-card-declined": _DECIDED,
    "saga-never-shipped": _DECIDED,
    "saga-cancelled": _DECIDED,
    "saga-cancelled-while-it-reserves": _DECIDED,
    "ac-08-no-such-tool": _DECIDED,
    "az-01-expired": _DECIDED,
    "az-01-three-wrong": _DECIDED,
    "re-03-never": _DECIDED,
    "sf-01-payment-fails": _DECIDED,
    "sf-13-work-fails": _DECIDED,
    "gw-01-saturday": _DECIDED,
    "gw-01-friday": _DECIDED,
    "gw-10-404": _DECIDED,
    "gw-10-broken": _DECIDED,
    "ta-01-confirmed": _DECIDED,
    "ta-01-ended": _DECIDED,
    "re-12-refunded": _DECIDED,
    "ad-04": "how far the losers of a race come is nobody's promise",
    "sf-10": "how far the losers of a race come is nobody's promise",
}
"""Cases whose trace fits ways of several costs, and why; the right one is among them."""


SETTLED: Final = {("ac-02", "azure")}
"""Runs of branches under a limit, where a timer that nobody wrote says which goes on."""


@cache
def explanation(flow: str, target: str) -> Explanation:
    """What `perdure explain` says of a flow (`file:name`)."""
    report, backend = Report(), load_target(target)
    assert backend is not None, target
    name = split_flow(str(ROOT / flow))  # an absolute one stays as it is
    workspace = open_project(name.path, report)
    (found,) = find_flows(workspace, name)
    program = build_program(analyse(workspace, found), report)
    assert program is not None, report.diagnostics
    explained = explain_program(program, backend, workspace.project, report)
    assert explained is not None, report.diagnostics
    return explained


def check_counts(case_id: str, engine: str, got: Result) -> None:
    """The counts of a run are what its explanation says of a run with the reference's trace."""
    target, _, _ = engine.partition("/")
    trace = outcome(case_id, "reference").whole_trace
    for unit, counted in counts_of(engine, got).items():
        if unit != "transitions" and (was_cut(trace) or (case_id, target) in SETTLED):
            continue  # what was under way then has left a part of itself
        entry = explanation(CASES[case_id].flow, target).flows[0]
        found = predict(entry.graph, entry.run, trace, unit)
        assert counted in found, f"{counted} {unit} counted, {sorted(found)} explained"
        assert len(found) == 1 or case_id in SEVERAL, f"one of {sorted(found)} {unit}"


def was_cut(trace: Trace) -> bool:
    """Whether something was under way when it was ended."""
    cancelled = any(one.outcome == CANCELLED for one in trace.entries)
    return cancelled or trace.end.status == "cancelled"


def counts_of(engine: str, got: Result) -> Mapping[str, int]:
    """What an engine has counted, by unit; nothing where it does not count."""
    match engine:
        case "aws/moto":
            assert got.transitions is not None
            return {"transitions": got.transitions, "events": len(got.history)}
        case "gcp/workflows":
            return _of_steps([entry for entry in got.history if isinstance(entry, Entry)])
        case "azure/memory":
            return _of_events(got.history)
        case _:
            return {}


def _of_steps(history: list[Entry]) -> Mapping[str, int]:
    """Steps, with one round of each wait: how many it takes is a matter of time."""
    steps = [(entry.routine, entry.step) for entry in history]
    rounds = steps.count(("wait", "listen")) - steps.count(("wait", "first"))
    late = steps.count(("wait", "no_ring"))
    more = plus(times(rounds, ROUND), times(late, LATE))
    external = steps.count(("wait", "listen"))
    return {
        "internal": len(steps) - external - more.get("internal", 0),
        "external": external - rounds,
    }


@runtime_checkable
class _Event(Protocol):
    """An event of Microsoft's protobuf."""

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802  (theirs)
        """Which member of a group it has."""
        ...


def _of_events(history: tuple[object, ...]) -> Mapping[str, int]:
    """Actions: what the scheduler has dispatched."""
    kinds = [str(event.WhichOneof("eventType")) for event in history if isinstance(event, _Event)]
    dispatched = (
        "executionStarted",
        "taskScheduled",
        "taskCompleted",
        "taskFailed",
        "timerFired",
        "eventRaised",
        "subOrchestrationInstanceCreated",
        "subOrchestrationInstanceCompleted",
        "subOrchestrationInstanceFailed",
    )
    return {"actions": sum(map(kinds.count, dispatched)), "events": len(kinds)}
