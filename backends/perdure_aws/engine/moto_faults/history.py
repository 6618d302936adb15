# ruff: noqa: PLR0917  (moto's signature)
# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""The history of events: its limit, its duplicates, and how executions enter and leave states."""

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType, Timestamp
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext, EventManager

from perdure_aws.engine.moto_faults.assignments import forget_assignments
from perdure_aws.engine.moto_faults.failures import details_of
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.run import Ending, active
from perdure_aws.engine.scheduler import Killed

__all__ = ["failed_evaluations_are_told_once", "history_is_limited", "states_are_recorded"]

UNTIMED: Timestamp = None  # type: ignore[assignment]  # moto's own default
_LAST = frozenset(
    {
        HistoryEventType.ExecutionSucceeded,
        HistoryEventType.ExecutionFailed,
        HistoryEventType.ExecutionAborted,
        HistoryEventType.ExecutionTimedOut,
    }
)


def history_is_limited(patches: Patches) -> None:
    """The last event that fits is ExecutionFailed with States.Runtime.

    moto 5.2.5: any number of events.
    AWS: 25,000, hard; event 25,000 is ExecutionFailed, States.Runtime, "reached the maximum number
    of history events" (service-quotas; floci-io/floci#2734, measured).
    """
    original = EventManager.add_event

    def add_event(
        self: EventManager,
        context: EventHistoryContext,
        event_type: HistoryEventType,
        event_details: EventDetails | None = None,
        timestamp: Timestamp = UNTIMED,
        update_source_event_id: bool = True,
    ) -> int:
        run = active()
        machine = run.machine()
        if machine.ending is not None:
            raise Killed
        if self._event_id_gen._next_id >= run.max_events and event_type not in _LAST:
            cause = (
                f"The execution reached the maximum number of history events ({run.max_events})."
            )
            failed = ExecutionFailedEventDetails(error="States.Runtime", cause=cause)
            details = details_of(executionFailedEventDetails=failed)
            original(self, context, HistoryEventType.ExecutionFailed, details)
            run.end(machine, Ending("FAILED", error="States.Runtime", cause=cause))
            raise Killed
        return original(self, context, event_type, event_details, timestamp, update_source_event_id)

    patches.replace(EventManager, "add_event", add_event)


def failed_evaluations_are_told_once(patches: Patches) -> None:
    """A failing expression is one EvaluationFailed event.

    moto 5.2.5: adds it where it fails and again where the state handles it.
    AWS: one (GetExecutionHistory of an EvaluationFailed: docs, transforming-data).
    """
    original = EventManager.add_event

    def add_event(
        self: EventManager,
        context: EventHistoryContext,
        event_type: HistoryEventType,
        event_details: EventDetails | None = None,
        timestamp: Timestamp = UNTIMED,
        update_source_event_id: bool = True,
    ) -> int:
        if event_type == HistoryEventType.EvaluationFailed and context.last_published_event_id:
            last = self._history_event_list[context.last_published_event_id - 1]
            if last.get("type") == HistoryEventType.EvaluationFailed:
                return context.last_published_event_id
        return original(self, context, event_type, event_details, timestamp, update_source_event_id)

    patches.replace(EventManager, "add_event", add_event)


def states_are_recorded(patches: Patches) -> None:
    """Each state entered is counted, in order; a seed may let another branch go first there.

    moto 5.2.5: the same order for every run that has no real waits. AWS: any order.
    """
    original = CommonStateField._eval_body

    def evaluate(self: CommonStateField, env: Environment) -> None:
        run = active()
        run.scheduler.breathe()
        run.machine().states.append(self.name)
        forget_assignments(env)
        original(self, env)

    patches.replace(CommonStateField, "_eval_body", evaluate)
