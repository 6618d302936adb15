"""Runs one flow's source twice: under CPython alone, and as a machine; and compares them."""

import asyncio
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from perdure.diagnostics import Report
from perdure.frontend.build import build
from perdure.frontend.check import check
from perdure.machine import ir
from perdure.machine.build import build_machines
from perdure.machine.emit import emit
from perdure.project import find_project
from perdure.sites import Flow
from tests.machine.interpret import interpret
from tests.machine.plain import EndlessError, Script, current

__all__ = ["Compiled", "Outcome", "compile_flow", "compiled", "plainly", "same"]

HEADER = """\
from perdure import event, flow, gather, progress, race, sleep, step

class Odd(Exception): ...

@step
async def a(*args: object) -> int: ...
@step
async def b(*args: object) -> int: ...
@step
async def c(*args: object) -> int: ...

"""
ENOUGH = 50
type Answer = Callable[[str, tuple[Any, ...], int], Any]


class Outcome(NamedTuple):
    """What a run showed."""

    value: Any
    error: tuple[str, str] | None
    asked: list[str]


class Compiled(NamedTuple):
    """A flow as a machine, and the module of its sites."""

    machine: ir.Machine
    text: str
    texts: dict[str, tuple[ir.Machine, str]]
    refusals: tuple[ir.Refusal, ...]


def compile_flow(source: str, folder: Path) -> Compiled:
    """The source (after `HEADER`) as a machine."""
    (folder / "pyproject.toml").write_text("[tool.perdure]\nflows = ['.']\n", encoding="utf-8")
    file = folder / "flow_under_test.py"
    file.write_text(HEADER + source, encoding="utf-8")
    project = find_project(file, Report())
    analysis = check(project, file, "main")
    problems = [str(problem) for problem in analysis.report.diagnostics]
    assert analysis.ok, problems
    program = build(analysis)
    machines = build_machines(program)
    machine = machines.machines[0]
    texts = {
        one.ref.qualname: (one, emit(one, program.sources, program.sites))
        for one in (() if machines.refusals else machines.machines)
    }
    text = texts["main"][1] if texts else ""
    return Compiled(machine, text, texts, machines.refusals)


def module_of(source: str) -> types.ModuleType:
    """The user's module, with `perdure`'s names replaced by plain ones."""
    module = types.ModuleType("flow_under_test")
    text = (HEADER + source).replace("from perdure import", "from tests.machine.plain import")
    sys.modules["flow_under_test"] = module
    exec(compile(text, "flow_under_test.py", "exec"), module.__dict__)
    return module


def plainly(source: str, answer: Answer, arguments: dict[str, Any]) -> Outcome:
    """Under CPython alone."""
    module = module_of(source)
    script = Script(answer)
    token = current.set(script)
    try:
        value = asyncio.run(module.main(**arguments))
    except Exception as error:
        return Outcome(None, (type(error).__name__, str(error)), _texts(script))
    except EndlessError:
        return Outcome(None, ("EndlessError", ""), _texts(script)[:ENOUGH])
    finally:
        current.reset(token)
    return Outcome(_comparable(value), None, _texts(script))


def compiled(
    made: Compiled, source: str, answer: Answer, arguments: dict[str, Any]
) -> tuple[Outcome, list[str]]:
    """As a machine, with the states that were entered."""
    module_of(source)
    flows = {name: (one, _table(text)) for name, (one, text) in made.texts.items()}
    script = Script(answer)
    try:
        ended, states = interpret(flows, script, arguments)
    except EndlessError:
        return Outcome(None, ("EndlessError", ""), _texts(script)[:ENOUGH]), []
    error = None
    if ended.error is not None:
        error = (type(ended.error).__name__, str(ended.error))
    return Outcome(_comparable(ended.value), error, _texts(script)), states


def _table(text: str) -> Flow:
    sites: dict[str, Any] = {"__name__": "sites_under_test"}
    exec(compile(text, "sites_under_test.py", "exec"), sites)
    table: Flow = sites["FLOW"]
    return table


def _comparable(value: Any) -> Any:
    """Exceptions compare by type and text."""
    return repr(value) if "Error(" in repr(value) else value


def _texts(script: Script) -> list[str]:
    """Exceptions among arguments compare by their text."""
    return [f"{name}{args!r}" for name, args in script.asked]


def same(source: str, folder: Path, answer: Answer, **arguments: Any) -> list[str]:
    """Both ways agree; gives the states that were entered."""
    made = compile_flow(source, folder)
    assert not made.refusals, made.refusals
    expected = plainly(source, answer, arguments)
    found, states = compiled(made, source, answer, arguments)
    assert found == expected, f"{found}\n{expected}\n{states}\n{made.text}"
    return states
