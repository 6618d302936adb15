"""The bundle: all that the sites' service needs, as one reproducible zip.

main.py                what Cloud Run starts: `python main.py`
perdure/...            what runs in every bundle (`perdure.bundling`)
perdure_gcp/...        the handler, the answers, the store's Firestore form
"""

from collections.abc import Mapping
from pathlib import Path

import perdure_gcp
from perdure import bundling
from perdure.codec import Json

__all__ = ["bundle_files"]

TARGET = (
    "__init__",
    "answers",
    "door",
    "ended",
    "firestore",
    "forks",
    "generations",
    "google",
    "handler",
    "journal",
    "keys",
    "secret_values",
)
"""Modules of `perdure_gcp` that run in a bundle."""
MAIN = b"""from perdure_gcp.handler import serve

serve()
"""


def bundle_files(
    sources: Mapping[str, str], sites: Mapping[str, str], about: Mapping[str, Json]
) -> dict[str, bytes]:
    """Content by path."""
    own = dict(bundling.python_files(Path(perdure_gcp.__file__).parent, "perdure_gcp", TARGET))
    return bundling.bundle_files({**own, "main.py": MAIN}, sources, sites, about)
