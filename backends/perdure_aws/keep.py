"""What is too long for the place it would travel in lies in the run store, by its digest.

An error's cause has 32,768 characters (botocore service model stepfunctions, SensitiveCause), and a
site that fails its Task can hand on its state only there.
"""

import json
from collections.abc import Mapping

from perdure.codec import Json
from perdure.store.protocol import RunStore
from perdure_aws.state import fields

__all__ = ["CAUSE_CHARACTERS", "keep", "short", "unkept"]

CAUSE_CHARACTERS = 30_000
"""Of a cause; Lambda adds the class name and a stack trace of a few lines."""
IN_PLACE = ("raised", "decisions", "again", "operands", "error", "end")
"""Members of a state that Step Functions itself reads."""
IN_AGAIN = ("until", "seconds")


def keep(store: RunStore, value: Mapping[str, Json]) -> str:
    """Keep an object; the text that `unkept` takes."""
    return store.put_blob(json.dumps(value, separators=(",", ":")).encode())


def unkept(store: RunStore, data: Mapping[str, Json]) -> Mapping[str, Json]:
    """The object itself, or the one that was kept, with the members beside its digest."""
    digest = data.get("kept")
    if digest is None:
        return data
    content = store.get_blob(str(digest))
    assert content is not None, f"{digest} was kept before it was named"
    found: dict[str, Json] = json.loads(content)
    return {**{name: value for name, value in data.items() if name != "kept"}, **found}


def short(store: RunStore, says: Mapping[str, Json]) -> dict[str, Json]:
    """What a failing site says, short enough for a cause: the rest is kept."""
    if _length(dict(says)) <= CAUSE_CHARACTERS:
        return dict(says)
    state = says.get("next")
    assert isinstance(state, Mapping), "a failing site hands on a state"
    small = {name: state[name] for name in IN_PLACE if name in state}
    if "again" in small:
        small["again"] = {n: v for n, v in fields(small["again"]).items() if n in IN_AGAIN}
    rest = {name: value for name, value in says.items() if name != "next"}
    next: dict[str, Json] = {"kept": keep(store, state), **small}
    return {"next": next, "kept": keep(store, rest)}


def _length(value: Json) -> int:
    # As text inside of JSON text, which is what Lambda makes of it.
    return len(json.dumps(json.dumps(value)))
