"""Approval links: one decision, by a person, in time."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from perdure import Delivery, approval_link
from perdure.operations import ThisStep
from perdure.runtime.bodies import current_step
from perdure.webhooks.delivery import Answer
from perdure.webhooks.door import Door
from perdure.webhooks.links import PATH, Link, read_link, sign
from tests.webhooks.test_door import Store

KEY = "the key of the links of these tests"


@pytest.fixture(autouse=True)
def door_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links are signed and lead somewhere."""
    monkeypatch.setenv("PERDURE_LINK_KEY", KEY)
    monkeypatch.setenv("PERDURE_URL", "https://flows.example/")


@pytest.fixture(autouse=True)
def a_step_runs() -> Iterator[None]:
    """Links are made by a step."""
    step = ThisStep("run-1/ask", 1, datetime.now(UTC), "run-1")
    token = current_step.set(step)
    yield
    current_step.reset(token)


@pytest.fixture
def store() -> Store:
    """One run that waits."""
    store = Store()
    store.runs["run-1"] = ("main", {})
    return store


def use(store: Store, link: str, method: str = "POST", after: float = 0) -> Answer:
    """Open a link, or press its button, so many seconds from now."""
    now = datetime.now(UTC).timestamp() + after
    assert link.startswith("https://flows.example" + PATH)
    path = link.removeprefix("https://flows.example")
    return Door([], store).answer(Delivery(method, path, {}, b""), now)


def test_opening_a_link_decides_nothing_and_its_button_does(store: Store) -> None:
    link = approval_link("approval", {"approved": True})
    page = use(store, link, "GET")
    assert page.status == 200
    assert "<form method=post>" in page.body
    assert store.events == {}
    assert use(store, link).status == 200
    assert list(store.events.values()) == [{"approved": True}]


def test_all_links_of_a_step_for_one_event_are_one_decision(store: Store) -> None:
    yes = approval_link("approval", {"approved": True})
    no = approval_link("approval", {"approved": False})
    assert use(store, no).status == 200
    for link in (yes, no):
        answer = use(store, link)
        assert answer.status == 410
        assert "Already decided" in answer.body
    assert list(store.events.values()) == [{"approved": False}]


def test_a_link_expires(store: Store) -> None:
    link = approval_link("approval", expires="1h")
    assert use(store, link, after=3500).status == 200
    assert use(store, link, "GET", after=3700).status == 410


def test_a_changed_link_does_nothing(store: Store) -> None:
    link = approval_link("approval", {"approved": False})
    for at in range(len("https://flows.example" + PATH), len(link), 5):
        changed = link[:at] + ("A" if link[at] != "A" else "B") + link[at + 1 :]
        assert use(store, changed).status == 401
    assert use(store, "https://flows.example/approve/").status == 404
    assert use(store, "https://flows.example/approve/\udcff.x").status == 401
    assert store.events == {}


def test_a_link_of_a_run_that_is_gone_says_so(store: Store) -> None:
    store.runs.clear()
    assert use(store, approval_link("approval")).status == 410


def test_a_page_shows_what_is_sent_as_text(store: Store) -> None:
    page = use(store, approval_link("approval", {"note": "<script>alert(1)</script>"}), "GET")
    assert "<script>" not in page.body
    assert "&lt;script&gt;" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_link_needs_a_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERDURE_URL")
    with pytest.raises(RuntimeError, match="PERDURE_URL"):
        approval_link("approval")


def test_a_token_comes_back_as_it_went() -> None:
    link = Link("run-1", "approval", {"emoji": "🙂", "lone": "\ud800"}, 2_000_000_000, "x" * 32)
    token = sign(link, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    assert read_link(token, KEY, 1_999_999_999) == link
