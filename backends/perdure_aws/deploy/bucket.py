"""The environment's bucket: what is deployed lies under the digest of its content.

So uploading again is a look whether it is there, and an upload that was cut off is no object.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, final

from botocore.exceptions import ClientError

from perdure.codec import Json
from perdure.deployment import Say
from perdure_aws.deploy.account import code_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

__all__ = ["Bucket"]

AT_ONCE = 1_000
"""Objects that one DeleteObjects takes."""


@final
class Bucket:
    """One bucket."""

    def __init__(self, client: "S3Client", name: str, region: str, say: Say) -> None:
        self._client = client
        self.name = name
        self._region = region
        self._say = say

    def exists(self) -> bool:
        """Whether the bucket is there."""
        try:
            self._client.head_bucket(Bucket=self.name)
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchBucket", "NotFound"):
                return False
            raise
        return True

    def put(self, key: str, content: bytes, what: str) -> None:
        """Upload, unless it is there."""
        if not self._has(key):
            self._say(f"{what}: upload {_size(len(content))}")
            self._client.put_object(Bucket=self.name, Key=key, Body=content)

    def description(self, key: str) -> Mapping[str, Json]:
        """What the code that lies there says of itself."""
        content = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        with zipfile.ZipFile(BytesIO(content)) as archive:
            about: dict[str, Json] = json.loads(archive.read("perdure_bundle.json"))
        return about

    def url(self, key: str) -> str:
        """How CloudFormation names an object."""
        return f"https://{self.name}.s3.{self._region}.amazonaws.com/{key}"

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The objects that are there."""
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.name, Prefix=prefix):
            for found in page.get("Contents", []):
                yield found.get("Key", "")

    def remove(self) -> None:
        """The bucket and all that is in it; one that is gone is gone."""
        try:
            left = list(self.keys())
            for start in range(0, len(left), AT_ONCE):
                some = left[start : start + AT_ONCE]
                self._client.delete_objects(
                    Bucket=self.name, Delete={"Objects": [{"Key": key} for key in some]}
                )
            self._client.delete_bucket(Bucket=self.name)
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise

    def _has(self, key: str) -> bool:
        try:
            self._client.head_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if code_of(error) in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        return True


def _size(count: int) -> str:
    return f"{count / 1_048_576:.1f} MB" if count >= 104_858 else f"{count / 1024:.1f} KB"
