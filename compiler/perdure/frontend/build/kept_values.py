"""What a coroutine value that is kept somewhere may be.

Comes in: an analysis, and the steps, flows and helpers that are called without being awaited. Goes
out: those, the natives, and of forks that are kept, what their branches may be.
"""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.build.methods import methods_called

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis, CallFact, FunctionInfo
    from perdure.ir import Ref

__all__ = ["KeptValues", "kept_values"]

_FORKS = frozenset({"gather", "race", "quorum"})
_NO_VALUES = frozenset({"timeout", "timeout_at", "task_group", "this_run", "semaphore"})
_HOMES = (FunctionKind.FLOW, FunctionKind.HELPER, FunctionKind.MANAGER)


@final
class KeptValues(NamedTuple):
    """See the module."""

    candidates: "tuple[Ref, ...]"
    natives: tuple[str, ...]
    items: "tuple[tuple[Ref, ...], tuple[str, ...]]"
    """Of forks that are kept: what their branches may be."""


def kept_values(analysis: "Analysis", candidates: "tuple[Ref, ...]") -> KeptValues:
    """What may be kept: natives are so where they are neither awaited nor given to a fork where
    they are written.
    """
    found: set[str] = set()
    forks: list[ast.Call] = []
    for info in analysis.functions.values():
        direct: set[int] = set()
        for node, fact in _natives(analysis, info):
            if not _unpacks(node):
                direct.update(map(id, node.args))
                direct.update(id(keyword.value) for keyword in node.keywords)
            if fact.native is None or fact.awaited or id(node) in direct:
                continue
            found.add(fact.native)
            if fact.native in _FORKS:
                forks.append(node)
                if info.kind not in _HOMES:
                    found.add(f"{fact.native}` of a plain function, a `{fact.native}")
    natives = tuple(sorted(found - _NO_VALUES))
    items = [_items(analysis, fork, several=len(forks) > 1) for fork in forks]
    if None in items:
        return KeptValues(candidates, (*natives, "gather` of kept forks, a `gather"), ((), ()))
    refs = {ref: None for one in items if one is not None for ref in one[0]}
    inner = {native for one in items if one is not None for native in one[1]}
    if any(one is not None and one[2] for one in items):
        refs.update(dict.fromkeys(candidates))
        inner |= set(natives) - _FORKS
    return KeptValues(candidates, natives, (tuple(refs), tuple(sorted(inner))))


def _natives(analysis: "Analysis", info: "FunctionInfo") -> "Iterator[tuple[ast.Call, CallFact]]":
    for node in ast.walk(info.node):
        if isinstance(node, ast.Call):
            fact = analysis.calls.get(id(node))
            if fact is not None and fact.kind is CallKind.NATIVE:
                yield node, fact


def _unpacks(call: ast.Call) -> bool:
    """Whether a fork is given an unpacked container: then all it is given are values."""
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    return starred or any(keyword.arg is None for keyword in call.keywords)


type _Items = tuple[list[Ref], list[str], bool]
"""Candidates, natives, and whether what was kept elsewhere may be among them."""


def _items(analysis: "Analysis", fork: ast.Call, *, several: bool) -> "_Items | None":
    """What a kept fork is given; None where that may be a fork that is kept too."""
    refs: list[Ref] = []
    natives: list[str] = []
    unknown = False
    for operand in (*fork.args, *(keyword.value for keyword in fork.keywords)):
        calls = [part for part in ast.walk(operand) if isinstance(part, ast.Call)]
        for call in calls:
            fact = analysis.calls.get(id(call))
            if fact is None:
                continue
            if fact.native in _FORKS:
                return None
            refs += [*fact.refs, *methods_called(analysis, call)]
            if fact.kind is CallKind.NATIVE and fact.native is not None:
                natives.append(fact.native)
        if not calls and not isinstance(operand, ast.Constant):
            if several:
                return None
            unknown = True
    known = [ref for ref in refs if ref in analysis.functions or ref in analysis.steps]
    return known, natives, unknown
