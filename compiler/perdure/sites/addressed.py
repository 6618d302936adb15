"""Operands of messages: replies, progress, and what is for other runs.

Comes in: what emitted code evaluated. Goes out: what is to be done, or the flow's own error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard, final

from perdure.language import Flow
from perdure.operations import Handle
from perdure.run_ids import check_id
from perdure.runtime.values import bind
from perdure.sites import Call

__all__ = ["CancelOther", "Message", "Send", "Start", "start", "to_other", "to_own"]

_EVENT_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


@final
@dataclass(frozen=True, slots=True)
class Start:
    """A run to start that nobody waits for; `id`: the caller's own."""

    flow: Flow[..., object]
    arguments: Mapping[str, object]
    id: str | None


@final
@dataclass(frozen=True, slots=True)
class Send:
    """An event for another run."""

    handle: Handle[object]
    event: str
    payload: object


@final
@dataclass(frozen=True, slots=True)
class CancelOther:
    """Another run is to be cancelled."""

    handle: Handle[object]


@final
@dataclass(frozen=True, slots=True)
class Message:
    """A reply (`name` is the event's) or progress (no name)."""

    name: str | None
    value: object


def start(flow: Flow[..., object], call: Call) -> Start:
    """`flow.start(...)`, its arguments bound."""
    kwargs = dict(call.kwargs)
    id = kwargs.pop("id", None)
    return Start(flow, bind(flow, call.args, kwargs), None if id is None else check_id(id))


def to_other(operands: Mapping[str, object]) -> Send | CancelOther:
    """`handle.send(...)`, `.ask(...)` or `.cancel()`."""
    handle = operands["handle"]
    if not _is_handle(handle):
        raise TypeError(f"{handle!r} is no handle of a run")
    event = operands.get("name", operands.get("event"))
    if event is None:
        return CancelOther(handle)
    return Send(handle, _event(event), operands.get("payload"))


def to_own(operands: Mapping[str, object]) -> Message:
    """`reply(...)` or `progress(...)`."""
    name = operands.get("name")
    return Message(None if name is None else _event(name), operands.get("value"))


def _event(name: object) -> str:
    if not isinstance(name, str) or not _EVENT_NAME.fullmatch(name):
        raise ValueError(f"not an event name: {name!r} (a-z, then a-z, 0-9 and _)")
    return name


def _is_handle(value: object) -> TypeGuard[Handle[object]]:
    return isinstance(value, Handle)
