"""A run as its sites see it: claimed by the first, ended by the last, read in between."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from perdure.codec import Json, decode_error, decode_slots, encode_error
from perdure.errors import InvalidInput
from perdure.language import Flow as UserFlow
from perdure.runtime.engine import Completed, LogRecord, Outcome
from perdure.runtime.values import encode_input
from perdure.sites.failures import failure
from perdure.sites.state import State, fields, text
from perdure.store.protocol import End, RunRecord, RunStore, Status, Versions
from perdure.store.runs import claim_run, digest_of, end_run, get_run

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable

__all__ = ["SiteRun", "begin", "end_of_run"]


@final
@dataclass(slots=True)
class SiteRun:
    """The part of `perdure.runtime.engine.Run` that pure code needs: clock, seed, logs."""

    id: str
    seed: str
    time: float
    """What the clock says: at the entry of the state before the operation, then as it is."""
    functions: "FunctionTable | None" = None
    logs: list[LogRecord] = field(default_factory=list[LogRecord])
    passed: str | None = None
    """What code asked for that nothing records: the run ends, no handler of the flow sees it."""

    def now(self, scope: str, ordinal: int) -> float:
        """Engine time; every attempt of an operation sees the same before it."""
        return self.time

    def log(self, record: LogRecord) -> None:
        """Into the reply of the site."""
        self.logs.append(record)


def begin(
    store: RunStore,
    flow: UserFlow[..., object],
    data: Mapping[str, Json],
    *,
    entry: str,
    versions: Versions,
    target: str,
    now: float,
) -> State:
    """The first state of a run: claim its id, take its input apart.

    The input may be plain JSON, as a webhook has it; one that does not fit ends the execution. That
    of a run which another run started lies in its record.
    """
    run = fields(data["run"])
    known = get_run(store, text(run["id"])) if data["input"] is None else None
    if known is not None:
        return _state(State(known.run, known.seed, entry, known.input), data)
    try:
        given = encode_input(flow, decode_slots(dict(fields(data["input"]))))
    except InvalidInput as error:
        raise failure("InvalidInput", {"next": {"error": encode_error(error)}}) from None
    record = RunRecord(
        run=text(run["id"]),
        flow=flow.__perdure_ref__,
        input_digest=digest_of(given),
        input=given,
        versions=versions,
        seed=text(run["seed"]),
        started=now,
        target=target,
    )
    claimed, _ = claim_run(store, record)
    return _state(State(claimed.run, claimed.seed, entry, given), data)


def _state(state: State, data: Mapping[str, Json]) -> State:
    if "at" in data:
        # The flow began with a wait: no site has rewritten the input, and it goes on after it.
        state.at = text(data["at"])
        along = data.get("along")
        state.along = None if along is None else fields(along)
    return state


def end_of_run(store: RunStore, run: str, outcome: Outcome, now: float) -> RunRecord:
    """Record how the flow ended; the first end stays."""
    if isinstance(outcome, Completed):
        end = End(Status.COMPLETED, value=outcome.value)
    else:
        cancelled = isinstance(decode_error(outcome.error), asyncio.CancelledError)
        status = Status.CANCELLED if cancelled else Status.FAILED
        end = End(status, error=outcome.error)
    return end_run(store, run, end, now)
