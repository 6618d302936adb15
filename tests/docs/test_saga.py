"""The saga example gives back whatever it may have taken, whenever it is cancelled."""

from pathlib import Path

import pytest

from perdure.testing import after, run

SAGA = f"{Path(__file__).parents[2] / 'examples' / 'saga.py'}:saga"
ORDER = {"id": "o1", "items": ["tent", "stove"], "card": "4242"}


@pytest.mark.parametrize("target", ["reference", "local", "aws"])
@pytest.mark.parametrize("cancel", ["1m", "5m", "7m", "10m 10s", "1d"])
def test_what_was_reserved_or_charged_is_given_back(cancel: str, target: str) -> None:
    result = run(
        SAGA,
        {"order": ORDER},
        target=target,
        steps={
            "reserve": [after("5m"), after("5m")],
            "charge": [after("20s", "receipt")],
            "release": [None, None],
            "refund": [None],
        },
        cancel=cancel.replace(" ", ""),
    )
    assert result.status == "cancelled"
    taken = [dict(entry.arguments) for entry in result.trace if entry.name == "reserve"]
    given = [dict(entry.arguments) for entry in result.trace if entry.name == "release"]
    assert given[::-1] == taken
    assert [entry.name for entry in result.trace].count("refund") == 1
