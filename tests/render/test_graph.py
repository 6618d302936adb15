"""Drawings of flows: complete, inside their picture, and the same every time."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import pytest

from perdure.diagnostics import Report
from perdure.driver import build_program, check_flow, split_flow
from perdure.render.graph.mermaid import mermaid
from perdure.render.graph.outline import Outline, outline
from perdure.render.graph.svg import svg
from tests.conformance.engines import CASES

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = ("triage", "research", "agent", "saga")
FLOWS = sorted({case.flow for case in CASES.values()})

AWKWARD = """\
import asyncio
from contextlib import asynccontextmanager
from perdure import event, flow, gather, quorum, race, sleep, step


@step
async def f(x: str = "") -> str: ...


async def helper(x: str) -> str:
    if await f(x) == "<&>\\"'":
        return "a"
    return await helper(await f(x))


@flow
async def main(x: str = "") -> str:
    while True:
        match await f("\\u200d \\U0001f642 日本語"):
            case "stop":
                break
            case "again" | "retry":
                continue
            case [a, *rest] if a:
                await f(a)
            case _:
                pass
        try:
            async with asyncio.timeout(5):
                await helper("x" * 200)
        except* ValueError as group:
            await f("v")
        except* KeyError:
            pass
        finally:
            await f("end")
    winner, value = await race(a=event("go"), b=sleep("1d"), c=helper("q"))
    firsts = await quorum(2, f("1"), f("2"), f("3"))
    all_of_them = await gather(*[f(y) for y in x if y], limit=2)
    async with asyncio.TaskGroup() as group:
        for y in x:
            group.create_task(f(y))
    for y in x:
        if not y:
            break
        await f(y)
    else:
        await f("none")
    raise ValueError(x)
"""


def drawn(flow: str, folder: Path = ROOT) -> Outline:
    """The outline of a flow."""
    report = Report()
    name = split_flow(flow)
    analysis = check_flow(name._replace(path=folder / name.path), report)
    assert analysis is not None, [found.message for found in report.diagnostics]
    program = build_program(analysis, report)
    assert program is not None
    return outline(program)


@pytest.fixture
def awkward(tmp_path: Path) -> Outline:
    """A flow that holds every kind of box."""
    (tmp_path / "flows.py").write_text(AWKWARD, encoding="utf-8")
    return drawn("flows.py:main", tmp_path)


class Rectangle(NamedTuple):
    """Of a box in the picture."""

    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: "Rectangle") -> bool:
        """Whether the other lies inside."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def is_apart(self, other: "Rectangle") -> bool:
        """Whether they share no point."""
        return (
            self.right <= other.left
            or other.right <= self.left
            or self.bottom <= other.top
            or other.bottom <= self.top
        )


def check_picture(text: str) -> int:
    """Boxes lie in the picture, and inside or beside each other; how many there are."""
    root = ET.fromstring(text)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    whole = Rectangle(0, 0, width, height)
    boxes: list[Rectangle] = []
    for element in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
        boxes.append(Rectangle(x, y, x + w, y + h))
    for index, box in enumerate(boxes):
        assert whole.holds(box)
        for other in boxes[:index]:
            assert box.is_apart(other) or box.holds(other) or other.holds(box)
    return len(boxes)


def check_chart(text: str) -> int:
    """Every node is defined once and reached, arrows lead to nodes; how many nodes there are."""
    assert text.startswith("flowchart TD\n")
    defined = re.findall(r"^ *(?:subgraph )?(n\d+)[\[({>]", text, flags=re.MULTILINE)
    assert len(defined) == len(set(defined))
    arrows = re.findall(r"^ *(n\d+) -(?:->|\.->)(?:\|\".*\"\|)? (n\d+)$", text, flags=re.MULTILINE)
    assert {node for arrow in arrows for node in arrow} <= set(defined)
    framed = set(re.findall(r"subgraph (n\d+)\[", text))
    reached = {to for _, to in arrows}
    assert set(defined) - reached - framed == {"n1"}
    assert text.count("subgraph") == len(re.findall(r"^ *end$", text, flags=re.MULTILINE))
    return len(defined)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_drawn_as_its_golden_says(name: str, update: bool) -> None:
    outlined = drawn(f"examples/{name}.py")
    for suffix, text in (("mmd", mermaid(outlined)), ("svg", svg(outlined))):
        path = GOLDEN / f"{name}.{suffix}"
        if update:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
        assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("flow", FLOWS)
def test_every_case_is_drawn_whole(flow: str) -> None:
    outlined = drawn(flow)
    assert check_picture(svg(outlined)) >= 2
    assert check_chart(mermaid(outlined)) >= 2


def test_every_kind_of_box_is_drawn(awkward: Outline) -> None:
    assert check_picture(svg(awkward)) > 30
    assert check_chart(mermaid(awkward)) > 30
    for text in (svg(awkward), mermaid(awkward)):
        for part in (
            "while True",
            "quorum 2",
            "except* ValueError",
            "gather, limit 2",
            "timeout 5",
        ):
            assert part in text


def test_a_picture_is_the_same_in_every_process() -> None:
    code = (
        "from tests.render.test_graph import drawn, svg, mermaid\n"
        "d = drawn('examples/saga.py')\nprint(svg(d), mermaid(d))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(texts) == 1


def test_the_command_draws_into_a_file(tmp_path: Path) -> None:
    def graph(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["perdure", "graph", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    file = tmp_path / "triage.svg"
    done = graph("examples/triage.py", "--output", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text() == (GOLDEN / "triage.svg").read_text()
    assert graph("examples/triage.py").stdout == (GOLDEN / "triage.mmd").read_text()
    refused = graph("tests/errors/PDR201.md")
    assert refused.returncode == 1
    assert graph("examples/triage.py:triag").returncode == 1
