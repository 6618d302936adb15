"""What every form of the run store has to pass. Subclass `StoreSuite` with a fixture `store`,
and call `check_interleavings(make)` with a factory of empty stores."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from perdure.errors import RunConflict
from perdure.store.inbox import events, get_event, get_reply, put_event, put_reply
from perdure.store.match import (
    close,
    doorbells,
    expire,
    get_waiter,
    live_waiters,
    match,
    register,
    rung,
)
from perdure.store.protocol import (
    Doorbell,
    End,
    EventState,
    Key,
    ResultWaiter,
    RunRecord,
    RunStore,
    Status,
    UnknownRun,
    Versions,
    Waiter,
    WaiterState,
)
from perdure.store.runs import (
    add_result_waiter,
    claim_run,
    end_run,
    find_run,
    list_runs,
    request_cancel,
    result_doorbells,
    ring_result_waiter,
)
from tests.store.crashing import Crash, CrashingStore

RUN = "order-17"


def record(
    run: str = RUN, flow: str = "app:fulfil", digest: str = "d", **more: object
) -> RunRecord:
    made = RunRecord(
        run=run,
        flow=flow,
        input_digest=digest,
        input={"order": {"@": "float", "v": "2.0"}},
        versions=Versions("0.1.0", "3.13", 1, "abc"),
        seed="00" * 16,
        started=1000.25,
    )
    return made._replace(**more)  # type: ignore[arg-type]  # fields of the record


def waiter(path: str, *names: str, since: float = 0.0, deadline: float | None = None) -> Waiter:
    return Waiter(RUN, path, names, since, deadline, token=f"token {path}")


class StoreSuite:
    """The tests; `store` is empty."""

    # Primitives.

    def test_an_item_is_written_once_and_replaced_by_version(self, store: RunStore) -> None:
        key = Key("run/a", "record")
        assert store.get(key) is None
        assert not store.replace(key, 1, {"n": 0})
        assert store.put_if_absent(key, {"n": 1, "t": "ä", "l": [1, None, {"x": True}]})
        assert not store.put_if_absent(key, {"n": 2})
        assert not store.replace(key, 2, {"n": 3})
        assert store.replace(key, 1, {"n": 4})
        item = store.get(key)
        assert item is not None
        assert (item.version, item.body) == (2, {"n": 4})

    def test_a_query_is_in_order_and_keeps_to_its_prefix(self, store: RunStore) -> None:
        for sort in ("inbox/b/1", "inbox/a/2", "inbox/a/10", "inbox/a/1", "inbox", "inbox0"):
            store.put_if_absent(Key("p", sort), {"s": sort})
        store.put_if_absent(Key("other", "inbox/a/0"), {"s": "other"})

        def found(prefix: str, **how: object) -> list[str]:
            return [item.key.sort for item in store.query("p", prefix, **how)]  # type: ignore[arg-type]

        assert found("inbox/a/") == ["inbox/a/1", "inbox/a/10", "inbox/a/2"]
        assert found("inbox/a/", after="inbox/a/1") == ["inbox/a/10", "inbox/a/2"]
        assert found("inbox/a/", newest_first=True, limit=2) == ["inbox/a/2", "inbox/a/10"]
        assert found("inbox/a/", limit=1) == ["inbox/a/1"]
        assert len(found("")) == 6
        assert found("none/") == []

    def test_blobs_lie_under_what_they_are(self, store: RunStore) -> None:
        first = store.put_blob(b"\0\xff text")
        assert store.put_blob(b"\0\xff text") == first
        assert store.get_blob(first) == b"\0\xff text"
        assert store.get_blob("0" * 64) is None

    # Runs.

    def test_a_claim_is_idempotent(self, store: RunStore) -> None:
        first, new = claim_run(store, record())
        again, newer = claim_run(store, record(seed="ff" * 16, started=2000.0))
        assert (new, newer) == (True, False)
        assert again == first == find_run(store, RUN)

    @pytest.mark.parametrize("other", [record(flow="app:other"), record(digest="e")])
    def test_an_id_is_of_one_flow_and_one_input(self, store: RunStore, other: RunRecord) -> None:
        claim_run(store, record())
        with pytest.raises(RunConflict, match="order-17"):
            claim_run(store, other)

    def test_the_first_end_stays(self, store: RunStore) -> None:
        claim_run(store, record())
        end_run(store, RUN, End(Status.COMPLETED, {"v": 1}), 5.0)
        ended = end_run(store, RUN, End(Status.FAILED, error={"@": "error"}), 6.0)
        assert ended.end == End(Status.COMPLETED, {"v": 1})
        assert ended.ended == 5.0
        assert find_run(store, RUN) == ended
        assert request_cancel(store, RUN).cancel is None

    def test_now_outweighs_a_gentle_cancel(self, store: RunStore) -> None:
        claim_run(store, record())
        assert request_cancel(store, RUN).cancel == "cleanup"
        assert request_cancel(store, RUN, at_once=True).cancel == "now"
        assert request_cancel(store, RUN).cancel == "now"

    def test_runs_are_listed_newest_first(self, store: RunStore) -> None:
        for number, run in enumerate(("a", "b", "c")):
            claim_run(store, record(run, started=1000.0 + number))
        assert [each.run for each in list_runs(store)] == ["c", "b", "a"]
        assert [each.run for each in list_runs(store, limit=1)] == ["c"]

    def test_an_unknown_run_is_named(self, store: RunStore) -> None:
        with pytest.raises(UnknownRun, match="nobody"):
            find_run(store, "nobody")

    def test_who_waits_for_the_end_is_rung_until_acknowledged(self, store: RunStore) -> None:
        claim_run(store, record())
        assert add_result_waiter(store, ResultWaiter(RUN, "parent", "t1")) == ()
        assert add_result_waiter(store, ResultWaiter(RUN, "parent", "t2")) == ()
        end_run(store, RUN, End(Status.COMPLETED), 1.0)
        (bell,) = result_doorbells(store, RUN)
        assert bell.token == "t2"
        assert result_doorbells(store, RUN) == (bell,)
        ring_result_waiter(store, bell)
        assert result_doorbells(store, RUN) == ()
        assert [b.token for b in add_result_waiter(store, ResultWaiter(RUN, "late", "t3"))] == [
            "t3"
        ]

    # Inbox.

    def test_events_are_in_order_and_once_per_id(self, store: RunStore) -> None:
        put = [("a", "x", 1), ("b", "x", 2), ("a", "x", 9), ("c", "y", 3), ("d", "x", 4)]
        for identity, name, payload in put:
            put_event(store, RUN, name, payload, id=identity, now=1.0)
        assert [(e.id, e.sequence, e.payload) for e in events(store, RUN, "x")] == [
            ("a", 1, 1),
            ("b", 2, 2),
            ("d", 3, 4),
        ]
        assert len(events(store, RUN)) == 4

    def test_the_first_reply_stays(self, store: RunStore) -> None:
        assert get_reply(store, RUN, "e") is None
        put_reply(store, RUN, "e", "yes")
        assert put_reply(store, RUN, "e", "no").value == "yes"

    # Match.

    def test_an_event_waits_for_its_waiter(self, store: RunStore) -> None:
        put_event(store, RUN, "x", "early", id="1", now=0.0)
        won = register(store, waiter("x", "x")).won
        assert won is not None
        event = get_event(store, RUN, won.name, won.sequence)
        assert event is not None
        assert (event.payload, event.state, event.waiter) == ("early", EventState.TAKEN, "x")

    def test_a_waiter_waits_for_its_event(self, store: RunStore) -> None:
        assert register(store, waiter("x", "x")).state is WaiterState.LIVE
        put_event(store, RUN, "x", 1, id="1", now=0.0)
        (bell,) = match(store, RUN, "x")
        assert bell.token == "token x"
        assert match(store, RUN, "x") == (bell,)
        rung(store, bell)
        assert match(store, RUN, "x") == ()

    def test_first_in_first_out_on_both_sides(self, store: RunStore) -> None:
        for path in ("gather[10]/x", "gather[2]/x", "gather[1]/x"):
            register(store, waiter(path, "x"))
        for number in range(2):
            put_event(store, RUN, "x", number, id=str(number), now=0.0)
            match(store, RUN, "x")
        got = {path: get_waiter(store, RUN, path) for path in ("gather[1]/x", "gather[2]/x")}
        assert [w.won.sequence for w in got.values() if w and w.won] == [1, 2]
        assert [w.path for w in live_waiters(store, RUN)] == ["gather[10]/x"]

    def test_a_race_takes_the_lower_index_and_leaves_the_other(self, store: RunStore) -> None:
        put_event(store, RUN, "b", 1, id="1", now=0.0)
        put_event(store, RUN, "a", 2, id="2", now=0.0)
        won = register(store, waiter("race", "a", "b")).won
        assert won is not None
        assert won.name == "a"
        assert [e.state for e in events(store, RUN, "b")] == [EventState.FREE]

    def test_an_event_stored_by_the_deadline_wins(self, store: RunStore) -> None:
        register(store, waiter("x", "x", deadline=10.0))
        assert expire(store, RUN, "x", 9.9).state is WaiterState.LIVE
        put_event(store, RUN, "x", 1, id="1", now=10.0)
        assert expire(store, RUN, "x", 10.0).state is WaiterState.WON

    def test_an_event_stored_later_does_not(self, store: RunStore) -> None:
        register(store, waiter("x", "x", deadline=10.0))
        put_event(store, RUN, "x", 1, id="1", now=10.5)
        match(store, RUN, "x")
        assert expire(store, RUN, "x", 10.5).state is WaiterState.EXPIRED
        assert [e.state for e in events(store, RUN)] == [EventState.FREE]
        assert register(store, waiter("x#2", "x")).state is WaiterState.WON

    def test_what_a_loser_took_is_given_back_in_its_place(self, store: RunStore) -> None:
        for number in range(3):
            put_event(store, RUN, "x", number, id=str(number), now=0.0)
        register(store, waiter("race[a]/x", "x"))
        register(store, waiter("x", "x"))
        close(store, RUN, "race[a]/x")
        assert close(store, RUN, "race[a]/x").state is WaiterState.CLOSED
        won = register(store, waiter("x#2", "x")).won
        assert won is not None
        assert won.sequence == 1

    def test_a_closed_wait_cannot_be_registered(self, store: RunStore) -> None:
        close(store, RUN, "x")
        put_event(store, RUN, "x", 1, id="1", now=0.0)
        assert register(store, waiter("x", "x")).state is WaiterState.CLOSED
        assert [e.state for e in events(store, RUN)] == [EventState.FREE]

    def test_what_is_given_back_goes_to_who_waits(self, store: RunStore) -> None:
        register(store, waiter("a", "x", since=1.0))
        register(store, waiter("b", "x", since=2.0))
        put_event(store, RUN, "x", 1, id="1", now=0.0)
        match(store, RUN, "x")
        close(store, RUN, "a")
        other = get_waiter(store, RUN, "b")
        assert other is not None
        assert other.state is WaiterState.WON

    @pytest.mark.parametrize("crash_at", range(4))
    def test_giving_back_goes_on_after_a_crash(self, store: RunStore, crash_at: int) -> None:
        put_event(store, RUN, "x", 1, id="1", now=0.0)
        register(store, waiter("a", "x", since=1.0))
        with suppress(Crash):
            close(CrashingStore(store, crash_at), RUN, "a")
        register(store, waiter("b", "x", since=2.0))
        close(store, RUN, "a")
        taken = [event.waiter for event in events(store, RUN)]
        assert taken == ["b"]

    def test_many_events_in_turn_stay_cheap_and_right(self, store: RunStore) -> None:
        for number in range(30):
            register(store, waiter(f"x#{number}", "x"))
            put_event(store, RUN, "x", number, id=str(number), now=0.0)
            for bell in match(store, RUN, "x"):
                rung(store, bell)
        assert live_waiters(store, RUN) == []
        assert doorbells(store, RUN) == ()
        assert all(e.waiter == f"x#{e.payload}" for e in events(store, RUN, "x"))


def check_interleavings(make: Callable[[], RunStore], examples: int = 60) -> None:
    """Puts, waits, deadlines, closing and crashes between any two writes, in any order."""

    class Machine(_Interleavings):
        def __init__(self) -> None:
            super().__init__(make())

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


NAMES = st.sampled_from(["a", "b"])
CRASH = st.one_of(st.none(), st.integers(0, 12))


def _expire(path: str, now: float, store: RunStore) -> None:
    expire(store, RUN, path, now)


def _rung(bell: Doorbell, store: RunStore) -> None:
    rung(store, bell)


class _Interleavings(RuleBasedStateMachine):
    """Each rule may die in front of any write. `match` follows, as after any write of anybody."""

    def __init__(self, store: RunStore) -> None:
        super().__init__()
        self.store = store
        self.now = 0.0
        self.sent: dict[str, str] = {}
        self.closed: set[str] = set()
        self.count = 0
        self.decided: dict[str, tuple[str, int] | None] = {}

    def attempt(self, crash_at: int | None, work: Callable[[RunStore], object]) -> None:
        if crash_at is None:
            work(self.store)
            return
        with suppress(Crash):
            work(CrashingStore(self.store, crash_at))

    def repair(self) -> None:
        for name in ("a", "b"):
            match(self.store, RUN, name)

    @rule(name=NAMES, crash_at=CRASH, again=st.booleans())
    def put(self, name: str, crash_at: int | None, again: bool) -> None:
        identity = f"e{self.count}"
        self.count += 1

        def work(store: RunStore) -> None:
            put_event(store, RUN, name, self.now, id=identity, now=self.now)
            match(store, RUN, name)

        self.attempt(crash_at, work)
        if again:
            self.attempt(None, work)
        if again or crash_at is None:
            self.sent[identity] = name

    @rule(
        names=st.lists(NAMES, min_size=1, max_size=2, unique=True),
        crash_at=CRASH,
        wait=st.one_of(st.none(), st.integers(0, 5)),
    )
    def wait(self, names: list[str], crash_at: int | None, wait: int | None) -> None:
        path = f"w[{self.count}]"
        self.count += 1
        deadline = None if wait is None else self.now + wait
        made = Waiter(RUN, path, tuple(names), self.now, deadline, token=path)
        self.attempt(crash_at, lambda store: register(store, made))
        register(self.store, made)
        self.decided[path] = None

    @rule(seconds=st.integers(1, 4), crash_at=CRASH)
    def time_passes(self, seconds: int, crash_at: int | None) -> None:
        self.now += seconds
        for path in self.decided:
            found = get_waiter(self.store, RUN, path)
            if found and found.state is WaiterState.LIVE and found.deadline is not None:
                self.attempt(crash_at, partial(_expire, path, self.now))
                expire(self.store, RUN, path, self.now)

    @rule(data=st.data(), crash_at=CRASH)
    def lose(self, data: st.DataObject, crash_at: int | None) -> None:
        if self.decided:
            path = data.draw(st.sampled_from(sorted(self.decided)))
            self.attempt(crash_at, lambda store: close(store, RUN, path))
            close(self.store, RUN, path)
            self.closed.add(path)
            self.decided[path] = None

    @rule(crash_at=CRASH)
    def ring(self, crash_at: int | None) -> None:
        for bell in doorbells(self.store, RUN):
            self.attempt(crash_at, partial(_rung, bell))

    @invariant()
    def everything_is_where_it_belongs(self) -> None:
        self.repair()
        stored = events(self.store, RUN)
        assert len({event.id for event in stored}) == len(stored)
        assert set(self.sent) <= {event.id for event in stored}
        holders = [event.waiter for event in stored if event.state is EventState.TAKEN]
        assert len(set(holders)) == len(holders), "an event goes to one wait, a wait takes one"
        for event in stored:
            assert event.state is not EventState.OFFERED
            if event.state is EventState.TAKEN:
                holder = get_waiter(self.store, RUN, event.waiter or "")
                assert holder is not None
                assert holder.won == (event.name, event.sequence)
                assert holder.state is WaiterState.WON
                assert holder.deadline is None or event.stored <= holder.deadline
        for path, before in self.decided.items():
            found = get_waiter(self.store, RUN, path)
            assert found is not None
            if found.state is WaiterState.WON:
                assert before in (None, found.won), "a decision stays"
                self.decided[path] = found.won
            if path in self.closed:
                assert found.state in (WaiterState.CLOSED, WaiterState.EXPIRED)
            if found.state is WaiterState.LIVE:
                fitting = [
                    event
                    for event in stored
                    if event.name in found.names
                    and event.state is EventState.FREE
                    and (found.deadline is None or event.stored <= found.deadline)
                ]
                assert not fitting, "nobody waits beside an event that is free"
