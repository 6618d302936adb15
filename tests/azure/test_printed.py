"""What is printed from the Flow IR means what the instrumented module does, on the reference."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from perdure.durations import seconds_of
from perdure.language import Flow
from perdure.reference.runner import run_loaded
from perdure.runtime.functions import ModuleFunctions
from perdure.testing import Result
from perdure.testing.request import Request, ScriptedEvent
from perdure.testing.scripts import Scripts
from perdure.trace import compare
from perdure_azure.engine.compiled import compiled
from perdure_azure.engine.files import imported_from
from tests.azure.scripts import FLOWS, NAMES, steps
from tests.conformance.case import Case
from tests.conformance.corpus import CORPUS
from tests.conformance.engines import ROOT, outcome
from tests.conformance.examples import EXAMPLES

CASES = {case.id: case for case in (*EXAMPLES, *CORPUS)}
EVERYTHING = Case(
    "everything", f"{FLOWS.relative_to(ROOT)}:everything", {"names": NAMES}, steps=steps()
)


def run_printed(case: Case) -> Result:
    """The case on the reference, with the printed modules."""
    file, _, name = case.flow.partition(":")
    project = compiled(ROOT / file, name)
    events = sorted(
        (ScriptedEvent(seconds_of(when), event, payload) for when, event, payload in case.events),
        key=lambda event: event.after,
    )
    unscripted = "run" if case.unscripted == "run" else "refuse"
    request = Request(
        ROOT / file,
        name,
        case.arguments,
        Scripts(case.steps, unscripted),  # type: ignore[arg-type]  # a case keeps scripts as objects
        tuple(events),
        None if case.cancel is None else seconds_of(case.cancel),
    )
    module, _, qualname = project.entry.partition(":")
    with (
        TemporaryDirectory() as folder,
        imported_from(project.files, Path(folder), [*project.modules]) as modules,
    ):
        flow: Flow[..., object] = getattr(modules[module], qualname)
        return run_loaded(flow, request, ModuleFunctions(modules))


@pytest.mark.parametrize("case_id", CASES)
def test_a_printed_case_has_the_trace_of_the_instrumented_one(case_id: str) -> None:
    expected = outcome(case_id, "reference")
    assert compare(expected.whole_trace, run_printed(CASES[case_id]).whole_trace) == []


def test_a_printed_flow_of_every_kind_of_node() -> None:
    from perdure.testing import run

    expected = run(f"{FLOWS}:everything", {"names": NAMES}, steps=steps())
    assert compare(expected.whole_trace, run_printed(EVERYTHING).whole_trace) == []
