"""Values without parts: numbers, text, bytes, dates. Each pair writes and reads one tagged form.

`datetime`, `decimal`, `uuid` and `zoneinfo` are imported only when a value of theirs is read.
"""

from typing import TYPE_CHECKING

from perdure.codec.faults import CorruptValue, UncodableError
from perdure.codec.heap import MAX_INT, Decoder, Encoder, items_of, part, text_of, whole
from perdure.codec.names import class_name
from perdure.codec.text import Json

if TYPE_CHECKING:
    from datetime import date, datetime, time, timedelta, timezone, tzinfo
    from decimal import Decimal
    from re import Pattern
    from uuid import UUID
    from zoneinfo import ZoneInfo

type Node = dict[str, Json]


def write_int(encoder: Encoder, value: int) -> Json:
    """`5`; beyond what a double holds exactly: `{"@": "int", "v": "9007199254740993"}`."""
    if -MAX_INT <= value <= MAX_INT:
        return value
    digits = str(value) if value.bit_length() < 2000 else hex(value)  # str() has a digit limit
    return {"@": "int", "v": digits}


def read_int(decoder: Decoder, node: Node, number: int) -> int:
    """Decimal digits, or hexadecimal for what CPython's digit limit would refuse."""
    return int(text_of(node), 0)


def write_float(encoder: Encoder, value: float) -> Json:
    """`0.5`; whole, infinite and not-a-number ones: `{"@": "float", "v": "2.0"}`."""
    if value.is_integer() or value - value != 0.0:
        return {"@": "float", "v": repr(value)}
    return value


def read_float(decoder: Decoder, node: Node, number: int) -> float:
    """Any text that `repr` of a float gives."""
    return float(text_of(node))


def write_complex(encoder: Encoder, value: complex) -> Json:
    """`{"@": "complex", "v": ["1.0", "-0.0"]}`."""
    return {"@": "complex", "v": [repr(value.real), repr(value.imag)]}


def read_complex(decoder: Decoder, node: Node, number: int) -> complex:
    """Real and imaginary part."""
    real, imaginary = items_of(node)
    return complex(float(str(real)), float(str(imaginary)))


def read_str(decoder: Decoder, node: Node, number: int) -> str:
    """Text with lone surrogates, written with Python's escapes."""
    return text_of(node).encode("ascii").decode("unicode_escape")


def write_bytes(encoder: Encoder, value: bytes) -> Json:
    """`{"@": "bytes", "v": "aGk="}`."""
    return {"@": "bytes", "v": base64_of(value)}


def read_bytes(decoder: Decoder, node: Node, number: int) -> bytes:
    """Bytes of base64."""
    return bytes_of(text_of(node))


def base64_of(value: bytes | bytearray) -> str:
    """Standard base64 with padding."""
    from binascii import b2a_base64

    return b2a_base64(value, newline=False).decode("ascii")


def bytes_of(text: str) -> bytes:
    """What `base64_of` was given."""
    from binascii import a2b_base64

    return a2b_base64(text, strict_mode=True)


def write_range(encoder: Encoder, value: range) -> Json:
    """`{"@": "range", "v": [0, 10, 2]}`."""
    return {"@": "range", "v": [encoder.write(n) for n in (value.start, value.stop, value.step)]}


def read_range(decoder: Decoder, node: Node, number: int) -> range:
    """Start, stop, step."""
    start, stop, step = (_int(decoder, item) for item in items_of(node))
    return range(start, stop, step)


def _int(decoder: Decoder, node: Json) -> int:
    value = decoder.read(node)
    if not isinstance(value, int):
        raise CorruptValue(f"{value!r} is no whole number")
    return value


def write_slice(encoder: Encoder, value: slice) -> Json:
    """`{"@": "slice", "v": [null, 10, null]}`."""
    return {"@": "slice", "v": [encoder.write(n) for n in (value.start, value.stop, value.step)]}


def read_slice(decoder: Decoder, node: Node, number: int) -> slice:
    """Start, stop, step."""
    start, stop, step = (decoder.read(item) for item in items_of(node))
    return slice(start, stop, step)


def write_ellipsis(encoder: Encoder, value: object) -> Json:
    """`{"@": "ellipsis"}`."""
    return {"@": "ellipsis"}


def read_ellipsis(decoder: Decoder, node: Node, number: int) -> object:
    """The one `...`."""
    return ...


def write_decimal(encoder: Encoder, value: "Decimal") -> Json:
    """`{"@": "decimal", "v": "1.10"}`."""
    return {"@": "decimal", "v": str(value)}


def read_decimal(decoder: Decoder, node: Node, number: int) -> "Decimal":
    """Exact, whatever the context's precision."""
    from decimal import Decimal

    return Decimal(text_of(node))


def write_uuid(encoder: Encoder, value: "UUID") -> Json:
    """`{"@": "uuid", "v": "12345678-1234-5678-1234-567812345678"}`."""
    return {"@": "uuid", "v": str(value)}


def read_uuid(decoder: Decoder, node: Node, number: int) -> "UUID":
    """Of the usual text."""
    from uuid import UUID

    return UUID(text_of(node))


def write_date(encoder: Encoder, value: "date") -> Json:
    """`{"@": "date", "v": "2026-01-31"}`."""
    return {"@": "date", "v": value.isoformat()}


