"""The line: which waiters of a run and name somebody still has to look at, in order.

One item per name holds their paths: a waiter joins when it is registered and leaves once it is
decided and its doorbell was rung. It is a hint for speed; the waiters themselves decide.
"""

from collections.abc import Sequence

from perdure.runtime.paths import natural
from perdure.store.protocol import FORMAT, Item, Json, RunStore, Waiter
from perdure.store.records import Body, line_key, partition_of, waiter_key, waiter_record

__all__ = ["in_line", "join_line", "leave_line"]


def join_line(store: RunStore, waiter: Waiter) -> None:
    """Put the waiter into the line of each of its names."""
    for name in waiter.names:
        key = line_key(waiter.run, name)
        while True:
            item = store.get(key)
            if item is None:
                if store.put_if_absent(key, _body([waiter.path])):
                    break
                continue
            paths = _paths(item)
            if waiter.path in paths:
                break
            if store.replace(key, item.version, _body([*paths, waiter.path])):
                break


def leave_line(store: RunStore, run: str, name: str, paths: Sequence[str]) -> None:
    """Take waiters out of the line of a name; somebody else's write meanwhile puts it off."""
    item = store.get(line_key(run, name))
    if item is not None:
        rest = [path for path in _paths(item) if path not in paths]
        store.replace(item.key, item.version, _body(rest))


def in_line(store: RunStore, run: str, name: str | None = None) -> list[Waiter]:
    """Return the waiters in line (for one name), by the time they began, then by lower index."""
    if name is None:
        lines = store.query(partition_of(run), "line/")
    else:
        item = store.get(line_key(run, name))
        lines = [] if item is None else [item]
    paths = {path: None for line in lines for path in _paths(line)}
    found = (store.get(waiter_key(run, path)) for path in paths)
    waiters = [waiter_record(item) for item in found if item is not None]
    return sorted(waiters, key=lambda waiter: (waiter.since, natural(waiter.path)))


def _paths(item: Item) -> tuple[str, ...]:
    return Body(item).texts("paths")


def _body(paths: Sequence[str]) -> dict[str, Json]:
    return {"format": FORMAT, "paths": list(paths)}
