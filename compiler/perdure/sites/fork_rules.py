"""What a fork needs of its branches, and they of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.codec import Json
from perdure.codec.narrow import is_list, is_tuple
from perdure.sites.table import Operation, Scope

__all__ = ["decides_of", "list_of", "rows_of", "waits"]


def waits(branch: Scope | None) -> bool:
    """Whether a branch may wait: then it has to be under way with all the others."""
    nodes = () if branch is None else branch.nodes.values()
    return any(isinstance(node, Operation) and node.kind != "run" for node in nodes)


def decides_of(node: Operation, operands: Mapping[str, object], count: int) -> dict[str, Json]:
    """What branches must know to decide about their fork; raises what the fork itself would."""
    most: Any = operands.get("limit")  # what the flow gives; comparing it may raise
    if most is not None and most < 1:
        raise ValueError("limit must be at least 1")
    if node.fork == "race":
        if not count:
            raise ValueError("race() needs at least one branch")
        return {"race": True}
    if node.fork == "quorum":
        k: Any = operands["quorum"]
        if not 1 <= k <= count:
            raise ValueError(f"a quorum of {k} is out of reach with {count} branches")
        return {"k": k, "of": count}
    if operands.get("fail_fast"):
        if operands.get("return_exceptions"):
            raise ValueError("fail_fast and return_exceptions exclude each other")
        return {"fast": True}
    return {"fast": False} if "fail_fast" in operands else {}


def rows_of(
    scope: Scope, items: Sequence[object], *, named: bool
) -> list[tuple[Scope, str, Sequence[object]]]:
    """The branches of a map, with what each begins with; those of a race go by their keys."""
    rows = [_row(scope, item) for item in items]
    return [(scope, _key(row[0]) if named else str(number), row) for number, row in enumerate(rows)]


def _key(name: object) -> str:
    """The name of a branch of a computed race."""
    if not isinstance(name, str):
        raise TypeError("keywords must be strings")
    return name


def _row(scope: Scope, item: object) -> Sequence[object]:
    if len(scope.params) == 1:
        return (item,)
    return tuple(list_of(item)) if scope.params else ()


def list_of(value: object) -> Sequence[object]:
    """What a fork maps over."""
    assert is_list(value) or is_tuple(value), f"a fork maps over a list, not {value!r}"
    return value
