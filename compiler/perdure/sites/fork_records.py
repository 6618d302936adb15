"""What the run store knows of forks whose branches are executions of their own (see `forked`).

Comes in: a run, the path of a fork. Goes out: the fork's item, how its branches ended; and the
executions that it has, started or stopped.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.sites.executions import execution_name, generation_name
from perdure.sites.keep import keep, small
from perdure.sites.state import fields, text
from perdure.store.protocol import Key
from perdure.store.records import partition_of

if TYPE_CHECKING:
    from perdure.sites.host import Host
    from perdure.store.protocol import RunStore

__all__ = [
    "Body",
    "begun_branches",
    "body_of",
    "branches_of",
    "change",
    "ended_branch",
    "forks_below",
    "in_order",
    "key_of",
    "listed",
    "next_of_branch",
    "number",
    "start_branch",
    "stop_branches",
    "with_next",
]

type Body = dict[str, Json]


def key_of(run: str, path: str) -> Key:
    """The key of a fork."""
    return Key(partition_of(run), f"fork/{path}")


def _end_key(run: str, path: str, index: int) -> Key:
    return Key(partition_of(run), f"fork/{path}/{index:06d}")


def body_of(store: "RunStore", key: Key) -> Body:
    """What is known of the fork."""
    item = store.get(key)
    assert item is not None, "a fork is noted before it is asked about"
    return dict(item.body)


def change(store: "RunStore", key: Key, to: Callable[[Body], Body]) -> Body:
    """Write what `to` makes of the item, however many write it at once."""
    while True:
        item = store.get(key)
        assert item is not None, "a fork is noted before it is changed"
        body = to(dict(item.body))
        if body == item.body or store.replace(key, item.version, body):
            return body


def with_next(index: int) -> Callable[[Body], Body]:
    """So many have begun."""
    return lambda body: {**body, "next": max(number(body["next"]), index)}


def ended_branch(  # noqa: PLR0917
    store: "RunStore", run: str, path: str, index: int, said: Body, now: float
) -> None:
    """Note how a branch ended, and when; the first word counts."""
    store.put_if_absent(_end_key(run, path, index), said)

    def noted(body: Body) -> Body:
        ended = fields(body["ended"])
        if body["decided"] is not None or str(index) in ended:
            return body
        return {**body, "ended": {**ended, str(index): now}}

    change(store, key_of(run, path), noted)


def in_order(
    store: "RunStore", run: str, path: str, body: Body
) -> list[tuple[int, Mapping[str, Json]]]:
    """How branches ended, in the order of ending; at one moment, of their indices."""
    times = {int(index): float(str(time)) for index, time in fields(body["ended"]).items()}
    order = sorted(times, key=lambda index: (times[index], index))
    return [(index, _end_of(store, run, path, index)) for index in order]


def _end_of(store: "RunStore", run: str, path: str, index: int) -> Mapping[str, Json]:
    item = store.get(_end_key(run, path, index))
    assert item is not None, "the end of a branch is kept before it is counted"
    return item.body


# --- executions ---------------------------------------------------------------------------------


def start_branch(host: "Host", run: str, seed: str, head: str, start: Mapping[str, Json]) -> None:
    """Start the execution of a branch at the state `head`, once."""
    fork = fields(start["fork"])
    given: dict[str, Json] = {
        "run": {"id": run, "seed": seed},
        "resume": head,
        "fork": dict(fork),
        **small(host.store, start),
    }
    name = _name(run, text(fork["path"]), number(fork["index"]))
    host.executions.start(str(host.table.ref), name, given)


def next_of_branch(  # noqa: PLR0917
    host: "Host",
    run: str,
    seed: str,
    fork: Mapping[str, Json],
    head: str,
    data: Mapping[str, Json],
) -> None:
    """A branch goes on in another execution, from that state; one that has lost does not."""
    path, index = text(fork["path"]), number(fork["index"])
    latest = number(data["generation"])

    def noted(body: Body) -> Body:
        known = body.get("generations")
        generations = known if isinstance(known, dict) else {}
        return {**body, "generations": {**generations, str(index): latest}}

    if change(host.store, key_of(run, path), noted)["decided"] is not None:
        return
    given: dict[str, Json] = {
        "run": {"id": run, "seed": seed},
        "resume": head,
        "fork": dict(fork),
        "kept": keep(host.store, data),
    }
    name = generation_name(_name(run, path, index), latest)
    host.executions.start(str(host.table.ref), name, given)


def stop_branches(host: "Host", run: str, path: str, own: int | None = None) -> None:
    """What is under way of a fork that is decided has lost, with all forks inside of it."""
    flow = str(host.table.ref)
    body = body_of(host.store, key_of(run, path))
    for index in begun_branches(body):
        if index == own or str(index) in fields(body["ended"]):
            continue
        host.executions.stop(flow, _execution(run, path, body, index))
        for inner in forks_below(host.store, run, f"{path}[{index}]/"):
            lost: Body = {"lost": True}
            change(
                host.store,
                key_of(run, inner),
                lambda body: {**body, "decided": body["decided"] or lost},  # noqa: B023 - at once
            )
            known = body_of(host.store, key_of(run, inner))
            for other in begun_branches(known):
                if str(other) not in fields(known["ended"]):
                    host.executions.stop(flow, _execution(run, inner, known, other))


def forks_below(store: "RunStore", run: str, prefix: str) -> list[str]:
    """The paths of forks that begin with `prefix`, outermost first."""
    items = store.query(partition_of(run), f"fork/{prefix}")
    return [item.key.sort.removeprefix("fork/") for item in items if "decided" in item.body]


def begun_branches(body: Body) -> list[int]:
    """The indices of those that have been started."""
    if "begun" in body:
        return [number(one) for one in listed(body["begun"])]
    return list(range(number(body["next"])))


def _name(run: str, path: str, index: int) -> str:
    return execution_name(f"{run}/{path}[{index}]", "branch")


def branches_of(store: "RunStore", run: str) -> Iterator[tuple[list[str], bool]]:
    """The executions that each branch of a run has gone through, and whether it is under way."""
    for path in forks_below(store, run, ""):
        body = body_of(store, key_of(run, path))
        for index in begun_branches(body):
            name = _name(run, path, index)
            names = [generation_name(name, n + 1) for n in range(_latest(body, index))]
            yield names, body["decided"] is None and str(index) not in fields(body["ended"])


def _execution(run: str, path: str, body: Body, index: int) -> str:
    return generation_name(_name(run, path, index), _latest(body, index))


def _latest(body: Body, index: int) -> int:
    known = body.get("generations")
    return number(known.get(str(index), 1)) if isinstance(known, Mapping) else 1


def listed(value: Json) -> list[Json]:
    """A list; without one, an empty one."""
    return value if isinstance(value, list) else []


def number(value: Json) -> int:
    """A number of branches."""
    assert isinstance(value, int | float), "a number of branches"
    return int(value)
