"""The cloud path, cut at every site: nothing is lost, and only what was cut runs again."""

import pytest

from perdure.testing import ScriptedEvent
from perdure.testing.request import Request
from perdure.testing.runner import moment
from perdure.testing.scripts import Scripts
from tests.conformance.case import Case
from tests.conformance.engines import CASES, ROOT
from tests.proof.cuts import CUTS, Swept, swept

SAMPLE = ("saga-card-declined", "research-two-drafts", "agent-two-tools")


def cuts_of(case: Case) -> Swept:
    """All cuts of one case."""
    file, _, flow = case.flow.partition(":")

    def request() -> Request:
        events = [ScriptedEvent(moment(at), name, sent) for at, name, sent in case.events]
        return Request(
            ROOT / file,
            flow,
            dict(case.arguments),
            Scripts(dict(case.steps), case.unscripted),
            tuple(sorted(events, key=lambda event: event.after)),
            None if case.cancel is None else moment(case.cancel),
        )

    return swept(ROOT / file, flow, request)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_case_cut_at_every_site_has_the_trace_of_the_run_nobody_disturbed(name: str) -> None:
    found = cuts_of(CASES[name])
    assert not found.wrong, "\n".join(found.wrong)
    assert found.cuts > found.invocations * (len(CUTS) - 1) - 1
    assert found.repeated > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_every_case_cut_at_every_site_has_the_trace_of_the_run_nobody_disturbed(name: str) -> None:
    found = cuts_of(CASES[name])
    assert not found.wrong, "\n".join(found.wrong)
