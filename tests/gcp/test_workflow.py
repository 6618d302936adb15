"""What is emitted for Workflows: everybody reads it alike, and it deploys as documented."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.codec import Json
from perdure.diagnostics import Refused
from perdure.driver import FlowName
from perdure_gcp.engine.flows import compiled
from perdure_gcp.keys import key
from perdure_gcp.workflows import problems_of
from perdure_gcp.workflows.checker import load
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.signatures import FUNCTIONS
from perdure_gcp.workflows.syntax import CallStep, expressions, steps_within, templates
from perdure_gcp.yaml_text import to_yaml
from tests.conformance.engines import CASES, ROOT

GOLDEN = Path(__file__).parent / "golden"
FLOWS = sorted({case.flow for case in CASES.values()})


@cache
def artifacts(flow: str) -> dict[str, str]:
    """The texts of one flow, of those that it starts too."""
    path, _, name = flow.partition(":")
    found = compiled(FlowName(ROOT / path, name or None))[2]
    return {where: text for where, text in found.items() if isinstance(text, str)}


def workflows(flow: str) -> Iterator[tuple[str, str]]:
    """Each workflow of a flow: its YAML and its JSON."""
    files = artifacts(flow)
    for path, text in files.items():
        if path.endswith("workflow.yaml"):
            yield text, files[path.removesuffix("yaml") + "json"]


@pytest.mark.parametrize("flow", FLOWS)
def test_it_deploys_and_nothing_in_it_is_undocumented(flow: str) -> None:
    for readable, compact in workflows(flow):
        assert problems_of(readable) == ()
        assert problems_of(compact) == ()


@pytest.mark.parametrize("flow", FLOWS)
def test_yaml_and_json_are_one_tree_whoever_reads_them(flow: str) -> None:
    for readable, compact in workflows(flow):
        # PyYAML reads YAML 1.1; the engine's own reader, used above, YAML 1.2.
        assert yaml.safe_load(readable) == json.loads(compact)
        assert load(readable).routines.keys() == load(compact).routines.keys()


@pytest.mark.parametrize("flow", FLOWS)
def test_it_computes_nothing_but_members_and_comparisons(flow: str) -> None:
    """Arithmetic, order and texts of numbers are CPython's: only the clock is written as text."""
    for readable, _ in workflows(flow):
        for routine in load(readable).routines.values():
            for step in steps_within(routine.steps):
                for template in templates(step.action):
                    for found in expressions(template):
                        text = found.text.replace("string(int(sys.now() * 1000))", "")
                        text = text.replace("(round + 1)", "").replace("round + 1", "")
                        assert not set("*/%<>") & set(text.split('"')[0]), found.text
                        assert len(found.text) < value_of("expression_characters") - 20


@pytest.mark.parametrize("flow", FLOWS)
def test_it_calls_only_what_the_library_has(flow: str) -> None:
    for readable, _ in workflows(flow):
        program = load(readable)
        called = {
            step.action.function
            for routine in program.routines.values()
            for step in steps_within(routine.steps)
            if isinstance(step.action, CallStep)
        }
        assert called <= {*FUNCTIONS, *program.routines}


@pytest.mark.parametrize("flow", ["examples/triage.py", "examples/saga.py"])
def test_the_workflow_reads_like_the_flow(flow: str, update: bool) -> None:
    folder = GOLDEN / Path(flow).stem
    for name in ("workflow.yaml", "source-map.json"):
        path, text = folder / name, artifacts(flow)[name]
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.read_text("utf-8") == text, f"{path} is old: pytest --update"


def test_every_step_of_the_flow_leads_to_its_line() -> None:
    files = artifacts("examples/triage.py")
    steps = json.loads(files["source-map.json"])["steps"]
    program = load(files["workflow.yaml"])
    named = {f"main.{step.name}" for step in program.routines["main"].steps}
    assert set(steps) <= named
    assert named - set(steps) == {"main.begin"}
    assert {one["file"] for one in steps.values()} == {"examples/triage.py"}


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
TREES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXTS, TREES, max_size=4).filter(bool))
def test_any_tree_comes_back_from_its_yaml(tree: dict[str, Json]) -> None:
    assert yaml.safe_load(to_yaml(tree)) == tree


@pytest.mark.parametrize(
    "word", ["yes", "off", "null", "~", "1e3", "017", "12:30", "2026-01-01", ""]
)
def test_a_text_that_looks_like_something_else_stays_text(word: str) -> None:
    assert yaml.safe_load(to_yaml({"a": word, word: 1})) == {"a": word, word: 1}


@pytest.mark.parametrize(("text", "same"), [
    ("if kind == 'spam'", True),
    ("except TimeoutError", True),
    ('if kind == "spam"', False),
    ("a" * 81, False),
    ("f\u00fcr", False),
    ("back\\slash", False),
])  # fmt: skip
def test_a_key_in_an_expression_is_plain_or_a_digest(text: str, same: bool) -> None:
    assert (key(text) == text) is same
    assert len(key(text)) <= 80
    assert not {'"', "\\"} & set(key(text))


FLOW = """
from perdure import flow, step
@step{options}
async def work(n: int) -> int: ...
@flow
async def main() -> int:
{body}
"""


def written(folder: Path, body: list[str], options: str = "") -> Path:
    file = folder / "flow_to_compile.py"
    file.write_text(FLOW.format(body="\n".join(f"    {line}" for line in body), options=options))
    (folder / "pyproject.toml").write_text("[tool.perdure]\n")
    return file


def test_a_flow_too_long_for_a_workflow_is_refused_with_its_size(tmp_path: Path) -> None:
    body = [*(f"n = await work({number})" for number in range(700)), "return n"]
    with pytest.raises(Refused, match="PDR304"):
        compiled(FlowName(written(tmp_path, body), "main"))


@pytest.mark.parametrize(("timeout", "refused"), [("29m", False), ("45m", True)])
def test_a_step_longer_than_a_request_is_refused(
    tmp_path: Path, timeout: str, refused: bool
) -> None:
    file = written(tmp_path, ["return await work(1)"], f"(timeout='{timeout}')")
    if refused:
        with pytest.raises(Refused, match="PDR30"):
            compiled(FlowName(file, "main"))
    else:
        compiled(FlowName(file, "main"))


def test_compiling_twice_gives_the_same_bytes() -> None:
    path = ROOT / "examples/triage.py"
    assert compiled(FlowName(path))[2] == compiled(FlowName(path))[2]
