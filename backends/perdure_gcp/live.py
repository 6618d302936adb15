"""What the run store knows of a deployed flow: its releases, and where new runs start.

    deployment / <name>    what was made, the releases, who gets new runs, the webhooks' URLs

Who starts a run reads it: the command line, code, the door, schedules. A run's release follows
from its id, so that a start which is repeated goes where the first one went.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from perdure.codec import Json
from perdure.sites.state import fields, text
from perdure.store.protocol import Key, RunStore

__all__ = ["PARTITION", "live_key", "workflows_for"]

PARTITION: Final = "deployment"


def live_key(name: str) -> Key:
    """Where the deployment of a flow is noted, by the name that its resources have."""
    return Key(PARTITION, name)


def workflows_for(store: RunStore, name: str, run: str) -> Mapping[str, str]:
    """The workflow of each flow, of the release that a new run starts on; {} before a deploy."""
    item = store.get(live_key(name))
    if item is None:
        return {}
    chosen = _chosen(item.body.get("live"), run)
    releases = item.body.get("releases")
    for release in reversed(releases) if isinstance(releases, list) else ():
        if fields(release)["release"] == chosen:
            return {ref: text(path) for ref, path in fields(fields(release)["workflows"]).items()}
    return {}


def _chosen(live: Json, run: str) -> Json:
    """One of those that get new runs, by their weights."""
    point = int.from_bytes(sha256(run.encode()).digest()[:8]) % 100
    for share in live if isinstance(live, list) else ():
        row = fields(share)
        weight = row["weight"]
        assert isinstance(weight, int), "weights are percents"
        if point < weight:
            return row["release"]
        point -= weight
    return None
