"""Runs in the store: claimed once per id, ended once, cancelled on request, waited for.

Every function takes the form of the store first and may be repeated after a crash between any two
of its writes.
"""

import json
from collections.abc import Callable
from hashlib import sha256

from perdure.errors import RunConflict
from perdure.store.protocol import (
    FORMAT,
    Doorbell,
    End,
    Json,
    ResultWaiter,
    RunRecord,
    RunStore,
    UnknownRun,
)
from perdure.store.records import (
    RUNS,
    index_key,
    partition_of,
    result_waiter_key,
    result_waiter_record,
    run_body,
    run_key,
    run_record,
)

__all__ = [
    "add_result_waiter",
    "claim_run",
    "digest_of",
    "end_run",
    "find_run",
    "get_run",
    "list_runs",
    "request_cancel",
    "result_doorbells",
    "ring_result_waiter",
    "update_run",
]


def digest_of(value: Json) -> str:
    """Return the digest that tells two encoded values apart; the order of keys does not count."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def claim_run(store: RunStore, record: RunRecord) -> tuple[RunRecord, bool]:
    """Claim the run id: the run that has it, and whether this call began it.

    The same id with the same flow and input is the run that exists; anything else is a RunConflict.
    """
    new = store.put_if_absent(run_key(record.run), run_body(record))
    existing = record if new else find_run(store, record.run)
    if existing.flow != record.flow:
        raise RunConflict(f"run {record.run!r} is a run of {existing.flow}, not of {record.flow}")
    if existing.input_digest != record.input_digest:
        raise RunConflict(f"run {record.run!r} was started with another input")
    # Also when the run exists: whoever claimed it may have died before this write.
    store.put_if_absent(
        index_key(existing.started, existing.run), {"format": FORMAT, "run": existing.run}
    )
    return existing, new


def get_run(store: RunStore, run: str) -> RunRecord | None:
    """Return the run's record, None if there is no such run."""
    item = store.get(run_key(run))
    return None if item is None else run_record(item)


def find_run(store: RunStore, run: str) -> RunRecord:
    """Return the run's record, or raise UnknownRun."""
    record = get_run(store, run)
    if record is None:
        raise UnknownRun(f"no run has the id {run!r}")
    return record


def list_runs(store: RunStore, limit: int | None = None) -> list[RunRecord]:
    """Return the runs, newest first."""
    entries = store.query(RUNS, "", newest_first=True, limit=limit)
    found = (get_run(store, str(entry.body["run"])) for entry in entries)
    return [record for record in found if record is not None]


def update_run(
    store: RunStore, run: str, change: Callable[[RunRecord], RunRecord]
) -> tuple[RunRecord, bool]:
    """Write `change(record)`, made again if somebody else wrote first; no write if it is equal."""
    while True:
        item = store.get(run_key(run))
        if item is None:
            raise UnknownRun(f"no run has the id {run!r}")
        record = run_record(item)
        changed = change(record)
        if changed == record:
            return record, False
        if store.replace(item.key, item.version, run_body(changed)):
            return changed, True


def end_run(store: RunStore, run: str, end: End, now: float) -> RunRecord:
    """Record how the run ended; the first end stays. Ring `result_doorbells` afterwards."""
    record, _ = update_run(
        store, run, lambda old: old if old.end else old._replace(end=end, ended=now)
    )
    return record


def request_cancel(store: RunStore, run: str, *, at_once: bool = False) -> RunRecord:
    """Ask the run to cancel; `at_once` skips cleanup and may follow a gentler request."""
    wanted = "now" if at_once else "cleanup"

    def ask(old: RunRecord) -> RunRecord:
        return old if old.end or old.cancel == "now" else old._replace(cancel=wanted)

    return update_run(store, run, ask)[0]


def add_result_waiter(store: RunStore, waiter: ResultWaiter) -> tuple[Doorbell, ...]:
    """Register somebody who waits for the end; the doorbells to ring now, if it has ended."""
    find_run(store, waiter.run)
    body: dict[str, Json] = {"format": FORMAT, **waiter._asdict()}
    key = result_waiter_key(waiter.run, waiter.id)
    while not store.put_if_absent(key, body):
        item = store.get(key)
        if item is None or result_waiter_record(item).token == waiter.token:
            break
        if store.replace(key, item.version, body):
            break
    return result_doorbells(store, waiter.run)


def result_doorbells(store: RunStore, run: str) -> tuple[Doorbell, ...]:
    """Return the doorbells of an ended run that nobody acknowledged as rung."""
    if find_run(store, run).end is None:
        return ()
    items = store.query(partition_of(run), "result-waiter/")
    waiters = ((item.key, result_waiter_record(item)) for item in items)
    return tuple(Doorbell(waiter.token, key) for key, waiter in waiters if not waiter.rung)


def ring_result_waiter(store: RunStore, doorbell: Doorbell) -> None:
    """Note that this doorbell was rung and need not be again."""
    while (item := store.get(doorbell.key)) is not None:
        waiter = result_waiter_record(item)
        if waiter.rung or waiter.token != doorbell.token:
            return
        if store.replace(item.key, item.version, {**item.body, "rung": True}):
            return
