"""Starts from outside, which may be repeated: the first one settles the seed.

Whoever starts a run notes it here before asking the engine, so that a repeated start asks for the
very same: the same name and input is the same execution.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, final

from perdure.errors import RunConflict
from perdure.run_ids import made_id
from perdure.store.protocol import FORMAT, Json, RunStore
from perdure.store.records import STARTS, Body, index_key, start_key
from perdure.store.runs import digest_of, get_run

__all__ = ["Noted", "is_noted", "note_start", "noted_starts", "run_of_moment"]


@final
class Noted(NamedTuple):
    """A run that was asked for, and that no site has claimed yet."""

    run: str
    flow: str
    noted: float


def note_start(
    store: RunStore, run: str, flow: str, digest: str, seed: str, *, now: float
) -> tuple[str, bool]:
    """Note the start of a run; its seed, and whether this call was the first.

    `digest` is that of the input. The same id with another flow or input is a RunConflict.
    """
    record = get_run(store, run)
    if record is not None:
        _check_same(run, record.flow, flow, same_input=record.input_digest == digest)
        return record.seed, False
    body: dict[str, Json] = {
        "format": FORMAT,
        "flow": flow,
        "input_digest": digest,
        "seed": seed,
        "noted": now,
    }
    new = store.put_if_absent(start_key(run), body)
    item = None if new else store.get(start_key(run))
    noted = None if item is None else Body(item)
    # Also when it is noted: whoever did may have died before this write.
    when = now if noted is None else noted.optional_number("noted") or now
    store.put_if_absent(index_key(when, run, STARTS), {"format": FORMAT, "run": run})
    if noted is None:
        return seed, True
    same = noted.text("input_digest") == digest
    _check_same(run, noted.text("flow"), flow, same_input=same)
    return noted.text("seed"), False


def run_of_moment(flow: str, due: datetime, given: Mapping[str, Json] | None) -> str:
    """The id of the run that a schedule starts at a moment, so that telling of it again starts
    nothing.

    `given` is the input that the schedule names, None if it names none. It is part of the id:
    schedules that are due at the same moment with other inputs start runs of their own, whatever
    stands beside them in the flow.
    """
    moment = f"{due:%Y%m%dT%H%M}Z"
    return made_id(flow, moment if given is None else f"{moment}-{digest_of(dict(given))[:8]}")


def noted_starts(store: RunStore, limit: int) -> list[Noted]:
    """Of the newest `limit` starts from outside those whose runs no site has claimed, newest
    first."""
    found: list[Noted] = []
    for entry in store.query(STARTS, "", newest_first=True, limit=limit):
        run = str(entry.body["run"])
        item = store.get(start_key(run))
        if item is not None and get_run(store, run) is None:
            noted = Body(item)
            found.append(Noted(run, noted.text("flow"), noted.optional_number("noted") or 0.0))
    return found


def is_noted(store: RunStore, run: str) -> bool:
    """Whether somebody has asked for a run of this id, be it that no site of it ran yet."""
    return store.get(start_key(run)) is not None


def _check_same(run: str, known: str, flow: str, *, same_input: bool) -> None:
    if known != flow:
        raise RunConflict(f"run {run!r} is a run of {known}, not of {flow}")
    if not same_input:
        raise RunConflict(f"run {run!r} was started with another input")
