# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# (the tree is of classes without types)
"""Definitions that are read directly give the very tree that moto's own parser makes of them."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from perdure.driver import FlowName
from perdure_aws.engine.flows import compiled
from perdure_aws.engine.moto_faults import CORRECTIONS
from perdure_aws.engine.moto_faults.trees import tree_of
from perdure_aws.engine.patches import patched
from tests.conformance.engines import CASES
from tests.differential.generate import program
from tests.differential.harness import source_of

EVERY = 9
"""The parser is slow: one file in so many."""
FILES = sorted({case.flow for case in CASES.values()})[::EVERY]


@pytest.mark.parametrize("flow", FILES)
def test_what_is_emitted_for_a_case_is_read_as_moto_reads_it(flow: str) -> None:
    file, _, name = flow.partition(":")
    assert _agree(Path(file).absolute(), name) > 0


@pytest.mark.parametrize("seed", [3, 14, 15])
def test_what_is_emitted_for_a_drawn_flow_is_read_as_moto_reads_it(
    seed: int, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.perdure]\n", encoding="utf-8")
    file = tmp_path / "flow_under_test.py"
    file.write_text(source_of(program(seed)), encoding="utf-8")
    assert _agree(file, "main") > 0


def test_what_the_target_never_writes_is_left_to_moto() -> None:
    state = {"Type": "Pass", "Assign": {"x": 1}, "End": True}
    machine = {"QueryLanguage": "JSONata", "StartAt": "a", "States": {"a": state}}
    assert tree_of(json.dumps(machine)) is None
    assert tree_of(json.dumps({**machine, "QueryLanguage": "JSONPath"})) is None
    state.pop("Assign")
    assert tree_of(json.dumps(machine)) is not None


def _agree(file: Path, name: str) -> int:
    """How many parts of the trees were compared."""
    artifacts = compiled(FlowName(file, name))[2]
    compared = 0
    for path, text in artifacts.items():
        if path.endswith("definition.asl.json"):
            definition = json.dumps(json.loads(text))
            with patched(CORRECTIONS):
                ours, theirs = tree_of(definition), AmazonStateLanguageParser.parse(definition)[0]
            assert ours is not None
            left, right = _plain(ours), _plain(theirs)
            assert left == right
            compared += len(str(left))
    return compared


def _plain(part: Any) -> object:  # Any: moto's tree is of classes without types
    match part:
        case Enum():
            return str(part)
        case None | bool() | int() | float() | str():
            return type(part).__name__, part
        case list() | tuple():
            parts: Sequence[Any] = part
            return [_plain(one) for one in parts]
        case dict():
            fields: Mapping[str, Any] = part
            return {str(key): _plain(value) for key, value in fields.items()}
        case _:
            kept: dict[str, Any] = getattr(part, "__dict__", {})
            return type(part).__name__, {name: _plain(kept[name]) for name in sorted(kept)}
