"""Cancelling a run: its waits end with a CancelledError, cleanup runs, the run ends cancelled."""

import asyncio
import json

from perdure.codec import encode_error
from perdure.store.match import close, live_waiters
from perdure.store.protocol import FORMAT, Key, RunStore
from perdure.store.records import partition_of
from perdure.store.runs import request_cancel
from perdure_aws.error_names import CANCELLED
from perdure_aws.waits import Bell

__all__ = ["cancel", "cancel_wait", "spare"]


def cancel(store: RunStore, run: str, bell: Bell) -> bool:
    """Ask the run to cancel; whether one of its waits was ended by it."""
    record = request_cancel(store, run)
    if record.end is not None:
        return False
    ended = False
    for waiter in live_waiters(store, run):
        if store.get(_spared(run, waiter.path)) is None:
            close(store, run, waiter.path)
            if waiter.token is not None:
                ended |= cancel_wait(bell, waiter.token)
    return ended


def spare(store: RunStore, run: str, path: str) -> None:
    """The wait at this path belongs to the cleanup: a second cancel does not end it."""
    store.put_if_absent(_spared(run, path), {"format": FORMAT})


def _spared(run: str, path: str) -> Key:
    return Key(partition_of(run), f"spared/{path}")


def cancel_wait(bell: Bell, token: str) -> bool:
    """End a waiting Task with the CancelledError that the flow sees."""
    error = encode_error(asyncio.CancelledError())
    return bell.fail(token, CANCELLED, json.dumps(error))
