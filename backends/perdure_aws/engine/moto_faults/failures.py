# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Failures as moto's interpreter carries them: made in one place, cut to AWS's sizes."""

from moto.stepfunctions.parser.api import (
    EvaluationFailedEventDetails,
    HistoryEventType,
    TaskFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

__all__ = ["data_limit_exceeded", "details_of", "error_of", "no_choice_matched", "query_failed"]


class _NamedLikeStates(ErrorName):
    """A name with the prefix `States.` that moto has no constant for."""


def error_of(name: str | None) -> ErrorName | None:
    """The object for an error name, whatever it begins with."""
    if name is None or not name.startswith("States."):
        return CustomErrorName(name)
    try:
        return StatesErrorName.from_name(name)
    except ValueError:
        return _NamedLikeStates(name)


def details_of(**only: object) -> EventDetails:
    """The details of an event."""
    made: EventDetails = {**only}  # type: ignore[typeddict-item]  # one key of its 34
    return made


def query_failed(env: Environment, cause: str) -> FailureEventException:
    """States.QueryEvaluationError; its event is in the history already."""
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = details_of(
        evaluationFailedEventDetails=EvaluationFailedEventDetails(
            cause=cause, error=name.error_name or "", state=env.next_state_name or ""
        )
    )
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=details,
    )
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=details,
        )
    )


def _failed(env: Environment, kind: StatesErrorNameType, cause: str) -> FailureEventException:
    name = StatesErrorName(typ=kind)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.TaskFailed,
            event_details=details_of(
                taskFailedEventDetails=TaskFailedEventDetails(
                    resourceType="", resource="", error=name.error_name or "", cause=cause
                )
            ),
        )
    )


def data_limit_exceeded(env: Environment, cause: str) -> FailureEventException:
    """States.DataLimitExceeded."""
    return _failed(env, StatesErrorNameType.StatesStatesDataLimitExceeded, cause)


def no_choice_matched(env: Environment, state: str) -> FailureEventException:
    """States.NoChoiceMatched."""
    return _failed(
        env,
        StatesErrorNameType.StatesNoChoiceMatched,
        f"No choice rule of '{state}' matched, and it has no Default",
    )
