"""What is too long for the place it would travel in lies in the run store, by its digest.

An error's cause has 32,768 characters (botocore service model stepfunctions, SensitiveCause), and a
site that fails its Task can hand on its state only there.
"""

import json
from collections.abc import Mapping
from typing import Final

from perdure.codec import Json
from perdure.store.protocol import RunStore

__all__ = ["CAUSE_CHARACTERS", "PAYLOAD_BYTES", "keep", "short", "size_of", "small", "unkept"]

PAYLOAD_BYTES = 245_000
"""What a site hands on at most: Step Functions takes 262,144 bytes, with what it adds itself."""
CAUSE_CHARACTERS = 30_000
"""Of a cause; Lambda adds the class name and a stack trace of a few lines."""
IN_PLACE = ("raised", "decisions", "again", "operands", "error", "end")
"""Members of a state that Step Functions itself reads."""
PARTLY: Final[Mapping[str, tuple[str, ...]]] = {
    "again": ("until", "seconds"),
    "error": ("@", "type", "mro"),
    "operands": ("until", "seconds", "record", "timeout", "branches", "limit", "wide", "forked"),
}
"""Of those, what it reads of them."""


def keep(store: RunStore, value: Mapping[str, Json]) -> str:
    """Keep an object; the text that `unkept` takes."""
    return store.put_blob(json.dumps(value, separators=(",", ":")).encode())


def unkept(store: RunStore, data: Mapping[str, Json]) -> Mapping[str, Json]:
    """The object itself, or the one that was kept; what stands beside its digest is newer."""
    digest = data.get("kept")
    if digest is None:
        return data
    content = store.get_blob(str(digest))
    assert content is not None, f"{digest} was kept before it was named"
    found: dict[str, Json] = json.loads(content)
    for name, value in data.items():
        known = found.get(name)
        if name in PARTLY and isinstance(known, dict) and isinstance(value, Mapping):
            found[name] = {**known, **value}
        elif name != "kept":
            found[name] = value
    return found


def small(store: RunStore, state: Mapping[str, Json]) -> dict[str, Json]:
    """A state by reference: what Step Functions reads stays, all is kept."""
    said: dict[str, Json] = {name: state[name] for name in IN_PLACE if name in state}
    for name, members in PARTLY.items():
        whole = said.get(name)
        if isinstance(whole, Mapping):
            said[name] = {member: whole[member] for member in members if member in whole}
    if "value" in state:
        said["value"] = {"kept": keep(store, {"value": state["value"]})}
    return {"kept": keep(store, state), **said}


def short(store: RunStore, says: Mapping[str, Json]) -> dict[str, Json]:
    """What a failing site says, short enough for a cause: the rest is kept."""
    if _length(dict(says)) <= CAUSE_CHARACTERS:
        return dict(says)
    state = says.get("next")
    assert isinstance(state, Mapping), "a failing site hands on a state"
    rest = {name: value for name, value in says.items() if name != "next"}
    return {"next": small(store, unkept(store, state)), "kept": keep(store, rest)}


def size_of(value: Json) -> int:
    """Bytes of a value as Step Functions counts them."""
    return len(json.dumps(value, ensure_ascii=False).encode())


def _length(value: Json) -> int:
    # As text inside of JSON text, which is what Lambda makes of it.
    return len(json.dumps(json.dumps(value)))
