"""A cancel at any moment leaves the trace and the end that the reference has."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from perdure.sites.cancel import cancel, spare
from perdure.store.match import register
from perdure.store.protocol import End, Json, Key, Status, Waiter
from perdure.store.records import run_body, run_key
from perdure.store.runs import end_run, get_run
from perdure.store.sqlite import SqliteStore
from perdure.testing import after, run
from perdure.trace import compare
from tests.store.suite import record

FLOWS = Path(__file__).parent / "cancelling.py"
BODIES: dict[str, Callable[[str], object]] = {
    "work": lambda name: after("10s", name),
    "flaky": lambda name: after("10s", OSError("busy")),
    "undo": lambda name: after("5s", None),
}
STEPS = {
    "sleeping": "work undo",
    "plain": "work",
    "caught": "undo",
    "swallowed": "work undo",
    "retried": "flaky undo",
    "retried_plain": "flaky",
    "together": "work undo",
    "together_plain": "work flaky",
    "limited": "work undo",
    "racing": "work undo",
}
MOMENTS = ("5s", "10s", "15s", "12h", "1d", "2d")


@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize("flow", STEPS)
def test_a_cancel_at_any_moment_is_as_in_the_reference(flow: str, when: str) -> None:
    steps = {name: BODIES[name] for name in STEPS[flow].split()}
    expected, got = (
        run(f"{FLOWS}:{flow}", {"x": "x"}, target=target, steps=steps, cancel=when)
        for target in ("reference", "aws")
    )
    assert compare(expected.whole_trace, got.whole_trace) == []


def test_a_sleep_with_cleanup_pending_ends_at_once() -> None:
    steps = {name: BODIES[name] for name in STEPS["sleeping"].split()}
    got = run(f"{FLOWS}:sleeping", {"x": "x"}, target="aws", steps=steps, cancel="1h")
    assert got.trace[-1].name == "undo"
    assert got.trace[-1].time - got.trace[0].time == 3600 + 5 - 10


class Bells:
    def __init__(self) -> None:
        self.failed: list[str] = []

    def ring(self, token: str) -> bool:
        raise AssertionError("a cancelled wait is not answered")

    def fail(self, token: str, error: str, cause: str) -> bool:
        self.failed.append(token)
        return True


class Stopped:
    def start(self, flow: str, name: str, given: Mapping[str, Json]) -> None:
        raise AssertionError("a cancel starts nothing")

    def stop(self, flow: str, name: str) -> None:
        raise AssertionError("nothing rests")


def waiter(path: str) -> Waiter:
    return Waiter("order-17", path, ("x",), 0.0, token=f"token {path}")


def test_a_second_cancel_leaves_the_cleanup_alone() -> None:
    store, bells = SqliteStore(), Bells()
    store.put_if_absent(*_claimed())
    register(store, waiter("x"))
    cancel(store, "order-17", bells, Stopped(), now=1.0)
    assert bells.failed == ["token x"]
    spare(store, "order-17", "cleanup")
    register(store, waiter("cleanup"))
    cancel(store, "order-17", bells, Stopped(), now=1.0)
    assert bells.failed == ["token x"]


def test_a_cancel_after_the_end_changes_nothing() -> None:
    store, bells = SqliteStore(), Bells()
    store.put_if_absent(*_claimed())
    end_run(store, "order-17", End(Status.COMPLETED, 1), 1.0)
    cancel(store, "order-17", bells, Stopped(), now=1.0)
    found = get_run(store, "order-17")
    assert found is not None
    assert (found.cancel, found.status) == (None, Status.COMPLETED)
    assert bells.failed == []


def _claimed() -> tuple[Key, dict[str, Json]]:
    made = record()
    return run_key(made.run), run_body(made)
