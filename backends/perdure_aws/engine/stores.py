"""Where a test run is kept: by the part of the engine's name after the `+`."""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

from perdure.store.protocol import RunStore
from perdure.store.sqlite import SqliteStore
from perdure_aws.dynamodb import DynamoStore, table_definition

__all__ = ["STORES"]

SECRETS: Final = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""boto3 wants some, and moto looks at none."""


@contextmanager
def in_memory() -> Generator[RunStore]:
    """SQLite, without a file."""
    store = SqliteStore(":memory:")
    try:
        yield store
    finally:
        store.close()


@contextmanager
def on_dynamodb() -> Generator[RunStore]:
    """A table of moto's DynamoDB."""
    # Any: moto has no types, and the stubs know boto3's client by the literal name of a service.
    moto: Any = import_module("moto")
    boto3: Any = import_module("boto3")
    with patch.dict(os.environ, SECRETS), moto.mock_aws():
        client = boto3.client("dynamodb")
        # A name of its own: where moto is on already, tables of other runs are still there.
        name = f"runs-{uuid4().hex}"
        client.create_table(**table_definition(name))
        yield DynamoStore(client, name)


STORES: Final[Mapping[str, Callable[[], AbstractContextManager[RunStore]]]] = {
    "": in_memory,
    "dynamodb": on_dynamodb,
}
