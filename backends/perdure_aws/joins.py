"""How a fork's branches become its value, or the error it raises.

Each branch ended as data: {"value": ...} or {"error": ...}, encoded by the site that ended it. A
race, or a quorum of one, ended early instead: `won` says by which branch.
"""

from collections.abc import Mapping, Sequence

from perdure.codec import Json, decode, decode_error
from perdure.runtime.branches import is_returned, quorum_error

__all__ = ["gathered", "quorum_failed", "won"]


def gathered(outcomes: Sequence[Json], *, return_exceptions: bool) -> list[object]:
    """Values in argument order; the first error in argument order is raised, if not returned."""
    ended = [_object(outcome) for outcome in outcomes]
    values: list[object] = []
    for outcome in ended:
        if "error" in outcome:
            error = decode_error(outcome["error"])
            if not return_exceptions or not is_returned(error):
                raise error
            values.append(error)
        else:
            values.append(decode(outcome["value"]))
    return values


def won(outcome: Json, kind: str) -> object:
    """`(name, value)` of a race, `[(index, value)]` of a quorum; a winner's error is raised."""
    ended = _object(outcome)
    if "error" in ended:
        raise decode_error(ended["error"])
    value = decode(ended["value"])
    if kind == "race":
        return str(ended["name"]), value
    return [(int(str(ended["index"])), value)]


def quorum_failed(outcomes: Sequence[Json]) -> BaseException:
    """What a quorum of one raises when every branch has failed."""
    return quorum_error(1, [decode_error(_object(outcome)["error"]) for outcome in outcomes])


def _object(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping), "a branch ends as an object"
    return value
