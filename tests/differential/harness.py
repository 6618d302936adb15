# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownParameterType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""Runs one program on the reference and on other engines, and says what became of it.

In: a `Program`: the text of a flow `main` (or only its body), which may use all that `HEADER`
declares. Out: a `Verdict` per engine: the same, refused, different, or a crash of ours.
"""

import ast
import asyncio
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from perdure.errors import LimitExceeded
from perdure.testing import Refused, Result, ScriptError, after, run
from perdure.trace import compare

__all__ = ["ALL", "ENGINES", "HEADER", "Program", "Verdict", "answers", "judge", "source_of"]

ENGINES = ("local", "aws/moto")
ALL = (*ENGINES, "azure/memory", "gcp/workflows")
"""With those that share most of their code with another one: in the sweeps alone."""

HEADER = '''\
import asyncio
import enum
import itertools
import logging
import random
import sys
import time
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from perdure import Fatal, Retry, RetryAfter, event, flow, gather, progress, quorum, race, reply
from perdure import sleep, step

log = logging.getLogger(__name__)


class Odd(Exception):
    """A plain error."""


class Odder(Odd):
    """Of the hierarchy."""


class Coded(Exception):
    """An error with data and a constructor of its own."""

    def __init__(self, code: int, *, why: str = "none") -> None:
        super().__init__(f"code {code}: {why}")
        self.code = code
        self.why = why


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Item:
    name: str
    count: int = 0
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    left: Any
    right: Any


class Point(NamedTuple):
    x: int
    y: int = 0


@step
async def a(x: Any = None, *, k: Any = None) -> Any:
    """Answers its argument."""


@step
async def inc(x: Any) -> Any:
    """Answers one more."""


@step
async def boom(x: Any = None) -> Any:
    """Raises, which error its argument says."""


@step
async def slow(s: float, x: Any = None) -> Any:
    """Answers `x` after `s` seconds."""


@step
async def late(s: float, x: Any = None) -> Any:
    """Raises after `s` seconds."""


@step
async def maybe(x: Any) -> Any:
    """Raises Odd for an odd number, else answers it."""


@step
async def item(x: Any) -> Item:
    """Makes an Item."""


@step
async def count(x: int) -> int:
    """Typed."""


'''


def _error(kind: object) -> BaseException:
    """The error that a script raises for an argument; the built-in ones have no home to find."""
    match kind:
        case "key":
            return KeyError("k")
        case "os":
            return FileNotFoundError(2, "gone", "f.txt")
        case "index":
            return IndexError("list index out of range")
        case "timeout":
            return TimeoutError("busy")
        case "zero":
            return ZeroDivisionError("division by zero")
        case "empty":
            return RuntimeError()
        case "args":
            return RuntimeError("one", 2, [3])
        case "unicode":
            return UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        case "stop":
            return StopAsyncIteration("over")
        case "group":
            return ExceptionGroup("many", [ValueError("1"), KeyError("2")])
        case "assert":
            return AssertionError("so not")
        case "cancelled":
            import asyncio

            return asyncio.CancelledError()
        case "exit":
            return SystemExit(3)
        case "interrupt":
            return KeyboardInterrupt()
        case "generator":
            return GeneratorExit("gone")
        case "stopped":
            return StopIteration(7)
        case "fatal":
            from perdure import Fatal

            return Fatal("over")
        case "again":
            from perdure import RetryAfter

            return RetryAfter("7s")
        case _:
            return ValueError(str(kind))


def _boom(x: object) -> object:
    raise _error(x)


def _slow(s: object, x: object) -> object:
    return after(s, x)


def _maybe(x: object) -> object:
    if isinstance(x, int) and x % 2:
        raise LookupError(f"odd {x}")
    return x


def answers() -> dict[str, Callable[..., object]]:
    """What the steps of `HEADER` answer; fresh, for one of them counts."""
    tries: dict[str, int] = {}

    def flaky(x: object, n: int) -> object:
        tries[str(x)] = tries.get(str(x), 0) + 1
        if tries[str(x)] <= n:
            raise ValueError(f"try {tries[str(x)]}")
        return tries[str(x)]

    return {
        "a": lambda x: x,
        "inc": lambda x: x + 1,
        "boom": _boom,
        "slow": _slow,
        "late": lambda s, x: after(s, _error(x)),
        "maybe": _maybe,
        "item": lambda x: {"name": str(x), "count": 1, "tags": ["new"]},
        "count": lambda x: x,
        "flaky": flaky,
    }


@final
@dataclass(frozen=True)
class Program:
    """A flow's source and what happens to a run of it."""

    name: str
    text: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    events: Sequence[tuple[object, str, object]] = ()
    cancel: object = None
    seed: int = 0


