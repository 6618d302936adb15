"""Values on their way into and out of operations: bound, conformed, encoded, decoded.

Every engine and every site goes through these few functions, so that the arguments in a trace
are the same everywhere: by parameter name, with defaults applied, of the declared types.
"""

from collections.abc import Mapping
from functools import lru_cache
from inspect import BoundArguments, Parameter
from types import FunctionType
from typing import TYPE_CHECKING, Any

from perdure.codec import (
    Descriptor,
    InvalidValue,
    conform,
    conform_json,
    conform_slots,
    decode,
    decode_error,
    decode_slots,
    descriptor,
    encode,
    encode_error,
    encode_slots,
)
from perdure.codec.text import Json
from perdure.codec.written import holds_written
from perdure.errors import InvalidInput
from perdure.runtime.engine import Completed, Failed, Outcome

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow, Step

__all__ = [
    "bind",
    "completed",
    "declared_type",
    "decode_arguments",
    "encode_arguments",
    "encode_call",
    "encode_input",
    "encode_payload",
    "failed",
    "result_of",
]

type Callee = Step[..., Any] | Flow[..., Any]


def bind(callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, object]:
    """Arguments by parameter name with defaults; TypeError as a call of the function gives."""
    signature = callee.signature
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        _raise_as_python_does(callee, args, kwargs)
        raise
    bound.apply_defaults()
    return dict(bound.arguments)


def encode_arguments(
    callee: Callee, arguments: Mapping[str, object], functions: "FunctionTable | None" = None
) -> dict[str, Json]:
    """Bound arguments, converted to their declared types (an int for a float), encoded."""
    types, unfit = _parameter_types(callee), _unfit_defaults(callee)
    if unfit:
        types = {name: one for name, one in types.items() if not _is_kept(unfit, name, arguments)}
    return encode_slots(conform_slots(arguments, types), functions=functions)


def encode_call(callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Json]:
    """The arguments of a call from ordinary code, bound and encoded; InvalidInput names a field."""
    bound = bind(callee, args, kwargs)
    try:
        return encode_arguments(callee, bound)
    except InvalidValue as error:
        raise InvalidInput(str(error)) from None


def encode_input(flow: "Flow[..., Any]", data: Mapping[str, object]) -> dict[str, Json]:
    """A flow's input from plain JSON (command line, tests), encoded; InvalidInput names the field.

    Values that are live Python already (a dataclass in a test) are conformed like arguments.
    They go through the codec first: a test's classes are not those of the loaded module.
    """
    if not holds_written(dict(data)):
        data = decode_slots(encode_slots(data))
    parameters = flow.signature.parameters
    unknown = [name for name in data if name not in parameters]
    if unknown:
        raise InvalidInput(f"`{unknown[0]}`: {flow.name} has no parameter of this name")
    types, unfit = _parameter_types(flow), _unfit_defaults(flow)
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    values = {name: data.get(name, default) for name, default in defaults.items()}
    for name, value in values.items():
        if value is Parameter.empty:
            raise InvalidInput(f"`{name}`: missing")
        if not _is_kept(unfit, name, values):
            values[name] = _checked(value, types.get(name), name)
    return encode_slots(values)


def encode_payload(payload: object, declared: object, path: str = "payload") -> Json:
    """An event's payload from plain JSON or live values; InvalidInput if it does not fit."""
    if not holds_written(payload):
        payload = decode(encode(payload))
    return encode(_checked(payload, declared_type(declared), path))


def decode_arguments(
    callee: Callee, arguments: Mapping[str, Json], functions: "FunctionTable | None" = None
) -> BoundArguments:
    """Fresh values for one execution: call `f(*bound.args, **bound.kwargs)` with it."""
    bound = BoundArguments(callee.signature, {})
    bound.arguments.update(decode_slots(dict(arguments), functions=functions))
    return bound


def misfit(event: str, error: InvalidInput) -> str:
    """What a test's script hears of an event that no sender of a deployed run could have sent."""
    return f"event {event!r} does not fit: {error}"


def completed(
    value: object,
    declared: Descriptor | None = None,
    functions: "FunctionTable | None" = None,
) -> Completed:
    """The outcome of what returned `value`; TypeError or ValueError when it cannot cross."""
    if declared is not None:
        value = conform(value, declared, "result")
    return Completed(encode(value, functions=functions, path="result"))


def failed(error: BaseException) -> Failed:
    """The outcome of what raised `error`; of what cannot cross, the TypeError that says so."""
    try:
        return Failed(encode_error(error))
    except TypeError as uncodable:
        return Failed(encode_error(TypeError(str(uncodable))))


def result_of(outcome: Outcome, functions: "FunctionTable | None" = None) -> object:
    """The value, decoded fresh; a failed outcome raises its error, rebuilt."""
    if isinstance(outcome, Failed):
        raise decode_error(outcome.error)
    return decode(outcome.value, functions=functions)


@lru_cache(maxsize=512)
def result_type(callee: Callee) -> Descriptor | None:
    """What the function says it returns, None where it says nothing that can be resolved."""
    return declared_type(_hints(callee).get("return", Parameter.empty))


def declared_type(annotation: object) -> Descriptor | None:
    """The descriptor of an annotation; None for none."""
    if annotation is Parameter.empty or annotation is None:
        return None
    return descriptor(annotation)


@lru_cache(maxsize=512)
def _parameter_types(callee: Callee) -> dict[str, Descriptor]:
    hints = _hints(callee)
    return {
        name: descriptor(hints[name])
        for name, parameter in callee.signature.parameters.items()
        if name in hints and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }


@lru_cache(maxsize=512)
def _unfit_defaults(callee: Callee) -> dict[str, object]:
    """Defaults that are not of their declared type (`note: str = None`): Python takes them."""
    unfit: dict[str, object] = {}
    for name, declared in _parameter_types(callee).items():
        default = callee.signature.parameters[name].default
        try:
            if default is not Parameter.empty:
                conform(default, declared, name)
        except InvalidValue:
            unfit[name] = default
    return unfit


def _is_kept(unfit: Mapping[str, object], name: str, values: Mapping[str, object]) -> bool:
    """Whether a value is such a default, which stays as it is."""
    return name in unfit and values.get(name) is unfit[name]


def _hints(callee: Callee) -> dict[str, Any]:
    """Annotations as types. One that only type checkers can see leaves its function unchecked."""
    from typing import get_type_hints

    try:
        return get_type_hints(callee.__wrapped__, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}


def _checked(value: object, declared: Descriptor | None, path: str) -> object:
    if declared is None:
        return value
    try:
        return conform(value, declared, path)
    except InvalidValue:
        # No live value of the type; it may still be JSON of one.
        try:
            return conform_json(value, declared, path)
        except InvalidValue as wrong:
            raise InvalidInput(str(wrong)) from None


def _raise_as_python_does(callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """`inspect` words a wrong call its own way; the function itself is the specification.

    Nothing runs: arguments that do not bind are refused before the first line, and a coroutine
    function does not start its body when it is called.
    """
    if not isinstance(callee.__wrapped__, FunctionType):
        return
    value = callee.__wrapped__(*args, **kwargs)
    close = getattr(value, "close", None)
    if close is not None:
        close()
