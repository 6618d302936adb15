"""From a text to its Flow IR, for the tests of this folder."""

from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

from perdure.frontend.analysis import Analysis
from perdure.frontend.build import build
from perdure.frontend.check import check
from perdure.ir import Block, Program, Stmt, Unlowered
from perdure.passes import FLOW_PASSES
from perdure.passes.blocks import children
from perdure.project import Project
from perdure.verify import verify

HEAD = """
import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any
from perdure import event, flow, gather, progress, quorum, race, reply, sleep, step, this_run

"""


class Built(NamedTuple):
    """An analysis with the program made of it, every pass run and verified."""

    analysis: Analysis
    program: Program


def analyse(text: str, root: Path, name: str | None = None) -> Analysis:
    """The facts about a flow in a file `case.py` of an empty project; nothing is read from disk."""
    return check(Project(root), root / "case.py", name, text=text)


def built(text: str, root: Path, *, passes: bool = True) -> Built:
    """The program of a text (even a refused one, as far as it goes)."""
    analysis = analyse(text, root)
    program = build(analysis)
    verify(program, after="build")
    for name, run in FLOW_PASSES if passes else ():
        program = run(program)
        verify(program, after=name)
    return Built(analysis, program)


def statements(program: Program) -> Generator[Stmt]:
    """Every statement, outer ones first."""
    pending: list[Block] = [function.body for function in program.functions]
    while pending:
        for statement in pending.pop():
            yield statement
            pending.extend(children(statement))


def unlowered(program: Program) -> list[str]:
    """What was not taken apart."""
    return [each.what for each in statements(program) if isinstance(each, Unlowered)]
