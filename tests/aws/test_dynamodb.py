"""The DynamoDB form of the run store: the suite, and what only DynamoDB does."""

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from perdure.errors import LimitExceeded
from perdure.store.protocol import Key, RunStore
from perdure.trace import compare
from perdure_aws.dynamodb import PART_BYTES, DynamoStore, table_definition
from perdure_aws.engine.stores import SECRETS
from tests.conformance.engines import CASES, check_end, outcome
from tests.store.suite import StoreSuite, check_interleavings

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def client() -> Iterator["DynamoDBClient"]:
    # Any: moto has no types, and the stubs know boto3's client by the name of its service.
    moto: Any = import_module("moto")
    boto3: Any = import_module("boto3")
    with patch.dict(os.environ, SECRETS), moto.mock_aws():
        yield boto3.client("dynamodb")


COUNT = iter(range(1_000_000))


def empty(client: "DynamoDBClient") -> DynamoStore:
    name = f"runs-{next(COUNT)}"
    client.create_table(**table_definition(name))
    return DynamoStore(client, name)


class TestDynamo(StoreSuite):
    @pytest.fixture
    def store(self, client: "DynamoDBClient") -> RunStore:
        return empty(client)


def test_every_interleaving_and_crash_leaves_a_store_that_match_repairs(
    client: "DynamoDBClient",
) -> None:
    check_interleavings(lambda: empty(client), examples=3)


KEY = Key("run/a", "record")


@pytest.mark.parametrize(
    "value",
    [
        "",
        [],
        {},
        None,
        0.1 + 0.2,
        1e300,
        2**53 - 1,
        12345678901234567890123456789012345678901,
        {"": {"b": 1, "a": [True, "", {"": ""}]}},
        "\ud800 alone",
        "ünïcode 🎉 \x00",
    ],
)
def test_bodies_come_back_as_they_were(client: "DynamoDBClient", value: Any) -> None:
    store = empty(client)
    body = {"z": value, "a": value}
    assert store.put_if_absent(KEY, body)
    item = store.get(KEY)
    assert item is not None
    assert item.body == body
    assert repr(item.body) == repr(body), "types and the order of keys too"
    assert store.query("run/a", "") == [item]


@pytest.mark.parametrize("size", [PART_BYTES - 10, PART_BYTES + 1, 3 * PART_BYTES])
def test_a_body_larger_than_an_item_is_kept_in_parts(client: "DynamoDBClient", size: int) -> None:
    store = empty(client)
    body = {"t": "ä" * (size // 2)}
    assert store.put_if_absent(KEY, body)
    assert not store.put_if_absent(KEY, {"t": "other"})
    assert store.replace(KEY, 1, {**body, "more": 1})
    (item,) = store.query("run/a", "")
    assert (item.version, item.body) == (2, {**body, "more": 1})


def test_a_blob_of_which_a_crash_left_a_part_is_not_there(client: "DynamoDBClient") -> None:
    store = empty(client)
    content = bytes(range(256)) * (2 * PART_BYTES // 256)
    for crash_at in range(3):
        with pytest.raises(Lost):
            DynamoStore(losing(client, {crash_at: "before"}), store.table).put_blob(content)
        digest = sha256(content).hexdigest()
        assert store.get_blob(digest) is None
    assert store.get_blob(store.put_blob(content)) == content
    assert store.get_blob(store.put_blob(b"")) == b""


class Lost(Exception):  # noqa: N818  (it says what happened)
    """The answer of a write never came, or the writer died before it."""


def losing(client: Any, at: Mapping[int, str]) -> Any:
    """The client, whose writes with these numbers are not made ("before") or made twice
    ("twice": the SDK repeats a request whose answer it did not get)."""

    class Losing:
        exceptions = client.exceptions
        get_item = client.get_item
        query = client.query
        count = -1

        def put_item(self, **asked: object) -> object:
            self.count += 1
            if at.get(self.count) == "before":
                raise Lost
            if at.get(self.count) == "twice":
                client.put_item(**asked)
            return client.put_item(**asked)

    return Losing()


def test_a_write_that_was_sent_twice_was_written(client: "DynamoDBClient") -> None:
    store = empty(client)
    twice = DynamoStore(losing(client, {0: "twice", 1: "twice", 2: "twice"}), store.table)
    assert twice.put_if_absent(KEY, {"n": 1})
    assert twice.replace(KEY, 1, {"n": 2})
    assert not twice.replace(KEY, 1, {"n": 3})
    item = store.get(KEY)
    assert item is not None
    assert (item.version, item.body) == (2, {"n": 2})


def test_a_query_goes_on_over_pages(client: "DynamoDBClient") -> None:
    store = empty(client)
    for number in range(12):
        store.put_if_absent(Key("run/a", f"inbox/x/{number:012d}"), {"t": "x" * 200_000})
    store.put_if_absent(Key("run/a", "inbox/y/000000000000"), {})
    found = store.query("run/a", "inbox/x/")
    assert [int(item.key.sort[-12:]) for item in found] == list(range(12))
    past = store.query("run/a", "inbox/x/", after="inbox/x/000000000009")
    assert [int(item.key.sort[-12:]) for item in past] == [10, 11]
    first = store.query("run/a", "inbox/x/", newest_first=True, limit=1)
    assert [int(item.key.sort[-12:]) for item in first] == [11]


def test_reads_are_strongly_consistent(client: "DynamoDBClient") -> None:
    asked: list[bool] = []

    class Watching:
        exceptions = client.exceptions
        put_item = client.put_item

        def get_item(self, **how: Any) -> Any:
            asked.append(how.get("ConsistentRead", False))
            return client.get_item(**how)

        def query(self, **how: Any) -> Any:
            asked.append(how.get("ConsistentRead", False))
            return client.query(**how)

    watching: Any = Watching()
    store = DynamoStore(watching, empty(client).table)
    store.get(KEY)
    store.query("run/a", "")
    store.get_blob("0" * 64)
    assert asked == [True, True, True]


@pytest.mark.parametrize(("size", "fits"), [(1_024, True), (1_025, False)])
def test_a_key_that_is_too_long_is_refused_by_name(
    client: "DynamoDBClient", size: int, fits: bool
) -> None:
    store = empty(client)
    key = Key("run/a", "waiter/".ljust(size, "x"))
    if fits:
        assert store.put_if_absent(key, {})
    else:
        with pytest.raises(LimitExceeded, match="dynamodb_sort_key_bytes"):
            store.put_if_absent(key, {})


def test_the_table_is_paid_by_request_and_keyed_as_the_protocol_says() -> None:
    made = table_definition("runs")
    assert made.get("BillingMode") == "PAY_PER_REQUEST"
    keys = [key["AttributeName"] for key in made.get("KeySchema", ())]
    assert keys == ["partition", "sort"]


WAITING = [case.id for case in CASES.values() if case.kinds & {"event", "race"}][::3]


@pytest.mark.parametrize("case_id", WAITING)
def test_runs_that_wait_are_kept_in_dynamodb(case_id: str) -> None:
    expected, got = outcome(case_id, "reference"), outcome(case_id, "aws/moto+dynamodb")
    assert compare(expected.whole_trace, got.whole_trace) == []
    check_end(CASES[case_id], got)
