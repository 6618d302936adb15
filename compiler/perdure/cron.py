"""Cron expressions: five fields and a time zone in, the moments at which they are due out.

As in Vixie cron: names of months and days, lists, ranges and steps; a day matches if its day of
the month *or* its day of the week does when both are given. A local time that a clock change
leaves out is not due; one that comes twice is due once, the first time.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Schedule", "next_due", "parse"]

HORIZON: Final = timedelta(days=366 * 28)
"""The calendar repeats after 28 years (within a century): what is not due by then never is."""

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class _Field(NamedTuple):
    """One of the five: what it counts, from and to where, names for its numbers."""

    what: str
    low: int
    high: int
    names: "Mapping[str, int] | None" = None


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, {name: n for n, name in enumerate(_MONTHS, 1)}),
    _Field("day of the week", 0, 7, {name: n for n, name in enumerate(_DAYS)}),
)


class Schedule(NamedTuple):
    """A parsed expression: sorted numbers of each field; `tz` is an IANA name.

    `any_day` and `any_weekday` say that the field is `*`, so that only the other one counts.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """0 is Sunday."""
    any_day: bool
    any_weekday: bool
    tz: str

    def matches(self, day: date) -> bool:
        """Whether anything is due on a day."""
        if day.month not in self.months:
            return False
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week


def parse(expression: str, tz: str = "UTC") -> Schedule:
    """Read an expression; ValueError says which field is wrong, or that it is never due."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{tz!r} is no time zone: write one like Europe/Berlin") from None
    text = _NICKNAMES.get(expression.strip().lower(), expression).upper()
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise ValueError(
            f"{expression!r} has {len(parts)} fields, not 5:"
            " minute, hour, day of the month, month, day of the week"
        )
    minutes, hours, days, months, weekdays = (
        _numbers(part, field) for part, field in zip(parts, _FIELDS, strict=True)
    )
    weekdays = tuple(sorted({number % 7 for number in weekdays}))
    schedule = Schedule(
        minutes, hours, days, months, weekdays, parts[2] in "*?", parts[4] in "*?", tz
    )
    if not schedule.any_day and schedule.any_weekday and not _exists(schedule):
        raise ValueError(f"{expression!r} is never due: no month it names has such a day")
    return schedule


def next_due(schedule: Schedule, after: datetime) -> datetime:
    """The first moment after `after` at which a schedule is due, in UTC."""
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(schedule.tz)
    # A zone's date may be a day behind that of UTC, and its clock may go back.
    first = after.astimezone(zone).date() - timedelta(days=1)
    for offset in range(HORIZON.days):
        day = first + timedelta(days=offset)
        if not schedule.matches(day):
            continue
        for moment in _moments(schedule, day, zone):
            if moment > after:
                return moment
    raise ValueError("a schedule that is never due")


def _moments(schedule: Schedule, day: date, zone: object) -> "Iterator[datetime]":
    for hour in schedule.hours:
        for minute in schedule.minutes:
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)  # type: ignore[arg-type]  # a ZoneInfo, imported late
            moment = local.astimezone(UTC)
            if moment.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None):
                yield moment


def _numbers(text: str, field: _Field) -> tuple[int, ...]:
    numbers: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, field, "step") if slash else 1
        if step < 1:
            raise ValueError(f"{part!r}: the step of the {field.what} is at least 1")
        low, high = _bounds(span, field, open_ended=bool(slash))
        numbers.update(range(low, high + 1, step))
    return tuple(sorted(numbers))


def _bounds(span: str, field: _Field, *, open_ended: bool) -> tuple[int, int]:
    if span in ("*", "?"):
        return field.low, 6 if field.names and field.high == 7 else field.high
    first, dash, last = span.partition("-")
    low = _number(first, field)
    high = _number(last, field) if dash else (field.high if open_ended else low)
    if last == "SUN":
        high = 7  # MON-SUN
    if not field.low <= low <= high <= field.high:
        raise ValueError(
            f"{span!r} is no {field.what}: it goes from {field.low} to {field.high}, upwards"
        )
    return low, high


def _number(text: str, field: _Field, what: str = "") -> int:
    if not what and field.names and text in field.names:
        return field.names[text]
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError(f"{text!r} is no {what or field.what}")
    return int(text)


def _exists(schedule: Schedule) -> bool:
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return any(schedule.days[0] <= longest[month - 1] for month in schedule.months)
