"""Branches that are executions of their own: started, ended, told to the fork.

    walk.gather      a Task with a token: the site behind it starts an execution for each branch
    a branch         an execution of the same machine that begins at the branch's first state; the
                     site that ends it notes how, and whether that decides the fork
    the last one     rings the token; what is left is stopped

What is known of a fork lies in the run store, below the run:

    fork/<path>            {"token", "starts", "count", "limit", "next", "ended",
                           "decided", "at"}
    fork/<path>/<index>    how that branch ended; the first word counts

Names of executions come from run, path and index, so whatever is delivered twice starts nothing
twice. The end of the run rings the token too: then an engine has ended a branch, and the run.

The tasks of a group whose body goes on waiting are started as the body comes to its waits
(`open`); a task that fails then ends the wait of the body: see `perdure.sites.open_groups`.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.sites import fork_records, open_groups
from perdure.sites.error_names import LOST_BRANCH
from perdure.sites.failures import failure
from perdure.sites.fork_records import (
    Body,
    body_of,
    change,
    ended_branch,
    in_order,
    key_of,
    listed,
    number,
    start_branch,
    stop_branches,
)
from perdure.sites.keep import keep, unkept
from perdure.sites.state import fields, text
from perdure.sites.table import branch_name
from perdure.store.protocol import FORMAT, Doorbell, Key, ResultWaiter
from perdure.store.records import partition_of, result_waiter_key
from perdure.store.runs import add_result_waiter, find_run, ring_result_waiter

if TYPE_CHECKING:
    from perdure.sites.host import Host
    from perdure.sites.visit import Visit
    from perdure.store.protocol import RunStore

__all__ = ["begin", "branch_over", "is_over", "outcome", "prepared"]

END_BYTES = 8_000
"""Of the end of a branch; a larger one goes by reference."""


def prepared(visit: "Visit", pc: str, operands: dict[str, Json]) -> dict[str, Json]:
    """The operands of such a fork: its branches by reference, each knows which it is."""
    starts, path = listed(operands["branches"]), text(operands["path"])
    if "group" in operands:
        return {"path": path, "forked": open_groups.prepared(visit, path)}
    scopes = visit.node(pc).branches
    heads: dict[str, Json] = {branch_name(id): visit.host.table.scopes[id].head for id in scopes}
    given: list[Json] = [
        {**fields(start), "share": END_BYTES, "fork": {"path": path, "index": index}}
        for index, start in enumerate(starts)
    ]
    forked: dict[str, Json] = {
        "starts": keep(visit.host.store, {"starts": given, "heads": heads}),
        "count": len(given),
    }
    return {**{n: v for n, v in operands.items() if n != "branches"}, "forked": forked}


def begin(visit: "Visit", token: str) -> None:
    """Start the branches, as many as may be under way at once; leave the token with the fork."""
    host, run, operands = visit.host, visit.state.run, visit.state.operands or {}
    path, known = text(operands["path"]), fields(operands["forked"])
    key, store = key_of(run, path), host.store
    count = number(known["count"])
    if "group" in known:
        open_groups.close(visit, path, token, count, cancelled=bool(known["group"]))
    else:
        begun: Body = {
            "format": FORMAT,
            "token": token,
            "starts": known["starts"],
            "count": count,
            "limit": operands.get("limit") or count,
            "next": 0,
            "ended": {},
            "decided": None if count else {"all": True},
        }
        if not store.put_if_absent(key, begun):
            change(store, key, lambda body: {**body, "token": token})
    own = visit.state.fork
    if own is not None and is_over(store, run, {"fork": dict(own)}):
        change(store, key, lambda body: {**body, "decided": body["decided"] or {"lost": True}})
        return  # this branch has lost: its execution is being stopped
    bells = add_result_waiter(store, ResultWaiter(run, _waiter(path), token))
    if bells or body_of(store, key)["decided"] is not None:
        ring(host, run, path)
        return
    _start(host, run, visit.state.seed, path)


def _start(host: "Host", run: str, seed: str, path: str) -> None:
    key = key_of(run, path)
    if "starts" not in body_of(host.store, key):
        return  # of a group: its tasks have begun already
    known = unkept(host.store, {"kept": body_of(host.store, key)["starts"]})
    starts, heads = listed(known["starts"]), fields(known["heads"])
    while True:
        body = body_of(host.store, key)
        index, ended = number(body["next"]), len(fields(body["ended"]))
        if body["decided"] is not None or index >= len(starts):
            return
        if index - ended >= number(body["limit"]):
            return
        start = fields(starts[index])
        head = heads.get(str(index)) or heads.get(_name_of(start)) or heads["*"]
        start_branch(host, run, seed, text(head), start)
        change(host.store, key, fork_records.with_next(index + 1))


def _name_of(start: Mapping[str, Json]) -> str:
    branch = start.get("branch")
    return text(branch["name"]) if isinstance(branch, Mapping) else "*"


def branch_over(visit: "Visit", end: dict[str, Json]) -> dict[str, Json]:
    """A branch has ended: note how, decide the fork if that decides it."""
    host, run, state = visit.host, visit.state.run, visit.state
    fork: Mapping[str, Json] = state.fork or {}
    path, index = text(fork["path"]), number(fork["index"])
    said: Body = {"format": FORMAT, "end": end["end"], "won": end.get("won")}
    won = said["won"]
    if isinstance(won, str) and len(won) > END_BYTES:
        said["won"] = json.dumps({"kept": keep(host.store, fields(json.loads(won)))})
    key = key_of(run, path)
    ended_branch(host.store, run, path, index, said, host.now())
    host.settle(visit.depth())
    quorum = state.branch if state.branch is not None and "k" in state.branch else None
    before = body_of(host.store, key)
    now = host.now()
    after = change(host.store, key, lambda body: decided(host.store, run, path, body, quorum, now))
    if after["decided"] is None:
        _start(host, run, state.seed, path)
        return {"end": {}}
    if before["decided"] is None and quorum is not None:
        _keep_ends(host.store, run, path, after)
    stop_branches(host, run, path, own=index)
    if after.get("open"):
        open_groups.end_body(host, run, path)
    else:
        ring(host, run, path)
    return {"end": {}}


def ring(host: "Host", run: str, path: str) -> None:
    """Tell whoever waits for the fork."""
    token = text(body_of(host.store, key_of(run, path))["token"])
    host.bell.ring(token)
    ring_result_waiter(host.store, Doorbell(token, result_waiter_key(run, _waiter(path))))


def decided(  # noqa: PLR0917
    store: "RunStore",
    run: str,
    path: str,
    body: Body,
    quorum: Mapping[str, Json] | None,
    now: float,
) -> Body:
    """Whether that is the end; of branches that end at once the lowest index comes first."""
    if body["decided"] is not None:
        return body
    ended = in_order(store, run, path, body)
    if quorum is not None:
        ends = [unkept(store, fields(one["end"])) for _, one in ended]
        good, k = sum("value" in end for end in ends), number(quorum["k"])
        if good < k and len(ends) - good <= number(quorum["of"]) - k:
            return body
        # A deadline that ended branches ends the quorum.
        fired = [number for end in ends for number in listed(end.get("fired"))]
        won: Body = {"quorum": k, **({"fired": fired} if fired and good < k else {})}
        return {**body, "decided": {"won": won}, "at": now}
    ways = [json.loads(text(one["won"])) for _, one in ended if one["won"] is not None]
    if ways:
        # A branch that a deadline ended goes behind one that ends by itself at that moment.
        first = min(ways, key=lambda won: "fired" in unkept(store, won))
        return {**body, "decided": {"won": first}, "at": now}
    is_all = len(ended) == body["count"] and not body.get("open")
    return {**body, "decided": {"all": True}} if is_all else body


def _keep_ends(store: "RunStore", run: str, path: str, body: Body) -> None:
    """What `perdure.sites.joins` reads of a quorum that was decided."""
    ends: list[Json] = [
        {**unkept(store, fields(one["end"])), "index": index}
        for index, one in in_order(store, run, path, body)
    ]
    key = Key(partition_of(run), f"ends/{path}")
    store.put_if_absent(key, {"format": FORMAT, "ended": ends, "decided": True})


def outcome(visit: "Visit") -> dict[str, Json]:
    """What the site after the fork is told: who won, or how all have ended."""
    store, run = visit.host.store, visit.state.run
    path = text((visit.state.operands or {})["path"])
    body = body_of(store, key_of(run, path))
    if body["decided"] is None:  # an execution was ended by its engine, and the run with it
        end = find_run(store, run).end
        raise failure(LOST_BRANCH, {"next": {"error": None if end is None else end.error}})
    way = fields(body["decided"])
    if "all" not in way:
        return dict(way)
    ended = sorted(in_order(store, run, path, body), key=lambda one: one[0])
    return {"outcomes": [end["end"] for _, end in ended]}


def is_over(store: "RunStore", run: str, given: Mapping[str, Json]) -> bool:
    """Whether an execution of that input is of a branch whose fork has ended."""
    fork = given.get("fork")
    if not isinstance(fork, Mapping):
        return False
    return body_of(store, key_of(run, text(fork["path"])))["decided"] is not None


def _waiter(path: str) -> str:
    return f"fork {path}"
