"""One attempt of a step as a function that runs elsewhere: its outcome crosses as a value.

What such a function raises would reach the orchestrator as text. So a step's own error is part of
what it returns; one that fails all the same was lost, and is attempted again.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from perdure.codec.text import Json
from perdure.durations import due
from perdure.operations import ThisStep
from perdure.runtime.bodies import Attempted, timed_attempt
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.envelope import pack, size_of, unpack
from perdure.runtime.host import Attempt
from perdure.runtime.usage import Usage, usage_from, usage_json
from perdure.runtime.watch import watcher

if TYPE_CHECKING:
    from perdure.language import Step

__all__ = ["attempted_outcome", "call_of", "run_step"]


def call_of(
    call: Attempt, arguments: Mapping[str, Json], most: int, release: str = ""
) -> dict[str, Json]:
    """The input of the function; its result may have so many bytes."""
    of: dict[str, Json] = {"release": release} if release else {}
    return pack({**call._asdict(), **of, "arguments": dict(arguments), "most": most})


def run_step(step: "Step[..., Any]", call: object) -> dict[str, Json]:
    """The body of the function: run the attempt, give its outcome."""
    data = unpack(call)
    arguments = data["arguments"]
    if not isinstance(arguments, dict):
        raise ValueError("broken call of a step: its arguments are no object")
    attempt = Attempt(
        str(data["run"]),
        str(data["key"]),
        str(data["path"]),
        int(str(data["number"])),
        float(str(data["timeout"])),
    )
    watching = watcher.get()
    attempted = watching.attempt(step, attempt, arguments) if watching is not None else None
    if attempted is None:
        now = datetime.now(UTC).timestamp() if watching is None else watching.clock()
        attempted = asyncio.run(_limited(step, attempt, arguments, now))
    result = _envelope(attempted)
    size = size_of(result)
    # Of what no message carries the size alone goes back: the step has run all the same.
    return result if size <= int(str(data["most"])) else pack({"bytes": size})


def attempted_outcome(result: object) -> tuple[Outcome, bool, tuple[Usage, ...]]:
    """The outcome in what the function returned, whether it may be tried again, what it spent."""
    data = unpack(result)
    usage = usage_from(data.get("usage"))
    if "error" in data:
        return Failed(data["error"]), bool(data.get("retry")), usage
    return Completed(data["value"]), False, usage


def _envelope(attempted: Attempted) -> dict[str, Json]:
    usage: dict[str, Json] = {"usage": usage_json(attempted.usage)} if attempted.usage else {}
    match attempted.outcome:
        case Completed(value):
            return pack({"value": value, **usage})
        case Failed(error):
            return pack({"error": error, "retry": attempted.error is not None, **usage})


async def _limited(
    step: "Step[..., Any]", call: Attempt, arguments: Mapping[str, Json], now: float
) -> Attempted:
    deadline = datetime.fromtimestamp(due(now, call.timeout), UTC)
    this = ThisStep(call.key, call.number, deadline, call.run)
    return await timed_attempt(step, arguments, this, call.timeout)
