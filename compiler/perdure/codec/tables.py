"""Which codec a type has: the whole list, by exact type, by import path, then by kind of class."""

import sys
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache, partial
from types import (
    BuiltinFunctionType,
    EllipsisType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import NoReturn

from perdure.codec import atoms, callables, containers, errors, library, objects
from perdure.codec.faults import UncodableError
from perdure.codec.heap import Decoder, Encoder, Reader, Writer, part, whole
from perdure.codec.names import public_module
from perdure.codec.narrow import extends
from perdure.codec.text import Json
from perdure.codec.written import Written

WRITERS: Mapping[type, Writer] = {
    int: atoms.write_int,
    float: atoms.write_float,
    Written: lambda encoder, value: atoms.write_float(encoder, float(value)),
    list: containers.write_list,
    dict: containers.write_dict,
    tuple: containers.write_tuple,
    set: containers.write_set,
    frozenset: containers.write_frozenset,
    bytes: atoms.write_bytes,
    bytearray: containers.write_bytearray,
    complex: atoms.write_complex,
    range: atoms.write_range,
    slice: atoms.write_slice,
    EllipsisType: atoms.write_ellipsis,
    SimpleNamespace: containers.write_namespace,
    FunctionType: callables.write_function,
    MethodType: callables.write_method,
    BuiltinFunctionType: callables.write_method,
    MethodDescriptorType: callables.write_descriptor,
    partial: callables.write_partial,
    ModuleType: library.write_module,
}

BY_NAME: Mapping[str, Writer] = {
    "collections:deque": containers.write_deque,
    "collections:Counter": containers.write_counter,
    "collections:OrderedDict": containers.write_ordered,
    "collections:defaultdict": containers.write_defaultdict,
    "decimal:Decimal": atoms.write_decimal,
    "uuid:UUID": atoms.write_uuid,
    "datetime:date": atoms.write_date,
    "datetime:datetime": atoms.write_datetime,
    "datetime:time": atoms.write_time,
    "datetime:timedelta": atoms.write_timedelta,
    "datetime:timezone": atoms.write_timezone,
    "zoneinfo:ZoneInfo": atoms.write_zoneinfo,
    "re:Pattern": atoms.write_pattern,
    "re:Match": library.write_match,
    "itertools:count": library.write_count,
    "fractions:Fraction": atoms.write_by_text,
    "pathlib:PosixPath": atoms.write_by_text,
    "pathlib:WindowsPath": atoms.write_by_text,
    "pathlib:PurePosixPath": atoms.write_by_text,
    "pathlib:PureWindowsPath": atoms.write_by_text,
    "ipaddress:IPv4Address": atoms.write_by_text,
    "ipaddress:IPv6Address": atoms.write_by_text,
    "ipaddress:IPv4Network": atoms.write_by_text,
    "ipaddress:IPv6Network": atoms.write_by_text,
}
"""Types of modules that need not be imported to know that a value is theirs."""

URLS = frozenset({"pydantic.networks:_BaseUrl", "pydantic.networks:_BaseMultiHostUrl"})
SECRETS = frozenset({"SecretStr", "SecretBytes", "Secret", "_SecretBase"})
WAY_OUT = "pass plain data, a dataclass or a pydantic model, or make it inside the step"


@lru_cache(maxsize=1024)
def writer_of(cls: type) -> Writer:
    """The codec of a class; a refusal is a writer too, for it needs the value's place."""
    found = WRITERS.get(cls) or BY_NAME.get(f"{public_module(cls.__module__)}:{cls.__qualname__}")
    return found or _writer_of_kind(cls)


def has_codec(cls: type) -> bool:
    """Whether values of exactly this class cross, as far as the class tells."""
    return writer_of(cls) not in (_refuse, _refuse_secret)


def _writer_of_kind(cls: type) -> Writer:
    if _is_secret(cls):
        return _refuse_secret
    if hasattr(cls, "__perdure_ref__"):
        return callables.write_reference
    if hasattr(cls, "__perdure_live__"):
        return _write_live
    if hasattr(cls, "__perdure_encode__"):
        return objects.write_custom
    if extends(cls, type):
        return callables.write_type
    if extends(cls, BaseException):
        return errors.write_error
    if extends(cls, Enum):
        return objects.write_enum
    if extends(cls, tuple) and hasattr(cls, "_fields"):
        return objects.write_named
    return _writer_of_object(cls)


def _writer_of_object(cls: type) -> Writer:
    names = {f"{base.__module__}:{base.__qualname__}" for base in cls.__mro__}
    if "pydantic.main:BaseModel" in names:
        return objects.write_model
    if names & URLS:
        return atoms.write_by_text
    if objects.base_of(cls) is not None:
        return objects.write_sub
    if hasattr(cls, "__dataclass_fields__") or hasattr(cls, "__attrs_attrs__"):
        return objects.write_data
    return _write_manager if _is_manager(cls) else _refuse


def _is_manager(cls: type) -> bool:
    """Whether a `with` of a flow may hold it open: an object of a class that is all Python."""
    pairs = (("__enter__", "__exit__"), ("__aenter__", "__aexit__"))
    if not any(hasattr(cls, enter) and hasattr(cls, leave) for enter, leave in pairs):
        return False
    homes = {base.__module__.partition(".")[0] for base in cls.__mro__[:-1]}
    return not homes & sys.stdlib_module_names - {"abc", "typing"}


def _is_secret(cls: type) -> bool:
    return any(
        base.__name__ in SECRETS and base.__module__.partition(".")[0] in {"pydantic", "perdure"}
        for base in cls.__mro__
    )


def _refuse_secret(encoder: Encoder, value: object) -> NoReturn:
    raise UncodableError(
        type(value).__qualname__, "a secret never enters state; read it inside the step"
    )


def _write_live(encoder: Encoder, value: objects.Custom) -> Json:
    """What crosses as a local of a run, and nowhere else."""
    return objects.write_custom(encoder, value) if encoder.live else _refuse(encoder, value)


def _write_manager(encoder: Encoder, value: object) -> Json:
    """By its attributes, as a local of a run, and nowhere else."""
    return objects.write_data(encoder, value) if encoder.live else _refuse(encoder, value)


def _refuse(encoder: Encoder, value: object) -> Json:
    if isinstance(getattr(value, "__perdure_ref__", None), str):
        return callables.write_reference(encoder, value)
    raise UncodableError(type(value).__qualname__, f"it has no codec; {WAY_OUT}")


def _read_def(decoder: Decoder, node: dict[str, Json], number: int) -> object:
    return decoder.define(node, whole(part(node, "n")))


def _read_ref(decoder: Decoder, node: dict[str, Json], number: int) -> object:
    return decoder.refer(whole(part(node, "n")))


READERS: Mapping[str, Reader] = {
    "def": _read_def,
    "ref": _read_ref,
    "int": atoms.read_int,
    "float": atoms.read_float,
    "str": atoms.read_str,
    "tuple": containers.read_tuple,
    "dict": containers.read_dict,
    "set": containers.read_set,
    "frozenset": containers.read_frozenset,
    "bytes": atoms.read_bytes,
    "bytearray": containers.read_bytearray,
    "complex": atoms.read_complex,
    "range": atoms.read_range,
    "slice": atoms.read_slice,
    "ellipsis": atoms.read_ellipsis,
    "decimal": atoms.read_decimal,
    "uuid": atoms.read_uuid,
    "date": atoms.read_date,
    "datetime": atoms.read_datetime,
    "time": atoms.read_time,
    "timedelta": atoms.read_timedelta,
    "timezone": atoms.read_timezone,
    "zone": atoms.read_zoneinfo,
    "pattern": atoms.read_pattern,
    "match": library.read_match,
    "count": library.read_count,
    "module": library.read_module,
    "text": atoms.read_by_text,
    "deque": containers.read_deque,
    "counter": containers.read_counter,
    "odict": containers.read_ordered,
    "defaultdict": containers.read_defaultdict,
    "namespace": containers.read_namespace,
    "data": objects.read_data,
    "model": objects.read_model,
    "enum": objects.read_enum,
    "named": objects.read_named,
    "sub": objects.read_sub,
    "custom": objects.read_custom,
    "type": callables.read_type,
    "fn": callables.read_function,
    "closure": callables.read_closure,
    "cell": callables.read_cell,
    "method": callables.read_method,
    "partial": callables.read_partial,
    "error": errors.read_error,
}
