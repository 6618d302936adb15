"""Forks, as the sites see them that end a branch, and that come after all of them.

A branch says as data how it ended; one that ends its fork says so too (`won`, see `asl_ends`). The
site after the fork makes a value of that, or an error.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.sites import children, deadlines_of, forked, joins, wide
from perdure.sites.keep import CAUSE_CHARACTERS, keep, size_of, unkept
from perdure.sites.state import fields, text

if TYPE_CHECKING:
    from perdure.sites.visit import Visit

__all__ = ["branch_end", "joined"]


def joined(visit: "Visit", along: Mapping[str, Json]) -> object:
    """The value of the fork before; its error is raised."""
    operands, kind = visit.state.operands or {}, text(along["kind"])
    if "forked" in along:
        along = {**along, **forked.outcome(visit)}
    if "cancelled" in along or "interrupted" in along:
        return _cut_short(visit, along, text(operands["path"]))
    if "won" in along:
        return _won(visit, along, operands, kind)
    store = visit.host.store
    ends = wide.outcomes_of(visit) if "chunks" in along else _list(along["outcomes"])
    outcomes: list[Json] = [dict(unkept(store, fields(end))) for end in ends]
    if kind == "group":
        return _tasks(visit, outcomes)
    if visit.is_cancelled():
        raise asyncio.CancelledError
    _pass_deadlines(visit, outcomes)
    if kind == "quorum":
        raise joins.quorum_failed(outcomes, int(str(operands["quorum"])))
    return_exceptions = bool(operands.get("return_exceptions", False))
    return joins.gathered(outcomes, return_exceptions=return_exceptions)


def _won(
    visit: "Visit", along: Mapping[str, Json], operands: Mapping[str, Json], kind: str
) -> object:
    store, run, path = visit.host.store, visit.state.run, text(operands["path"])
    won = dict(unkept(store, fields(along["won"])))
    children.end_overtaken(visit, text(along["origin"]), path)
    _pass_deadlines(visit, [won])
    if "quorum" in won:
        return joins.quorum_value(store, run, path, int(str(won["quorum"])))
    if kind == "group":
        raise joins.group_failed(store, run, path, won)
    return joins.won(won, kind)


def _cut_short(visit: "Visit", along: Mapping[str, Json], path: str) -> object:
    """How the tasks of a group ended that its body has cancelled, or a group around it."""
    children.end_overtaken(visit, text(along["origin"]), path)
    ended = joins.kept_ends(visit.host.store, visit.state.run, path)
    try:
        if visit.is_cancelled():
            raise asyncio.CancelledError
        if "interrupted" in along:
            visit.pass_deadline()
    except asyncio.CancelledError as error:
        vars(error)["ended_tasks"] = ended
        raise
    return ended


def _tasks(visit: "Visit", outcomes: Sequence[Json]) -> object:
    """How the tasks of a group ended, also where they were cancelled with it."""
    ended = joins.tasks_ended(outcomes)
    try:
        if visit.is_cancelled():
            raise asyncio.CancelledError
        _pass_deadlines(visit, outcomes)
    except asyncio.CancelledError as error:
        vars(error)["ended_tasks"] = ended
        raise
    return ended


def _pass_deadlines(visit: "Visit", outcomes: Iterable[Json]) -> None:
    """A deadline that ended a branch of the fork before ends the fork."""
    numbers = {int(str(n)) for one in outcomes for n in _list(fields(one).get("fired"))}
    around = deadlines_of(visit.slots)
    if not numbers or around is None:
        return
    for number in sorted(numbers):
        if not around.stack[number].expired():
            around.fire(around.stack[number])
    raise asyncio.CancelledError


def branch_end(visit: "Visit", kind: str, data: Json) -> dict[str, Json]:
    """How a branch ends, by value or by error; and what it says if that is the end of its fork."""
    around = deadlines_of(visit.slots)
    fired = [] if around is None else list(around.fired())
    more: dict[str, Json] = {"fired": [*fired]} if fired else {}
    branch = visit.state.branch
    if branch is not None:
        more["index"] = branch["index"]
    if kind == "error" and (fired or visit.state.cancelled) and joins.is_cancel(data):
        more["gone"] = True  # with its fork: it does not count
    whole: dict[str, Json] = {kind: data, **more}
    share = visit.state.share
    if share and size_of(whole) > share:
        whole = {"kept": keep(visit.host.store, whole)}
    end: dict[str, Json] = {"end": whole}
    won = None if branch is None else _decision(visit, branch, kind, {kind: data, **more})
    if won is not None:
        end["won"] = json.dumps({**won, **more})
    return end if visit.state.fork is None else forked.branch_over(visit, end)


def _decision(
    visit: "Visit", branch: Mapping[str, Json], kind: str, end: Mapping[str, Json]
) -> dict[str, Json] | None:
    """What the end of this branch says if it is the end of its fork."""
    data = end[kind]
    store, run = visit.host.store, visit.state.run

    def settle() -> None:
        visit.host.settle(visit.depth())

    match visit.event.get("wins"):
        case "race":
            decides = True
        case "first":
            decides = kind == "value"
        case "fail_fast":
            decides = kind == "error" and branch["fast"] is True
        case "group":
            if kind == "value" and branch["keep"]:
                joins.keep_end(store, run, branch, {kind: data})
            decides = kind == "error" and not joins.is_cancel(data)
        case "quorum":
            if "gone" in end or not joins.count_end(
                store, run, branch, {kind: data}, now=visit.host.now(), settle=settle
            ):
                return None
            return {"quorum": branch["k"]}
        case _:
            return None
    if not decides:
        return None
    settle()
    said: dict[str, Json] = {kind: data}
    if len(json.dumps(data)) > CAUSE_CHARACTERS // 2:
        said = {"kept": keep(store, said)}
    return {"name": branch["name"], **said}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
