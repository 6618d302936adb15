"""What a fork needs of its branches, and they of it."""

from collections.abc import Mapping
from typing import Any

from perdure.codec import Json
from perdure.sites.table import Operation, Scope

__all__ = ["decides_of", "waits"]


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
