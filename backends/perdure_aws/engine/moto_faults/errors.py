# ruff: noqa: E501  (the paths of moto's modules are long)
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the corrections reach into the interpreter, which has untyped dicts at these places)
"""Error names and their matching, causes, and what is no error of the machine at all."""

from typing import Final

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import HistoryEventType, TaskTimedOutEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import (
    CustomErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import (
    ErrorEqualsDecl,
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
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.lambda_eval_utils import (
    LambdaFunctionErrorException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.fail import state_fail
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackOutcomeFailureError,
    HeartbeatTimeoutError,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from perdure_aws.engine.moto_faults.failures import details_of
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.run import active
from perdure_aws.limits import value_of

__all__ = [
    "errors_match_as_on_aws",
    "heartbeats_have_their_own_error",
    "our_faults_are_not_the_machines",
    "reserved_names_are_not_guessed",
    "texts_are_cut",
]

_NOT_TASK_FAILED: Final = frozenset(
    {"States.Timeout", "States.HeartbeatTimeout", "States.QueryEvaluationError", "States.Runtime"}
)
_EXPECTED: Final = (
    FailureEventException,
    TimeoutError,
    CallbackOutcomeFailureError,
    LambdaFunctionErrorException,
    ClientError,
)


def errors_match_as_on_aws(patches: Patches) -> None:
    """Which names a retrier or catcher matches.

    moto 5.2.5: States.TaskFailed matches no `States.*` error, States.ALL also States.Runtime.
    AWS: TaskFailed "matches any known error name except for States.Timeout" (docs:
    concepts-error-handling) and States.QueryEvaluationError (sfnx docs/design.md, measured);
    States.Runtime "can't be caught by States.ALL"; States.Timeout also means a missed heartbeat
    (docs: concepts-error-handling).
    """

    def matches(self: ErrorEqualsDecl, env: Environment) -> None:
        failure: ErrorName | None = env.stack.pop()
        name = failure.error_name if failure is not None else None
        listed = {error.error_name for error in self.error_names}
        env.stack.append(
            name != "States.Runtime"
            and (
                name in listed
                or "States.ALL" in listed
                or ("States.TaskFailed" in listed and name not in _NOT_TASK_FAILED)
                or ("States.Timeout" in listed and name == "States.HeartbeatTimeout")
            )
        )

    patches.replace(ErrorEqualsDecl, "_eval_body", matches)


def heartbeats_have_their_own_error(patches: Patches) -> None:
    """A missed heartbeat is States.HeartbeatTimeout.

    moto 5.2.5: States.Timeout. AWS: States.HeartbeatTimeout (docs: concepts-error-handling).
    """
    original = StateTask._from_error

    def from_error(self: StateTask, env: Environment, ex: Exception) -> FailureEvent:
        if not isinstance(ex, HeartbeatTimeoutError) or not isinstance(self, StateTaskService):
            return original(self, env, ex)
        name = StatesErrorNameType.StatesHeartbeatTimeout
        return FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=name),
            event_type=HistoryEventType.TaskTimedOut,
            event_details=details_of(
                taskTimedOutEventDetails=TaskTimedOutEventDetails(
                    resourceType=self._get_sfn_resource_type(),
                    resource=self._get_sfn_resource(),
                    error=name.to_name(),
                )
            ),
        )

    patches.replace(StateTask, "_from_error", from_error)


def reserved_names_are_not_guessed(patches: Patches) -> None:
    """A Fail state whose Error begins with `States.` ends the simulation with `EngineCannot`.

    moto 5.2.5: a ValueError of its own, as States.Runtime.
    AWS: not known (the language reserves the prefix; nothing documented settles it).
    """

    def named(error_name: str) -> CustomErrorName:
        if error_name.startswith("States."):
            active().cannot(f"a Fail state with Error '{error_name}': what AWS does is not known")
        return CustomErrorName(error_name)

    patches.replace(state_fail, "CustomErrorName", named)


def texts_are_cut(patches: Patches) -> None:
    """Error has at most 256 characters, Cause 32,768.

    moto 5.2.5: keeps any length. AWS: SensitiveError max 256, SensitiveCause max 32768 (botocore
    model stepfunctions-2016-11-23).
    """
    original = FailureEvent.__init__

    def cut(
        self: FailureEvent,
        env: Environment,
        error_name: ErrorName | None,
        event_type: HistoryEventType,
        event_details: EventDetails | None = None,
    ) -> None:
        inner = next(iter(event_details.values()), None) if event_details else None
        if isinstance(inner, dict):
            found: dict[str, object] = inner
            for key, limit in (("error", "error_characters"), ("cause", "cause_characters")):
                text = found.get(key)
                if isinstance(text, str) and len(text) > value_of(limit):
                    found[key] = text[: value_of(limit)]
        original(self, env, error_name, event_type, event_details)

    patches.replace(FailureEvent, "__init__", cut)


def our_faults_are_not_the_machines(patches: Patches) -> None:
    """An exception that the interpreter does not expect ends the simulation with `EngineCannot`.

    moto 5.2.5: any Python exception in it becomes States.Runtime of the execution (and each
    component on the way logs its whole text).
    AWS: has no such failures; a made-up one could be taken for an outcome of the machine.
    """

    def evaluate(self: EvalComponent, env: Environment) -> None:
        if not env.is_running():
            return
        field = self._field_name()
        if field is not None:
            env.next_field_name = field
        try:
            self._eval_body(env)
        except _EXPECTED:
            raise
        except Exception as error:
            active().cannot(f"{type(self).__name__}: {type(error).__name__}: {error}", error)

    original = ExecutionState._from_error

    def from_error(self: ExecutionState, env: Environment, ex: Exception) -> FailureEvent:
        if not isinstance(ex, FailureEventException):
            active().cannot(f"state {self.name}: {type(ex).__name__}: {ex}", ex)
        return original(self, env, ex)

    patches.replace(EvalComponent, "eval", evaluate)
    patches.replace(ExecutionState, "_from_error", from_error)
