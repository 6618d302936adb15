# ruff: noqa: E501  (the paths of moto's modules are long)
# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Tasks that wait for a token."""

import json
from datetime import timedelta

from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.state_props import StateProps
from moto.stepfunctions.parser.asl.eval import states
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackEndpoint,
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    HeartbeatEndpoint,
    HeartbeatTimeoutError,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from perdure_aws.engine.patches import Patches
from perdure_aws.engine.run import active

__all__ = ["a_heartbeat_sets_no_timeout", "tokens_are_answered_once", "tokens_repeat"]


def tokens_are_answered_once(patches: Patches) -> None:
    """A token has one answer, with its error and cause, and none after its task has ended.

    moto 5.2.5: its API drops the cause of SendTaskFailure; an answer after the timeout is
    accepted (`consumer_error` is never set), and any of several answers may win.
    AWS: SendTaskFailure has error and cause (botocore model); TaskTimedOut / InvalidToken for a
    used or dead token (API reference SendTaskSuccess).
    """

    def wait(
        self: StateTaskServiceCallback,
        env: Environment,
        timeout_seconds: int,
        callback_endpoint: CallbackEndpoint,
        heartbeat_endpoint: HeartbeatEndpoint | None,
    ) -> CallbackOutcome:
        token = callback_endpoint.callback_id
        scheduler, waiting = active().scheduler, active().waiting[token]
        while not waiting.answered:
            until = None
            if heartbeat_endpoint is not None:
                seconds = heartbeat_endpoint._heartbeat_seconds
                until = scheduler.now + timedelta(seconds=seconds)
            if not scheduler.wait(waiting.changed, until):
                raise HeartbeatTimeoutError
            if not waiting.answered:
                waiting.changed.clear()
        if waiting.output is not None:
            json.loads(waiting.output)
            return CallbackOutcomeSuccess(callback_id=token, output=waiting.output)
        return CallbackOutcomeFailure(callback_id=token, error=waiting.error, cause=waiting.cause)

    patches.replace(StateTaskServiceCallback, "_eval_wait_for_task_token", wait)


def tokens_repeat(patches: Patches) -> None:
    """Tokens come from the run's seed: equal runs are equal to the byte.

    moto 5.2.5: uuid4. AWS: opaque texts of up to 2,048 characters (botocore model TaskToken).
    """

    def token() -> str:
        return f"AQ{active().random.getrandbits(256):064x}"

    patches.replace(states, "long_uid", token)


def a_heartbeat_sets_no_timeout(patches: Patches) -> None:
    """HeartbeatSeconds without TimeoutSeconds leaves the default timeout.

    moto 5.2.5: 60 seconds then. AWS: "If not provided, the default value is 99999999" (docs:
    state-task).
    """
    original = ExecutionState.from_state_props

    def from_state_props(self: ExecutionState, state_props: StateProps) -> None:
        original(self, state_props)
        if isinstance(self.timeout, TimeoutSeconds) and self.timeout.is_default:
            self.timeout = TimeoutSeconds(TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS)

    patches.replace(ExecutionState, "from_state_props", from_state_props)
