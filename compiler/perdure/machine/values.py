"""`await value`: the value is taken, asked what it is, and performed as that.

    x = await todo[i]          value = ask(todo[i])
                               switch kind_of(value):
                                   "step"           x = the step, in a site
                                   "sleep"          a sleep; x = its result
                                   "helper app:h"   the helper's own nodes, given its arguments
                                   "task"           x = value.result()

Where it can only be one thing, there is no decision.
"""

import ast
from typing import TYPE_CHECKING

from perdure.ir import Argument, Branch, Call, Facts, Fork, ForkKind, Op, OpKind, Ref
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context

if TYPE_CHECKING:
    from perdure.machine.context import Frames
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering

__all__ = ["called_as_value", "helpers_of", "is_plain", "lower_value", "value_of_call"]

_NATIVES = {"event": "event", "sleep": "sleep", "create_task": "task"}
_FORKS = {"gather": ForkKind.ALL, "race": ForkKind.RACE, "quorum": ForkKind.QUORUM}


def is_plain(frames: "Frames", op: Op) -> bool:
    """Whether it is a step, or a flow, whatever it is: the site that performs it finds out."""
    if not op.candidates or op.natives:
        return False
    return all(map(frames.is_step, op.candidates)) or all(map(frames.is_flow, op.candidates))


def called_as_value(frames: "Frames", op: Op) -> bool:
    """Whether it is a table's member of several kinds: called first, then awaited as a value."""
    return op.kind is OpKind.TABLE and bool(op.candidates) and not is_plain(frames, op)


def value_of_call(op: Op) -> Op:
    """`T[k](x)` of a table, as a value: what its call makes of it."""
    assert op.callee is not None, "a table is looked into"
    span = op.span
    places = (span.line, span.column, span.end_line, span.end_column)
    site = ast.Tuple([ast.Constant(one) for one in (op.label, span.file, *places)], ast.Load())
    made = ast.Call(ast.Attribute(ast.Name("__perdure__", ast.Load()), "call", ast.Load()), [], [])
    made.args = [site, op.callee]
    for argument in op.arguments:
        starred = ast.Starred(argument.value, ast.Load())
        if argument.star == "*" or (argument.star is None and argument.name is None):
            made.args.append(starred if argument.star else argument.value)
        else:
            made.keywords.append(ast.keyword(argument.name, argument.value))
    return op._replace(kind=OpKind.VALUE, label="", callee=made, arguments=())


def helpers_of(frames: "Frames", op: Op) -> list[Ref]:
    """The helpers that the value may be a call of."""
    if called_as_value(frames, op):
        op = value_of_call(op)
    if op.kind is not OpKind.VALUE or is_plain(frames, op):
        return []
    found = [ref for ref in op.candidates if not frames.is_step(ref) and not frames.is_flow(ref)]
    return [ref for ref in found if frames.function(ref) is not None]


def lower_value(low: "Lowering", op: Op, entry: "Pc", next: "Pc", context: Context) -> None:
    """Await a value of which only some candidates are known."""
    problem = _problem(low, op)
    if problem is not None or op.callee is None:
        low.draft.refuse(problem or "awaiting nothing", entry, next, context, op.span)
        return
    draft, frame = low.draft, context.frame
    slot = draft.slot("value")
    name = f"__{slot.replace(' ', '_')}"
    frame.add(name, slot)
    value = ast.Name(name, ast.Load())
    facts = Facts(reads=frozenset({name}))
    first = draft.fresh()
    begin: list[ir.Code] = [ir.Use(slot, "ask", (op.callee,), op.facts._replace(may_raise=True))]
    ways = _ways(low, op)
    if not ways:
        # No coroutine is kept anywhere: whatever comes here, awaiting it raises.
        never = ir.Use(None, "kind_of", (slot, ast.Tuple([], ast.Load())), op.facts)
        draft.block(entry, (*begin, never), next, context, op.span)
        return
    known = ast.Tuple([ast.Constant(way) for way in ways], ast.Load())
    kind = draft.slot("kind")
    begin.append(ir.Use(kind, "kind_of", (slot, known), NO_FACTS))
    if len(ways) == 1:
        draft.block(entry, tuple(begin), first, context, op.span)
        _way(low, op, ways[0], value, facts, first, next, context)
        return
    draft.block(entry, tuple(begin), first, context, op.span)
    entries = [draft.fresh() for _ in ways]
    exits = tuple(ir.Exit(way, pc) for way, pc in zip(ways, entries, strict=True))
    choice = ir.Switch(kind)
    node = ir.Decision(first, choice, exits, context.handler, frame, op.span)
    draft.add(node, f"what is {ast.unparse(op.callee)}")
    for way, pc in zip(ways, entries, strict=True):
        _way(low, op, way, value, facts, pc, next, context)


