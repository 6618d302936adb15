"""Task groups whose bodies go on waiting with tasks under way.

    async with TaskGroup() as tg:
        tg.create_task(watch(job))       noted in the group, a live value
        answer = await event("answer")   the site before the wait starts the task: an execution
        tg.create_task(tell(answer))     started by the site that ends the body
                                         the fork waits for both

A task that fails while the body is under way decides the group; then its site rings what the body
waits in, and ends the forks and groups in it. The site after a wait sees in the store that the
group is decided: a deadline of the body that has passed, to all that comes then.
"""

from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.sites.deadlines import Deadline, deadlines_of
from perdure.sites.fork_records import (
    Body,
    body_of,
    change,
    forks_below,
    key_of,
    listed,
    start_branch,
    stop_branches,
)
from perdure.sites.state import text
from perdure.store.match import live_waiters
from perdure.store.protocol import FORMAT

if TYPE_CHECKING:
    from perdure.sites.groups import Group
    from perdure.sites.host import Host
    from perdure.sites.visit import Visit
    from perdure.store.protocol import RunStore

__all__ = ["begin_tasks", "close", "end_body", "is_interrupted", "look", "prepared"]

END_BYTES = 8_000


def begin_tasks(visit: "Visit") -> None:
    """Start the tasks that the bodies around this place have created."""
    around = deadlines_of(visit.slots)
    for own in () if around is None else around.stack[around.inherited :]:
        if own.group is not None and own.group.looked < len(own.group.tasks):
            _begin_tasks(visit, own, own.group)


def _begin_tasks(visit: "Visit", own: Deadline, group: "Group") -> None:
    host, state = visit.host, visit.state
    key = key_of(state.run, group.path)
    host.store.put_if_absent(key, _begun(visit, own))
    scope = host.table.scopes[group.scope]
    for index, row in group.begin_next():
        start = visit.prepare.task(group, own, scope, index, row)
        body = change(host.store, key, lambda body: _with(body, index))  # noqa: B023 - at once
        if body["decided"] is None:
            fork: Body = {"path": group.path, "index": index}
            given: Body = {**start, "share": END_BYTES, "fork": fork}
            start_branch(host, state.run, state.seed, scope.head, given)


def _begun(visit: "Visit", own: Deadline) -> Body:
    around = deadlines_of(visit.slots)
    assert around is not None, "a group stands among the deadlines of its scope"
    outer = around.stack[around.inherited : around.stack.index(own)]
    paths: list[Json] = [one.watch for one in outer if one.watch is not None]
    return {
        "format": FORMAT,
        "token": "",
        "count": 0,
        "limit": 0,
        "next": 0,
        "begun": [],
        "ended": {},
        "decided": None,
        "open": True,
        "around": paths,
    }


def _with(body: Body, index: int) -> Body:
    begun = listed(body["begun"])
    return body if index in begun else {**body, "begun": [*begun, index]}


def prepared(visit: "Visit", path: str) -> dict[str, Json]:
    """The operands of the fork that a body ends with: all its tasks are under way."""
    around = deadlines_of(visit.slots)
    groups = [] if around is None else [d.group for d in around.stack if d.watch == path]
    assert len(groups) == 1, "a group stands among the deadlines of its scope"
    assert groups[0] is not None, "it is the scope's own"
    if not groups[0].cancelled:
        begin_tasks(visit)
    return {"count": groups[0].running, "group": groups[0].cancelled}


def close(visit: "Visit", path: str, token: str, count: int, *, cancelled: bool) -> None:
    """The body has ended: its group waits for its tasks, or ends them."""
    host, run = visit.host, visit.state.run
    key = key_of(run, path)
    around = deadlines_of(visit.slots)
    own = None if around is None else next((d for d in around.stack if d.watch == path), None)
    assert own is not None, "a group stands among the deadlines of its scope"
    host.store.put_if_absent(key, _begun(visit, own))
    ends = {"cancelled": True} if cancelled else None
    if ends is None and visit.is_interrupted():
        ends = {"interrupted": True}  # by a group around this one

    def closed(body: Body) -> Body:
        body = {**body, "token": token, "count": count, "open": False}
        if body["decided"] is None and ends is not None:
            return {**body, "decided": {**ends}}
        everything = len(body["ended"]) == count if isinstance(body["ended"], dict) else False
        if body["decided"] is None and everything:
            return {**body, "decided": {"all": True}}
        return body

    if change(host.store, key, closed)["decided"] is not None:
        stop_branches(host, run, path)


def look(visit: "Visit") -> None:
    """See which groups around this place have failed: to their bodies, a deadline passed."""
    around = deadlines_of(visit.slots)
    for one in () if around is None else around.stack:
        if one.watch is not None and one.due is None and one.state == "active":
            one.due = _failed_at(visit.host.store, visit.state.run, one.watch)


def is_interrupted(visit: "Visit") -> bool:
    """Whether a group whose body this is has failed, and nothing has said so to the flow."""
    look(visit)
    around = deadlines_of(visit.slots)
    first = None if around is None else around.first()
    if first is None or first.watch is None or first.due is None:
        return False
    return first.due <= visit.host.now()


def _failed_at(store: "RunStore", run: str, path: str) -> float | None:
    """When a task of the group failed, with its body under way."""
    item = store.get(key_of(run, path))
    at = None if item is None else item.body.get("at")
    return float(at) if isinstance(at, int | float) else None


def end_body(host: "Host", run: str, path: str) -> None:
    """A task has failed: whatever the body waits in ends, the groups in it too."""
    outer, _, _ = path.rpartition("/")
    prefix = f"{outer}/" if outer else ""
    around = [text(one) for one in listed(body_of(host.store, key_of(run, path))["around"])]
    tasks = tuple(f"{one}[" for one in (path, *around))
    for inner in forks_below(host.store, run, prefix):
        if inner in (path, *around) or inner.startswith(tasks):
            continue
        body = body_of(host.store, key_of(run, inner))
        if "begun" in body and inner.rpartition("/")[0] == outer:
            _interrupt(host, run, inner)
            tasks = (*tasks, f"{inner}[")
    for waiter in live_waiters(host.store, run):
        inside = waiter.path.startswith(prefix) and not waiter.path.startswith(tasks)
        if inside and waiter.token is not None:
            host.bell.ring(waiter.token)


def _interrupt(host: "Host", run: str, path: str) -> None:
    """A group in the body of one that has failed."""
    ends: Body = {"interrupted": True}
    key = key_of(run, path)
    body = change(host.store, key, lambda body: {**body, "decided": body["decided"] or ends})
    if body["decided"] == ends and not body["open"]:
        stop_branches(host, run, path)
        host.bell.ring(text(body["token"]))
