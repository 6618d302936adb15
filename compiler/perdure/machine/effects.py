"""What a node does to slots: reads, may bind or unbind, surely binds. In slots, not in names.

Comes in: a node. Goes out: `Effects`; for operations, of evaluating their operands.
"""

import ast
from collections.abc import Iterable
from typing import NamedTuple, assert_never, final

from perdure.ir import Facts, Slot
from perdure.machine import ir
from perdure.uses import bound_by_target, uses

__all__ = ["Effects", "code_effects", "effects", "facts_effects", "item_slots"]

_NOTHING: frozenset[Slot] = frozenset()


@final
class Effects(NamedTuple):
    """Of code that runs from its first line to its last."""

    reads: frozenset[Slot] = _NOTHING
    writes: frozenset[Slot] = _NOTHING
    binds: frozenset[Slot] = _NOTHING
    unbinds: frozenset[Slot] = _NOTHING
    loses: frozenset[Slot] = _NOTHING
    """Those that may end unbound on some way through."""

    def then(self, after: "Effects") -> "Effects":
        """Of this code and then other code."""
        return Effects(
            self.reads | (after.reads - self.binds - self.unbinds),
            self.writes | after.writes,
            (self.binds - after.writes) | after.binds,
            (self.unbinds - after.writes) | after.unbinds,
            (self.loses - after.binds) | after.loses,
        )


def effects(node: ir.Node) -> Effects:
    """What the code of a node does."""
    match node:
        case ir.Block():
            result = Effects()
            for code in node.code:
                result = result.then(code_effects(code, node.frame))
            return result
        case ir.Decision():
            return _choice(node.choice, node.frame)
        case ir.Catch():
            return Effects()
        case ir.Operation():
            return facts_effects(node.op.facts, node.frame)
        case ir.ForkNode():
            return _fork(node)
        case ir.Return():
            if isinstance(node.value, str):
                return Effects(reads=frozenset({node.value}))
            return facts_effects(node.facts, node.frame)
        case ir.Raise():
            return facts_effects(node.facts, node.frame)
        case ir.Reraise():
            return Effects(reads=frozenset({node.slot}))
        case _:
            assert_never(node)


def facts_effects(facts: Facts, frame: ir.Frame) -> Effects:
    """The effects that the front end found, in slots; with those of functions that are rebuilt."""
    reads, writes = facts.reads, facts.writes
    if not frame.functions.keys().isdisjoint(reads):
        called = frame.called(reads)
        reads = reads.union(*(one.reads for one in called.values())) - called.keys()
        writes = writes.union(*(one.writes for one in called.values()))
    return Effects(_slots(reads, frame), _slots(writes, frame))


def _slots(names: Iterable[str], frame: ir.Frame) -> frozenset[Slot]:
    return frozenset(frame.names[name] for name in names if name in frame.names)


def code_effects(code: ir.Code, frame: ir.Frame) -> Effects:
    """What one piece of a block does."""
    match code:
        case ir.Statements():
            return _statements(code, frame)
        case ir.Keep():
            kept = frozenset({code.slot})
            return Effects(writes=kept, binds=kept)
        case ir.Bind():
            kept = frozenset({code.slot})
            if isinstance(code.value, str):
                return Effects(frozenset({code.value}), kept, kept)
            return facts_effects(code.facts, frame).then(Effects(writes=kept, binds=kept))
        case ir.Iterate():
            kept = frozenset({code.slot})
            return facts_effects(code.facts, frame).then(Effects(writes=kept, binds=kept))
        case ir.Unbind():
            gone = frozenset(code.slots)
            return Effects(writes=gone, unbinds=gone, loses=gone)
        case ir.Use():
            slots = frozenset(value for value in code.values if isinstance(value, str))
            kept = _NOTHING if code.slot is None else frozenset({code.slot})
            found = facts_effects(code.facts, frame)
            found = found._replace(reads=found.reads | slots)
            return found.then(Effects(writes=kept, binds=kept))
        case ir.Restore():
            return Effects(writes=code.slots, unbinds=code.slots, loses=code.slots)
        case ir.Enter():
            own = frozenset(code.own)
            params = frozenset(code.callee.slot(p.name) for p in code.parameters)
            inside = Effects(writes=own, binds=params, unbinds=own - params, loses=own - params)
            return facts_effects(code.facts, frame).then(inside)
        case _:
            assert_never(code)


def _statements(code: ir.Statements, frame: ir.Frame) -> Effects:
    found = facts_effects(code.facts, frame)
    sure = uses(code.code).binds
    binds = found.writes if sure is None else _slots(sure, frame) & found.writes
    reads = found.reads if code.active is None else found.reads | {code.active}
    loses = _slots(_deleted(code.code), frame) - binds if found.writes else _NOTHING
    return Effects(reads, found.writes, binds, _NOTHING, loses)


def _deleted(code: Iterable[ast.stmt]) -> frozenset[str]:
    """Names that `del` or the end of an `except ... as` unbinds."""
    names: set[str] = set()
    for statement in code:
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name, ctx=ast.Del()) | ast.ExceptHandler(name=str(name)):
                    names.add(name)
                case _:
                    pass
    return frozenset(names)


def _choice(choice: ir.Choice, frame: ir.Frame) -> Effects:
    match choice:
        case ir.Test():
            return facts_effects(choice.facts, frame)
        case ir.MatchCases():
            return _cases(choice, frame)
        case ir.Advance():
            names = uses([_stored(choice.target)])
            reads = _slots(names.reads, frame) | {choice.cursor}
            bound = _slots(bound_by_target(choice.target), frame)
            return Effects(reads, bound)
        case ir.MatchErrors():
            types = [type for _, type in choice.types if type is not None]
            return Effects(_slots(uses(types).reads, frame) | {choice.slot})
        case ir.Switch():
            return Effects(reads=frozenset({choice.slot}))
        case _:
            assert_never(choice)


def item_slots(node: ir.Decision) -> frozenset[Slot]:
    """What a cursor's decision surely binds on its exit "item"."""
    if not isinstance(node.choice, ir.Advance):
        return _NOTHING
    return _slots(bound_by_target(node.choice.target), node.frame)


def _stored(target: ast.expr) -> ast.stmt:
    """`for target in (): pass`, whose uses are those of binding the target."""
    loop = ast.For(target, ast.Tuple([], ast.Load()), [ast.Pass()], [])
    return ast.fix_missing_locations(ast.copy_location(loop, target))


def _cases(choice: ir.MatchCases, frame: ir.Frame) -> Effects:
    found = facts_effects(choice.facts, frame)
    cases = [ast.match_case(pattern, guard, [ast.Pass()]) for _, pattern, guard in choice.cases]
    seen = uses([ast.Match(choice.subject, cases)])
    return Effects(
        found.reads | _slots(seen.reads, frame), found.writes | _slots(seen.writes, frame)
    )


def _fork(node: ir.ForkNode) -> Effects:
    result = facts_effects(node.fork.facts, node.frame)
    if node.rows is not None:
        result = result.then(Effects(reads=frozenset({node.rows})))
    for branch in node.scopes:
        result = result.then(Effects(reads=frozenset(branch.captures)))
    for one in node.alternatives:
        result = result.then(facts_effects(one.op.facts, one.frame))
    return result
