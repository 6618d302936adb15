"""Durations: seconds, `timedelta` or text like "90s", "1h30m", "1.5d", "250ms", to seconds."""

from math import ceil, isfinite
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import timedelta

type Duration = "float | str | timedelta"

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

LONGEST_DAYS: Final = 365_000
"""No duration is longer: so no due time is one that calendars lack."""
_LONGEST: Final = LONGEST_DAYS * 86_400.0
_LAST: Final = 253_402_300_799.0
"""9999-12-31T23:59:59Z: what is to come later (`until=datetime.max`) comes then."""


def seconds_of(duration: object) -> float:
    """Seconds of a duration; ValueError when it is none (a bool, nan, "soon", a list)."""
    seconds = _seconds(duration)
    if not isfinite(seconds):
        raise _no_duration(duration)
    if seconds > _LONGEST:
        raise ValueError(f"no duration is longer than {LONGEST_DAYS} days: {duration!r}")
    return seconds


def _seconds(duration: object) -> float:
    if isinstance(duration, str):
        return _seconds_of_text(duration)
    if isinstance(duration, int) and not isinstance(duration, bool):
        return float(max(-_LONGEST, min(duration, 2 * _LONGEST)))
    if isinstance(duration, float):
        return duration
    from datetime import timedelta

    if not isinstance(duration, timedelta):
        raise _no_duration(duration)
    return duration.total_seconds()


def due(now: float, seconds: float) -> float:
    """When a timer of `seconds` set at `now` ends: whole seconds of engine time, rounded up.

    Nothing to wait for is due at once, so that `sleep(0)` costs no second.
    """
    return now if seconds <= 0 else float(ceil(round(min(now + seconds, _LAST), 6)))


def _seconds_of_text(text: str) -> float:
    import re

    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise _no_duration(text)
    units = [unit for _, unit in parts]
    if len(set(units)) != len(units):
        raise _no_duration(text)
    # Summed in thousandths where possible: "0.1s" and "100ms" are the same instant.
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts), 9)


def _no_duration(value: object) -> ValueError:
    return ValueError(
        f"not a duration: {value!r} (write seconds, a timedelta, or text like '1h30m')"
    )
