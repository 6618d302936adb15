# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the corrections reach into the interpreter, which has untyped dicts at these places)
"""The limits on data: what is too large fails, as on AWS."""

import json
from collections.abc import Callable
from weakref import WeakKeyDictionary

from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_lambda
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

from perdure_aws.engine.interface import Json
from perdure_aws.engine.moto_faults.failures import data_limit_exceeded
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.run import active
from perdure_aws.limits import value_of

__all__ = ["check_assignment", "check_size", "forget_variables", "measure_as_aws_does", "size_of"]

_SIZES: WeakKeyDictionary[VariableStore, dict[str, int]] = WeakKeyDictionary()


def size_of(value: object) -> int:
    """Bytes of compact JSON in UTF-8."""
    return len(
        json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str).encode(
            errors="surrogatepass"
        )
    )


def check_size(env: Environment, value: object, what: str, limit: str = "payload_bytes") -> None:
    """Fail with States.DataLimitExceeded when `value` is larger than the limit of that name."""
    allowed = value_of(limit)
    if size_of(value) > allowed:
        raise data_limit_exceeded(
            env,
            f"The state/task '{env.next_state_name}' {what} with a size exceeding the maximum "
            f"number of bytes service limit ({allowed}).",
        )


def check_assignment(env: Environment, declared: dict[str, Json]) -> None:
    """One variable, one Assign, and all variables of the execution have each their limit."""
    sizes = {name: size_of(value) for name, value in declared.items()}
    for name, value in declared.items():
        check_size(env, value, f"assigned the variable '{name}'", "variable_bytes")
    check_size(env, declared, "has an Assign", "assign_bytes")
    _SIZES.setdefault(env.variable_store, {}).update(sizes)
    machine = active().machine()
    machine.stores[id(env.variable_store)] = (env.variable_store, _SIZES[env.variable_store])
    total = sum(sum(held.values()) for _, held in machine.stores.values())
    if total > value_of("variables_bytes"):
        raise data_limit_exceeded(env, "The total size of all variables exceeds the service limit.")


def forget_variables(env: Environment) -> None:
    """A branch or iteration has ended, and its variables with it."""
    active().machine().stores.pop(id(env.variable_store), None)


def measure_as_aws_does(patches: Patches) -> None:
    """256 KiB means bytes of UTF-8 of the compact JSON text, the limit itself allowed; Arguments
    have it too.

    moto 5.2.5: measures with spaces after separators and \\u escapes, strings without their
    quotes, refuses the limit itself, and does not look at Arguments.
    AWS: "maximum input or output size: 256 KiB of data as a UTF-8 encoded string" for a task,
    state or execution (docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
    """

    def is_within_size_quota(value: object) -> bool:
        return size_of(value) <= value_of("payload_bytes")

    for module in (state_module, state_task_service, state_task_lambda):
        patches.replace(module, "is_within_size_quota", is_within_size_quota)

    original: Callable[[StateTask, Environment], dict[str, Json]] = StateTask._eval_parameters

    def parameters(self: StateTask, env: Environment) -> dict[str, Json]:
        found = original(self, env)
        check_size(env, found, "has Arguments")
        return found

    patches.replace(StateTask, "_eval_parameters", parameters)
