"""One attempt of a step, as an activity: the outcome crosses as a value, errors included.

What an activity raises would reach the orchestrator as text. So a step's own error is part of
what the activity returns; one that fails all the same was lost, and is attempted again.
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
from perdure.runtime.host import Attempt
from perdure.runtime.usage import Usage, usage_from, usage_json
from perdure_azure.envelope import pack, unpack
from perdure_azure.watch import watcher

if TYPE_CHECKING:
    from perdure.language import Step

__all__ = ["attempted_outcome", "call_of", "run_step"]


def call_of(call: Attempt, arguments: Mapping[str, Json]) -> dict[str, Json]:
    """The input of the activity."""
    return pack({**call._asdict(), "arguments": dict(arguments)})


def run_step(step: "Step[..., Any]", call: object) -> dict[str, Json]:
    """The body of an activity: run the attempt, give its outcome."""
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
    return _envelope(attempted)


def attempted_outcome(result: object) -> tuple[Outcome, bool, tuple[Usage, ...]]:
    """The outcome in what an activity returned, whether it may be tried again, what it spent."""
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
