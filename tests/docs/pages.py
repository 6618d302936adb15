"""Pages with code in them, run as their reader would: what is shown is what the tool prints.

A page holds fenced blocks: "```python name.py" is a file that the reader makes, "```console" has
lines `$ command`, each followed by what it prints. `played` runs a page in a folder and gives
it back with what was really printed, under the run ids of the page; compare what is `steady`.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, final

ROOT = Path(__file__).parent.parent.parent
FENCE = re.compile(r"^```(\w+)(?: ([\w./]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_ID = re.compile(r"\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[0-9a-f]{8}\b")
CHANGING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\b"), "TIME"),
    (re.compile(r"\b(?:\d+ [hmd] )?\d+(?:\.\d+)? (?:ms|s|m|h)\b"), "LONG"),
    (re.compile(r"\b\d+\.\d\ds\b"), "LONG"),
)
UNDER_UV = "uv run "
ONLY_ONCE = ("pip install uv", "uv run --frozen python -m tests")
"""Commands that set up or run the tests themselves: they are compared elsewhere, not run."""


class Block(NamedTuple):
    """One fenced block: its language, the word behind it, its text, where the text lies."""

    language: str
    name: str
    text: str
    start: int
    end: int


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in FENCE.finditer(page):
        yield Block(found[1], found[2] or "", found[3], found.start(3), found.end(3))


def played(page: str, folder: Path) -> str:
    """The page with the output that its commands have in `folder`."""
    reader = _Reader(folder)
    parts: list[str] = []
    done = 0
    for block in blocks(page):
        if block.language == "python" and block.name:
            (folder / block.name).parent.mkdir(exist_ok=True)
            (folder / block.name).write_text(block.text)
        elif block.language == "console":
            parts += [page[done : block.start], reader.console(block.text)]
            done = block.end
    return "".join(parts) + page[done:]


def steady(text: str) -> str:
    """The text without what differs from run to run: times and durations."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return text


def kept(path: Path, made: str, update: bool) -> None:
    """Hold the generated end of a page, behind its comment, to what is made now."""
    page = path.read_text()
    head, comment, _ = re.split(r"^(<!-- from here on: .* -->\n)", page, flags=re.MULTILINE)
    real = f"{head}{comment}\n{made.rstrip()}\n"
    if update and real != page:
        path.write_text(real)
    assert real == page, f"`pytest tests/docs --update` makes {path.name} anew"


@final
class _Reader:
    """Someone who types the commands of a page, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._real: dict[str, str] = {}
        """Run ids: as the page spells them, to what they are here."""

    def console(self, text: str) -> str:
        lines: list[str] = []
        for command, shown in _commands(text):
            lines.append(f"$ {command}")
            printed = shown if command in ONLY_ONCE else self._as_on_page(self._run(command), shown)
            lines += printed
        return "".join(f"{line}\n" for line in lines)

    def _run(self, command: str) -> list[str]:
        real = RUN_ID.sub(lambda found: self._real.get(found[0], found[0]), command)
        environment = _environment()
        if real.startswith(UNDER_UV):
            real = real.removeprefix(UNDER_UV).removeprefix("--frozen ")
            environment |= {"UV_RUN_RECURSION_DEPTH": "1"}
        if "kill -9" in real:
            real = re.sub(r"sleep \d+", _UNTIL_LAST_STEP, real)
        done = subprocess.run(
            ["bash", "-c", real],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        lines = done.stdout.rstrip("\n").split("\n") if done.stdout.strip() else []
        return [line.rstrip() for line in lines if not re.match(r"bash: .*Killed", line)]

    def _as_on_page(self, printed: list[str], shown: list[str]) -> list[str]:
        """What was printed, with the page's run ids."""
        for ours, theirs in zip(_run_ids(printed), _run_ids(shown), strict=False):
            if theirs not in self._real:
                self._real[theirs] = ours
        back = {ours: theirs for theirs, ours in self._real.items()}
        return [RUN_ID.sub(lambda found: back.get(found[0], found[0]), line) for line in printed]


_UNTIL_LAST_STEP = "until perdure show 2>/dev/null | grep -q 'write.*under way'; do sleep 0.1; done"
"""Instead of guessing how long this machine takes."""


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        yield command, shown


def _run_ids(lines: list[str]) -> list[str]:
    return list(dict.fromkeys(RUN_ID.findall("\n".join(lines))))


def _environment() -> dict[str, str]:
    """A shell in which `perdure` can be typed, and nothing of the test run shows."""
    tools = str(Path(sys.executable).parent)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PERDURE_", "UV_", "PYTEST"))}
    kept["PYTEST_ADDOPTS"] = "-p no:cacheprovider -W ignore::DeprecationWarning"
    return kept | {"PATH": os.pathsep.join([tools, os.defpath]), "NO_COLOR": "1", "COLUMNS": "100"}
