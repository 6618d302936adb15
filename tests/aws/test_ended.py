"""An execution that Step Functions itself ends leaves its end in the run's record."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from perdure.codec import decode_error, encode_error
from perdure.errors import LimitExceeded, StepLost
from perdure.sites.host import Host
from perdure.store.protocol import End, Json, ResultWaiter, Status
from perdure.store.records import run_body, run_key
from perdure.store.runs import add_result_waiter, end_run, find_run
from perdure.store.sqlite import SqliteStore
from perdure_aws.ended import record_end
from tests.store.suite import record

HISTORY = "The execution reached the maximum number of history events (25000)."


class Bells:
    def __init__(self) -> None:
        self.rung: list[str] = []

    def ring(self, token: str) -> bool:
        self.rung.append(token)
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        raise AssertionError("the end of a run is good news to whoever waits for it")


def ended(detail: Mapping[str, Json], before: End | None = None) -> tuple[End, list[str]]:
    store, bells = SqliteStore(), Bells()
    made = record()
    store.put_if_absent(run_key(made.run), run_body(made))
    add_result_waiter(store, ResultWaiter(made.run, "somebody", "their token"))
    if before is not None:
        end_run(store, made.run, before, 1.0)
    host = _host(store, bells)
    given = json.dumps({"run": {"id": made.run, "seed": made.seed}, "input": None})
    record_end(host, {"name": "x", "input": given, **detail})
    end = find_run(store, made.run).end
    assert end is not None
    return end, bells.rung


def _host(store: SqliteStore, bells: Bells) -> Host:
    class Nothing:
        retry = None

    made = object.__new__(Host)

    def flow_named(_: str) -> Nothing:
        return Nothing()

    parts: dict[str, object] = {
        "store": store,
        "bell": bells,
        "flow_named": flow_named,
        "now": lambda: 7.0,
    }
    for name, value in parts.items():
        object.__setattr__(made, name, value)
    return made


@pytest.mark.parametrize(
    ("detail", "kind", "text"),
    [
        (
            {"status": "FAILED", "error": "States.Runtime", "cause": HISTORY},
            LimitExceeded,
            "history_events",
        ),
        (
            {"status": "FAILED", "error": "States.DataLimitExceeded", "cause": "too large"},
            LimitExceeded,
            "payload_bytes",
        ),
        ({"status": "TIMED_OUT"}, LimitExceeded, "execution_seconds"),
        (
            {
                "status": "FAILED",
                "error": "StepLost",
                "cause": json.dumps(encode_error(StepLost("fetch: 5 attempts were lost"))),
            },
            StepLost,
            "fetch: 5 attempts were lost",
        ),
    ],
)
def test_the_end_is_recorded_and_told(
    detail: dict[str, Json], kind: type[Exception], text: str
) -> None:
    end, rung = ended(detail)
    error = decode_error(end.error)
    assert end.status is Status.FAILED
    assert isinstance(error, kind)
    assert text in str(error)
    assert rung == ["their token"]


def test_a_stopped_execution_is_a_cancelled_run() -> None:
    end, rung = ended({"status": "ABORTED"})
    assert end.status is Status.CANCELLED
    assert isinstance(decode_error(end.error), asyncio.CancelledError)
    assert rung == ["their token"]


def test_an_end_that_is_recorded_stays_and_lost_doorbells_are_rung() -> None:
    before = End(Status.FAILED, error=encode_error(ValueError("no")))
    end, rung = ended({"status": "FAILED", "error": "ValueError", "cause": "no"}, before)
    assert end == before
    assert rung == ["their token"]
