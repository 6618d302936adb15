# ruff: noqa: E501  (the paths of moto's modules are long)
# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""One attempt of a Task, Parallel or Map: its result, Assign and Output stand or fall together."""

import copy
from collections.abc import Callable
from typing import Final

from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import (
    EvalTimeoutError,
    TimeoutSeconds,
)
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment

from perdure_aws.engine.interface import Json
from perdure_aws.engine.moto_faults.assignments import forget_assignments
from perdure_aws.engine.moto_faults.sizes import check_size
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.primitives import VirtualEvent, VirtualThread
from perdure_aws.engine.run import Waiting, active
from perdure_aws.engine.scheduler import current

__all__ = ["a_catcher_may_lead_back", "output_in_the_catch_scope"]

_NO_TIMEOUT: Final = TimeoutSeconds.DEFAULT_TIMEOUT_SECONDS


def output_in_the_catch_scope(patches: Patches) -> None:
    """A failing Output is retried and caught like the task itself; each attempt starts clean.

    moto 5.2.5: evaluates Output after Retry and Catch are over, so its failure ends the
    execution; leaves half-built values on its stack for the next attempt; keeps one task token
    (and its answer) for all attempts; runs each attempt in a thread of its own in real time.
    AWS: "Retry/Catch apply to Assign and Output" (sfnx docs/design.md, measured; AWS agent-toolkit
    skill). A token is used once, so an attempt has its own.
    """

    def evaluate(self: ExecutionState, env: Environment) -> None:
        depth = len(env.stack)
        try:
            result = _attempt(self, env)
            check_size(env, result, "returned a result")
            env.states.set_result(result)
            if self.assign_decl:
                self.assign_decl.eval(env=env)
            if self.output:
                self.output.jsonata_template_value.eval(env=env)
                result = env.stack.pop()
        except BaseException:
            del env.stack[depth:]
            forget_assignments(env)
            raise
        env.stack.append(result)

    patches.replace(ExecutionState, "_evaluate_with_timeout", evaluate)

    def output(self: ExecutionState, env: Environment) -> None:
        if not isinstance(env.stack[-1], CatchOutcome):
            env.states.reset(input_value=env.stack.pop())

    patches.replace(ExecutionState, "_eval_state_output", output)


def a_catcher_may_lead_back(patches: Patches) -> None:
    """A catcher whose Next is the state itself enters it once more.

    moto 5.2.5: takes a Next that names the state it is in for none, and goes on as if the state
    had succeeded. AWS: a catcher's Next "must exactly match one of your state machine's state
    names" (docs, error handling), its own included.
    """
    go_on: Callable[[CommonStateField, Environment], None] = vars(CommonStateField)["_set_next"]

    def set_next(self: CommonStateField, env: Environment) -> None:
        if env.stack and isinstance(env.stack[-1], CatchOutcome):
            return
        go_on(self, env)

    patches.replace(CommonStateField, "_set_next", set_next)


def _attempt(state: ExecutionState, env: Environment) -> Json:
    state.timeout.eval(env=env)
    seconds: int = env.stack.pop()
    token = _renew_token(state, env)
    frame: Environment = env.open_frame()
    frame.states.reset(input_value=env.states.get_input())
    frame.stack = copy.deepcopy(env.stack)

    def body() -> None:
        if token is not None:
            active().waiting[token].task = current()
        state._eval_execution(frame)

    try:
        if seconds >= _NO_TIMEOUT:
            body()
        else:
            _within(seconds, body)
    finally:
        frame.set_ended()
        env.close_frame(frame)
        if token is not None:
            active().waiting.pop(token, None)
    result: Json = frame.stack[-1]
    return result


def _within(seconds: float, body: Callable[[], None]) -> None:
    """Run `body` as a task of its own, for at most `seconds`."""
    ended = VirtualEvent()
    failures: list[Exception] = []

    def attempt() -> None:
        try:
            body()
        except Exception as failure:
            failures.append(failure)
        ended.set()

    thread = VirtualThread(target=attempt)
    thread.start()
    if not ended.wait(seconds):
        thread.kill()
        raise EvalTimeoutError
    if failures:
        raise failures[0]


def _renew_token(state: ExecutionState, env: Environment) -> str | None:
    if not isinstance(state, StateTaskService):
        return None
    if state.resource.condition != ResourceCondition.WaitForTaskToken:
        return None
    token = env.states.context_object.update_task_token()
    env.callback_pool_manager.add(token)
    active().waiting[token] = Waiting()
    return token
