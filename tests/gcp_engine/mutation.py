"""How many small wrong changes of the Workflows engine its tests find.

    python -m tests.gcp_engine.mutation [--sample N] [--seed S] [--only FILE] [--inside]

A change inside a function is tried in a copy of this process in which the tests are loaded already:
the code of the function is exchanged, then those tests run that reach the changed line, the
fastest first, until one fails. Any other change is tried in a copy of this process that imports
the changed module first. What outlives that has survived, but for what `equivalent.txt` explains.
"""

import argparse
import importlib
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import sys
import time
import types
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import final

import hypothesis
import pytest
import yaml

from tests.gcp_engine.mutants import Mutant, mutants_of, source_of

__all__ = ["ENGINE", "TESTS", "all_mutants", "explained"]

TESTS = Path(__file__).parent
ENGINE = TESTS.parent.parent / "backends" / "perdure_gcp" / "workflows"
PACKAGE = "perdure_gcp.workflows"
CPU_SECONDS = 8
SLOW_SECONDS = 1.0
"""A test that takes longer is not asked."""
MEMORY_BYTES = 4 << 30
LOADED = (hypothesis, yaml)
"""Loaded before the first copy is made, so that none loads them again."""
FIRST = str(TESTS / "test_transcripts.py")
"""Sees most of what other tests see too, in a second."""
ARGUMENTS = ("-s", "-n", "0", "-p", "no:terminal", "-p", "no:cacheprovider", str(TESTS))


def all_mutants(only: str | None = None) -> list[Mutant]:
    """Every change of every module of the engine, in order."""
    files = sorted(file for file in ENGINE.glob("*.py") if only in (None, file.name))
    return [mutant for file in files for mutant in mutants_of(file)]


def explained() -> dict[str, str]:
    """The changes that change no behaviour, by name, and why: `name  # why` a line."""
    lines = (TESTS / "equivalent.txt").read_text("utf-8").splitlines()
    rows = (line.rpartition("  # ") for line in lines if line and not line.startswith("#"))
    return {name.strip(): why for name, _, why in rows}


def is_killed(work: Callable[[], bool]) -> bool:
    """Whether the tests that `work` runs fail, in a copy of this process."""
    copy = os.fork()
    if copy == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        try:
            os._exit(1 if work() else 0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) != 0


# --- changes of what is done at import ------------------------------------------------------------


@final
class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module with the change in it."""

    def __init__(self, mutant: Mutant) -> None:
        stem = mutant.file.stem
        self._name = PACKAGE if stem == "__init__" else f"{PACKAGE}.{stem}"
        self._mutant = mutant

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """Of that module alone."""
        if fullname != self._name:
            return None
        file = str(self._mutant.file)
        places = [str(ENGINE)] if self._name == PACKAGE else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=places
        )

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the changed text."""
        exec(compile(source_of(self._mutant), str(self._mutant.file), "exec"), module.__dict__)


def fails_when_imported(mutant: Mutant) -> bool:
    """Import the changed module, and run all tests until one fails."""
    sys.meta_path.insert(0, Changed(mutant))
    return any(pytest.main([*ARGUMENTS[:-1], "-x", where]) for where in (FIRST, str(TESTS)))


# --- changes inside functions ---------------------------------------------------------------------


