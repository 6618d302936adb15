"""One source, run by CPython and by the interpreter of its Flow IR: same events, same end."""

import types
from pathlib import Path
from typing import Any

from perdure.frontend.analysis import Analysis
from perdure.ir import Program
from tests.ir.interpret import Interpreter
from tests.ir.probes import End, Recorder, named, run
from tests.ir.sources import HEAD, built, unlowered

STEPS = """
@step
async def f(*args: Any, **kw: Any) -> Any:
    return await answer("f", args, kw)

@step
async def g(*args: Any, **kw: Any) -> Any:
    return await answer("g", args, kw)

async def h(a: Any, b: Any = None) -> Any:
    if a:
        return await f("h", a, b)
    return b

TABLE = {"f": f, "g": g}

"""


class Compared:
    """Both ends of one program under one script."""

    def __init__(self, expected: End, actual: End) -> None:
        self.expected = expected
        self.actual = actual


class Pair:
    """A flow in both forms. `body` is the text of its body, `p` and `q` its parameters."""

    def __init__(self, body: str, root: Path, more: str = "") -> None:
        indented = "\n".join(f"    {line}" for line in body.split("\n"))
        self.text = (
            f"{HEAD}{STEPS}{more}\n@flow\nasync def main(p: Any, q: Any) -> Any:\n{indented}\n"
        )
        made = built(self.text, root)
        self.analysis: Analysis = made.analysis
        self.program: Program = made.program
        self.unlowered = unlowered(made.program)
        self._code = compile(self.text, "case.py", "exec")

    def compare(self, bits: int, fail_at: int | None = None) -> Compared:
        """Run both; equal scripts."""
        first, second = Recorder(bits, fail_at), Recorder(bits, fail_at)
        module = self._module(first)
        expected = run(first, module["main"])
        interpreter = Interpreter(self.program, self._module(second))
        actual = run(second, interpreter.run)
        return Compared(expected, actual)

    def _module(self, recorder: Recorder) -> dict[str, Any]:
        module = types.ModuleType("case")

        async def answer(name: str, args: tuple[object, ...], kw: dict[str, object]) -> object:
            given = [*map(named, args), *(f"{key}={named(value)}" for key, value in kw.items())]
            return recorder.probe(f"step {name}({', '.join(given)})")

        module.__dict__["answer"] = answer
        exec(self._code, module.__dict__)
        return module.__dict__


def assert_same(pair: Pair, bits: int, fails: int) -> None:
    """The same without errors, and with an error at each of the first events."""
    whole = pair.compare(bits)
    assert whole.actual == whole.expected, _difference(pair, whole)
    for fail_at in range(min(fails, len(whole.expected.events))):
        failed = pair.compare(bits, fail_at)
        assert failed.actual == failed.expected, _difference(pair, failed)


def _difference(pair: Pair, found: Compared) -> str:
    from perdure.printer import format_program

    return (
        f"{pair.text}\n--- IR\n{format_program(pair.program)}\n--- CPython\n{found.expected}\n"
        f"--- IR gives\n{found.actual}"
    )
