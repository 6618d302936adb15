"""An orchestrator: the flow's coroutine on an event loop whose waits are durable tasks.

Every episode runs the flow from its first line; the SDK gives back what the history has. When
nothing is ready any more the orchestrator yields what the flow waits for. At the end of an
episode the SDK drops the generator: the flow's coroutines are then cancelled in silence, without
any operation being scheduled or logged.
"""

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, final

from perdure.codec.text import Json
from perdure.reference.loop import VirtualLoop
from perdure.runtime.engine import Completed, Failed, LogRecord
from perdure.trace import End, TraceEntry, error_json
from perdure_azure.durable import CANCEL_EVENT, Context, Durable, DurableTask
from perdure_azure.envelope import pack, unpack
from perdure_azure.run import OrchestrationRun
from perdure_azure.watch import watcher

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow

__all__ = ["Episode", "FlowFailed", "flow_input", "orchestrate"]

MOST_CALLBACKS = 10_000
"""How much an abandoned flow may still do: it can catch its cancellation again and again."""


class FlowFailed(Exception):  # noqa: N818  # it is shown in the portal as what happened
    """The flow raised: type and message of its error; all of it is in the custom status."""


@final
class Episode:
    """One execution of an orchestrator function, from the start to where the history ends."""

    def __init__(self, context: Context, functions: "FunctionTable | None") -> None:
        self.context = context
        self.functions = functions
        self.loop = VirtualLoop(context.current_utc_datetime.timestamp())
        self.durable = Durable(context, self.loop)
        self.abandoned = False
        self.entries: list[TraceEntry] = []
        self.ended: set[str] = set()
        """Branches that ended by themselves."""
        self.logs: list[LogRecord] = []
        self.watched = watcher.get() is not None
        self.progress: Json = None
        self._refusals = 0
        self.root: OrchestrationRun | None = None

    def log(self, record: LogRecord) -> None:
        """Show a log record, unless an earlier episode did."""
        self.logs.append(record)
        if not self.context.is_replaying:
            import logging

            level = logging.getLevelNamesMapping().get(record.level.upper(), logging.INFO)
            logging.getLogger(record.logger or "perdure").log(level, "%s", record.text.rstrip("\n"))

    def misfit(self, problem: str) -> None:
        """Tell a test that its script sent what does not fit."""
        watching = watcher.get()
        if watching is not None:
            watching.misfit(problem)

    def show_progress(self, value: Json) -> None:
        """Publish what the run is at."""
        self.progress = value
        self.context.set_custom_status(pack({"status": "running", "progress": value}))

    def refused(self) -> None:
        """Something was asked after the end; a flow that never gives up is left where it is."""
        self._refusals += 1
        if self._refusals > MOST_CALLBACKS:
            raise RecursionError("a flow catches every cancellation")

    def listen_for_cancel(self, run: OrchestrationRun) -> None:
        """Cancel the run when somebody asks for that."""
        self.durable.event(CANCEL_EVENT).add_done_callback(lambda _: run.stop())

    def abandon(self) -> None:
        """Nobody will resume this: let the coroutines end without doing anything."""
        if self.abandoned:
            return
        self.abandoned = True
        for task in self._tasks():
            task.cancel()
        self.loop.drain(MOST_CALLBACKS)
        for task in self._tasks():
            task.cancel()
        self.loop.drain(MOST_CALLBACKS)
        self.loop.close()

    def _tasks(self) -> list["asyncio.Task[Any]"]:
        return [task for task in asyncio.all_tasks(self.loop) if not task.done()]


def flow_input(arguments: "Mapping[str, Json]", seed: str) -> dict[str, Json]:
    """The input of an orchestration; `arguments` are encoded, the seed is 128 random bits."""
    return pack({"arguments": dict(arguments), "seed": seed})


def orchestrate(
    context: Any,  # the SDK's own class; `Context` is what is used of it
    flow: "Flow[..., Any]",
    functions: "FunctionTable | None" = None,
) -> Generator[DurableTask, object, Json]:
    """Run a flow as the body of an orchestrator: `return (yield from orchestrate(...))`."""
    data = unpack(context.get_input())
    arguments = data["arguments"]
    if not isinstance(arguments, dict):
        raise ValueError("broken input of a flow: its arguments are no object")
    episode = Episode(context, functions)
    watching = watcher.get()
    if watching is not None:
        watching.began(episode)
    try:
        run = OrchestrationRun(episode, context.instance_id, str(data["seed"]))
        episode.root = run
        episode.listen_for_cancel(run)
        run.execute(flow, arguments)
        episode.loop.run()
        while run.end is None:
            _raise_faults(episode)
            yield from episode.durable.wait()
            episode.loop.run()
        _raise_faults(episode)
        return _finished(context, run, run.end)
    finally:
        episode.abandon()


def _raise_faults(episode: Episode) -> None:
    """What callbacks of the loop raised is a fault of ours, and ends the orchestration."""
    if episode.loop.errors:
        raise episode.loop.errors[0]


def _finished(context: Context, run: OrchestrationRun, end: End) -> Json:
    match run.outcome:
        case Completed(value):
            return pack({"status": "done", "value": value})
        case Failed(error) if end.status == "failed":
            context.set_custom_status(pack({"status": "failed", "error": error}))
            short = error_json(Failed(error))
            raise FlowFailed(f"{short['type']}: {short['message']}")
        case _:
            return pack({"status": end.status})
