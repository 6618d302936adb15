"""What sites report, kept in the run store: what `show --on` draws a run's tree from.

    run/<run> / told/<milliseconds>/<steps>/<digest>    {"site", "entered", "line", "said", "time"}

Workflows keeps no record of what its steps were answered, and the service's log is kept for a
while and cut in pieces. A request that is repeated is noted once.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

from perdure.codec import Json
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Item, Key, RunStore
from perdure.store.records import partition_of

__all__ = ["note", "noted"]

TOLD = ("records", "logs")


def note(store: RunStore, event: Mapping[str, Json], said: Mapping[str, Json], now: float) -> None:
    """Keep what one invocation reported, if it says something."""
    following = said.get("next")
    data = following if isinstance(following, Mapping) else {}
    told: dict[str, Json] = {name: said[name] for name in TOLD if said.get(name)}
    for name in ("decisions", "again"):
        if data.get(name):
            told[name] = data[name]
    run = fields(event["next"]).get("run")
    if not told or not isinstance(run, Mapping):
        return
    body: dict[str, Json] = {
        "format": FORMAT,
        "site": event["site"],
        "line": event.get("line"),
        "entered": datetime.fromisoformat(text(event["entered"])).timestamp(),
        "time": now,
        "said": told,
    }
    # The same answer again is the same request again; its time differs.
    same = json.dumps([event["site"], event["entered"], told], sort_keys=True)
    digest = sha256(same.encode()).hexdigest()[:24]
    partition = partition_of(text(run["id"]))
    if store.put_if_absent(Key(partition, f"said/{digest}"), {"format": FORMAT}):
        # Of one moment: in the order of the steps before them.
        order = f"{int(now * 1000):015d}/{int(text(event['steps'])):012d}/{digest}"
        store.put_if_absent(Key(partition, f"told/{order}"), body)


def noted(store: RunStore, run: str) -> Sequence[Item]:
    """All of it, in the order in which it was told."""
    return store.query(partition_of(run), "told/")
