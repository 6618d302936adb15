"""Google's own samples: all deploy, and those that call nothing give what they are made to give.

None of them is kept here. Fetch https://github.com/GoogleCloudPlatform/workflows-samples and say
where it lies:

    PERDURE_WORKFLOWS_SAMPLES=../workflows-samples pytest -m slow tests/gcp_engine/test_samples.py
"""

import os
from pathlib import Path

import pytest

from perdure_gcp.workflows import Project, problems_of

pytestmark = pytest.mark.slow

WHERE = "PERDURE_WORKFLOWS_SAMPLES"
KINDS = (".workflows.yaml", ".workflows.json")
PURE = {
    "args": "Hello Ada Lovelace",
    "array": {"concat_result": "foobar"},
    "dictionary": None,
    "expression": "Current temperature is 80.6 F",
    "iterate_for_range": 45,
    "iterate_list": 15,
    "iterate_map": 60,
    "list": None,
    "list_reverse": [3, 2, 1],
    "loop_scope": [8],
    "step_iterate": {"concat_result": "foobar"},
    "step_switch_embedded": "increase a to:8",
    "subworkflow": "Hello Kristof",
    "vars": None,
}
"""Their results, with a name as the argument."""
NOT_DOCUMENTED = {"parallel_error_handling": "UnhandledBranchError"}
"""What they return no page describes: only the tag."""


@pytest.fixture(scope="module")
def samples() -> Path:
    if WHERE not in os.environ:
        pytest.skip(f"{WHERE} does not say where the samples are")
    return Path(os.environ[WHERE]) / "src"


def test_every_sample_deploys(samples: Path) -> None:
    files = [file for file in samples.rglob("*") if file.name.endswith(KINDS)]
    assert len(files) >= 188
    refused = {
        str(file): problem.message
        for file in files
        for problem in problems_of(file.read_text("utf-8"))
        if problem.kind == "error"
    }
    assert not refused


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PURE)
def test_a_sample_that_calls_nothing_gives_its_result(samples: Path, name: str, kind: str) -> None:
    project = Project(strict=kind == ".workflows.yaml")
    project.deploy(name, (samples / f"{name}{kind}").read_text("utf-8"))
    execution = project.run(name, {"firstName": "Ada", "lastName": "Lovelace"})
    assert (execution.state, execution.result) == ("SUCCEEDED", PURE[name])


@pytest.mark.parametrize("name", NOT_DOCUMENTED)
def test_a_sample_whose_result_is_not_documented(samples: Path, name: str) -> None:
    project = Project(strict=False)
    project.deploy(name, (samples / f"{name}.workflows.yaml").read_text("utf-8"))
    assert NOT_DOCUMENTED[name] in str(project.run(name).result)
