"""time.format and time.parse. https://cloud.google.com/workflows/docs/reference/stdlib/time"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from perdure_gcp.workflows.problems import Doubts, failure
from perdure_gcp.workflows.values import Value, is_number, type_name

__all__ = ["format_time", "parse_time", "seconds_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[-+][0-9]{2}:[0-9]{2})"
)


def format_time(doubts: Doubts, arguments: list[Value]) -> Value:
    """Seconds since 1970 as ISO 8601 text."""
    seconds, zone = arguments
    if not isinstance(seconds, int | float) or not is_number(seconds):
        raise failure("TypeError", f"time.format takes a number, not {type_name(seconds)}")
    if seconds != int(seconds):
        doubts.about("time-text", f"time.format({seconds}) has a fraction")
    try:
        when = _EPOCH + timedelta(seconds=seconds)
        where = ZoneInfo(zone) if isinstance(zone, str) else UTC
    except (OverflowError, LookupError, ValueError):
        doubts.about("time-text", f"time.format({seconds}, {zone!r})")
        raise failure("ValueError", "no time or time zone") from None
    return when.astimezone(where).isoformat().replace("+00:00", "Z")


def parse_time(doubts: Doubts, arguments: list[Value]) -> Value:
    """ISO 8601 text as seconds since 1970."""
    (text,) = arguments
    if not isinstance(text, str):
        raise failure("TypeError", f"time.parse takes text, not {type_name(text)}")
    return seconds_of(text, doubts)


def seconds_of(text: str, doubts: Doubts) -> float:
    """The time of a text like 2026-01-01T00:00:00Z."""
    if not _ISO.fullmatch(text):
        doubts.about("time-text", repr(text))
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise failure("ValueError", f"no time: {text!r}") from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return (when - _EPOCH).total_seconds()
