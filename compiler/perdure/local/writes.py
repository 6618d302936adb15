"""What anybody may write about a run, whoever drives it: each rings for it in the same transaction.

To be called within a transaction of the store.
"""

from perdure.local.wakes import Wakes
from perdure.store.inbox import put_event
from perdure.store.match import close, get_waiter, match
from perdure.store.protocol import Event, Json, RunRecord, UnknownRun
from perdure.store.records import waiter_key
from perdure.store.runs import claim_run, get_run, request_cancel
from perdure.store.sqlite import SqliteStore

__all__ = ["ask_to_cancel", "claim", "deliver", "forget_wait"]


def claim(store: SqliteStore, record: RunRecord) -> RunRecord:
    """Claim the run id: a new run, or the one that has it; RunConflict if that is another."""
    claimed, _ = claim_run(store, record)
    Wakes(store).add(claimed)
    return claimed


def deliver(
    store: SqliteStore,
    run: str,
    name: str,
    payload: Json,
    *,
    id: str,
    now: float,
    asks: bool = False,
) -> Event:
    """Store an event and match it; UnknownRun if there is no such run."""
    if get_run(store, run) is None:
        raise UnknownRun(f"no run has the id {run!r}")
    event = put_event(store, run, name, payload, id=id, now=now, asks=asks)
    match(store, run, name)
    Wakes(store).ring(run)
    return event


def forget_wait(store: SqliteStore, run: str, path: str) -> None:
    """Make a wait undone: what it took goes back, and who waits there next begins anew."""
    if get_waiter(store, run, path) is not None:
        close(store, run, path)
        store.remove(waiter_key(run, path))


def ask_to_cancel(store: SqliteStore, run: str, *, at_once: bool = False) -> RunRecord:
    """Ask a run to cancel; its record."""
    record = request_cancel(store, run, at_once=at_once)
    Wakes(store).ring(run)
    return record
