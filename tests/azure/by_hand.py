"""Orchestrators as people write them for SDK 1: the model of its host shows what goes wrong."""

# mypy: ignore-errors
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
# (SDK 1 has no types, and is imported in the place of SDK 2)

from contextlib import suppress
from typing import Any

import azure.durable_functions as df

app = df.DFApp()
AGAIN = df.RetryOptions(1000, 3)
tries: dict[str, int] = {}


@app.activity_trigger(input_name="call")
def flaky(call: str) -> str:
    """Succeeds the third time, where it is busy."""
    tries[call] = tries.get(call, 0) + 1
    if call == "busy" and tries[call] < 3:
        raise OSError("busy")
    return call


@app.activity_trigger(input_name="call")
def bad(call: str) -> str:
    """Fails."""
    raise ValueError(call)


@app.activity_trigger(input_name="call")
def plain(call: str) -> str:
    """Answers."""
    return call


@app.orchestration_trigger(context_name="context")
def race_603(context: Any) -> Any:
    """The first two of three steps, one of which is retried; then more steps."""
    calls = [context.call_activity_with_retry("flaky", AGAIN, name) for name in ("a", "b", "busy")]
    for _ in range(2):
        winner = yield context.task_any(calls)
        calls.remove(winner)
    more = [context.call_activity("plain", name) for name in ("one", "two", "three")]
    return (yield context.task_all(more))


@app.orchestration_trigger(context_name="context")
def failing_and_retrying(context: Any) -> Any:
    """As in upstream.py."""
    calls = [
        context.call_activity("bad", "x"),
        context.call_activity_with_retry("flaky", AGAIN, "busy"),
    ]
    with suppress(Exception):
        yield context.task_all(calls)
    one = yield context.call_activity("plain", "one")
    two = yield context.call_activity("plain", "two")
    return [one, two]


@app.orchestration_trigger(context_name="context")
def early_507(context: Any) -> Any:
    """As in upstream.py."""
    yield context.call_activity("plain", "while events come")
    first = yield context.wait_for_external_event("go")
    second = yield context.wait_for_external_event("go")
    third = yield context.wait_for_external_event("go")
    return [first, second, third]


@app.orchestration_trigger(context_name="context")
def sequential(context: Any) -> Any:
    """What goes right: one after the other."""
    one = yield context.call_activity_with_retry("flaky", AGAIN, "busy")
    two = yield context.call_activity("plain", "two")
    return [one, two]
