"""Wide gathers: more branches than one execution can have go to several, in chunks.

    gather(*[approval(n) for n in range(100)])    waits: 40 in each, all at once
    gather(*[fetch(n) for n in range(5_000)])     steps: 200 in each

The site before finds it out and fails by a name of its own; a Task with a token waits instead of
the Map. A chunk is an execution of the same machine that begins at the Map, with its own items; the
site behind the Map keeps how they ended, and ends the execution. The last one rings the token.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.sites.error_names import CHUNK
from perdure.sites.executions import execution_name
from perdure.sites.failures import failure
from perdure.sites.keep import keep, small, unkept
from perdure.sites.state import fields, text
from perdure.sites.table import Operation
from perdure.store.protocol import FORMAT, Doorbell, Key, ResultWaiter
from perdure.store.records import partition_of, result_waiter_key, result_waiter_record
from perdure.store.runs import add_result_waiter, find_run, ring_result_waiter

if TYPE_CHECKING:
    from perdure.sites.visit import Visit

__all__ = ["begin_chunks", "end_chunk", "outcomes_of", "prepared"]

WAITING = 40
"""Branches of a chunk that wait: all of them are under way at once."""
STEPS = 200
"""Branches of a chunk that may queue."""
EVENTS = 12_000
"""Of a history: what branches of one execution may have."""
EVENTS_OF_A_NODE = 8
BRANCHES = 700
"""Of one execution: their references have to fit into its state."""


def prepared(visit: "Visit", pc: str, operands: dict[str, Json]) -> dict[str, Json]:
    """The operands of a fork; where its branches are too many, by reference and in chunks."""
    starts, may_be_wide = operands["branches"], operands.pop("wide", False)
    assert isinstance(starts, list), "the branches of a fork are a list"
    table = visit.host.table.scopes
    scopes = [table[id] for id in visit.node(pc).branches]
    events = len(starts) * EVENTS_OF_A_NODE * max((len(one.nodes) for one in scopes), default=0)
    waits = any(
        isinstance(node, Operation) and node.kind != "run"
        for one in scopes
        for node in one.nodes.values()
    )
    fits = len(starts) <= WAITING if waits else events <= EVENTS and len(starts) <= BRANCHES
    if fits or not may_be_wide:
        if not visit.scope_id or visit.state.fork is not None:
            visit.state.events += events
        return operands
    size = WAITING if waits else STEPS
    wide: dict[str, Json] = {
        "starts": keep(visit.host.store, {"starts": starts}),
        "size": size,
        "of": -(-len(starts) // size),
    }
    return {**{n: v for n, v in operands.items() if n != "branches"}, "wide": wide}


def begin_chunks(visit: "Visit", token: str) -> None:
    """Start the chunks; the end of the last one, or of the run, rings the token."""
    state, operands = visit.state, visit.state.operands or {}
    wide, path = fields(operands["wide"]), text(operands["path"])
    waiter = ResultWaiter(state.run, _waiter(path), token)
    bells = add_result_waiter(visit.host.store, waiter)
    if bells:
        visit.host.bell.ring(token)
        return
    # With a limit one chunk follows the other: no more than the limit are ever under way.
    first = range(1 if operands.get("limit") else int(str(wide["of"])))
    for number in first:
        _start(visit, {"pc": text(visit.event["wide"]), "operands": dict(operands)}, number)
    _ring_if_all(visit, path, int(str(wide["of"])))


def _start(visit: "Visit", chunk: Mapping[str, Json], number: int) -> None:
    host, state = visit.host, visit.state
    operands = fields(chunk["operands"])
    wide, size = fields(operands["wide"]), int(str(fields(operands["wide"])["size"]))
    starts = unkept(host.store, {"kept": wide["starts"]})["starts"]
    assert isinstance(starts, list), "they were kept as a list"
    mine = starts[number * size : (number + 1) * size]
    given: dict[str, Json] = {n: v for n, v in operands.items() if n != "wide"}
    branches: list[Json] = [{"kept": keep(host.store, fields(start))} for start in mine]
    data: dict[str, Json] = {
        **state.write(),
        "slots": {},
        "operands": {**given, "branches": branches},
        "chunk": {**chunk, "number": number},
    }
    path = text(operands["path"])
    name = execution_name(f"{state.run}/{path}", f"chunk {number}")
    run: dict[str, Json] = {"id": state.run, "seed": state.seed}
    host.executions.start(
        str(host.table.ref),
        name,
        {"run": run, "resume": text(chunk["pc"]), **small(host.store, data)},
    )


def end_chunk(visit: "Visit", chunk: Mapping[str, Json]) -> None:
    """Behind the Map of a chunk: keep how its branches ended; the execution is over."""
    store, along = visit.host.store, visit.state.along or {}
    operands, number = fields(chunk["operands"]), int(str(chunk["number"]))
    path, of = text(operands["path"]), int(str(fields(operands["wide"])["of"]))
    body: dict[str, Json] = {"format": FORMAT, "outcomes": along["outcomes"]}
    store.put_if_absent(Key(partition_of(visit.state.run), f"{_prefix(path)}{number:06d}"), body)
    if operands.get("limit") and number + 1 < of:
        _start(visit, {"pc": chunk["pc"], "operands": dict(operands)}, number + 1)
    _ring_if_all(visit, path, of)
    raise failure(CHUNK, {"next": {}})


def _ring_if_all(visit: "Visit", path: str, of: int) -> None:
    store, run = visit.host.store, visit.state.run
    if len(store.query(partition_of(run), _prefix(path))) < of:
        return
    key = result_waiter_key(run, _waiter(path))
    item = store.get(key)
    if item is not None:
        token = result_waiter_record(item).token
        visit.host.bell.ring(token)
        ring_result_waiter(store, Doorbell(token, key))


def outcomes_of(visit: "Visit") -> list[Json]:
    """How all branches have ended, in their order."""
    operands = visit.state.operands or {}
    path, of = text(operands["path"]), int(str(fields(operands["wide"])["of"]))
    items = visit.host.store.query(partition_of(visit.state.run), _prefix(path))
    if len(items) < of:  # an execution was ended by Step Functions, and the run with it
        end = find_run(visit.host.store, visit.state.run).end
        raise failure("LimitExceeded", {"next": {"error": None if end is None else end.error}})
    found: list[Json] = []
    for item in items:
        outcomes = item.body["outcomes"]
        assert isinstance(outcomes, list), "the branches of a fork end as a list"
        found.extend(outcomes)
    return found


def _prefix(path: str) -> str:
    return f"chunk/{path}/"


def _waiter(path: str) -> str:
    return f"wide {path}"
