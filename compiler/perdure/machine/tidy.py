"""From a draft to a scope's nodes: no empty jumps, nothing unreachable, straight code in one block,
readable pcs.

Before:  1: block (jump) -> 2    2: block a -> 3    3: block b -> 4    4: decision
After:   start: block a, b -> if kind               if kind: decision
"""

from collections.abc import Iterator
from typing import assert_never

from perdure.ir import Slot
from perdure.machine import ir
from perdure.machine.draft import Draft
from perdure.machine.graph import edges, handler_of, may_raise, successors
from perdure.machine.ir import Node, Pc
from perdure.machine.unbound import raising_reads

__all__ = ["tidy"]

_LONGEST = 60


def tidy(draft: Draft, entry: Pc, given: frozenset[Slot]) -> tuple[Pc, dict[Pc, Node]]:
    """The entry and the nodes in program order, under their final names.

    `given`: the slots that are bound at the start.
    """
    nodes = raising_reads(draft.nodes, entry, given)
    entry, nodes = _threaded(entry, nodes)
    nodes = _reachable(entry, nodes)
    nodes = _merged(entry, nodes)
    names = _names(entry, nodes, draft.hints)
    return names[entry], {names[pc]: renamed(node, names) for pc, node in nodes.items()}


def renamed(node: Node, names: dict[Pc, Pc]) -> Node:
    """The node with all its pcs replaced; a handler it can never reach is dropped."""
    if isinstance(node, ir.Catch):
        return node._replace(pc=names[node.pc], next=names[node.next])
    found = handler_of(node)
    handler = None if found is None else names[found]
    pc = names[node.pc]
    match node:
        case ir.Block():
            return node._replace(pc=pc, next=names[node.next], handler=handler)
        case ir.Decision():
            exits = tuple(exit._replace(to=names[exit.to]) for exit in node.exits)
            return node._replace(pc=pc, exits=exits, handler=handler)
        case ir.Operation():
            return node._replace(pc=pc, ok=names[node.ok], handler=handler)
        case ir.ForkNode():
            return node._replace(pc=pc, ok=names[node.ok], handler=handler)
        case ir.Return():
            return node._replace(pc=pc, handler=handler)
        case ir.Raise():
            return node._replace(pc=pc, handler=handler)
        case ir.Reraise():
            return node._replace(pc=pc, handler=handler)
        case _:
            assert_never(node)


def _threaded(entry: Pc, nodes: dict[Pc, Node]) -> tuple[Pc, dict[Pc, Node]]:
    """Jumps to empty blocks go where those go; a block that jumps to itself stays."""
    target: dict[Pc, Pc] = {}
    for pc in nodes:
        chain: list[Pc] = []
        current = pc
        seen: set[Pc] = set()
        while current not in target and current not in seen:
            node = nodes[current]
            seen.add(current)
            if not isinstance(node, ir.Block) or node.code:
                break
            chain.append(current)
            current = node.next
        end = target.get(current, current)
        for one in (*chain, current):
            target[one] = end
    return target[entry], {pc: renamed(n, _pcs(pc, n, target)) for pc, n in nodes.items()}


def _pcs(pc: Pc, node: Node, target: dict[Pc, Pc]) -> dict[Pc, Pc]:
    handler = handler_of(node)
    around = successors(node) if handler is None else (*successors(node), handler)
    return {**{to: target[to] for to in around}, pc: pc}


def _reachable(entry: Pc, nodes: dict[Pc, Node]) -> dict[Pc, Node]:
    seen = {entry}
    stack = [entry]
    while stack:
        node = nodes[stack.pop()]
        for pc in edges(node):
            if pc not in seen:
                seen.add(pc)
                stack.append(pc)
    return {pc: node for pc, node in nodes.items() if pc in seen}


def _merged(entry: Pc, nodes: dict[Pc, Node]) -> dict[Pc, Node]:
    """A block takes in the block after it that nobody else goes to."""
    coming: dict[Pc, int] = {entry: 1}
    for node in nodes.values():
        for pc in edges(node):
            coming[pc] = coming.get(pc, 0) + 1
    result = dict(nodes)
    for pc in nodes:
        found = result.get(pc)
        if not isinstance(found, ir.Block):
            continue
        node = found
        code = list(node.code)
        after = node.next
        handler = handler_of(node)
        while (
            coming[after] == 1
            and after != pc
            and isinstance(follower := result[after], ir.Block)
            and follower.frame is node.frame
            and not (_moves_frames(node, last=True) or _moves_frames(follower))
            # Code that cannot raise stays apart from code whose handler could see half of it.
            and (not may_raise(follower) or handler_of(follower) == handler)
        ):
            code.extend(follower.code)
            del result[after]
            after = follower.next
        if after != node.next:
            result[pc] = node._replace(code=tuple(code), next=after, handler=handler)
    return result


def _moves_frames(block: ir.Block, *, last: bool = False) -> bool:
    """Whether a call of a recursive helper puts slots aside there, or takes them again.

    Such a block stands alone, but for what follows a call: locals of code before it are in their
    slots.
    """
    for code in block.code:
        match code:
            case ir.Restore():
                return True
            case ir.Enter(saves=ir.Saved()):
                return not last
            case ir.Enter(callee=callee) if callee is block.frame:
                return True  # a branch calls the helper that it stands in
            case _:
                pass
    return False


def _names(entry: Pc, nodes: dict[Pc, Node], hints: dict[Pc, str]) -> dict[Pc, Pc]:
    before: dict[Pc, str] = {}
    for pc, node in nodes.items():
        for to, hint in _suggestions(node, hints.get(pc, "")):
            before.setdefault(to, hint)
    taken: dict[str, int] = {}
    names: dict[Pc, Pc] = {}
    for pc in nodes:
        wish = hints.get(pc) or ("start" if pc == entry else before.get(pc, "then"))
        wish = _short(wish)
        taken[wish] = count = taken.get(wish, 0) + 1
        name = wish if count == 1 else f"{wish}.{count}"
        while count > 1 and name in taken:
            count += 1
            name = f"{wish}.{count}"
        taken.setdefault(name, 1)
        names[pc] = name
    return names


def _suggestions(node: Node, name: str) -> Iterator[tuple[Pc, str]]:
    match node:
        case ir.Operation() | ir.ForkNode():
            yield node.ok, f"after {name}"
        case ir.Decision():
            for exit in node.exits:
                yield exit.to, f"{name}: {exit.name}"
        case ir.Catch():
            yield node.next, f"{name}: body"
        case ir.Block():
            yield node.next, f"after {name}" if name else "then"
        case _:
            return


def _short(name: str) -> str:
    one_line = " ".join(name.split())
    return one_line if len(one_line) <= _LONGEST else one_line[: _LONGEST - 3].rstrip() + "..."
