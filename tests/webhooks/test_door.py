"""The door: which deliveries do something to a run, and what every sender is told."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps, loads
from typing import Any

import pytest

from perdure import Delivery, GitHub, RunConflict, Slack, StandardWebhooks, Webhook, flow, secret
from perdure.codec.text import Json
from perdure.webhooks.delivery import UnknownRun
from perdure.webhooks.door import AnyFlow, Door
from tests.webhooks.senders import NOW, SECRETS, SENDERS

STANDARD, GITHUB, SLACK = SENDERS[0], SENDERS[1], SENDERS[3]


@dataclass
class Order:
    number: int
    note: str = ""


def opened(delivery: Delivery) -> Mapping[str, object] | None:
    """The order of a delivery that says that one was made."""
    body = delivery.json
    assert isinstance(body, dict)
    return {"order": body["order"]} if body.get("action") == "opened" else None


def order_id(delivery: Delivery) -> str:
    """One run for each order."""
    body = delivery.json
    assert isinstance(body, dict)
    return f"order-{body.get('number')}"


@flow(on=Webhook("/whole", verify=StandardWebhooks(secret("STANDARD_SECRET"))))
async def whole(order: Order, fast: bool = False) -> int:
    return order.number


@flow(
    on=[
        Webhook("/opened", verify=GitHub(secret("GITHUB_SECRET")), start=opened, max_bytes=200),
        Webhook(
            "/paid",
            verify=StandardWebhooks(secret("STANDARD_SECRET")),
            event="paid",
            run=order_id,
            payload=lambda delivery: {"paid": True},
        ),
        Webhook(
            "/keyed",
            verify=StandardWebhooks(secret("STANDARD_SECRET")),
            start=lambda delivery: {"order": delivery.json},
            key=order_id,
        ),
    ]
)
async def orders(order: Order) -> int:
    return order.number


@flow(on=Webhook("/slack", verify=Slack(secret("SLACK_SECRET"))))
async def chat(order: Order) -> int:
    return order.number


class Store:
    """Runs and events as an environment keeps them."""

    def __init__(self) -> None:
        self.runs: dict[str, tuple[str, Mapping[str, Json]]] = {}
        self.events: dict[tuple[str, str, str], object] = {}

    def start(self, flow: AnyFlow, arguments: Mapping[str, Json], run: str) -> bool:
        """See `perdure.webhooks.door.Runs`."""
        wanted = (flow.name, arguments)
        if self.runs.setdefault(run, wanted) != wanted:
            raise RunConflict(run)
        return self.runs[run] is wanted

    def send(self, run: str, event: str, payload: object, id: str) -> bool:
        """See `perdure.webhooks.door.Runs`."""
        if run not in self.runs:
            raise UnknownRun(run)
        new = (run, event, id) not in self.events
        self.events.setdefault((run, event, id), payload)
        return new


@pytest.fixture
def store() -> Store:
    """Runs that a door starts."""
    return Store()


@pytest.fixture
def door(store: Store) -> Door:
    """A door for all flows of this file."""
    return Door([whole, orders, chat], store)


def standard(path: str, body: object, id: str = "d-1") -> Delivery:
    """A genuine delivery by Standard Webhooks."""
    raw = body if isinstance(body, bytes) else dumps(body).encode()
    return Delivery("POST", path, STANDARD.headers(raw, id=id), raw)


def github(path: str, body: object, id: str = "d-1") -> Delivery:
    """A genuine delivery by GitHub."""
    raw = dumps(body).encode()
    return Delivery("POST", path, GITHUB.headers(raw, id=id), raw)


def test_a_delivery_starts_a_run_and_its_repetition_names_the_same(
    door: Door, store: Store
) -> None:
    first = door.answer(standard("/whole", {"order": {"number": 3}}), NOW)
    again = door.answer(standard("/whole", {"order": {"number": 3}}), NOW + 10)
    assert (first.status, again.status) == (202, 200)
    assert loads(first.body) == loads(again.body)
    (run,) = store.runs
    assert loads(first.body) == {"run": run}
    assert run.startswith("whole-")


def test_another_delivery_starts_another_run(door: Door, store: Store) -> None:
    for id in ("d-1", "d-2"):
        assert door.answer(standard("/whole", {"order": {"number": 3}}, id), NOW).status == 202
    assert len(store.runs) == 2


def test_a_start_function_may_find_nothing_to_do(door: Door, store: Store) -> None:
    assert door.answer(github("/opened", {"action": "closed"}), NOW).status == 204
    assert store.runs == {}
    body = {"action": "opened", "order": {"number": 1}}
    assert door.answer(github("/opened", body), NOW).status == 202


def test_a_key_names_the_run_and_another_input_conflicts(door: Door, store: Store) -> None:
    assert door.answer(standard("/keyed", {"number": 7}), NOW).status == 202
    assert list(store.runs) == ["order-7"]
    assert door.answer(standard("/keyed", {"number": 7}, "d-2"), NOW).status == 200
    changed = door.answer(standard("/keyed", {"number": 7, "note": "x"}, "d-3"), NOW)
    assert changed.status == 409


def test_an_event_goes_to_its_run_once(door: Door, store: Store) -> None:
    assert door.answer(standard("/paid", {"number": 7}), NOW).status == 404
    door.answer(standard("/keyed", {"number": 7}), NOW)
    assert door.answer(standard("/paid", {"number": 7}), NOW).status == 202
    assert door.answer(standard("/paid", {"number": 7}), NOW).status == 200
    assert list(store.events.values()) == [{"paid": True}]


def test_slack_gets_its_challenge_only_when_it_signs(door: Door) -> None:
    body = dumps({"type": "url_verification", "challenge": "abc"}).encode()
    good = door.answer(Delivery("POST", "/slack", SLACK.headers(body), body), NOW)
    assert (good.status, good.body) == (200, "abc")
    bad = door.answer(Delivery("POST", "/slack", SLACK.headers(b""), body), NOW)
    assert bad.status == 401
    assert "abc" not in bad.body


@pytest.mark.parametrize(
    ("delivery", "status"),
    [
        (standard("/nowhere", {}), 404),
        (standard("/whole/", {}), 404),
        (Delivery("GET", "/whole", STANDARD.headers(b""), b""), 405),
        (github("/opened", {"action": "opened", "pad": "x" * 200}), 413),
        (Delivery("POST", "/whole", {}, b"{}"), 401),
        (standard("/whole", b"{"), 400),
        (standard("/whole", b"\xff"), 400),
        (standard("/whole", b'{"order": NaN}'), 400),
        (standard("/whole", b"[" * 100_000), 400),
        (standard("/whole", [1]), 422),
        (standard("/whole", {}), 422),
        (standard("/whole", {"order": {"number": "x"}}), 422),
        (standard("/whole", {"order": {"number": 1}, "other": 1}), 422),
        (standard("/keyed", {"number": 1, "note": 5}), 422),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_what_does_nothing_says_why(
    door: Door, store: Store, delivery: Delivery, status: int
) -> None:
    answer = door.answer(delivery, NOW)
    assert answer.status == status
    assert isinstance(loads(answer.body)["error"], str)
    assert store.runs == {}


def test_a_run_id_that_a_delivery_makes_up_is_checked(door: Door, store: Store) -> None:
    for number in ("../x", "a/b", "", "x" * 200, "a b", None):
        body = {"number": 1, "id": number}
        delivery = standard("/keyed", body)
        door_of_key = Door(
            [
                flow(
                    on=Webhook(
                        "/keyed",
                        verify=StandardWebhooks(secret("STANDARD_SECRET")),
                        start=lambda _: {"order": {"number": 1}},
                        key=lambda _, number=number: str(number or ""),  # type: ignore[misc]  # a default binds it
                    )
                )(orders.__wrapped__)
            ],
            store,
        )
        assert door_of_key.answer(delivery, NOW).status == 422
    assert store.runs == {}


def test_a_secret_that_is_not_set_is_our_fault(
    door: Door, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = standard("/whole", {"order": {"number": 3}})
    monkeypatch.delenv("STANDARD_SECRET")
    answer = door.answer(delivery, NOW)
    assert answer.status == 500
    assert "STANDARD_SECRET" not in answer.body


def field(name: str) -> Any:
    """Reads a field of the body; whatever is there, as a flow that trusts its sender does."""

    def read(delivery: Delivery) -> Any:
        body: Any = delivery.json
        return body[name]

    return read


def keyed(key: Any) -> Door:
    """A door whose flow takes the id that a delivery gives, whatever that is."""
    hook = Webhook(
        "/keyed",
        verify=StandardWebhooks(secret("STANDARD_SECRET")),
        start=lambda delivery: {"number": 1},
        key=key,
    )

    @flow(on=hook)
    async def numbered(number: int) -> int:
        return number

    return Door([numbered], Store())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"id": 7}, "the id of a run is text, not 7"),
        ({"id": None}, "the id of a run is text, not None"),
        ({"id": ["a"]}, "the id of a run is text, not ['a']"),
        ({"id": "x" * 81}, "at most 80 characters, this one 81"),
        ({"id": "last"}, "`last` is no run id"),
        ({"id": "a/b"}, "`a/b` is no run id"),
        ({"id": ""}, "`` is no run id"),
        ({"id": "a\n"}, "is no run id"),
        ({"other": 1}, "key= cannot read this delivery: KeyError: 'id'"),
        ([], "key= cannot read this delivery: TypeError: "),
    ],
)
def test_a_delivery_that_gives_no_run_id_is_told_why(body: object, said: str) -> None:
    door = keyed(field("id"))
    answer = door.answer(standard("/keyed", body), NOW)
    assert answer.status == 422
    assert said in loads(answer.body)["error"]
    assert loads(answer.body)["error"].startswith("key= ")


def test_what_key_cannot_read_for_a_reason_of_ours_is_ours() -> None:
    def asks(delivery: Delivery) -> str:
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        keyed(asks).answer(standard("/keyed", {}), NOW)


def test_a_secret_in_what_a_reader_raises_is_masked() -> None:
    def tells(delivery: Delivery) -> str:
        raise ValueError(f"no key {SECRETS['STANDARD_SECRET']}")

    answer = keyed(tells).answer(standard("/keyed", {}), NOW)
    assert answer.status == 422
    assert "no key ***" in answer.body


@pytest.mark.parametrize("number", [7, "x" * 2_000, "\udc80", ""])
def test_an_event_for_what_is_no_run_id_reaches_no_store(number: object) -> None:
    hook = Webhook(
        "/paid",
        verify=StandardWebhooks(secret("STANDARD_SECRET")),
        event="paid",
        run=field("run"),
    )

    @flow(on=hook)
    async def paid() -> None:
        return None

    class Nowhere(Store):
        def send(self, run: str, event: str, payload: object, id: str) -> bool:
            raise AssertionError("it was asked for a run that cannot be")

    answer = Door([paid], Nowhere()).answer(standard("/paid", {"run": number}), NOW)
    assert answer.status == (422 if number == 7 else 404)


def test_two_flows_cannot_have_one_path() -> None:
    with pytest.raises(ValueError, match="/whole is a webhook of whole and of whole"):
        Door([whole, whole], Store())


def test_ten_thousand_made_up_requests_start_nothing(door: Door, store: Store) -> None:
    chance = random.Random(20261123)
    genuine = [
        standard("/whole", {"order": {"number": 3}}),
        github("/opened", {"action": "opened", "order": {"number": 1}}),
        standard("/keyed", {"number": 7}),
        Delivery("POST", "/slack", SLACK.headers(b'{"order": {"number": 1}}'), b'{"order": 1}'),
    ]
    told: dict[int, int] = {}
    for _ in range(10_000):
        answer = door.answer(_damaged(chance.choice(genuine), chance), NOW)
        told[answer.status] = told.get(answer.status, 0) + 1
        assert not any(value in answer.body for value in SECRETS.values())
    assert store.runs == {}
    assert store.events == {}
    assert set(told) == {401, 404, 405, 413}
    assert told[401] > 5_000


def _damaged(delivery: Delivery, chance: random.Random) -> Delivery:
    """A delivery with something wrong about it, as an attacker who saw one would try."""
    method, path, body = delivery.method, delivery.path, delivery.body
    headers = dict(delivery.headers)
    signature = next(name for name in headers if "signature" in name)
    match chance.randrange(7):
        case 0:
            at = chance.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ chance.randrange(1, 256)]) + body[at + 1 :]
        case 1:
            body += chance.randbytes(chance.randrange(1, 400))
        case 2:
            text = headers[signature]
            at = chance.randrange(text.rfind("=", 0, len(text) - 2) + 1, len(text) - 4)
            other = chance.choice([c for c in "abcdef0123456789" if c != text[at]])
            headers[signature] = text[:at] + other + text[at + 1 :]
        case 3:
            del headers[signature]
        case 4:
            headers[signature] = "".join(chance.choices("=,.v1sha256 abc\0\n", k=40))
        case 5:
            path = chance.choice(["/", "/whole/x", "/WHOLE", "//whole", "/approve", "/%77hole"])
        case _:
            method = chance.choice(["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])
    return Delivery(method, path, headers, body)
