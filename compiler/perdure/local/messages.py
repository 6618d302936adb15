"""What one run says to another: events, questions and their answers, requests to cancel."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from perdure.codec import decode_error
from perdure.errors import Unanswered
from perdure.local.engine import STORE_FAULTS
from perdure.runtime.engine import Completed, Failed, Message, Operation, Outcome
from perdure.runtime.values import failed
from perdure.store.inbox import get_reply, put_reply
from perdure.store.protocol import Json
from perdure.store.runs import get_run

if TYPE_CHECKING:
    from perdure.local.run import LocalRun

__all__ = ["ask", "await_reply", "cancel", "reply", "send"]


async def send(run: "LocalRun", message: Message) -> None:
    """Store an event for another run, once."""

    async def work() -> Outcome:
        run.engine.put_event(
            message.run, message.name, message.payload, id=f"{run.id}/{message.op.path}"
        )
        return Completed(None)

    arguments: Json = {"run": message.run, "payload": message.payload}
    _value(await _once(run, message.op, "send", message.name, arguments, work=work))


async def ask(run: "LocalRun", message: Message) -> Outcome:
    """Store an event for another run, once, and wait for its reply."""
    identity = f"{run.id}/{message.op.path}"

    async def work() -> Outcome:
        run.engine.put_event(message.run, message.name, message.payload, id=identity, asks=True)
        run.tree.asking += 1
        try:
            return await await_reply(run, message.run, identity)
        finally:
            run.tree.asking -= 1

    arguments: Json = {"run": message.run, "payload": message.payload}
    return await _once(run, message.op, "ask", message.name, arguments, work=work)


async def await_reply(run: "LocalRun", other: str, event: str) -> Outcome:
    """Wait for the answer to an event; `Unanswered` if the run ends first."""
    store = run.engine.store
    while True:
        answer = get_reply(store, other, event)
        if answer is not None:
            return Completed(answer.value)
        record = get_run(store, other)
        if record is None or record.end is not None:
            return failed(Unanswered(f"run {other} ended before it answered"))
        await run.engine.changed(other, run.id)


async def cancel(run: "LocalRun", op: Operation, other: str) -> None:
    """Ask another run to cancel."""

    async def work() -> Outcome:
        run.engine.cancel(other)
        return Completed(None)

    _value(await _once(run, op, "cancel", "cancel", {"run": other}, work=work))


async def reply(run: "LocalRun", message: Message) -> None:
    """Answer the oldest message that this scope took under a name and did not answer."""
    path, scope = message.op.path, message.op.scope.path
    known = run.journal.operations.get(path)
    if known is None:
        taken = run.journal.unanswered(scope, message.name)
        question = None if taken is None or taken.event is None else taken.event.id
    else:
        question = known.child

    async def work() -> Outcome:
        if question is None:
            problem = f"reply({message.name!r}): this scope took no message that is unanswered"
            return failed(RuntimeError(problem))
        run.engine.commit(partial(put_reply, run.engine.store, run.id, question, message.payload))
        run.engine.touch(run.id)
        return Completed(None)

    arguments: Json = {"value": message.payload}
    _value(
        await _once(run, message.op, "reply", message.name, arguments, work=work, question=question)
    )


async def _once(
    run: "LocalRun",
    op: Operation,
    kind: str,
    name: str,
    arguments: Json,
    *,
    work: Callable[[], Awaitable[Outcome]],
    question: str | None = None,
) -> Outcome:
    """Do something that may be repeated after a crash, and record its outcome."""
    try:
        before = await run.ended_before(op, kind, name, arguments)
        if before is not None:
            return before
        run.open(op, kind, name, arguments, child=question)
        await run.engine.written()
        try:
            outcome = await work()
        except STORE_FAULTS:
            raise
        except Exception as error:
            outcome = failed(error)
        return await run.end(op, outcome)
    except asyncio.CancelledError:
        run.interrupt(op)
        raise


def _value(outcome: Outcome) -> Json:
    if isinstance(outcome, Failed):
        raise decode_error(outcome.error)
    return outcome.value
