"""Generated programs on SDK 1, each in several interleavings: always the reference's trace."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from perdure.trace import compare
from tests.azure.engines import needs_sdk1
from tests.differential import harness
from tests.differential.generate import program

pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")

from perdure_azure.engine import compiled as compiling
from perdure_azure.engine import runner


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile a program once for all its interleavings."""

    @cache
    def kept(_: str, file: Path, name: str | None, **sdk: Any) -> compiling.Compiled:
        return compiling.compiled(file, name, **sdk)

    def compiled(file: Path, name: str | None, **sdk: Any) -> compiling.Compiled:
        return kept(file.read_text("utf-8"), file, name, **sdk)

    monkeypatch.setattr(runner, "compiled", compiled)


def differences(seeds: Iterable[int], interleavings: int, folder: Path) -> Mapping[str, str]:
    """What was not the same, by program and interleaving."""
    found: dict[str, str] = {}
    for seed in seeds:
        drawn = program(seed)
        expected = harness.judge(drawn, folder, ())["reference"].result
        for number in range(interleavings if expected is not None else 0):
            verdict = harness.judge(replace(drawn, seed=number), folder, ("azure/classic",))
            got = verdict["azure/classic"]
            assert expected is not None
            if got.result is not None and got.kind == "same":
                lines = compare(expected.whole_trace, got.result.whole_trace)
                if not lines:
                    continue
                got = replace(got, kind="differs", detail="\n".join(lines))
            found[f"{seed}, {number}"] = f"{got.kind}: {got.detail}"
    return found


@pytest.mark.usefixtures("once")
def test_some_generated_programs(tmp_path: Path) -> None:
    needs_sdk1()
    assert differences(range(5), 2, tmp_path) == {}


@pytest.mark.slow
@pytest.mark.usefixtures("once")
def test_two_thousand_generated_programs_in_twenty_interleavings(tmp_path: Path) -> None:
    needs_sdk1()
    assert differences(range(2000), 20, tmp_path) == {}
