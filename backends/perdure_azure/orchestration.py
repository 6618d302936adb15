"""An orchestrator: the flow's coroutine on an event loop whose waits are durable tasks.

Every episode runs the flow from its first line; the SDK gives back what the history has. When
nothing is ready any more the orchestrator yields what the flow waits for. At the end of an
episode the SDK drops the generator: the flow's coroutines are then cancelled in silence, without
any operation being scheduled or logged.
"""

import asyncio
import logging
import random
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, final

from perdure.codec.text import Json
from perdure.runtime.engine import (
    Completed,
    Failed,
    FlowCall,
    LogRecord,
    Operation,
    Outcome,
    StepCall,
)
from perdure.runtime.host import Attempt, Identity, LostError
from perdure.runtime.hosted import HostedRun
from perdure.runtime.usage import Usage
from perdure.runtime.values import failed
from perdure.trace import TraceEntry, error_json
from perdure_azure.activity import attempted_outcome, call_of
from perdure_azure.durable import Durable, utc
from perdure_azure.envelope import pack, unpack
from perdure_azure.names import FIND, MESSAGE, START, function_name, instance_id
from perdure_azure.watch import watcher

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow
    from perdure.runtime.site import Site
    from perdure_azure.sdk import Context, DurableTask

__all__ = ["Episode", "FlowFailed", "flow_input", "orchestrate"]

MOST_CALLBACKS = 10_000
"""How much an abandoned flow may still do: it can catch its cancellation again and again."""


LONGEST = 300
"""Events after which a run hands over; replaying one costs 23 to 48 us (azure-functions-durable
2.0.0rc3, measured), and each comes with a replay of all before it."""


class Asked(NamedTuple):
    """An activity that was scheduled, and the operation that started last before it."""

    name: str
    input: Json
    site: "Site | None"


class FlowFailed(Exception):  # noqa: N818  # it is shown in the portal as what happened
    """The flow raised: type and message of its error; all of it is in the custom status."""


def flow_input(
    flow: "Flow[..., Any]",
    identity: Identity,
    arguments: Mapping[str, Json],
    *,
    child: bool = False,
) -> dict[str, Json]:
    """The input of an orchestration; `arguments` are encoded, the seed is 128 random bits."""
    whole: dict[str, Json] = {"flow": flow.__perdure_ref__, **identity._asdict()}
    return pack({**whole, "arguments": dict(arguments), "child": child})


