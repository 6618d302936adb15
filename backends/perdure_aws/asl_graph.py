"""The states of a definition as graphs: who follows whom, on which edge what is assigned.

In: one scope (the machine, a branch, an item processor). Out: its edges, what can be reached, and
which variable names are taken where.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, final

from perdure_aws.json_shapes import is_array, is_object

__all__ = ["Edge", "assigned_before", "edges", "inner_scopes", "reachable"]

type Definition = Mapping[str, object]


@final
class Edge(NamedTuple):
    """From a state to the next one (None: the end), and the names assigned on the way."""

    source: str
    target: str | None
    field: str
    names: tuple[str, ...]


def _names(holder: object) -> tuple[str, ...]:
    assign = holder.get("Assign") if is_object(holder) else None
    return tuple(str(name) for name in assign) if is_object(assign) else ()


def _maps(value: object) -> Iterator[Mapping[str, object]]:
    if is_array(value):
        for item in value:
            if is_object(item):
                yield item


def _target(holder: Mapping[str, object], key: str) -> str | None:
    value = holder.get(key)
    return value if isinstance(value, str) else None


def edges(states: Mapping[str, object]) -> Iterator[Edge]:
    """All edges of one scope."""
    for name, state in states.items():
        if not is_object(state):
            continue
        if state.get("Type") == "Choice":
            for index, rule in enumerate(_maps(state.get("Choices"))):
                yield Edge(name, _target(rule, "Next"), f"Choices[{index}].Next", _names(rule))
            if "Default" in state:
                yield Edge(name, _target(state, "Default"), "Default", _names(state))
        else:
            yield Edge(name, _target(state, "Next"), "Next", _names(state))
            for index, catcher in enumerate(_maps(state.get("Catch"))):
                yield Edge(name, _target(catcher, "Next"), f"Catch[{index}].Next", _names(catcher))


def reachable(states: Mapping[str, object], start: str) -> frozenset[str]:
    """The states that can be entered once `start` is."""
    following: dict[str, list[str]] = {}
    for edge in edges(states):
        if edge.target is not None:
            following.setdefault(edge.source, []).append(edge.target)
    found, todo = set[str](), [start]
    while todo:
        name = todo.pop()
        if name in states and name not in found:
            found.add(name)
            todo.extend(following.get(name, ()))
    return frozenset(found)


def assigned_before(states: Mapping[str, object], name: str) -> frozenset[str]:
    """The variables that this scope assigns on some way into the state `name`."""
    before: dict[str, list[str]] = {}
    for edge in edges(states):
        if edge.target is not None:
            before.setdefault(edge.target, []).append(edge.source)
    into, todo = set[str](), [name]
    while todo:
        at = todo.pop()
        if at not in into:
            into.add(at)
            todo.extend(before.get(at, ()))
    return frozenset(
        variable for edge in edges(states) if edge.target in into for variable in edge.names
    )


def inner_scopes(state: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The branches of a Parallel, the processor of a Map, with the field they are in."""
    for index, branch in enumerate(_maps(state.get("Branches"))):
        yield f"Branches[{index}]", branch
    processor = state.get("ItemProcessor")
    if is_object(processor):
        yield "ItemProcessor", processor
