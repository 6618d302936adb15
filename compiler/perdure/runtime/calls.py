"""What instrumented modules call, as `__perdure__`. Without a current scope all is plain Python.

Every operation is a lazy awaitable that is consumed once: it starts when it is awaited, or
when a fork or a task group that it was given to starts it as a branch. The same module serves
steps, tests and scripts that share helpers with a flow, hence the plain forms.
"""

import asyncio
import builtins
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from perdure import operations
from perdure.codec import encode
from perdure.durations import seconds_of
from perdure.language import Flow, Step, policy_of
from perdure.runtime import forks
from perdure.runtime.deadlines import Deadline
from perdure.runtime.deadlines import wait_for as _wait_for
from perdure.runtime.engine import EventWait, FlowCall, LogRecord, Message, StepCall, Timer
from perdure.runtime.entering import HelperCall, entered, is_helper
from perdure.runtime.groups import TaskGroup
from perdure.runtime.lazy import Lazy
from perdure.runtime.masking import masked, masked_text
from perdure.runtime.perform import begin, cancelled_plainly, outcome_value, running_scope
from perdure.runtime.reads import (
    asctime,
    ctime,
    date_today,
    gmtime,
    localtime,
    monotonic,
    monotonic_ns,
    now,
    perf_counter,
    perf_counter_ns,
    random,
    rng,
    rng_method,
    strftime,
    time,
    time_ns,
    today,
    utcnow,
    uuid1,
    uuid4,
)
from perdure.runtime.scope import current
from perdure.runtime.values import bind, encode_arguments

if TYPE_CHECKING:
    from perdure.operations import Handle, ThisRun
    from perdure.runtime.site import Site

__all__ = [
    "asctime",
    "ask",
    "branch",
    "call",
    "cancel",
    "carried",
    "ctime",
    "date_today",
    "event",
    "gather",
    "gmtime",
    "localtime",
    "log",
    "monotonic",
    "monotonic_ns",
    "now",
    "perf_counter",
    "perf_counter_ns",
    "print",
    "progress",
    "quorum",
    "race",
    "random",
    "reply",
    "result",
    "rng",
    "rng_method",
    "semaphore",
    "send",
    "sleep",
    "start",
    "strftime",
    "task_group",
    "this_run",
    "time",
    "time_ns",
    "timeout",
    "timeout_at",
    "today",
    "utcnow",
    "uuid1",
    "uuid4",
    "wait_for",
]


