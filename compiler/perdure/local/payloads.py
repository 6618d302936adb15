"""Which payload an event of a flow takes: a wrong one is refused at its sender, not in the run."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.diagnostics import nearest
from perdure.errors import InvalidInput
from perdure.runtime.values import encode_payload

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.local.program import Program

__all__ = ["fitting_payload"]


def fitting_payload(
    program: "Program", event: str, payload_as: "Callable[[object], object]"
) -> "Json":
    """The payload, encoded as the first type declared for `event` that it fits; else InvalidInput.

    `payload_as` gives it when told a declared type, as plain JSON or a live value. To be called
    while the program is active.
    """
    problem: InvalidInput | None = None
    for declared in _types_of(program, event):
        try:
            return encode_payload(payload_as(declared), declared)
        except InvalidInput as error:
            problem = problem or error
    raise InvalidInput(f"the payload of `{event}` does not fit: {problem}")


def _types_of(program: "Program", event: str) -> list[object]:
    known = program.event_types()
    if event in known:
        return known[event]
    if program.computes_event_names:
        return [None]
    meant = nearest(event, known)
    others = ", ".join(f"`{name}`" for name in known)
    hint = f"; the nearest is `{meant}`" if meant else f"; it takes {others}" if others else ""
    raise InvalidInput(f"nothing in the flow waits for an event `{event}`{hint}")
