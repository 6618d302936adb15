"""Blobs of the container of releases: read, written under conditions, removed."""

from typing import Final, final
from urllib.parse import quote

from perdure.deployment import Say
from perdure_azure.arm.environment import RELEASES
from perdure_azure.deploy.account import STORAGE, Account, NotThere

__all__ = ["Blobs"]

VERSION: Final = {"x-ms-version": "2025-05-05"}
"""Of the Blob service's REST API."""


@final
class Blobs:
    """`endpoint`: that of the storage account, `https://<name>.blob.core.windows.net/`."""

    def __init__(self, account: Account, endpoint: str, say: Say) -> None:
        self._account = account
        self._url = f"{endpoint.rstrip('/')}/{RELEASES}"
        self._say = say

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Content and version; None where there is none."""
        try:
            answer = self._account.raw("GET", self._of(name), STORAGE, headers=VERSION)
        except NotThere:
            return None
        return answer.content, answer.headers.get("etag", "")

    def put(self, name: str, content: bytes, *, version: str | None = None) -> bool:
        """Write a blob of this version (None: that is not there yet); whether it was written."""
        condition = {"if-none-match": "*"} if version is None else {"if-match": version}
        headers = {**VERSION, **condition, "x-ms-blob-type": "BlockBlob"}
        taken = (409, 412)
        answer = self._account.raw(
            "PUT", self._of(name), STORAGE, content, headers=headers, taken=taken
        )
        return answer.status_code not in taken

    def has(self, name: str) -> bool:
        """Whether it is there."""
        try:
            self._account.raw("HEAD", self._of(name), STORAGE, headers=VERSION)
        except NotThere:
            return False
        return True

    def upload(self, name: str, content: bytes, what: str) -> None:
        """Write what is named after its content, unless it is there."""
        if not self.has(name):
            self._say(f"{what}: upload {len(content) / 1_048_576:.1f} MB")
            self.put(name, content)

    def remove(self, name: str) -> None:
        """It may be gone already."""
        try:
            self._account.raw("DELETE", self._of(name), STORAGE, headers=VERSION)
        except NotThere:
            return

    def _of(self, name: str) -> str:
        return f"{self._url}/{quote(name)}"