@final
@dataclass(frozen=True)
class Verdict:
    """`kind`: same, refused (`detail`: the codes), differs, crashed; scripted (`detail`: what is
    wrong with the script); limited: a limit that only a run can reach ended it by its name.
    """

    kind: str
    detail: str = ""
    result: Result | None = None


def source_of(program: Program) -> str:
    """The whole module of a program."""
    text = textwrap.dedent(program.text).strip("\n")
    if "async def main(" not in text:
        parameters = ", ".join(f"{name}: Any" for name in program.arguments)
        body = textwrap.indent(text, "    ")
        text = f"@flow\nasync def main({parameters}) -> Any:\n{body}"
    return HEADER + text + "\n"


def judge(program: Program, folder: Path, engines: Sequence[str] = ENGINES) -> dict[str, Verdict]:
    """What each engine makes of the program, the reference first."""
    (folder / "pyproject.toml").write_text("[tool.perdure]\n", encoding="utf-8")
    file = folder / "flow_under_test.py"
    file.write_text(source_of(program), encoding="utf-8")
    verdicts: dict[str, Verdict] = {"reference": _run(program, file, "reference")}
    reference = verdicts["reference"].result
    for engine in engines:
        verdict = _run(program, file, engine)
        if verdict == verdicts["reference"]:
            verdict = Verdict("same")
        if reference is not None and verdict.result is not None:
            lines = compare(reference.whole_trace, verdict.result.whole_trace)
            lines += _logs(reference, verdict.result)
            if _is_limit(verdict.result):
                verdict = Verdict("limited", f"at run time: {verdict.result.error}")
            elif lines:
                verdict = Verdict("differs", "\n".join(lines), verdict.result)
        verdicts[engine] = verdict
    return verdicts


def _run(program: Program, file: Path, engine: str) -> Verdict:
    flow = source_of(program).removeprefix(HEADER)
    named = {node.id for node in ast.walk(ast.parse(flow)) if isinstance(node, ast.Name)}
    names = [name for name in answers() if name in named]
    while True:
        try:
            return Verdict("same", "", _attempt(program, file, engine, names))
        except ScriptError as error:
            # A name that is written where nothing ever reaches it is no step of the flow.
            unknown = [name for name in names if f"the flow has no step {name!r}" in str(error)]
            if not unknown:
                return Verdict("scripted", str(error))
            names.remove(unknown[0])
        except Refused as refused:
            return Verdict("refused", str(refused))
        except (Exception, asyncio.CancelledError):  # a crash of any kind is what this looks for
            return Verdict("crashed", traceback.format_exc())


def _attempt(program: Program, file: Path, engine: str, names: Sequence[str]) -> Result:
    target, _, name = engine.partition("/")
    scripts = answers()
    return run(
        f"{file}:main",
        dict(program.arguments),
        target=target,
        engine=name or None,
        steps={name: scripts[name] for name in names},
        unscripted="run",
        events=list(program.events),
        cancel=program.cancel,
        seed=program.seed,
    )


def _is_limit(result: Result) -> bool:
    """A documented limit of the target that only a run can reach, said by its name."""
    return isinstance(result.error, LimitExceeded)


def _logs(left: Result, right: Result) -> list[str]:
    # The order inside a scope counts, and that each line is there once.
    ours, theirs = ([tuple(record) for record in r.logs] for r in (left, right))
    # `sorted` keeps the order in which one scope logged.
    ours, theirs = (sorted(records, key=_scope) for records in (ours, theirs))
    return [] if ours == theirs else [f"logs: {ours} against {theirs}"]


def _scope(record: tuple[object, ...]) -> str:
    return str(record[0])
