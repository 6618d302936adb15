"""What the states of a definition call: read off the document, so that roles follow from it."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, final

from perdure.codec import Json

__all__ = ["INVOKE", "SITES", "Task", "functions", "seconds_of", "tasks"]

INVOKE = "arn:aws:states:::lambda:invoke"
WITH_TOKEN = ".waitForTaskToken"
SITES = "Sites"
"""The function without a group: it runs what has none, and is always there."""
LONGEST = 900
"""Seconds of one Lambda invocation (lambda/latest/dg/gettingstarted-limits.html)."""
SHORTEST = 90
"""Of a function that only registers waits: they say nothing of how long that takes."""


@final
class Task(NamedTuple):
    """One Task state."""

    state: str
    resource: str
    """The service integration, without its pattern."""
    waits: bool
    """Whether it ends when somebody answers its token."""
    calls: str
    """The name that the deployment substitutes: `Sites`, `SitesHeavy`."""
    seconds: int | None
    """Its literal time limit."""


def tasks(definition: Mapping[str, Json]) -> Iterator[Task]:
    """The Task states of a definition, of its branches too, in its order."""
    states = definition["States"]
    assert isinstance(states, dict), "a definition has states"
    for name, state in states.items():
        assert isinstance(state, dict), "a state is an object"
        if state["Type"] == "Task":
            yield _task(name, state)
        yield from _inside(state)


def functions(found: Iterable[Task]) -> tuple[str, ...]:
    """The functions that are called, `Sites` first."""
    called = {task.calls for task in found}
    return (SITES, *sorted(called - {SITES}))


def seconds_of(found: Iterable[Task], function: str) -> int:
    """How long an invocation of a function may take: as long as some state waits for it."""
    limits = [
        LONGEST if task.seconds is None else task.seconds
        for task in found
        if task.calls == function and not task.waits
    ]
    return min(LONGEST, max(limits, default=SHORTEST))


def _inside(state: Mapping[str, Json]) -> Iterator[Task]:
    branches = state.get("Branches")
    for branch in branches if isinstance(branches, list) else ():
        assert isinstance(branch, dict), "a branch is an object"
        yield from tasks(branch)
    processor = state.get("ItemProcessor")
    if isinstance(processor, dict):
        yield from tasks(processor)


def _task(name: str, state: Mapping[str, Json]) -> Task:
    resource, arguments = str(state["Resource"]), state["Arguments"]
    assert isinstance(arguments, dict), "a Task has arguments"
    found = re.fullmatch(r"\$\{(\w+)\}", str(arguments.get("FunctionName", "")))
    if resource.removesuffix(WITH_TOKEN) != INVOKE or found is None:
        raise NotImplementedError(f"{name}: no role allows what a Task of {resource} does")
    limit = state.get("TimeoutSeconds")
    return Task(
        name,
        INVOKE,
        resource.endswith(WITH_TOKEN),
        found[1],
        limit if isinstance(limit, int) else None,
    )
