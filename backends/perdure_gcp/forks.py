"""Forks that may end before all their branches have: each branch is an execution of its own.

Nothing in Workflows ends a branch of a `parallel` step from outside. So the branches of a race, a
quorum, a group or a `gather(fail_fast=True)`, and those that wait in numbers, are executions of the
same workflow, begun at another routine. The run store has what is known of the fork, in one item:

    fork/<path>   {"token", "starts", "count", "limit", "next", "ended", "decided"}

A branch that has ended says so here; the one that decides rings the fork's callback, and stops the
others.
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json, encode_error
from perdure.errors import StepLost
from perdure.sites.executions import execution_name
from perdure.sites.host import DEEPER
from perdure.sites.keep import keep, unkept
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Key
from perdure.store.records import partition_of
from perdure_gcp.generations import LONGEST_END, share_of, without_steps

if TYPE_CHECKING:
    from perdure.sites.host import Host

__all__ = ["begin", "branch_over", "is_decided", "outcome"]

type Body = dict[str, Json]


def begin(host: "Host", ask: Mapping[str, Json], data: Mapping[str, Json], token: str) -> None:
    """Start the branches, once; and leave the token with the fork, each time anew."""
    run = text(fields(data["run"])["id"])
    operands = fields(unkept(host.store, data)["operands"])
    starts = operands["branches"]
    assert isinstance(starts, list), "branches are a list"
    key, routines = _key(run, text(operands["path"])), fields(ask["routines"])
    begun: Body = {
        "format": FORMAT,
        "token": token,
        "starts": keep(host.store, {"starts": _branches(starts, routines)}),
        "count": len(starts),
        "limit": operands.get("limit") or len(starts),
        "next": 0,
        "ended": {},
        "decided": None if starts else {"all": True},
    }
    if not host.store.put_if_absent(key, begun):
        _change(host, key, lambda body: {**body, "token": token})
    _start(host, text(ask["flow"]), run, text(operands["path"]))


def _branches(starts: list[Json], routines: Mapping[str, Json]) -> list[Json]:
    """Routine and state of each branch: by its name, or by its place."""
    given: list[Json] = []
    for number, start in enumerate(starts):
        branch = fields(start).get("branch")
        name = list(routines)[number] if number < len(routines) else "*"
        if isinstance(branch, Mapping):
            name = text(branch["name"])
        given.append({"routine": routines.get(name) or routines["*"], "state": start})
    return given


def _start(host: "Host", flow: str, run: str, path: str) -> None:
    """Start branches, as many as may be under way at once."""
    key = _key(run, path)
    starts = _starts(host, _body(host, key))
    while True:
        body = _body(host, key)
        number, ended = _count(body["next"]), len(fields(body["ended"]))
        if body["decided"] is not None or number >= len(starts):
            return
        if number - ended >= _count(body["limit"]):
            return
        start = fields(starts[number])
        given: Body = {
            "branch": start["routine"],
            "state": _short(host, fields(start["state"])),
            "fork": path,
            "index": number,
        }
        host.executions.start(flow, _name(run, path, number), given)
        _change(host, key, lambda old: {**old, "next": max(_count(old["next"]), number + 1)})  # noqa: B023 - called at once


def branch_over(host: "Host", ask: Mapping[str, Json], state: Mapping[str, Json]) -> None:
    """A branch has ended: note how, decide the fork if that decides it."""
    data = fields(json.loads(text(state["state"])))
    run, path = text(fields(unkept(host.store, data)["run"])["id"]), text(state["fork"])
    number, end, won = _count(state["index"]), state.get("end"), state.get("won")
    if not isinstance(end, str):
        lost = StepLost(f"{path}[{number}]: the branch was lost")
        end = json.dumps({"error": encode_error(lost)})
        won = json.dumps({"index": number, "name": str(number), **json.loads(end)})
    key = _key(run, path)
    most = share_of(_count(_body(host, key)["count"]))
    said: Body = {
        "end": _shortened(host, end, most),
        "won": _shortened(host, won, most) if isinstance(won, str) and won else None,
    }
    branch = unkept(host.store, data).get("branch")
    quorum = branch if isinstance(branch, Mapping) and "k" in branch else None
    said["time"] = host.now()

    def note(body: Body) -> Body:
        if body["decided"] is not None:
            return body
        return {**body, "ended": {**fields(body["ended"]), str(number): said}}

    _change(host, key, note)
    host.settle(DEEPER * run.count("/") + path.count("[") + 1)
    flow = text(ask["flow"])
    before = _body(host, key)
    after = _change(host, key, lambda body: _decide(host, body, quorum))
    if after["decided"] is None:
        _start(host, flow, run, path)
    elif before["decided"] is None:
        if quorum is not None:
            _keep_ends(host, run, path, after)
        for other in range(_count(after["next"])):
            if str(other) not in fields(after["ended"]):
                host.executions.stop(flow, _name(run, path, other))
        host.bell.ring(text(after["token"]))


def _decide(host: "Host", body: Body, quorum: Mapping[str, Json] | None) -> Body:
    """Whether that is the end; of branches that end at once the lowest index comes first."""
    ended = fields(body["ended"])
    if body["decided"] is not None:
        return body
    if quorum is not None:
        ends = [_end_of(host, one) for one in _in_order(body)]
        good, k = sum("value" in end for end in ends), _count(quorum["k"])
        if good < k and any("gone" in end and "fired" not in end for end in ends):
            # The run is cancelled, and the quorum with it.
            return {**body, "decided": {"all": True}} if len(ends) == body["count"] else body
        if good >= k or len(ends) - good > _count(quorum["of"]) - k:
            # A deadline that ended branches ends the quorum.
            fired = [number for end in ends for number in _numbers(end.get("fired"))]
            won: Body = {"quorum": k, **({"fired": [*fired]} if fired and good < k else {})}
            return {**body, "decided": {"won": json.dumps(won)}}
        return body
    ways = (text(one["won"]) for one in _in_order(body) if one["won"] is not None)
    wins = [unkept(host.store, json.loads(won)) for won in ways]
    if wins:
        # A branch that a deadline ended goes behind one that ends by itself at that moment.
        first = min(wins, key=lambda won: "fired" in won)
        return {**body, "decided": {"won": _shortened(host, json.dumps(first), LONGEST_END)}}
    return {**body, "decided": {"all": True}} if len(ended) == body["count"] else body


def _in_order(body: Body) -> list[Mapping[str, Json]]:
    """How branches ended, in the order of ending; at one moment, of their indices."""
    ended = fields(body["ended"])
    found = [{**fields(ended[str(number)]), "index": number} for number in map(int, ended)]
    return sorted(found, key=lambda one: (float(str(one["time"])), int(str(one["index"]))))


def _end_of(host: "Host", one: Mapping[str, Json]) -> Mapping[str, Json]:
    return without_steps(unkept(host.store, json.loads(text(one["end"]))))


def _keep_ends(host: "Host", run: str, path: str, body: Body) -> None:
    """What `perdure.sites.joins` reads of a quorum that was decided."""
    ends: list[Json] = [{**_end_of(host, one), "index": one["index"]} for one in _in_order(body)]
    key = Key(partition_of(run), f"ends/{path}")
    host.store.put_if_absent(key, {"format": FORMAT, "ended": ends, "decided": True})


def is_decided(host: "Host", data: Mapping[str, Json]) -> bool:
    """Whether the fork has ended."""
    return _body(host, _key_of(host, data))["decided"] is not None


def outcome(host: "Host", data: Mapping[str, Json]) -> dict[str, Json]:
    """What the site after the fork is told: who won, or how all have ended."""
    body = _body(host, _key_of(host, data))
    decided, ended = fields(body["decided"]), fields(body["ended"])
    if "won" in decided:
        return {"won": dict(unkept(host.store, json.loads(text(decided["won"]))))}
    ends = (json.loads(text(fields(ended[str(n)])["end"])) for n in range(len(ended)))
    return {"outcomes": [without_steps(end) for end in ends]}


def _key_of(host: "Host", data: Mapping[str, Json]) -> Key:
    whole = unkept(host.store, data)
    run = text(fields(whole["run"])["id"])
    return _key(run, text(fields(whole["operands"])["path"]))


def _key(run: str, path: str) -> Key:
    return Key(partition_of(run), f"fork/{path}")


def _name(run: str, path: str, number: int) -> str:
    return execution_name(f"{run}/{path}[{number}]~branch")


def _body(host: "Host", key: Key) -> Body:
    item = host.store.get(key)
    assert item is not None, "a fork is noted before it is asked about"
    return dict(item.body)


def _change(host: "Host", key: Key, change: Callable[[Body], Body]) -> Body:
    """Write what `change` makes of the item, however many write it at once."""
    while True:
        item = host.store.get(key)
        assert item is not None, "a fork is noted before it is changed"
        body = change(dict(item.body))
        if body == item.body or host.store.replace(key, item.version, body):
            return body


def _starts(host: "Host", body: Body) -> list[Json]:
    starts = unkept(host.store, {"kept": body["starts"]})["starts"]
    assert isinstance(starts, list), "starts are a list"
    return starts


def _short(host: "Host", state: Mapping[str, Json]) -> str:
    """An argument has 32 KB: a longer state goes by reference."""
    whole = json.dumps(state, ensure_ascii=False, separators=(",", ":"))
    if len(whole) <= 8_000:
        return whole
    return json.dumps({"kept": keep(host.store, state), "run": state["run"]})


def _shortened(host: "Host", written: str, most: int) -> str:
    """The text of an object; that of its digest where it is long: an item has little room."""
    if len(written) <= most:
        return written
    return json.dumps({"kept": keep(host.store, fields(json.loads(written)))})


def _numbers(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _count(value: Json) -> int:
    assert isinstance(value, int), "a number of branches"
    return value
