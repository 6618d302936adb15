"""The door's side of a deployed flow: starts that are repeated, payloads, what is masked."""

import io
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count

import pytest

from perdure import Cron, InvalidInput, RunConflict, flow, secret
from perdure.codec import Json, decode
from perdure.errors import LimitExceeded
from perdure.sites.doors import DoorRuns, Payloads, start_due
from perdure.sites.masked import mask_logging, masked_output
from perdure.store.inbox import events
from perdure.store.protocol import Key, RunRecord, RunStore, Versions
from perdure.store.runs import claim_run
from perdure.store.sqlite import SqliteStore
from perdure.store.starts import is_noted, noted_starts, run_of_moment
from perdure.webhooks.delivery import UnknownRun

HERE = __name__


@flow
async def greet(name: str) -> str:
    return name


class Engine:
    """Starts executions; the first request may get lost."""

    def __init__(self, *, broken: int = 0) -> None:
        self.begun: list[tuple[str, Mapping[str, Json]]] = []
        self.broken = broken

    def check(self, given: Mapping[str, Json]) -> None:
        if len(str(given)) > 1_000:
            raise LimitExceeded("payload_bytes")

    def begin(self, run: str, given: Mapping[str, Json]) -> None:
        self.broken -= 1
        if self.broken >= 0:
            raise ConnectionError("the answer was lost")
        self.begun.append((run, given))

    def ring(self, token: str) -> bool:
        raise AssertionError("nobody waits here")

    def fail(self, token: str, error: str, cause: str) -> bool:
        raise AssertionError("nobody waits here")


def door(engine: Engine, store: RunStore | None = None) -> DoorRuns:
    payloads = Payloads("ours", [("paid", HERE, "int"), ("open", HERE, "NoSuchName")])
    return DoorRuns(store or SqliteStore(":memory:"), engine, engine, payloads, count(1.0).__next__)


def test_a_start_that_is_repeated_asks_for_the_very_same() -> None:
    engine = Engine(broken=1)
    runs = door(engine)
    with pytest.raises(ConnectionError):
        runs.start(greet, {"name": "Ann"}, "r")
    assert not runs.start(greet, {"name": "Ann"}, "r"), "it was noted before"
    assert not runs.start(greet, {"name": "Ann"}, "r")
    assert len(engine.begun) == 2
    assert engine.begun[0] == engine.begun[1], "with one seed: one execution"
    with pytest.raises(RunConflict, match="another input"):
        runs.start(greet, {"name": "Bob"}, "r")
    assert len(engine.begun) == 2


def test_an_event_for_a_run_that_was_asked_for_is_kept() -> None:
    runs = door(Engine())
    with pytest.raises(UnknownRun):
        runs.send("r", "paid", 1, "e")
    runs.start(greet, {"name": "Ann"}, "r")
    assert runs.send("r", "paid", 1, "e")
    assert not runs.send("r", "paid", 1, "e"), "it is stored once"


def test_an_input_that_is_too_long_leaves_nothing_behind() -> None:
    store = SqliteStore(":memory:")
    runs = door(Engine(), store)
    with pytest.raises(LimitExceeded):
        runs.start(greet, {"name": "A" * 2_000}, "r")
    assert not is_noted(store, "r")
    assert noted_starts(store, 10) == []
    assert runs.start(greet, {"name": "Ann"}, "r"), "the id is free"


def test_starts_that_no_site_has_claimed_are_listed_newest_first() -> None:
    store = SqliteStore(":memory:")
    runs = door(Engine(), store)
    for name in ("Ann", "Bob", "Cid"):
        runs.start(greet, {"name": name}, name)
        runs.start(greet, {"name": name}, name)
    claimed = noted_starts(store, 10)[1]
    versions = Versions("1", "3.13", 1, "")
    seed = "00" * 16
    claim_run(store, RunRecord("Bob", claimed.flow, "", None, versions, seed, claimed.noted))
    assert [one.run for one in noted_starts(store, 10)] == ["Cid", "Ann"]
    assert [one.run for one in noted_starts(store, 1)] == ["Cid"]
    assert noted_starts(store, 1)[0].flow == greet.__perdure_ref__


