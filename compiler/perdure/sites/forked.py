"""Branches that are executions of their own: started, ended, told to the fork.

    walk.gather      a Task with a token: the site behind it starts an execution for each branch
    a branch         an execution of the same machine that begins at the branch's first state; the
                     site that ends it notes how, and whether that decides the fork
    the last one     rings the token; what is left is stopped

What is known of a fork lies in the run store, below the run:

    fork/<path>            {"token", "starts", "count", "limit", "next", "ended", "decided"}
    fork/<path>/<index>    how that branch ended; the first word counts

Names of executions come from run, path and index, so whatever is delivered twice starts nothing
twice. The end of the run rings the token too: then an engine has ended a branch, and the run.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.sites.error_names import LOST_BRANCH
from perdure.sites.executions import execution_name, generation_name
from perdure.sites.failures import failure
from perdure.sites.keep import keep, small, unkept
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Doorbell, Key, ResultWaiter
from perdure.store.records import partition_of, result_waiter_key
from perdure.store.runs import add_result_waiter, find_run, ring_result_waiter

if TYPE_CHECKING:
    from perdure.sites.host import Host
    from perdure.sites.visit import Visit
    from perdure.store.protocol import RunStore

__all__ = ["begin", "branch_name_of", "branch_over", "is_over", "outcome", "prepared"]

type Body = dict[str, Json]

END_BYTES = 8_000
"""Of the end of a branch; a larger one goes by reference."""


def prepared(visit: "Visit", operands: dict[str, Json]) -> dict[str, Json]:
    """The operands of such a fork: its branches by reference, each knows which it is."""
    starts = operands["branches"]
    assert isinstance(starts, list), "the branches of a fork are a list"
    path = text(operands["path"])
    given: list[Json] = [
        {**fields(start), "share": END_BYTES, "fork": {"path": path, "index": index}}
        for index, start in enumerate(starts)
    ]
    starts_kept = keep(visit.host.store, {"starts": given})
    forked: dict[str, Json] = {"starts": starts_kept, "count": len(given)}
    return {**{n: v for n, v in operands.items() if n != "branches"}, "forked": forked}


def begin(visit: "Visit", token: str) -> None:
    """Start the branches, as many as may be under way at once; leave the token with the fork."""
    host, run, operands = visit.host, visit.state.run, visit.state.operands or {}
    path, known = text(operands["path"]), fields(operands["forked"])
    count = _number(known["count"])
    begun: Body = {
        "format": FORMAT,
        "token": token,
        "starts": known["starts"],
        "heads": dict(fields(visit.event["heads"])),
        "count": count,
        "limit": operands.get("limit") or count,
        "next": 0,
        "ended": {},
        "decided": None if count else {"all": True},
    }
    key = _key(run, path)
    if not host.store.put_if_absent(key, begun):
        _change(host.store, key, lambda body: {**body, "token": token})
    bells = add_result_waiter(host.store, ResultWaiter(run, _waiter(path), token))
    if bells or _body(host.store, key)["decided"] is not None:
        _ring(host, run, path)
        return
    _start(host, str(host.table.ref), run, visit.state.seed, path)


def _start(host: "Host", flow: str, run: str, seed: str, path: str) -> None:
    key = _key(run, path)
    starts = _starts(host.store, _body(host.store, key))
    while True:
        body = _body(host.store, key)
        number, ended = _number(body["next"]), len(fields(body["ended"]))
        if body["decided"] is not None or number >= len(starts):
            return
        if number - ended >= _number(body["limit"]):
            return
        heads, start = fields(body["heads"]), dict(fields(starts[number]))
        head = heads.get(str(number)) or heads.get(_name_of(start)) or heads["*"]
        given: dict[str, Json] = {
            "run": {"id": run, "seed": seed},
            "resume": head,
            "fork": {"path": path, "index": number},
            **small(host.store, start),
        }
        host.executions.start(flow, branch_name_of(run, path, number), given)
        _change(host.store, key, _with_next(number + 1))


def _with_next(number: int) -> Callable[[Body], Body]:
    return lambda body: {**body, "next": max(_number(body["next"]), number)}


def _name_of(start: Mapping[str, Json]) -> str:
    branch = start.get("branch")
    return text(branch["name"]) if isinstance(branch, Mapping) else "*"


def branch_over(visit: "Visit", end: dict[str, Json]) -> dict[str, Json]:
    """A branch has ended: note how, decide the fork if that decides it."""
    host, run, state = visit.host, visit.state.run, visit.state
    fork: Mapping[str, Json] = state.fork or {}
    path, index = text(fork["path"]), _number(fork["index"])
    said: Body = {"format": FORMAT, "end": end["end"], "won": end.get("won")}
    won = said["won"]
    if isinstance(won, str) and len(won) > END_BYTES:
        said["won"] = json.dumps({"kept": keep(host.store, fields(json.loads(won)))})
    key = _key(run, path)
    host.store.put_if_absent(_end_key(run, path, index), said)
    now = host.now()
    _change(host.store, key, lambda body: _noted(body, index, now))
    host.settle()
    quorum = state.branch if state.branch is not None and "k" in state.branch else None
    before = _body(host.store, key)
    after = _change(host.store, key, lambda body: _decide(host.store, run, path, body, quorum))
    flow = str(host.table.ref)
    if after["decided"] is None:
        _start(host, flow, run, state.seed, path)
        return {"end": {}}
    if before["decided"] is None and quorum is not None:
        _keep_ends(host.store, run, path, after)
    _stop(host, run, path, after, index)
    _ring(host, run, path)
    return {"end": {}}


def _noted(body: Body, index: int, now: float) -> Body:
    ended = fields(body["ended"])
    if body["decided"] is not None or str(index) in ended:
        return body
    return {**body, "ended": {**ended, str(index): now}}


def _stop(host: "Host", run: str, path: str, body: Body, own: int) -> None:
    """What is under way has lost."""
    for other in range(_number(body["next"])):
        if other != own and str(other) not in fields(body["ended"]):
            name = branch_name_of(run, path, other)
            host.executions.stop(
                str(host.table.ref), generation_name(name, _generation(body, other))
            )


def _ring(host: "Host", run: str, path: str) -> None:
    token = text(_body(host.store, _key(run, path))["token"])
    host.bell.ring(token)
    ring_result_waiter(host.store, Doorbell(token, result_waiter_key(run, _waiter(path))))


def _decide(
    store: "RunStore", run: str, path: str, body: Body, quorum: Mapping[str, Json] | None
) -> Body:
    """Whether that is the end; of branches that end at once the lowest index comes first."""
    if body["decided"] is not None:
        return body
    ended = _in_order(store, run, path, body)
    if quorum is not None:
        ends = [unkept(store, fields(one["end"])) for _, one in ended]
        good, k = sum("value" in end for end in ends), _number(quorum["k"])
        if good < k and len(ends) - good <= _number(quorum["of"]) - k:
            return body
        # A deadline that ended branches ends the quorum.
        fired = [number for end in ends for number in _list(end.get("fired"))]
        won: Body = {"quorum": k, **({"fired": fired} if fired and good < k else {})}
        return {**body, "decided": {"won": won}}
    ways = [json.loads(text(one["won"])) for _, one in ended if one["won"] is not None]
    if ways:
        # A branch that a deadline ended goes behind one that ends by itself at that moment.
        first = min(ways, key=lambda won: "fired" in unkept(store, won))
        return {**body, "decided": {"won": first}}
    return {**body, "decided": {"all": True}} if len(ended) == body["count"] else body


def _in_order(
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


def _keep_ends(store: "RunStore", run: str, path: str, body: Body) -> None:
    """What `perdure.sites.joins` reads of a quorum that was decided."""
    ends: list[Json] = [
        {**unkept(store, fields(one["end"])), "index": index}
        for index, one in _in_order(store, run, path, body)
    ]
    key = Key(partition_of(run), f"ends/{path}")
    store.put_if_absent(key, {"format": FORMAT, "ended": ends, "decided": True})


def outcome(visit: "Visit") -> dict[str, Json]:
    """What the site after the fork is told: who won, or how all have ended."""
    store, run = visit.host.store, visit.state.run
    path = text((visit.state.operands or {})["path"])
    body = _body(store, _key(run, path))
    if body["decided"] is None:  # an execution was ended by its engine, and the run with it
        end = find_run(store, run).end
        raise failure(LOST_BRANCH, {"next": {"error": None if end is None else end.error}})
    decided = fields(body["decided"])
    if "won" in decided:
        return {"won": decided["won"]}
    ends = (_end_of(store, run, path, index)["end"] for index in range(_number(body["count"])))
    return {"outcomes": list(ends)}


def is_over(store: "RunStore", run: str, given: Mapping[str, Json]) -> bool:
    """Whether an execution of that input is of a branch whose fork has ended."""
    fork = given.get("fork")
    if not isinstance(fork, Mapping):
        return False
    return _body(store, _key(run, text(fork["path"])))["decided"] is not None


def branch_name_of(run: str, path: str, index: int) -> str:
    """The run, as `execution_name` takes it, of the execution of a branch."""
    return execution_name(f"{run}/{path}[{index}]~branch")


def _generation(body: Body, index: int) -> int:
    known = body.get("generations")
    return _number(known.get(str(index), 1)) if isinstance(known, Mapping) else 1


def _key(run: str, path: str) -> Key:
    return Key(partition_of(run), f"fork/{path}")


def _end_key(run: str, path: str, index: int) -> Key:
    return Key(partition_of(run), f"fork/{path}/{index:06d}")


def _waiter(path: str) -> str:
    return f"fork {path}"


def _body(store: "RunStore", key: Key) -> Body:
    item = store.get(key)
    assert item is not None, "a fork is noted before it is asked about"
    return dict(item.body)


def _change(store: "RunStore", key: Key, change: Callable[[Body], Body]) -> Body:
    """Write what `change` makes of the item, however many write it at once."""
    while True:
        item = store.get(key)
        assert item is not None, "a fork is noted before it is changed"
        body = change(dict(item.body))
        if body == item.body or store.replace(key, item.version, body):
            return body


def _starts(store: "RunStore", body: Body) -> Sequence[Json]:
    return _list(unkept(store, {"kept": body["starts"]})["starts"])


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _number(value: Json) -> int:
    assert isinstance(value, int | float), "a number of branches"
    return int(value)
