"""Generated programs mean on the reference what they mean under plain asyncio.

A program is a tree of waits, sequences, gathers, groups, races, deadlines and handlers. It is run
twice in virtual time: with asyncio's own constructs, and with perdure's in a run. What every leaf
saw, and when, has to be equal. Durations are different powers of two, so that nothing ties: only
ties are pinned more narrowly than asyncio has them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure import flow
from perdure.runtime import calls as p
from perdure.runtime.loop import VirtualLoop
from perdure.testing.request import START
from tests.runtime.harness import at, run


@dataclass(frozen=True)
class Wait:
    fails: bool


@dataclass(frozen=True)
class Node:
    kind: str
    parts: tuple["Program", ...]


type Program = Wait | Node
type Log = list[tuple[object, ...]]


async def asyncio_race(works: dict[str, Awaitable[Any]]) -> tuple[str, Any]:
    tasks = {key: asyncio.ensure_future(work) for key, work in works.items()}
    try:
        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        winner = next((key for key, task in tasks.items() if task.done()), "")
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
    return winner, tasks[winner].result()


@dataclass
class Meaning:
    """One set of constructs."""

    sleep: Callable[[float], Awaitable[None]]
    gather: Callable[..., Awaitable[list[Any]]]
    group: Callable[[], Any]
    timeout: Callable[[float], Any]
    race: Callable[[dict[str, Awaitable[Any]]], Awaitable[tuple[str, Any]]]


ASYNCIO = Meaning(
    asyncio.sleep,
    lambda *works: asyncio.gather(*works, return_exceptions=True),
    asyncio.TaskGroup,
    asyncio.timeout,
    asyncio_race,
)
PERDURE = Meaning(
    lambda seconds: p.sleep(at("sleep"), seconds),
    lambda *works: p.gather(at("gather"), *works, return_exceptions=True),
    lambda: p.task_group(at("group")),
    lambda seconds: p.timeout(at("timeout"), seconds),
    lambda works: p.race(at("race"), **works),
)


class Interpreter:
    """Runs a program by one meaning; each duration is used once, by the node it belongs to."""

    def __init__(self, program: Program, meaning: Meaning) -> None:
        self._meaning = meaning
        self.log: Log = []
        self._seconds: dict[tuple[int, ...], float] = {}
        self._number(program, ())

    def _number(self, program: Program, place: tuple[int, ...]) -> None:
        self._seconds[place] = 4.0 * 2.0 ** len(self._seconds)
        for index, part in enumerate(program.parts if isinstance(program, Node) else ()):
            self._number(part, (*place, index))

    def _note(self, place: tuple[int, ...], what: str) -> None:
        now = asyncio.get_running_loop().time()
        self.log.append((place, what, now - START))

    async def run(self, program: Program, place: tuple[int, ...] = ()) -> Any:
        if isinstance(program, Wait):
            return await self._wait(program, place)
        parts = [(part, (*place, index)) for index, part in enumerate(program.parts)]
        return await getattr(self, f"_{program.kind}")(place, parts)

    async def _wait(self, wait: Wait, place: tuple[int, ...]) -> str:
        self._note(place, "start")
        try:
            await self._meaning.sleep(self._seconds[place])
        except asyncio.CancelledError as error:
            self._note(place, f"cancelled {error.args}")
            raise
        self._note(place, "end")
        if wait.fails:
            raise ValueError(str(place))
        return str(place)

    async def _sequence(self, place: object, parts: list[Any]) -> Any:
        return [await self.run(*part) for part in parts]

    async def _gather(self, place: object, parts: list[Any]) -> Any:
        return [repr(v) for v in await self._meaning.gather(*[self.run(*part) for part in parts])]

    async def _group(self, place: object, parts: list[Any]) -> Any:
        async with self._meaning.group() as group:
            tasks = [group.create_task(self.run(*part)) for part in parts[1:]]
            body = await self.run(*parts[0])
        return [body, *[task.result() for task in tasks]]

    async def _race(self, place: object, parts: list[Any]) -> Any:
        works: dict[str, Awaitable[Any]] = {
            f"b{index}": self.run(*part) for index, part in enumerate(parts)
        }
        return await self._meaning.race(works)

    async def _timeout(self, place: tuple[int, ...], parts: list[Any]) -> Any:
        async with self._meaning.timeout(self._seconds[place]):
            return [await self.run(*part) for part in parts]

    async def _catch(self, place: object, parts: list[Any]) -> Any:
        try:
            return [await self.run(*part) for part in parts]
        except Exception as error:
            return f"caught {error!r}"

    async def _cleanup(self, place: object, parts: list[Any]) -> Any:
        try:
            return await self.run(*parts[0])
        finally:
            for part in parts[1:]:
                await self.run(*part)


def trees(below: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    kinds = st.sampled_from(["sequence", "gather", "group", "race", "timeout", "catch", "cleanup"])
    parts = st.lists(below, min_size=1, max_size=3).map(tuple)
    return st.builds(Node, kinds, parts)


WAITS: st.SearchStrategy[Program] = st.builds(Wait, st.booleans())


def in_the_language(program: Program, in_branch: bool = False) -> Program:
    """Cleanup with operations is refused in branches of races and groups."""
    if isinstance(program, Wait):
        return program
    kind = "sequence" if program.kind == "cleanup" and in_branch else program.kind
    below = in_branch or kind in ("race", "group")
    return Node(kind, tuple(in_the_language(part, below) for part in program.parts))


PROGRAMS = st.recursive(WAITS, trees, max_leaves=8).map(in_the_language)


def under_asyncio(program: Program) -> tuple[object, Log]:
    loop = VirtualLoop(START)
    interpreter = Interpreter(program, ASYNCIO)
    task = loop.create_task(interpreter.run(program))
    loop.run()
    return ending(task.exception(), None if task.exception() else task.result()), interpreter.log


def in_a_run(program: Program, seed: int, cancel: float | None = None) -> tuple[object, Log]:
    interpreter = Interpreter(program, PERDURE)

    @flow
    async def main() -> object:
        return await interpreter.run(program)

    r = run(main, seed=seed, cancel=cancel)
    return ending(r.error, r.result), interpreter.log


def ending(error: BaseException | None, result: object) -> object:
    return repr(error) if error is not None else result


def plain(value: object) -> object:
    """asyncio's gather and race keep tuples and lists apart as perdure's do; repr says it all."""
    return repr(value)


@settings(max_examples=300, deadline=None)
@given(PROGRAMS, st.integers(0, 3))
def test_a_program_means_what_it_means_under_asyncio(program: Program, seed: int) -> None:
    expected, wanted = under_asyncio(program)
    got, log = in_a_run(program, seed)
    assert plain(got) == plain(expected)
    assert sorted(log, key=repr) == sorted(wanted, key=repr)


@settings(max_examples=150, deadline=None)
@given(PROGRAMS, st.integers(1, 300), st.integers(0, 3))
def test_a_cancelled_program_cleans_up_as_under_asyncio(
    program: Program, when: int, seed: int
) -> None:
    # Two seconds beside every multiple of four: nothing else happens at this instant.
    moment = 4.0 * when + 2
    loop = VirtualLoop(START)
    interpreter = Interpreter(program, ASYNCIO)
    task = loop.create_task(interpreter.run(program))
    loop.call_at(START + moment, task.cancel)
    loop.run()
    _, log = in_a_run(program, seed, moment)
    assert sorted(log, key=repr) == sorted(interpreter.log, key=repr)
