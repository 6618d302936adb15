"""The bundle: all that the sites function needs, as one reproducible zip.

perdure/...            what runs in every bundle (`perdure.bundling`)
perdure_aws/...        the handler and the store's DynamoDB form
"""

from collections.abc import Mapping
from pathlib import Path

import perdure_aws
from perdure import bundling
from perdure.bundling import FORMAT, zip_of
from perdure.codec import Json

__all__ = ["FORMAT", "bundle_files", "zip_of"]

TARGET = ("__init__", "door", "dynamodb", "ended", "handler", "secret_values")
"""Modules of `perdure_aws` that run in a bundle."""


def bundle_files(
    sources: Mapping[str, str], sites: Mapping[str, str], about: Mapping[str, Json]
) -> dict[str, bytes]:
    """Content by path: runtime, handler, project sources, emitted sites, description."""
    own = bundling.python_files(Path(perdure_aws.__file__).parent, "perdure_aws", TARGET)
    return bundling.bundle_files(dict(own), sources, sites, about)
