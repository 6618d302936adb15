"""Cancelling a run: its waits end with a CancelledError, cleanup runs, the run ends cancelled."""

import asyncio
import json

from perdure.codec import encode_error
from perdure.store.match import close, live_waiters
from perdure.store.protocol import RunStore
from perdure.store.runs import request_cancel
from perdure_aws.error_names import CANCELLED
from perdure_aws.waits import Bell

__all__ = ["cancel", "cancel_wait"]


def cancel(store: RunStore, run: str, bell: Bell) -> bool:
    """Ask the run to cancel; whether one of its waits was ended by it."""
    record = request_cancel(store, run)
    if record.end is not None:
        return False
    tokens = [waiter.token for waiter in live_waiters(store, run) if waiter.token is not None]
    for waiter in live_waiters(store, run):
        close(store, run, waiter.path)
    ended = [cancel_wait(bell, token) for token in tokens]
    return any(ended)


def cancel_wait(bell: Bell, token: str) -> bool:
    """End a waiting Task with the CancelledError that the flow sees."""
    error = encode_error(asyncio.CancelledError())
    return bell.fail(token, CANCELLED, json.dumps(error))