def test_of_two_decisions_one_is_told_that_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(":memory:")
    runs = door(Engine(), store)
    runs.start(greet, {"name": "Ann"}, "r")
    put, other = store.put_if_absent, door(Engine(), store)

    # The other one comes between our look and our write.
    def late(key: Key, body: Mapping[str, Json]) -> bool:
        monkeypatch.setattr(store, "put_if_absent", put)
        assert other.send("r", "paid", 2, "decision")
        return put(key, body)

    monkeypatch.setattr(store, "put_if_absent", late)
    assert not runs.send("r", "paid", 1, "decision")
    assert [event.payload for event in events(store, "r")] == [2]


@flow(
    on=[
        Cron("0 9 * * *", input={"name": "daily"}),
        Cron("0 9 * * MON", input={"name": "weekly"}),
        Cron("0 9 1 * *", input={"name": "daily"}),
    ]
)
async def called(name: str) -> str:
    return name


def told(runs: DoorRuns, expression: str, tz: str = "UTC") -> list[str]:
    moment = "2026-06-01T09:00:00Z"
    return [run for run, _ in start_due(called, (expression, tz), moment, runs)]


def test_schedules_due_at_one_moment_start_a_run_for_each_input() -> None:
    engine = Engine()
    runs = door(engine)
    for _ in range(2):
        for expression in ("0 9 * * *", "0 9 * * MON", "0 9 1 * *"):
            assert len(told(runs, expression)) == 1
    begun = {run: given["input"] for run, given in engine.begun}
    assert sorted(map(str, begun.values())) == ["{'name': 'daily'}", "{'name': 'weekly'}"]
    assert all(re.fullmatch(r"called-20260601T0900Z-[0-9a-f]{8}", run) for run in begun)


def test_a_schedule_is_told_by_what_it_is_and_not_by_its_place() -> None:
    engine = Engine()
    runs = door(engine)
    told(runs, "0 9 * * MON")
    assert [given["input"] for _, given in engine.begun] == [{"name": "weekly"}]
    assert told(runs, "0 9 * * TUE") == [], "of another release"
    assert told(runs, "0 9 * * MON", "Europe/Berlin") == []


def test_a_schedule_without_input_starts_a_run_that_is_named_after_the_moment() -> None:
    moment = datetime(2026, 6, 1, 9, tzinfo=UTC)
    assert run_of_moment("tidy_up", moment, None) == "tidy-up-20260601T0900Z"
    assert run_of_moment("tidy_up", moment, {"n": 1}) != run_of_moment("tidy_up", moment, {"n": 2})


def test_a_payload_is_checked_for_the_source_that_a_run_began_with() -> None:
    payloads = Payloads("ours", [("paid", HERE, "float"), ("open", HERE, "NoSuchName")])
    assert decode(payloads.encoded("paid", 1, "ours")) == 1.0
    assert payloads.encoded("paid", 1, "ours") != 1, "an int for a float becomes one"
    with pytest.raises(InvalidInput, match="`paid` does not fit"):
        payloads.encoded("paid", "much", "ours")
    with pytest.raises(InvalidInput, match="nothing in the flow waits"):
        payloads.encoded("refunded", 1, "ours")
    assert payloads.encoded("refunded", 1, "older") == 1, "an older source may wait for it"
    assert payloads.encoded("paid", 1, "older") == 1, "stays plain: the run knows its own type"
    assert payloads.encoded("open", "anything", "ours") == "anything"


def test_what_functions_print_and_log_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASK_KEY", "sk-987654321")
    assert secret("MASK_KEY").value
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger()
    logger.addHandler(handler)
    monkeypatch.setattr(logging.root.manager, "disable", logging.NOTSET)
    monkeypatch.setattr("sys.stdout", stream)
    try:
        mask_logging()
        with masked_output():
            print("printed", secret("MASK_KEY").value)
            print("in parts sk-98", end="", flush=True)
            print("7654321 s", end="")
        try:
            raise ValueError(secret("MASK_KEY").value)
        except ValueError:
            logger.exception("logged %s", secret("MASK_KEY").value)
    finally:
        logger.removeHandler(handler)
    text = stream.getvalue()
    assert "printed ***" in text
    assert "in parts *** s" in text
    assert "logged ***" in text
    assert "ValueError: ***" in text
    assert "sk-9" not in text
