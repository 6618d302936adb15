"""Small flow files as text, and what the front end says about them."""

from functools import cache
from pathlib import Path
from textwrap import dedent, indent

from perdure.frontend.analysis import Analysis
from perdure.frontend.check import check
from perdure.project import Project, Settings

ROOT = Path(__file__).parent / "no project"
PROJECT = Project(ROOT, Settings(pure=frozenset({"emoji.emojize"})))

PRELUDE = """
import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from perdure import Retry, event, flow, gather, progress, quorum, race, reply, sleep, step

log = logging.getLogger(__name__)


class Kind(Enum):
    BUG = "bug"


@dataclass
class Item:
    name: str
    price: float = 0.0
    tags: set[str] = field(default_factory=set)


class Plain:
    pass


@step
async def fetch(x: object) -> str: ...


@step
def price(item: Item, *, fast: bool = False) -> float: ...
"""


def flow_text(body: str, before: str = "", parameters: str = "xs: list, item: Item") -> str:
    """A file whose flow `main` has that body; `before` stands at module level."""
    lines = indent(dedent(body).strip("\n"), "    ")
    return f"{PRELUDE}\n{dedent(before)}\n\n@flow\nasync def main({parameters}):\n{lines}\n"


def analyse(text: str, flow: str | None = "main") -> Analysis:
    """The analysis of a text."""
    return check(PROJECT, ROOT / "flow.py", flow, text=text)


def codes(text: str) -> list[str]:
    """The codes of what is refused, in source order."""
    return [found.code for found in analyse(text).report.diagnostics]


@cache
def prelude_lines() -> int:
    """How many lines stand before a flow's own."""
    return PRELUDE.count("\n")