def _problem(low: "Lowering", op: Op) -> str | None:
    for native in op.natives:
        if native not in _NATIVES and native not in _FORKS:
            return f"a `{native}` that is not awaited where it is written"
    for ref in helpers_of(low.frames, op):
        function = low.frames.function(ref)
        if function is None or function.captures or function.kind != "helper":
            return "awaiting a value that a nested coroutine function may have made"
    for ref in op.candidates:
        known = low.frames.is_step(ref) or low.frames.function(ref) is not None
        if not known:
            return "awaiting a value whose operation is not known"
    return None


def _ways(low: "Lowering", op: Op) -> list[str]:
    frames = low.frames
    found: dict[str, None] = {}
    for ref in op.candidates:
        if frames.is_step(ref):
            found["step"] = None
        elif frames.is_flow(ref):
            found["flow"] = None
        else:
            found[f"helper {ref}"] = None
    found.update(dict.fromkeys(_NATIVES.get(native, native) for native in op.natives))
    return list(found)


def _way(  # noqa: PLR0917
    low: "Lowering",
    op: Op,
    way: str,
    value: ast.Name,
    facts: Facts,
    entry: "Pc",
    next: "Pc",
    context: Context,
) -> None:
    """What awaiting the value means when it is that."""
    frame, draft = context.frame, low.draft
    target = None if op.target is None else frame.slot(op.target)
    match way:
        case "task":
            use = ir.Use(target, "value_of", (value,), facts)
            draft.block(entry, (use,), next, context, op.span)
        case "step" | "flow":
            is_one = low.frames.is_step if way == "step" else low.frames.is_flow
            refs = tuple(ref for ref in op.candidates if is_one(ref))
            asked = op._replace(callee=value, candidates=refs, facts=facts, natives=())
            _operation(low, asked, target, entry, next, context, flows=way == "flow")
        case "event":
            asked = op._replace(kind=OpKind.EVENT, callee=value, candidates=(), facts=facts)
            _operation(low, asked, target, entry, next, context)
        case "sleep":
            asked = op._replace(kind=OpKind.SLEEP, callee=value, candidates=(), facts=facts)
            after = draft.fresh()
            _operation(low, asked, None, entry, after, context)
            use = ir.Use(target, "value_of", (value,), facts._replace(may_raise=False))
            draft.block(after, () if target is None else (use,), next, context, op.span)
        case "gather" | "race" | "quorum":
            _fork(low, op, _FORKS[way], value, facts, entry, next, context)
        case _:
            ref = next_ref(op, way)
            given = (
                Argument(ast.Attribute(value, "args", ast.Load()), star="*"),
                Argument(ast.Attribute(value, "kwargs", ast.Load()), star="**"),
            )
            call = Call(ref, ref.qualname, op.target, given, facts, op.span)
            low.helpers.call(call, entry, next, context)


def _fork(  # noqa: PLR0917
    low: "Lowering",
    op: Op,
    kind: ForkKind,
    value: ast.Name,
    facts: Facts,
    entry: "Pc",
    next: "Pc",
    context: Context,
) -> None:
    """A fork that was kept: a map over the coroutine values that it was given."""
    what = ast.Attribute(value, "what", ast.Load())

    def part(*places: int) -> ast.expr:
        found: ast.expr = what
        for place in places:
            found = ast.Subscript(found, ast.Constant(place), ast.Load())
        return found

    params = [low.draft.slot("item") for _ in range(2 if kind is ForkKind.RACE else 1)]
    names = [f"__{slot.replace(' ', '_')}" for slot in params]
    for name, slot in zip(names, params, strict=True):
        context.frame.add(name, slot)
    result = f"__{low.draft.slot('result').replace(' ', '_')}"
    context.frame.add(result, result)
    candidates, natives = op.items
    item = ast.Name(names[-1], ast.Load())
    reads = Facts(reads=frozenset({item.id}))
    awaited = Op(OpKind.VALUE, "", result, (), candidates, item, (), reads, op.span, natives)
    given = ast.Name(result, ast.Load())
    branch = Branch("", tuple(names), (), (awaited,), given, op.span)
    plain = kind is ForkKind.ALL
    fork = Fork(
        kind,
        "await gather" if plain else f"await {kind}",
        op.target,
        (branch,),
        part(2),
        part(3) if plain else None,
        part(4) if plain else None,
        part(5) if plain else None,
        part(3) if kind is ForkKind.QUORUM else None,
        facts._replace(may_raise=True),
        op.span,
        part(1, 0),
    )
    low.fork(fork, entry, next, context)


def next_ref(op: Op, way: str) -> Ref:
    """The helper that the way is named after."""
    return next(ref for ref in op.candidates if f"helper {ref}" == way)


def _operation(  # noqa: PLR0917
    low: "Lowering",
    op: Op,
    target: str | None,
    entry: "Pc",
    next: "Pc",
    context: Context,
    *,
    flows: bool = False,
) -> None:
    node = ir.Operation(
        entry,
        op,
        target,
        next,
        context.handler,
        context.frame,
        op.span,
        flows,
        context.timed,
    )
    low.draft.add(node, "await " + str(op.kind))
