"""From a scripted answer to the outcome of an attempt, the same for every target."""

from typing import TYPE_CHECKING, Any

from perdure.codec import (
    InvalidValue,
    conform,
    conform_json,
    decode,
    decode_error,
    encode,
    encode_error,
)
from perdure.runtime.bodies import Attempted, as_a_coroutine_does, ended_with, raised
from perdure.runtime.values import result_type
from perdure.testing.scripts import Raises, Returns

if TYPE_CHECKING:
    from perdure.language import Step

__all__ = ["answered"]


def answered(step: "Step[..., Any]", answer: Returns | Raises) -> Attempted:
    """What the attempt ended with. To be called while the project's modules are active.

    Everything goes through the codec once more: the classes that a test imports are not those
    of the loaded modules. Plain JSON stands for a value of the class that the step declares.
    """
    if isinstance(answer, Raises):
        return raised(as_a_coroutine_does(_rebuilt(answer.error)))
    try:
        value = decode(encode(answer.value, path="result"))
    except (TypeError, ValueError):
        return ended_with(step, answer.value)
    return ended_with(step, _of_declared_type(step, value))


def _rebuilt(error: BaseException) -> BaseException:
    try:
        return decode_error(encode_error(error))
    except TypeError:
        return error


def _of_declared_type(step: "Step[..., Any]", value: object) -> object:
    declared = result_type(step)
    if declared is None:
        return value
    try:
        return conform(value, declared, "result")
    except InvalidValue:
        try:
            return conform_json(value, declared, "result")
        except InvalidValue:
            return value
