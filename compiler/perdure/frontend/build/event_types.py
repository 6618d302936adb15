"""The events that a program waits for, and the types declared for them: what a door checks.

An analysis comes in; out go the calls of `event`, wherever in a reached function they stand.
"""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perdure.ir import EventType

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.modules import Module

__all__ = ["event_types"]


def event_types(analysis: "Analysis") -> tuple[EventType, ...]:
    """Each once, in the order of the source."""
    return tuple(dict.fromkeys(_found(analysis)))


def _found(analysis: "Analysis") -> Iterator[EventType]:
    for module in analysis.modules.values():
        for node in ast.walk(module.tree):
            fact = analysis.calls.get(id(node)) if isinstance(node, ast.Call) else None
            if fact is not None and fact.native == "event" and isinstance(node, ast.Call):
                yield _event_type(node, module)


def _event_type(node: ast.Call, module: "Module") -> EventType:
    named = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    given = dict(zip(("name", "type"), node.args, strict=False)) | named
    name, declared = given.get("name"), given.get("type")
    return EventType(
        name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else None,
        module.name,
        "" if declared is None else ast.get_source_segment(module.source.text, declared) or "",
    )
