"""An orchestrator on SDK 2: what `durabletask`'s context has of its own.

How a run behaves is in `perdure.runtime.episode`, as it is on every engine that replays.
"""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast, final

from perdure.codec.text import Json
from perdure.runtime.envelope import pack
from perdure.runtime.episode import Limits, run_episode
from perdure.runtime.host import LostError
from perdure_azure.limits import LIMITS
from perdure_azure.names import FIND, MESSAGE, START, function_name, instance_id

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow, Step
    from perdure_azure.sdk import Context, DurableTask

__all__ = ["orchestrate"]


def orchestrate(
    context: "Context",
    given: object,
    flow: "Flow[..., Any]",
    functions: "FunctionTable | None" = None,
) -> "Generator[DurableTask, object, Json]":
    """Run a flow as the body of an orchestrator: `return (yield from orchestrate(...))`."""
    return (yield from run_episode(Sdk2(context), given, flow, functions))


@final
class Sdk2:
    """See `perdure.runtime.episode.Sdk`."""

    tells_at_once = True

    def __init__(self, context: "Context") -> None:
        self._context = context
        self.limits = Limits(*(LIMITS[name].value for name in Limits._fields))

    def now(self) -> float:
        """The SDK's own time has no zone."""
        return self._context.current_utc_datetime.replace(tzinfo=UTC).timestamp()

    def run_id(self) -> str:
        """The instance's, which is the run's where Azure takes that."""
        return self._context.instance_id

    def is_replaying(self) -> bool:
        """Whether this was executed in an earlier episode."""
        return self._context.is_replaying

    def step(self, step: "Step[..., object]", given: Json) -> "DurableTask":
        """An activity."""
        return self._context.call_activity(function_name(step.__perdure_ref__), input=given)

    def child(self, flow: "Flow[..., object]", given: Json, run: str) -> "DurableTask":
        """A sub-orchestration."""
        name, instance = function_name(flow.__perdure_ref__), instance_id(run)
        return self._context.call_sub_orchestrator(name, input=given, instance_id=instance)

    def start(self, flow: "Flow[..., object]", given: Json, run: str) -> "DurableTask":
        """An activity with a client."""
        name = function_name(flow.__perdure_ref__)
        call = pack({"name": name, "run": run, "input": given})
        return self._context.call_activity(START, input=call)

    def find(self, run: str) -> "DurableTask":
        """An activity with a client too."""
        return self._context.call_activity(FIND, input=pack({"run": run}))

    def message(self) -> "DurableTask":
        """An external event of a name that no flow has."""
        return self._context.wait_for_external_event(MESSAGE)

    def event(self, name: str) -> "DurableTask":
        """An external event."""
        return self._context.wait_for_external_event(name)

    def tell(self, run: str, message: Json) -> None:
        """An event of the other orchestration."""
        self._context.send_event(instance_id(run), MESSAGE, data=message)

    def show(self, status: Json) -> None:
        """The custom status."""
        self._context.set_custom_status(status)

    def unread(self, taken: int) -> Sequence[object]:
        """Nothing: the SDK carries them over."""
        return ()

    def begin_again(self, given: Json) -> None:
        """Continue as new."""
        self._context.continue_as_new(given, save_events=True)

    # Tasks

    def timer(self, when: float) -> "DurableTask":
        """One of years the SDK cuts itself."""
        return self._context.create_timer(datetime.fromtimestamp(when, UTC))

    def is_done(self, task: "DurableTask") -> bool:
        """Completed, failed or cancelled."""
        return task.is_complete

    def value(self, task: "DurableTask") -> object:
        """A task fails when what ran it was lost."""
        if task.is_failed:
            raise LostError
        return task.get_result()

    def drop(self, task: "DurableTask") -> None:
        """Of timers and events: else the next wait of a name stays second in line."""
        cancel = getattr(task, "cancel", None)
        if cancel is not None:
            cancel()

    def first(self, tasks: "Sequence[DurableTask]") -> "DurableTask":
        """One task waits for all."""
        from durabletask import task as sdk

        if len(tasks) == 1:
            return tasks[0]
        several: Any = tasks
        first: Any = sdk.when_any(several)
        return cast("DurableTask", first)
