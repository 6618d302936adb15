"""Work grows with the length of a source, not faster; trees too deep to walk are told as such."""

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.cli.main import run
from perdure.diagnostics import Report
from perdure.driver import FlowName, build_machines, build_program, check_flow, check_source

HEAD = """from perdure import flow, step


@step
async def work(x: int) -> int:
    return x


@flow
async def main(x: int) -> int:
    total = x
"""
END = "    return total\n"


def _branches(n: int) -> str:
    return "".join(
        f"    a{k} = await work(total)\n"
        f"    if a{k} > {k}:\n"
        f"        total += a{k}\n"
        "    else:\n"
        "        total = await work(1)\n"
        for k in range(n)
    )


def _aliases(n: int) -> str:
    """Two ways from each name to the one before."""
    return (
        "    a0 = [x]\n"
        + "".join(
            f"    a{k + 1} = a{k} if x > {k} else [*a{k}]\n    total += await work(len(a{k + 1}))\n"
            for k in range(n)
        )
        + f"    a{n}.append(total)\n"
    )


def _calls(path: Path, body: str) -> int:
    path.write_text(HEAD + body + END)
    report, profile = Report(), cProfile.Profile()
    with profile:
        analysis = check_flow(FlowName(path), report)
        program = build_program(analysis, report) if analysis else None
        machines = build_machines(program, "aws", report) if program else None
    assert machines is not None, report.diagnostics
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [_branches, _aliases])
def test_twice_the_lines_are_twice_the_work(shape: Callable[[int], str], tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    first, second = (_calls(tmp_path / "flow.py", shape(n)) for n in (40, 80))
    assert second < 2.5 * first


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    total = " + " + ".join(["x"] * 5_000) + "\n", "PDR102"),
        (
            "".join("    " * (k + 1) + "if x:\n" for k in range(1_000)) + "    " * 1_001 + "x\n",
            "PDR100",
        ),
        ("    total = str(x)" + ".strip()" * 5_000 + "\n", "PDR102"),
        ("    total = " + "not " * 20_000 + "x\n", "PDR102"),
    ],
    ids=["terms", "ifs", "attributes", "nots"],
)
def test_what_is_nested_too_deeply_is_told(body: str, code: str) -> None:
    found = check_source(HEAD + body + END).diagnostics
    assert [one.rule.code for one in found] == [code]


def test_a_thousand_of_everything_compiles(tmp_path: Path) -> None:
    chain = "".join(f"    elif x == {k}:\n        total = {k}\n" for k in range(1, 1_000))
    body = f"    if x == 0:\n        total = 1\n{chain}    total += {' + '.join(['x'] * 1_000)}\n"
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "flow.py").write_text(HEAD + body + "    total = await work(total)\n" + END)
    out = ["--target", "aws", "--out", str(tmp_path / "out")]
    assert run(["compile", str(tmp_path / "flow.py"), *out]) == 0
