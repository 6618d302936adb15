"""How a fork's branches become its value, or the error it raises.

Each branch ended as data: {"value": ...} or {"error": ...}, encoded by the site that ended it. A
fork that ended early says by which branch (`won`). Of a quorum the run store has the order in which
branches ended, up to the one that decided.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from perdure.codec import Json, decode, decode_error
from perdure.runtime.branches import is_returned, quorum_error
from perdure.store.protocol import FORMAT, Key, RunStore
from perdure.store.records import partition_of

__all__ = [
    "count_end",
    "gathered",
    "group_failed",
    "is_cancel",
    "keep_end",
    "kept_ends",
    "quorum_failed",
    "quorum_value",
    "tasks_ended",
    "won",
]


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
    """`(name, value)` of a race, `[(index, value)]` of a quorum of one; an error is raised."""
    ended = _object(outcome)
    if "error" in ended:
        raise decode_error(ended["error"])
    value = decode(ended["value"])
    if kind == "race":
        return str(ended["name"]), value
    return [(int(str(ended["index"])), value)]


def quorum_failed(outcomes: Sequence[Json], k: int) -> BaseException:
    """What a quorum raises when every branch has ended and too many have failed."""
    failures = [outcome for outcome in map(_object, outcomes) if "error" in outcome]
    return quorum_error(k, [decode_error(outcome["error"]) for outcome in failures])


def count_end(
    store: RunStore,
    run: str,
    branch: Mapping[str, Json],
    end: Mapping[str, Json],
    *,
    now: float,
    settle: Callable[[], None],
) -> bool:
    """Note the end of one branch of a quorum; whether it decides, or has decided before.

    `settle` comes between: of branches that end at once the lower index comes first.
    """
    key, index = _ends_key(run, str(branch["fork"])), branch["index"]
    k, of = int(str(branch["k"])), int(str(branch["of"]))

    def note(ended: list[Json], decided: Json) -> tuple[list[Json], Json]:
        if decided is not None or any(_object(one)["index"] == index for one in ended):
            return ended, decided
        return [*ended, {"index": index, "time": now, **end}], None

    def decide(ended: list[Json], decided: Json) -> tuple[list[Json], Json]:
        first = sorted(ended, key=_moment)
        good = sum("value" in _object(one) for one in first)
        decides = good >= k or len(first) - good > of - k
        return (ended, decided) if decided is not None or not decides else (first, index)

    _change(store, key, note)
    settle()
    return _change(store, key, decide) == index


def _change(
    store: RunStore, key: Key, change: Callable[[list[Json], Json], tuple[list[Json], Json]]
) -> Json:
    """Write how branches ended and who has decided; the index of that one, if there is one."""
    while True:
        item = store.get(key)
        known: Mapping[str, Json] = {"ended": []} if item is None else item.body
        ended, decided = change([*_list(known["ended"])], known.get("decided"))
        if ended == known["ended"] and decided == known.get("decided"):
            return decided
        body: dict[str, Json] = {"format": FORMAT, "ended": ended, "decided": decided}
        if item is None:
            written = store.put_if_absent(key, body)
        else:
            written = store.replace(key, item.version, body)
        if written:
            return decided


def _moment(ended: Json) -> tuple[float, int]:
    one = _object(ended)
    return float(str(one["time"])), _index(one)


def quorum_value(store: RunStore, run: str, fork: str, k: int) -> list[tuple[int, object]]:
    """The first `k` to succeed, in order of ending; raises what makes that impossible."""
    item = store.get(_ends_key(run, fork))
    assert item is not None, "what was decided is kept"
    ended = [_object(one) for one in _list(item.body["ended"])]
    good = [one for one in ended if "value" in one][:k]
    if len(good) < k:
        bad = sorted((one for one in ended if "error" in one), key=_index)
        raise quorum_error(k, [decode_error(one["error"]) for one in bad])
    return [(_index(one), decode(one["value"])) for one in good]


def keep_end(
    store: RunStore, run: str, branch: Mapping[str, Json], end: Mapping[str, Json]
) -> None:
    """Note how a task of a group ended, for when the group fails afterwards."""
    fork = f"{branch['fork']}/{int(str(branch['index'])):06d}"
    store.put_if_absent(_ends_key(run, fork), {"format": FORMAT, "index": branch["index"], **end})


def tasks_ended(outcomes: Sequence[Json]) -> list[tuple[int, str, object]]:
    """(index, how, value or error) of the tasks of a group that has joined."""
    return [_task_ended(_object(outcome)) for outcome in outcomes]


def group_failed(store: RunStore, run: str, fork: str, won: Mapping[str, Json]) -> BaseException:
    """What a group raises whose task failed; it says what became of the others."""
    error = decode_error(won["error"])
    raised = error  # asyncio raises what ends a process as it is
    if is_returned(error):
        raised = BaseExceptionGroup("unhandled errors in a TaskGroup", [error])
    raised.__suppress_context__ = True
    first = (_index(won), "error", error)
    vars(raised)["ended_tasks"] = [first, *kept_ends(store, run, fork)]
    return raised


def kept_ends(store: RunStore, run: str, fork: str) -> list[tuple[int, str, object]]:
    """(index, how, value or error) of the tasks that had ended before their group was cut short."""
    items = store.query(partition_of(run), f"ends/{fork}/")
    return [_task_ended(item.body) for item in items]


def is_cancel(error: Json) -> bool:
    """Whether an encoded error is a CancelledError."""
    return isinstance(decode_error(error), asyncio.CancelledError)


def _task_ended(end: Mapping[str, Json]) -> tuple[int, str, object]:
    if "value" in end:
        return _index(end), "value", decode(end["value"])
    error = decode_error(end["error"])
    if isinstance(error, asyncio.CancelledError):
        return _index(end), "cancelled", None
    return _index(end), "error", error


def _index(ended: Mapping[str, Json]) -> int:
    return int(str(ended["index"]))


def _ends_key(run: str, fork: str) -> Key:
    return Key(partition_of(run), f"ends/{fork}")


def _list(value: Json) -> Sequence[Json]:
    assert isinstance(value, list), "branches that ended are a list"
    return value


def _object(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping), "a branch ends as an object"
    return value
