"""The run store in Firestore passes what every form has to."""

import pytest

from perdure.errors import LimitExceeded
from perdure.store.protocol import Key, RunStore
from perdure_gcp.firestore import PART_BYTES, FirestoreStore
from tests.gcp.cloud import Firestore
from tests.store.suite import StoreSuite


class TestFirestore(StoreSuite):
    @pytest.fixture
    def store(self) -> RunStore:
        return FirestoreStore(Firestore(), "demo")


def test_a_write_that_was_sent_twice_knows_itself_again() -> None:
    cloud = Firestore()
    store = FirestoreStore(cloud, "demo")
    cloud.repeat_writes = True
    key = Key("run/x", "record")
    assert store.put_if_absent(key, {"a": 1})
    assert store.replace(key, 1, {"a": 2})
    assert not store.put_if_absent(key, {"a": 3})
    found = store.get(key)
    assert found is not None
    assert (found.version, found.body) == (2, {"a": 2})


def test_who_read_before_another_wrote_does_not_replace() -> None:
    cloud = Firestore()
    one, other = FirestoreStore(cloud, "demo"), FirestoreStore(cloud, "demo")
    key = Key("run/x", "record")
    assert one.put_if_absent(key, {"a": 1})
    assert other.replace(key, 1, {"a": 2})
    assert not one.replace(key, 1, {"a": 3})


def test_a_long_record_lies_in_parts() -> None:
    cloud = Firestore()
    store = FirestoreStore(cloud, "demo")
    text = "\u00e4" * PART_BYTES
    assert store.put_if_absent(Key("run/x", "record"), {"text": text})
    found = store.get(Key("run/x", "record"))
    assert found is not None
    assert found.body == {"text": text}
    assert sum("/parts/" in name for name in cloud.documents) > 1


def test_a_key_that_is_not_indexed_whole_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="firestore_sort_key_bytes"):
        FirestoreStore(Firestore(), "demo").get(Key("run/x", "a" * 1501))