@final
class Functions:
    """A plugin that, in place of running the tests, tries changes on them."""

    def __init__(self, mutants: Sequence[Mutant], done: "Done") -> None:
        self._mutants = mutants
        self._done = done
        self._reached: dict[tuple[str, int], list[tuple[float, pytest.Item]]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All changes, one after the other."""
        for item in session.items:
            lines: set[tuple[str, int]] = set()
            before = time.process_time()
            with _lines_into(lines):
                _run(item)
            seconds = time.process_time() - before
            for line in lines if seconds < SLOW_SECONDS else ():
                self._reached.setdefault(line, []).append((seconds, item))
        assert not session.testsfailed, "the tests pass before anything is changed"
        for mutant in self._mutants:
            key = (str(mutant.file), mutant.line)
            tests = sorted(self._reached.get(key, []), key=lambda one: one[0])
            items = [item for _, item in tests]
            self._done(mutant, bool(items) and is_killed(lambda: self._fails(mutant, items)))  # noqa: B023
        return True

    @staticmethod
    def _fails(mutant: Mutant, items: Sequence[pytest.Item]) -> bool:
        exchange(mutant)
        for item in items:
            _run(item)
            if item.session.testsfailed:
                return True
        return False


def _run(item: pytest.Item) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


@final
class _lines_into:  # noqa: N801
    """While it lasts, the lines of the engine that are run go into a set."""

    TOOL = sys.monitoring.COVERAGE_ID

    def __init__(self, lines: set[tuple[str, int]]) -> None:
        self._lines = lines

    def __enter__(self) -> None:
        monitoring = sys.monitoring
        monitoring.use_tool_id(self.TOOL, "mutation")
        monitoring.register_callback(self.TOOL, monitoring.events.LINE, self._line)
        monitoring.set_events(self.TOOL, monitoring.events.LINE)
        monitoring.restart_events()

    def __exit__(self, *_: object) -> None:
        sys.monitoring.set_events(self.TOOL, 0)
        sys.monitoring.free_tool_id(self.TOOL)

    def _line(self, code: types.CodeType, line: int) -> object:
        if code.co_filename.startswith(str(ENGINE)):
            self._lines.add((code.co_filename, line))
        return sys.monitoring.DISABLE


def exchange(mutant: Mutant) -> None:
    """Give the function that the change lies in its changed code."""
    stem = mutant.file.stem
    module = importlib.import_module(PACKAGE if stem == "__init__" else f"{PACKAGE}.{stem}")
    assert mutant.function is not None, "it lies in a function"
    found: object = module
    for name in mutant.function.split("."):
        found = vars(found)[name]
    while not isinstance(found, types.FunctionType):
        found = getattr(found, "__wrapped__", None) or getattr(found, "fget", None) or vars(found)
    code = compile(mutant.tree(), str(mutant.file), "exec")
    [changed] = [one for one in _codes(code) if one.co_qualname == mutant.function]
    found.__code__ = changed


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


# --- the sweep ------------------------------------------------------------------------------------


@final
class Done:
    """What became of the changes."""

    def __init__(self, total: int, report: Path | None) -> None:
        self.survivors: list[Mutant] = []
        self.count = 0
        self._total = total
        self._report = report
        self._since = time.monotonic()

    def __call__(self, mutant: Mutant, killed: bool) -> None:
        """One more."""
        self.count += 1
        if not killed:
            self.survivors.append(mutant)
        if self._report is not None:
            row = {"name": mutant.name, "line": mutant.line, "killed": killed}
            with self._report.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        if self.count % 100 == 0:
            elapsed = time.monotonic() - self._since
            left = len(self.survivors)
            print(f"{self.count} of {self._total}, {left} survive, {elapsed:.0f} s", flush=True)


def main() -> int:
    """Try the changes, and say which survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, help="try so many, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="the changes of one file, by its name")
    parser.add_argument("--inside", action="store_true", help="only changes inside functions")
    parser.add_argument("--imported", action="store_true", help="only changes outside of them")
    parser.add_argument("--report", type=Path, help="append what becomes of each, as JSON lines")
    asked = parser.parse_args()
    known = explained()
    mutants = [one for one in all_mutants(asked.only) if one.name not in known]
    mutants = [one for one in mutants if one.function is not None or not asked.inside]
    mutants = [one for one in mutants if one.function is None or not asked.imported]
    if asked.sample is not None and asked.sample < len(mutants):
        mutants = random.Random(asked.seed).sample(mutants, asked.sample)
    done = Done(len(mutants), asked.report)
    for mutant in mutants:
        if mutant.function is None:
            done(mutant, is_killed(lambda: fails_when_imported(mutant)))  # noqa: B023
    inside = [mutant for mutant in mutants if mutant.function is not None]
    if inside:
        pytest.main([*ARGUMENTS], plugins=[Functions(inside, done)])
    for mutant in sorted(done.survivors, key=lambda one: (one.file, one.line)):
        print(f"{mutant.line:5} {mutant.name}")
    killed = done.count - len(done.survivors)
    percent = 100 * killed / max(1, done.count)
    print(f"{killed} of {done.count} found ({percent:.1f} %), {len(known)} more change nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main())
