"""The run store in one DynamoDB table: conditional writes, strongly consistent reads.

    partition, sort     the key, as `perdure.store.protocol` lays it out
    version             counts the writes of the item
    body                the record as JSON text: DynamoDB's own numbers have 38 digits, its maps no
                        order, its sets no empty ones; text comes back as it was written
    blob                instead of `body`, where the text is larger than one item may be: its blob
    write               who wrote this version: a write that the SDK repeated, because the answer to
                        the first try was lost, knows itself again

A blob lies in parts under the partition `blob/<digest>`. The part "head" is written last and says
how many others there are: a blob without it is not there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, final
from uuid import uuid4

from perdure.codec.text import Json
from perdure.errors import LimitExceeded
from perdure.store.protocol import Item, Key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        CreateTableInputTypeDef,
        PutItemInputTypeDef,
        QueryInputTypeDef,
    )

    type Attributes = Mapping[str, AttributeValueTypeDef]

__all__ = ["DynamoStore", "table_definition"]

PART_BYTES = 350_000
"""Of a body or of a blob in one item; an item has 409,600 bytes with names and keys
(amazondynamodb/latest/developerguide/ServiceQuotas, 2026-11-23)."""
SORT_BYTES = 1_024
PARTITION_BYTES = 2_048
"""Of keys, from the same page."""
LAST = "\U0010ffff"
NAMES = {"#p": "partition", "#s": "sort", "#v": "version"}
"""`partition` and others are reserved words in expressions."""


def table_definition(name: str) -> "CreateTableInputTypeDef":
    """What CreateTable takes; a template's table has the same properties."""
    return {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": "partition", "AttributeType": "S"},
            {"AttributeName": "sort", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "partition", "KeyType": "HASH"},
            {"AttributeName": "sort", "KeyType": "RANGE"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


@final
class DynamoStore:
    """`RunStore` in a table of that definition."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self.table = table

    def get(self, key: Key) -> Item | None:
        """Return the item under this key."""
        found = self._attributes(key)
        return None if found is None else self._item(found)

    def put_if_absent(self, key: Key, body: Mapping[str, Json]) -> bool:
        """Write version 1 unless an item is there."""
        return self._write(key, 1, self._body(body), "attribute_not_exists(#p)", {})

    def replace(self, key: Key, version: int, body: Mapping[str, Json]) -> bool:
        """Write version + 1 if the item has this version now."""
        expected: Attributes = {":v": {"N": str(version)}}
        return self._write(key, version + 1, self._body(body), "#v = :v", expected)

    def query(
        self,
        partition: str,
        prefix: str,
        *,
        after: str = "",
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Sequence[Item]:
        """Return the items of a partition by sort key."""
        after = "" if newest_first else after
        items: list[Item] = []
        if limit == 0:
            return items
        for found in self._pages(partition, prefix, max(prefix, after), newest_first, limit):
            sort = _text_of(found, "sort")
            if sort.startswith(prefix) and (newest_first or sort != after):
                items.append(self._item(found))
            if len(items) == limit:
                break
        return items

    def put_blob(self, content: bytes) -> str:
        """Keep bytes under their SHA-256."""
        digest = sha256(content).hexdigest()
        partition = f"blob/{digest}"
        head = Key(partition, "head")
        if self._attributes(head) is not None:
            return digest
        parts = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
        for number, part in enumerate(parts):
            self._put(Key(partition, _part(number)), {"content": {"B": part}})
        self._put(head, {"parts": {"N": str(len(parts))}})
        return digest

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes kept under this digest."""
        partition = f"blob/{digest}"
        head = self._attributes(Key(partition, "head"))
        if head is None:
            return None
        count = _number_of(head, "parts")
        parts = [self._attributes(Key(partition, _part(number))) for number in range(count)]
        return b"".join(_bytes_of(part, "content") for part in parts if part is not None)

    # --- one request ----------------------------------------------------------------------------

    def _attributes(self, key: Key) -> "Attributes | None":
        answer = self._client.get_item(TableName=self.table, Key=_key(key), ConsistentRead=True)
        return answer.get("Item")

    def _put(self, key: Key, content: "Attributes") -> None:
        """Content-addressed: writing it again changes nothing."""
        self._client.put_item(TableName=self.table, Item={**_key(key), **content})

    def _write(
        self, key: Key, version: int, body: "Attributes", condition: str, values: "Attributes"
    ) -> bool:
        """Write if the condition holds; what the SDK sent twice, and was written, is written."""
        write = uuid4().hex
        asked: PutItemInputTypeDef = {
            "TableName": self.table,
            "Item": {
                **_key(key),
                **body,
                "version": {"N": str(version)},
                "write": {"S": write},
            },
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {n: NAMES[n] for n in NAMES if n in condition},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if values:
            asked["ExpressionAttributeValues"] = values
        try:
            self._client.put_item(**asked)
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            there: Attributes = vars(refused)["response"].get("Item", {})
            return "write" in there and _text_of(there, "write") == write
        return True

    def _pages(
        self, partition: str, prefix: str, low: str, newest_first: bool, limit: int | None
    ) -> "Iterator[Attributes]":
        """The items from `low` to the end of the prefix, page by page."""
        asked: QueryInputTypeDef = {
            "TableName": self.table,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
            "KeyConditionExpression": "#p = :p AND #s BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#p": "partition", "#s": "sort"},
            "ExpressionAttributeValues": {
                ":p": {"S": partition},
                ":low": {"S": low or "\0"},
                ":high": {"S": prefix + LAST},
            },
        }
        if limit is not None:
            asked["Limit"] = limit + 1
        while True:
            page = self._client.query(**asked)
            yield from page["Items"]
            last = page.get("LastEvaluatedKey")
            if not last:
                return
            asked["ExclusiveStartKey"] = last

    # --- bodies ---------------------------------------------------------------------------------

    def _body(self, body: Mapping[str, Json]) -> "Attributes":
        text = _text(body)
        if len(text) <= PART_BYTES:
            return {"body": {"S": text.decode()}}
        return {"blob": {"S": self.put_blob(text)}}

    def _item(self, found: "Attributes") -> Item:
        key = Key(_text_of(found, "partition"), _text_of(found, "sort"))
        if "body" in found:
            text: str | bytes = _text_of(found, "body")
        else:
            kept = self.get_blob(_text_of(found, "blob"))
            assert kept is not None, f"{key}: its blob was written before it"
            text = kept
        return Item(key, _number_of(found, "version"), json.loads(text))


def _key(key: Key) -> "dict[str, AttributeValueTypeDef]":
    sizes = (("partition", key.partition, PARTITION_BYTES), ("sort", key.sort, SORT_BYTES))
    for name, value, most in sizes:
        if len(value.encode()) > most:
            raise LimitExceeded(
                f"dynamodb_{name}_key_bytes: {value[:60]!r}... has {len(value.encode())} bytes,"
                f" and DynamoDB takes {most}"
            )
    return {"partition": {"S": key.partition}, "sort": {"S": key.sort}}


def _text(body: Mapping[str, Json]) -> bytes:
    """As short as it can be written; lone surrogates, which UTF-8 has not, are escaped."""
    try:
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(body, separators=(",", ":")).encode()


def _part(number: int) -> str:
    return f"part/{number:06d}"


def _text_of(found: "Attributes", name: str) -> str:
    return found[name].get("S", "")


def _number_of(found: "Attributes", name: str) -> int:
    return int(found[name].get("N", ""))


def _bytes_of(found: "Attributes", name: str) -> bytes:
    content: object = found[name].get("B", b"")
    assert isinstance(content, bytes), "the client gives binary attributes as bytes"
    return content