def read_date(decoder: Decoder, node: Node, number: int) -> "date":
    """Of the ISO text."""
    from datetime import date

    return date.fromisoformat(text_of(node))


def write_datetime(encoder: Encoder, value: "datetime") -> Json:
    """`{"@": "datetime", "v": "2026-01-31T12:00:00+00:00"}`, a zone with a name apart in `z`."""
    return _moment("datetime", encoder, value)


def write_time(encoder: Encoder, value: "time") -> Json:
    """`{"@": "time", "v": "12:00:00"}`, a zone with a name apart in `z`."""
    return _moment("time", encoder, value)


def _moment(tag: str, encoder: Encoder, value: "datetime | time") -> Json:
    zone = value.tzinfo
    node: Node = {"@": tag, "v": value.isoformat()}
    if zone is not None and not _is_plain_offset(zone):
        node = {"@": tag, "v": value.replace(tzinfo=None).isoformat(), "z": encoder.write(zone)}
    if value.fold:
        node["f"] = 1
    return node


def _is_plain_offset(zone: "tzinfo") -> bool:
    from datetime import timezone

    return type(zone) is timezone and len(_zone_arguments(zone)) == 1


def _zone_arguments(zone: "timezone") -> "tuple[timedelta] | tuple[timedelta, str]":
    # What pickle asks: the name is there only if the constructor was given one. timezone.utc,
    # which has none to give, answers with its offset alone.
    found: tuple[timedelta] | tuple[timedelta, str] = getattr(zone, "__getinitargs__")()  # noqa: B009
    return found


def read_datetime(decoder: Decoder, node: Node, number: int) -> "datetime":
    """Of the ISO text, the fold and the zone."""
    from datetime import datetime

    value = datetime.fromisoformat(text_of(node))
    if "z" in node:
        value = value.replace(tzinfo=_zone(decoder, node["z"]))
    return value.replace(fold=1) if "f" in node else value


def read_time(decoder: Decoder, node: Node, number: int) -> "time":
    """Of the ISO text, the fold and the zone."""
    from datetime import time

    value = time.fromisoformat(text_of(node))
    if "z" in node:
        value = value.replace(tzinfo=_zone(decoder, node["z"]))
    return value.replace(fold=1) if "f" in node else value


def _zone(decoder: Decoder, node: Json) -> "tzinfo":
    from datetime import tzinfo

    zone = decoder.read(node)
    if not isinstance(zone, tzinfo):
        raise CorruptValue(f"{zone!r} is no time zone")
    return zone


def write_timedelta(encoder: Encoder, value: "timedelta") -> Json:
    """`{"@": "timedelta", "v": [days, seconds, microseconds]}`."""
    return {"@": "timedelta", "v": [value.days, value.seconds, value.microseconds]}


def read_timedelta(decoder: Decoder, node: Node, number: int) -> "timedelta":
    """Days, seconds, microseconds."""
    from datetime import timedelta

    days, seconds, micros = (whole(item) for item in items_of(node))
    return timedelta(days, seconds, micros)


def write_timezone(encoder: Encoder, value: "timezone") -> Json:
    """`{"@": "timezone", "v": [0, 3600, 0]}`, its name in `n` if it was given one."""
    offset, *name = _zone_arguments(value)
    node: Node = {"@": "timezone", "v": [offset.days, offset.seconds, offset.microseconds]}
    if name:
        node["n"] = encoder.write(name[0])
    return node


def read_timezone(decoder: Decoder, node: Node, number: int) -> "timezone":
    """Of offset and name."""
    from datetime import timezone

    offset = read_timedelta(decoder, node, 0)
    return timezone(offset, str(decoder.read(node["n"]))) if "n" in node else timezone(offset)


def write_zoneinfo(encoder: Encoder, value: "ZoneInfo") -> Json:
    """`{"@": "zone", "v": "Europe/Berlin"}`."""
    if not value.key:
        raise UncodableError("ZoneInfo", "it has no key; make it with ZoneInfo(name)")
    return {"@": "zone", "v": value.key}


def read_zoneinfo(decoder: Decoder, node: Node, number: int) -> "ZoneInfo":
    """The zone of that key."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(text_of(node))


def write_pattern(encoder: Encoder, value: "Pattern[str] | Pattern[bytes]") -> Json:
    """`{"@": "pattern", "v": "a+", "f": 32}`."""
    return {"@": "pattern", "v": encoder.write(value.pattern), "f": value.flags}


def read_pattern(decoder: Decoder, node: Node, number: int) -> "Pattern[str] | Pattern[bytes]":
    """Compiled again from source and flags."""
    import re

    source = decoder.read(part(node, "v"))
    if not isinstance(source, (str, bytes)):
        raise CorruptValue("a pattern's source is no text")
    return re.compile(source, whole(part(node, "f")))


def write_by_text(encoder: Encoder, value: object) -> Json:
    """A stdlib value that its own text builds: `{"@": "text", "c": "fractions:Fraction", ...}`."""
    return {"@": "text", "c": class_name(type(value)), "v": encoder.write(str(value))}


def read_by_text(decoder: Decoder, node: Node, number: int) -> object:
    """Its class called with the text."""
    return decoder.classes(text_of(node, "c"))(decoder.read(part(node, "v")))