def call(site: "Site", callee: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what may be a step or a flow: then an operation; anything else is just called."""
    while isinstance(callee, partial):
        args, kwargs = (*callee.args, *args), {**callee.keywords, **kwargs}
        callee = callee.func
    if current.get() is not None and _is_step(callee):
        step = callee
        arguments = bind(step, args, kwargs)
        what = ("step", tuple(site), step, policy_of(step), arguments)
        return Lazy(step.name, lambda: _step(site, step, arguments), None, what)
    if current.get() is not None and _is_flow(callee):
        flow = callee
        given = bind(flow, args, kwargs)
        asked = ("flow", tuple(site), flow, None, given)
        return Lazy(flow.name, lambda: _child(site, flow, given), None, asked)
    return branch(callee, *args, **kwargs)


def branch(callee: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call what may be a helper: then a branch copies what it is given."""
    if current.get() is not None and is_helper(callee):
        return HelperCall(callee, args, kwargs)
    return callee(*args, **kwargs)


def carried[T](value: T) -> T:
    """The value itself, if a codec carries it; else the TypeError that the operation would raise
    that has to carry it, raised here on every engine.
    """
    scope = current.get()
    if scope is not None and not _holds_work(value):
        encode(value, functions=scope.run.functions)
    return value


def _holds_work(value: object) -> bool:
    """Whether coroutine values are in it: their operands are asked where they were made."""
    held: Any = value
    if isinstance(value, dict):
        return any(map(_holds_work, held.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_holds_work, held))
    return isinstance(value, Awaitable)


def _is_step(callee: object) -> TypeGuard[Step[..., Any]]:
    return isinstance(callee, Step)


def _is_flow(callee: object) -> TypeGuard[Flow[..., Any]]:
    return isinstance(callee, Flow)


async def _step(site: "Site", step: Step[..., Any], arguments: dict[str, object]) -> Any:
    op = await begin(site)
    encoded = encode_arguments(step, arguments)
    work = op.scope.run.step(StepCall(op, step, step.name, encoded))
    return await outcome_value(op, work)


async def _child(site: "Site", flow: Flow[..., Any], arguments: dict[str, object]) -> Any:
    op = await begin(site)
    encoded = encode_arguments(flow, arguments, op.scope.run.functions)
    work = op.scope.run.child(FlowCall(op, flow, flow.name, encoded))
    return await outcome_value(op, work)


def event(site: "Site", name: str, type: object = None, timeout: object = None) -> Awaitable[Any]:
    """`await event("approval", Decision, timeout="3d")`."""

    async def wait() -> Any:
        if current.get() is None:
            return await operations.event(name)
        checked = _event_name(name)
        seconds = None if timeout is None else seconds_of(timeout)
        op = await begin(site)
        outcome = await cancelled_plainly(op.scope.run.event(EventWait(op, checked, type, seconds)))
        op.scope.taken.append(op.path)
        from perdure.runtime.values import result_of

        try:
            return result_of(outcome, op.scope.run.functions)
        except BaseException:
            op.scope.taken.clear()
            raise

    return Lazy(f"event {name}", wait, None, ("event", tuple(site), name, type, timeout))


def sleep(
    site: "Site", delay: object = None, result: object = None, *, until: datetime | None = None
) -> Awaitable[Any]:
    """`sleep("90s")`, `sleep(until=moment)`, `asyncio.sleep(5, "result")`."""

    async def wait() -> Any:
        if current.get() is None:
            await operations.sleep(delay, until=until)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # checked at run time
            return result
        if (delay is None) == (until is None):
            raise TypeError("sleep() takes a duration or until=, one of them")
        seconds = 0.0 if delay is None else seconds_of(delay)
        moment = None if until is None else operations.epoch_of(until)
        op = await begin(site)
        await cancelled_plainly(op.scope.run.sleep(Timer(op, "sleep", seconds, moment)))
        return result

    return Lazy("sleep", wait, None, ("sleep", tuple(site), delay, result, until))


def gather(
    site: "Site",
    *awaitables: Awaitable[Any],
    limit: int | None = None,
    return_exceptions: bool = False,
    fail_fast: bool = False,
) -> Awaitable[list[Any]]:
    """`gather(*aws, limit=, return_exceptions=, fail_fast=)`."""
    if current.get() is None:
        return operations.gather(
            *awaitables, limit=limit, return_exceptions=return_exceptions, fail_fast=fail_fast
        )

    def run() -> Any:
        return forks.gather(
            site,
            awaitables,
            limit=limit,
            return_exceptions=return_exceptions,
            fail_fast=fail_fast,
        )

    options = (limit, return_exceptions, fail_fast)
    return Lazy("gather", run, None, ("gather", tuple(site), list(awaitables), *options))


def race(site: "Site", **awaitables: Awaitable[Any]) -> Awaitable[tuple[str, Any]]:
    """`race(clicked=event("click"), late=sleep("1d"))`."""
    if current.get() is None:
        return operations.race(**awaitables)
    what = ("race", tuple(site), list(awaitables.items()))
    return Lazy("race", lambda: forks.race(site, awaitables), None, what)


def quorum(site: "Site", k: int, *awaitables: Awaitable[Any]) -> Awaitable[list[tuple[int, Any]]]:
    """`quorum(2, *votes)`."""
    if current.get() is None:
        return operations.quorum(k, *awaitables)
    what = ("quorum", tuple(site), list(awaitables), k)
    return Lazy("quorum", lambda: forks.quorum(site, k, awaitables), None, what)


def timeout(site: "Site", delay: object) -> Any:
    """`asyncio.timeout(delay)`."""
    if current.get() is None:
        return asyncio.timeout(None if delay is None else seconds_of(delay))
    return Deadline(site, delay)


def timeout_at(site: "Site", when: float | None) -> Any:
    """`asyncio.timeout_at(when)`; `when` is on the clock that `time.monotonic()` reads."""
    if current.get() is None:
        return asyncio.timeout_at(when)
    return Deadline(site, when=when)


def wait_for(site: "Site", work: Awaitable[Any], timeout: object) -> Awaitable[Any]:
    """`asyncio.wait_for(work, timeout)`."""
    if current.get() is None:
        return asyncio.wait_for(work, None if timeout is None else seconds_of(timeout))
    held = [work]

    def enter() -> None:
        held[0] = entered(work, running_scope().run.functions)

    return Lazy("wait_for", lambda: _wait_for(site, held[0], timeout), enter)


def semaphore(value: int = 1) -> Any:
    """`asyncio.Semaphore(n)` around whole branches: waiters go first in, first out."""
    return asyncio.Semaphore(value)


def task_group(site: "Site") -> Any:
    """`asyncio.TaskGroup()`."""
    return asyncio.TaskGroup() if current.get() is None else TaskGroup(site)


def progress(site: "Site", value: object) -> Awaitable[None]:
    """`await progress(value)`."""

    async def publish() -> None:
        if current.get() is not None:
            op = await begin(site)
            payload = masked(encode(value, functions=op.scope.run.functions))
            await cancelled_plainly(op.scope.run.progress(Message(op, "", "progress", payload)))

    return Lazy("progress", publish)


def reply(site: "Site", name: str, value: object) -> Awaitable[None]:
    """`await reply("message", value)`."""

    async def answer() -> None:
        if current.get() is None:
            return await operations.reply(name, value)
        checked = _event_name(name)
        op = await begin(site)
        payload = encode(value, functions=op.scope.run.functions)
        return await cancelled_plainly(op.scope.run.reply(Message(op, "", checked, payload)))

    return Lazy("reply", answer)


def start(
    site: "Site",
    flow: Flow[..., Any],
    /,
    *args: Any,
    id: str | None = None,
    on: str | None = None,
    **kwargs: Any,
) -> Awaitable["Handle[Any]"]:
    """`await fulfil.start(order, id="order-17")` in a flow: a run that nobody waits for."""
    if current.get() is None:
        return flow.start(*args, id=id, on=on, **kwargs)
    arguments = bind(flow, args, kwargs)

    async def begin_run() -> "Handle[Any]":
        if id is not None:
            from perdure.run_ids import check_id

            check_id(id)
        op = await begin(site)
        encoded = encode_arguments(flow, arguments, op.scope.run.functions)
        request = FlowCall(op, flow, flow.name, encoded, id, on)
        return flow.run(await cancelled_plainly(op.scope.run.start(request)), on=on)

    return Lazy("start", begin_run)


def send(site: "Site", handle: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`await handle.send("approval", decision)`; of anything else, its own method."""
    if not _is_handle(handle):
        return handle.send(*args, **kwargs)
    event, payload = _event_and_payload(*args, **kwargs)

    async def store() -> None:
        checked = _event_name(event)
        op = await begin(site)
        encoded = encode(payload, functions=op.scope.run.functions)
        await cancelled_plainly(op.scope.run.send(Message(op, handle.id, checked, encoded)))

    return Lazy("send", store)


def ask(site: "Site", handle: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`answer = await handle.ask("message", payload)`; of anything else, its own method."""
    if not _is_handle(handle):
        return handle.ask(*args, **kwargs)
    event, payload = _event_and_payload(*args, **kwargs)

    async def store_and_wait() -> Any:
        checked = _event_name(event)
        op = await begin(site)
        encoded = encode(payload, functions=op.scope.run.functions)
        return await outcome_value(op, op.scope.run.ask(Message(op, handle.id, checked, encoded)))

    return Lazy("ask", store_and_wait)


def cancel(site: "Site", handle: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`await handle.cancel()`; of anything else, its own method."""
    if not _is_handle(handle):
        return handle.cancel(*args, **kwargs)

    async def request() -> None:
        op = await begin(site)
        await cancelled_plainly(op.scope.run.cancel(op, handle.id))

    return Lazy("cancel", request)


def result(site: "Site", handle: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`handle.result()` of what is no handle (a task of a group): its own method.

    Waiting for another run is no operation of the language: await its flow as a child.
    """
    if _is_handle(handle):
        raise RuntimeError("a flow cannot wait for another run: await the flow itself")
    return handle.result(*args, **kwargs)


def _is_handle(value: object) -> bool:
    return current.get() is not None and isinstance(value, operations.Handle)


def _event_and_payload(event: str, payload: object = None) -> tuple[str, object]:
    return event, payload


def this_run() -> "ThisRun":
    """`this_run()`: the id of the run."""
    return operations.this_run()


def print(
    *values: object,
    sep: str | None = " ",
    end: str | None = "\n",
    file: object = None,
    flush: bool = False,
) -> None:
    """`print(...)`: a log record of the run."""
    scope = current.get()
    separator, ending = " " if sep is None else sep, "\n" if end is None else end
    if scope is None:
        stream: Any = file
        builtins.print(*values, sep=separator, end=ending, file=stream, flush=flush)
        return
    _record(None, "print", separator.join(map(str, values)) + ending)


def log(logger: Any, level: str, /, message: object, *args: Any, **kwargs: Any) -> None:
    """`logger.info("%s of %s", a, b)`: a log record of the run."""
    if current.get() is None:
        getattr(_logger(logger), level)(message, *args, **kwargs)
        return
    if level == "log":
        number, (message, *rest) = message, args
        args = tuple(rest)
        level = f"level {number}"
    text = str(message)
    if args:
        # As `logging` does: one mapping is what `%(name)s` reads from.
        first: Any = args[0]
        is_mapping = len(args) == 1 and isinstance(args[0], Mapping) and bool(first)
        text = text % (first if is_mapping else args)
    _record(getattr(_logger(logger), "name", "root"), level, text)


def _logger(logger: Any) -> Any:
    """None and the module `logging` stand for the root logger."""
    import logging

    return logging.getLogger() if logger is None or logger is logging else logger


def _record(logger: str | None, level: str, text: str) -> None:
    scope = current.get()
    if scope is not None:
        ordinal, scope.logs = scope.logs, scope.logs + 1
        scope.run.log(LogRecord(scope.path, ordinal, logger, level, masked_text(text)))


def _event_name(name: object) -> str:
    if isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", name):
        return name
    raise ValueError(f"not an event name: {name!r} (a-z, then a-z, 0-9 and _)")
