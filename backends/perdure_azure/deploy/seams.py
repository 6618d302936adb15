"""Where this machine ends: credentials, connections, time. Tests put a cloud of theirs here."""

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import grpc
    import requests
    from azure.core.credentials import TokenCredential

__all__ = ["channel", "credential", "pause", "session"]

LOOK: Final = 5.0
"""Seconds between two looks at what is under way."""


def credential(tenant: str) -> "TokenCredential":
    """As Azure's own tools find it: environment, workload, managed identity, `az login`, ..."""
    from azure.identity import DefaultAzureCredential

    if tenant:
        return DefaultAzureCredential(additionally_allowed_tenants=[tenant])
    return DefaultAzureCredential()


def session() -> "requests.Session | None":
    """What requests go through; None: that of azure-core."""
    return None


def channel(address: str) -> "grpc.Channel | None":
    """The connection to a scheduler; None: that of its SDK."""
    return None


def pause() -> None:
    """Until the next look."""
    time.sleep(LOOK)
