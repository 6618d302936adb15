"""When a cron expression is due, also where clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure import Cron
from perdure.cron import next_due, parse


def due(expression: str, after: str, count: int = 1, tz: str = "UTC") -> list[str]:
    """The next moments in UTC, as text."""
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found: list[str] = []
    for _ in range(count):
        moment = next_due(parse(expression, tz), moment)
        found.append(moment.strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 9 * * MON-FRI", "2026-01-02 09:00", ["2026-01-05 09:00", "2026-01-06 09:00"]),
        ("*/20 * * * *", "2026-01-01 00:39", ["2026-01-01 00:40", "2026-01-01 01:00"]),
        ("5/20 8 * * *", "2026-01-01 00:00", ["2026-01-01 08:05", "2026-01-01 08:25"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 31 * *", "2026-01-31 00:00", ["2026-03-31 00:00", "2026-05-31 00:00"]),
        ("0 0 13 * FRI", "2026-02-13 00:00", ["2026-02-20 00:00", "2026-02-27 00:00"]),
        ("0 12 * * 7", "2026-01-01 00:00", ["2026-01-04 12:00", "2026-01-11 12:00"]),
        ("0 12 * * sun,6-7", "2026-01-01 00:00", ["2026-01-03 12:00", "2026-01-04 12:00"]),
        ("0 0 * * SAT-SUN", "2026-01-01 00:00", ["2026-01-03 00:00", "2026-01-04 00:00"]),
        ("@daily", "2025-12-31 00:00", ["2026-01-01 00:00", "2026-01-02 00:00"]),
        ("59 23 31 12 ?", "2026-01-01 00:00", ["2026-12-31 23:59", "2027-12-31 23:59"]),
    ],
)
def test_the_moments_of_an_expression(expression: str, after: str, expected: list[str]) -> None:
    assert due(expression, after, len(expected)) == expected


def test_a_time_that_a_clock_change_leaves_out_is_not_due() -> None:
    # On 2026-03-29 clocks in Berlin go from 2:00 to 3:00.
    expected = ["2026-03-28 01:30", "2026-03-30 00:30"]
    assert due("30 2 * * *", "2026-03-28 00:00", 2, "Europe/Berlin") == expected


def test_a_time_that_comes_twice_is_due_once_the_first_time() -> None:
    # On 2026-10-25 clocks in Berlin go from 3:00 to 2:00.
    expected = ["2026-10-25 00:30", "2026-10-26 01:30"]
    assert due("30 2 * * *", "2026-10-24 12:00", 2, "Europe/Berlin") == expected


def test_zones_far_from_utc() -> None:
    assert due("0 0 1 * *", "2026-01-15 00:00", 1, "Pacific/Kiritimati") == ["2026-01-31 10:00"]
    assert due("0 23 31 1 *", "2026-01-15 00:00", 1, "Pacific/Pago_Pago") == ["2026-02-01 10:00"]


@settings(max_examples=150, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    after=st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),
    tz=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_weekly_moment_agrees_with_counting_minutes(
    minute: int, hour: int, weekday: int, after: datetime, tz: str
) -> None:
    start = after.replace(tzinfo=UTC)
    found = next_due(parse(f"{minute} {hour} * * {weekday}", tz), start)
    zone = ZoneInfo(tz)
    moment = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    for _ in range(60 * 24 * 16):
        local = moment.astimezone(zone)
        right = (local.minute, local.hour, local.isoweekday() % 7) == (minute, hour, weekday)
        if right and local.fold == 0 and moment > start:
            break
        moment += timedelta(minutes=1)
    assert found == moment


@pytest.mark.parametrize(
    ("expression", "tz", "problem"),
    [
        ("0 9 * *", "UTC", "4 fields"),
        ("60 9 * * *", "UTC", "no minute"),
        ("0 24 * * *", "UTC", "no hour"),
        ("0 9 0 * *", "UTC", "day of the month"),
        ("0 9 * FOO *", "UTC", "no month"),
        ("0 9 * * FRI-MON", "UTC", "upwards"),
        ("0 9 * * 8", "UTC", "day of the week"),
        ("*/0 * * * *", "UTC", "step"),
        ("1,,2 * * * *", "UTC", "no minute"),
        ("-1 * * * *", "UTC", "no minute"),
        ("0 0 30 2 *", "UTC", "never due"),
        ("0 9 * * *", "Mars/Olympus", "time zone"),
        ("0 9 * * *", "../etc/passwd", "time zone"),
        ("0 9 L * *", "UTC", "day of the month"),
    ],
)
def test_a_wrong_expression_says_what_is_wrong(expression: str, tz: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Cron(expression, tz=tz)
