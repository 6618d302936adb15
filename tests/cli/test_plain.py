"""Encoded values as people read them, and as an input takes them back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from perdure.cli.plain import plain
from perdure.codec import encode
from perdure.durations import seconds_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(days=2), "2d"),
        (timedelta(days=1, hours=1, minutes=1, seconds=1), "1d1h1m1s"),
        (timedelta(hours=10, milliseconds=250), "10h0.25s"),
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta(minutes=10), "10m"),
    ],
)
def test_a_duration_is_written_as_an_input_takes_it(value: timedelta, text: str) -> None:
    assert plain(encode([value])) == [text]
    assert seconds_of(text) == value.total_seconds()


def test_a_negative_duration_is_written_in_seconds() -> None:
    assert plain(encode(timedelta(days=-1, microseconds=500_000))) == -86399.5


def test_dates_and_decimals_are_texts() -> None:
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert plain(encode([moment, date(2026, 1, 2), Decimal("1.10")])) == [
        "2026-01-02T03:04:00+00:00",
        "2026-01-02",
        "1.10",
    ]