@final
class Episode:
    """One execution of an orchestrator, from the start to where the history ends: the `Host`."""

    def __init__(self, context: "Context", functions: "FunctionTable | None", tree: str) -> None:
        self.context = context
        self.functions = functions
        self.tree = tree
        self.durable = Durable(context)
        self.loop = self.durable.loop
        self.until = self.durable.until
        self.settle = self.durable.settle
        self.over = False
        self.entries: list[TraceEntry] = []
        self.branches: set[str] = set()
        """Branches that ended by themselves."""
        self.logs: list[LogRecord] = []
        self.progress: Json = None
        self.at: Site | None = None
        """The operation that started last."""
        self.asked: list[Asked] = []
        """The activities that were scheduled, in order."""
        self._refusals = 0
        watching = watcher.get()
        self.longest = LONGEST if watching is None else watching.longest

    def now(self) -> float:
        """Engine time."""
        return utc(self.context).timestamp()

    def is_full(self) -> bool:
        """So many events that replaying them costs more than beginning anew."""
        return self.durable.changes > self.longest and self.durable.is_idle()

    def refused(self) -> None:
        """Something was asked after the end; a flow that never gives up is left where it is."""
        self._refusals += 1
        if self._refusals > MOST_CALLBACKS:
            raise RecursionError("a flow catches every cancellation")

    async def attempt(
        self, call: StepCall, attempt: Attempt
    ) -> tuple[Outcome, bool, tuple[Usage, ...]]:
        """An activity; one that fails was lost."""
        request = call_of(attempt, call.arguments)
        name = function_name(call.step.__perdure_ref__)
        return attempted_outcome(await self._activity(name, request))

    def jitter(self, key: str) -> float:
        """The same draw at each replay; none in tests."""
        return 1.0 if watcher.get() is not None else random.Random(key).random()

    def child(self, call: FlowCall, identity: Identity) -> asyncio.Future[Outcome]:
        """A sub-orchestration."""
        given = flow_input(call.flow, identity, call.arguments, child=True)
        name, instance = function_name(call.flow.__perdure_ref__), instance_id(identity.run)
        task = self.context.call_sub_orchestrator(name, input=given, instance_id=instance)
        return self.loop.create_task(self._child_outcome(self.durable.future(task)))

    async def _child_outcome(self, ended: "asyncio.Future[object]") -> Outcome:
        data = unpack(await ended)
        if data["status"] == "done":
            return Completed(data["value"])
        return Failed(data["error"])

    async def start(self, call: FlowCall, identity: Identity) -> Outcome:
        """By an activity: only a client can see whether the run exists."""
        name = function_name(call.flow.__perdure_ref__)
        given: Json = flow_input(call.flow, identity, call.arguments)
        data = unpack(await self._sure(START, {"name": name, "run": identity.run, "input": given}))
        return Failed(data["error"]) if "error" in data else Completed(identity.run)

    async def find(self, run: str) -> str | None:
        """By an activity too."""
        found = unpack(await self._sure(FIND, {"run": run}))["found"]
        return None if found is None else str(found)

    def tell(self, run: str, message: Mapping[str, Json]) -> None:
        """An event of the other orchestration."""
        self.context.send_event(instance_id(run), MESSAGE, data=pack(message))

    def show(self, progress: Json) -> None:
        """The custom status."""
        self.progress = progress
        self.context.set_custom_status(pack({"status": "running", "progress": progress}))

    def log(self, record: LogRecord) -> None:
        """Show a log record, unless an earlier episode did."""
        self.logs.append(record)
        if not self.context.is_replaying:
            level = logging.getLevelNamesMapping().get(record.level.upper(), logging.INFO)
            logging.getLogger(record.logger or "perdure").log(level, "%s", record.text.rstrip("\n"))

    def begun(self, op: Operation) -> None:
        """Kept for tests."""
        self.at = op.site

    def ended(self, entry: TraceEntry) -> int:
        """Kept for tests."""
        self.entries.append(entry)
        return len(self.entries) - 1

    def lost(self, place: int) -> None:
        """Kept for tests."""
        self.entries[place] = self.entries[place]._replace(outcome="cancelled")

    def branch_ended(self, path: str) -> None:
        """Kept for tests."""
        self.branches.add(path)

    def misfit(self, problem: str) -> None:
        """Tell a test that its script sent what does not fit."""
        watching = watcher.get()
        if watching is not None:
            watching.misfit(problem)

    def listen(self, run: HostedRun) -> None:
        """Give the run what is written to it: one wait is always open."""

        def came(done: "asyncio.Future[object]") -> None:
            if not self.over and not done.cancelled():
                self.listen(run)
                run.deliver(unpack(done.result()))

        message = self.context.wait_for_external_event(MESSAGE)
        self.durable.future(message).add_done_callback(came)

    def abandon(self) -> None:
        """Nobody will resume this: let the coroutines end without doing anything."""
        if self.over:
            return
        self.over = True
        for _ in range(2):
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.drain(MOST_CALLBACKS)
        self.loop.close()

    async def _activity(self, name: str, request: Json) -> object:
        self.asked.append(Asked(name, request, self.at))
        return await self.durable.value(self.context.call_activity(name, input=request))

    async def _sure(self, name: str, request: Mapping[str, Json]) -> object:
        """The value of an activity of perdure's own, however often it is lost."""
        while True:
            try:
                return await self._activity(name, pack(request))
            except LostError:
                await self.until(self.now() + 1)


def orchestrate(
    context: "Context",
    given: object,
    flow: "Flow[..., Any]",
    functions: "FunctionTable | None" = None,
) -> "Generator[DurableTask, object, Json]":
    """Run a flow as the body of an orchestrator: `return (yield from orchestrate(...))`."""
    data = unpack(given)
    arguments = data["arguments"]
    assert isinstance(arguments, dict), "the input of a flow is an object"
    identity = Identity(*(str(data[name]) for name in Identity._fields))
    episode = Episode(context, functions, identity.tree)
    watching = watcher.get()
    if watching is not None:
        watching.began(episode)
    try:
        run = HostedRun(episode, identity)
        episode.listen(run)
        handed = data.get("handed")
        run.execute(flow, arguments, handed if isinstance(handed, dict) else None)
        episode.loop.run()
        while run.end is None and run.next is None and not episode.loop.errors:
            yield from episode.durable.wait()
            episode.loop.run()
        if episode.loop.errors:
            # What callbacks raised is a fault of ours, and ends the orchestration.
            raise episode.loop.errors[0]
        if run.next is not None:
            episode.durable.close()
            context.continue_as_new(pack({**data, "handed": run.next}), save_events=True)
            return None
        return _finished(context, run, child=bool(data["child"]))
    finally:
        episode.abandon()


def _finished(context: "Context", run: HostedRun, *, child: bool) -> Json:
    match run.outcome:
        case Completed(value):
            return pack({"status": "done", "value": value})
        case Failed(error) if run.end is not None and run.end.status == "failed":
            ended: Json = pack({"status": "failed", "error": error})
            context.set_custom_status(ended)
            if child:
                # The parent raises it: what a failed orchestration says is only text.
                return ended
            short = error_json(Failed(error))
            raise FlowFailed(f"{short['type']}: {short['message']}")
        case _:
            stopped = failed(asyncio.CancelledError())
            return pack({"status": "cancelled", "error": stopped.error})
