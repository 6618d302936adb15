"""How a fork's branches become its value, or the error it raises.

Each branch ended as data: {"value": ...} or {"error": ...}, encoded by the site that ended it. A
race, or a quorum of one, ended early instead: `won` says by which branch.
"""

from collections.abc import Mapping, Sequence

from perdure.codec import Json, decode, decode_error

__all__ = ["gathered", "quorum_failed", "won"]


def gathered(outcomes: Sequence[Json], *, return_exceptions: bool) -> list[object]:
    """Values in argument order; the first error in argument order is raised, if not returned."""
    ended = [_object(outcome) for outcome in outcomes]
    if not return_exceptions:
        for outcome in ended:
            if "error" in outcome:
                raise decode_error(outcome["error"])
    return [
        decode_error(outcome["error"]) if "error" in outcome else decode(outcome["value"])
        for outcome in ended
    ]


def won(outcome: Json, kind: str) -> object:
    """`(name, value)` of a race, `[(index, value)]` of a quorum; a winner's error is raised."""
    ended = _object(outcome)
    if "error" in ended:
        raise decode_error(ended["error"])
    value = decode(ended["value"])
    if kind == "race":
        return str(ended["name"]), value
    return [(int(str(ended["index"])), value)]


def quorum_failed(outcomes: Sequence[Json]) -> ExceptionGroup[Exception]:
    """What a quorum of one raises when every branch has failed."""
    errors = [decode_error(_object(outcome)["error"]) for outcome in outcomes]
    return ExceptionGroup(
        "a quorum of 1 is out of reach", [e for e in errors if isinstance(e, Exception)]
    )


def _object(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping), "a branch ends as an object"
    return value
