"""Values without a codec that would have to live across an operation.

The finished walk and its analysis come in; refusals go to the report. The syntax tree says which
expressions make such values (`uncodable`); only where there are any is the Flow IR built, and a
forward pass over it, beside its liveness, finds those that are still needed after an operation,
after a decision between operations, or in a branch.
"""

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from perdure import rules
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.state import State
from perdure.frontend.symbols import every_statement
from perdure.frontend.uncodable import Made, made_by
from perdure.frontend.unproven import Sources
from perdure.ir import (
    Block,
    Branch,
    Call,
    Deadline,
    Exit,
    ExitKind,
    For,
    Fork,
    Function,
    Group,
    If,
    Match,
    Op,
    Pure,
    Slot,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.frontend.walk import Walk
    from perdure.liveness import Liveness

__all__ = ["check"]

type Place = tuple[int, int, int, int]
type Key = tuple[type[ast.AST], Place]
"""An expression in the source, and its copies."""
type Sites = dict[Place, Made]
"""What makes such values."""
type Held = dict[Slot, tuple[Made, ...]]
"""Slots that may hold such values here."""

_ADDS = frozenset({"append", "add", "insert", "setdefault", "appendleft", "extend", "update"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def check(walk: "Walk", analysis: "Analysis") -> None:
    """Refuse values that an operation would have to carry and cannot."""
    sources = Sources(walk)
    states = walk.states.values()
    found = {state.ref: made for state in states if (made := _made(walk, state, sources))}
    if not found or not analysis.ok:
        return
    from perdure.frontend.build import build
    from perdure.liveness import liveness

    functions = build(analysis).functions
    for function in functions:
        if function.ref in found:
            nested = [inner for inner in functions if walk.states[inner.ref].parent == function.ref]
            live = liveness(function, nested)
            crossing = _Crossing(walk, walk.states[function.ref], live, found[function.ref])
            crossing.check(function)
            if crossing.asked:
                written = ast.walk(walk.states[function.ref].node)
                analysis.asked.update(id(node) for node in written if _key(node) in crossing.asked)


# Where such values are made


def _made(walk: "Walk", state: State, sources: Sources) -> Sites:
    """What the function makes that may outlive the expression it is made in."""
    if not (state.certain and state.has_operations) or isinstance(state.node, ast.Lambda):
        return {}
    found: dict[Place, Made] = {}
    for statement in every_statement(state.node.body):
        own = [*_own(statement)]
        awaits = [_place(node) for node in own if isinstance(node, ast.Await)]
        for node in own:
            if isinstance(node, ast.Call | ast.GeneratorExp) and _outlives(node, own, awaits):
                made = made_by(walk.resolver, node, state.scope)
                if made is not None:
                    found[_place(node)] = made
        if awaits or _binds(own):
            for node in own:
                if not isinstance(node, ast.Call) or _place(node) in found:
                    continue
                if sources.gives(node, state.scope):
                    found[_place(node)] = Made(node, "", "", asked=True)
    return found


def _binds(own: list[ast.AST]) -> bool:
    kinds = ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr | ast.Return
    return any(isinstance(n, kinds) or (isinstance(n, ast.Call) and _adds(n)) for n in own)


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement's own expressions; inner statements and functions left out."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case | ast.Lambda)
        )


def _outlives(node: ast.expr, own: list[ast.AST], awaits: list[Place]) -> bool:
    """Whether the value is bound or put into something, or waits for an `await` of its statement;
    what the call around it uses up at once does not."""
    place = _place(node)
    waits = any(place[2:] <= pause[:2] for pause in awaits)
    if waits and not any(
        isinstance(call, ast.Call)
        and call is not node
        and _within(place, _place(call))
        and any(_place(call)[2:] <= pause[:2] for pause in awaits)
        for call in own
    ):
        return True
    return any(
        (
            isinstance(part, ast.NamedExpr | ast.Assign | ast.AnnAssign)
            and part.value is not None
            and _holds(part.value, node)
        )
        or (isinstance(part, ast.Call) and _adds(part) and any(_holds(a, node) for a in part.args))
        for part in own
    )


def _adds(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in _ADDS


def _empties(node: ast.AST) -> bool:
    return isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("extend", "update")
    )


def _holds(value: ast.expr, node: ast.expr) -> bool:
    return any(part is node for part in _leaves(value))


def _leaves(value: ast.expr) -> Iterator[ast.expr]:
    """The expressions whose values an expression's value is, or has inside."""
    pending: list[ast.expr | None] = [value]
    while pending:
        part = pending.pop()
        match part:
            case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
                pending.extend(elts)
            case ast.Dict(values=values) | ast.BoolOp(values=values):
                pending.extend(values)
            case ast.IfExp(body=body, orelse=orelse):
                pending += (body, orelse)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.DictComp(value=elt):
                pending.append(elt)
            case ast.NamedExpr(value=inner):
                pending.append(inner)
            case ast.expr():
                yield part
            case None:
                pass


def _place(node: ast.AST) -> Place:
    start = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
    return (*start, getattr(node, "end_lineno", 0), getattr(node, "end_col_offset", 0))


def _key(node: ast.AST) -> Key:
    return type(node), _place(node)


def _within(place: Place, outer: Place) -> bool:
    return outer[:2] <= place[:2] and place[2:] <= outer[2:]


# Where they would have to cross


@final
class _Crossing:
    """The forward pass over one function."""

    def __init__(
        self, walk: "Walk", state: State, live: "Liveness", made: dict[Place, Made]
    ) -> None:
        self.walk = walk
        self.state = state
        self.made = made
        self.live = live
        self.seen: list[Held] = []
        """Of the `try` bodies around: what was held anywhere inside."""
        self.stops: list[Held] = [{}]
        self.again: list[Held] = [{}]
        self.told: set[Place] = set()
        self.asked: set[Key] = set()
        """The expressions whose values the code asks the codec about."""
        self.is_helper = state.func.kind is not FunctionKind.FLOW

    def check(self, function: Function) -> None:
        """Go through the function."""
        self.block(function.body, {})

    def block(self, block: Block, held: Held) -> Held:
        """What is held at the end of a block, given what is at its start."""
        for statement in block:
            held = self.statement(statement, held)
            self.seen = [_joined(seen, held) for seen in self.seen]
        return held

    def statement(self, statement: Stmt, held: Held) -> Held:
        match statement:
            case Pure(code=code):
                return self.code(code, held)
            case Op() | Call():
                self.cross(statement, held, self.live.across(statement))
                return _without(held, statement.target)
            case Fork(branches=branches):
                self.cross(statement, held, self.live.across(statement))
                self.branches(statement, branches, held)
                return _without(held, statement.target)
            case Task(branch=branch):
                self.cross(statement, held, self.live.across(statement))
                self.branches(statement, (branch,), held)
                return _without(held, statement.target)
            case Group(body=body):
                after = self.block(body, held)
                self.cross(statement, after, self.live.after(statement))
                return after
            case Deadline(body=body) | With(body=body):
                return self.block(body, held)
            case Try():
                return self.try_(statement, held)
            case If() | Match() | While() | For():
                return self.decision(statement, held)
            case Exit(kind=kind, value=value):
                if kind is ExitKind.RETURN and value is not None and self.is_helper:
                    self.ask(self.value(value, held))
                if kind is ExitKind.BREAK:
                    self.stops[-1] = _joined(self.stops[-1], held)
                elif kind is ExitKind.CONTINUE:
                    self.again[-1] = _joined(self.again[-1], held)
                return {}
            case Unlowered():
                return held

    def branches(self, fork: Fork | Task, branches: tuple[Branch, ...], held: Held) -> None:
        for branch in branches:
            self.cross(fork, held, frozenset(branch.captures))
            self.block(branch.body, {})

    def decision(self, statement: If | Match | While | For, held: Held) -> Held:
        match statement:
            case If(test=test, then=then, orelse=orelse):
                held = self.tested(test, held)
                self.decide(statement, (then, orelse), held)
                return _joined(self.block(then, held), self.block(orelse, held))
            case Match(subject=subject, cases=cases):
                held = self.tested(subject, held)
                self.decide(statement, tuple(case.body for case in cases), held)
                ends = [self.block(case.body, held) for case in cases]
                return _joined(held, *ends)
            case While(before=before, body=body, orelse=orelse):
                return self.loop(statement, before, body, orelse, held)
            case For(body=body, orelse=orelse):
                return self.loop(statement, (), body, orelse, held)

    def loop(
        self, statement: While | For, before: Block, body: Block, orelse: Block, held: Held
    ) -> Held:
        self.stops.append({})
        for _ in range(2):  # a second pass sees what the first one left in the slots
            self.again.append({})
            held = self.block(before, held)
            if isinstance(statement, While):
                held = self.tested(statement.test, held)
            end = self.block(body, held)
            self.decide(statement, (body, orelse), held)
            held = _joined(held, end, self.again.pop())
        return _joined(self.block(orelse, held), self.stops.pop())

    def tested(self, node: ast.expr, held: Held) -> Held:
        """What a test binds by `:=` is held, too."""
        return self.code((ast.Expr(node),), held)

    def try_(self, statement: Try, held: Held) -> Held:
        self.seen.append(dict(held))
        end = self.block(statement.orelse, self.block(statement.body, held))
        caught = dict(self.seen[-1])
        ends = [self.block(handler.body, caught) for handler in statement.handlers]
        seen = self.seen.pop()
        if statement.final:
            return self.block(statement.final, _joined(seen, end, *ends))
        return _joined(end, *ends)

    # Refusing

    def decide(self, statement: Stmt, blocks: tuple[Block, ...], held: Held) -> None:
        """A decision between operations: what the ways from here look at crosses it."""
        if held:
            entries = [
                self.live.before(block[0]) if block else self.live.after(statement)
                for block in blocks
            ]
            self.cross(statement, held, frozenset[Slot]().union(*entries), "decision")

    def cross(
        self, statement: Stmt, held: Held, live: frozenset[Slot], what: str = "operation"
    ) -> None:
        """Refuse what is held in a slot that is needed on the other side, or have it asked."""
        for slot, values in held.items():
            if slot in live:
                self.ask(values)
                for made in values:
                    if not made.asked and _place(made.node) not in self.told:
                        self.refuse(statement, made, what)

    def ask(self, values: tuple[Made, ...]) -> None:
        """The code asks the codec where these are bound."""
        self.asked.update(_key(made.node) for made in values if made.asked)

    def refuse(self, statement: Stmt, made: Made, what: str) -> None:
        self.told.add(_place(made.node))
        line = statement.span.line
        if made.iterator:
            text = ast.unparse(made.node)
            self.walk.problem(self.state, rules.ITERATOR_ACROSS_OPERATION, made.node, what=text)
        else:
            self.walk.problem(
                self.state,
                rules.CANNOT_CROSS,
                made.node,
                type=made.type,
                border=f"the {what} in line {line}",
                instead=made.instead.format(line=line),
            )

    # Pure code

    def code(self, code: tuple[ast.stmt, ...], held: Held) -> Held:
        held = dict(held)
        for statement in code:
            simple = isinstance(statement, ast.Assign | ast.AnnAssign | ast.Delete)
            values = self.bound(statement, held)
            if simple:
                for name in _names(statement):
                    held.pop(name, None)
            held = _joined(held, values)
        return held

    def bound(self, statement: ast.stmt, held: Held) -> Held:
        """Slots that such values are put into, at any depth of a statement."""
        found: Held = {}
        pending: list[ast.AST] = [statement]
        while pending:
            node = pending.pop()
            pending.extend(p for p in ast.iter_child_nodes(node) if not isinstance(p, _FUNCTIONS))
            match node:
                case ast.Assign(targets=targets, value=value):
                    into = targets
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    into = [target]
                case ast.NamedExpr(target=target, value=value):
                    into = [target]
                case ast.AugAssign(target=target, value=value):
                    into = [target]
                case ast.Call(func=ast.Attribute(value=target), args=args) if _adds(node) and args:
                    into, value = [target], ast.Tuple(args)
                case _:
                    continue
            made = self.value(value, held)
            if _empties(node):  # `extend` and `+=` take the items and leave the iterator
                made = tuple(one for one in made if not one.iterator)
            if made:
                found = _joined(found, {name: made for item in into if (name := _root(item))})
        return found

    def value(self, node: ast.expr, held: Held) -> tuple[Made, ...]:
        """What an expression's value is or holds."""
        found: dict[Made, None] = {}
        for part in _leaves(node):
            if isinstance(part, ast.Name):
                values = held.get(part.id, ())
                found |= dict.fromkeys(one for one in values if not one.asked)
                is_asked = any(one.asked for one in values)
            else:
                made = self.made.get(_place(part))
                sure = made is not None and not made.asked and isinstance(part, type(made.node))
                if made is not None and sure:
                    found[made] = None
                is_asked = not sure and self.comes_of(part, held)
            if is_asked:
                found[Made(part, "", "", asked=True)] = None
        return tuple(found)

    def comes_of(self, node: ast.expr, held: Held) -> bool:
        """Whether a value is made with what only run time knows."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and any(one.asked for one in held.get(part.id, ())):
                return True
            made = self.made.get(_place(part)) if isinstance(part, ast.Call) else None
            if made is not None and made.asked:
                return True
        return False


def _without(held: Held, slot: Slot | None) -> Held:
    return {name: made for name, made in held.items() if name != slot}


def _joined(*ways: Held) -> Held:
    joined: Held = {}
    for way in ways:
        for slot, made in way.items():
            joined[slot] = tuple(dict.fromkeys((*joined.get(slot, ()), *made)))
    return joined


def _names(statement: ast.stmt) -> Iterator[Slot]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id


def _root(target: ast.expr) -> Slot | None:
    """The variable that is bound, or that leads to what is changed."""
    while isinstance(target, ast.Attribute | ast.Subscript | ast.Starred):
        target = target.value
    return target.id if isinstance(target, ast.Name) else None
