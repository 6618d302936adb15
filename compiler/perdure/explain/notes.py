"""Where each line of a flow runs, and why there.

Comes in: a machine with its states, and what a target says of a state. Goes out: notes. Pure code
belongs to sites: it rides before the operation it leads to, or behind the one before it, as far as
the next decision needs.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol, assert_never, final

from perdure.explain.graph import Inside
from perdure.explain.model import Counts, Note
from perdure.machine import ir
from perdure.machine.graph import handler_of, successors
from perdure.machine.ir import Node, Pc, Scope, State
from perdure.source import Span

__all__ = ["Said", "Teller", "notes_of"]

LONGEST = 52
"""Characters of code that a sentence shows."""


@final
class Said(NamedTuple):
    """What a target says of one of its states."""

    where: str
    why: str


class Teller(Protocol):
    """What a target says of where things run."""

    def said(self, inside: Inside, state: State) -> Said | None:
        """Of a state; None: nothing is to be said of it."""
        ...

    def site(self, names: tuple[str, ...]) -> str:
        """Where pure code runs that rides with these states, of which one runs it in a pass."""
        ...


def notes_of(inside: Inside, teller: Teller, counts: Mapping[str, Counts]) -> Iterator[Note]:
    """Notes of a scope and of the branches in it; `counts`: what each state costs, by its name."""
    scope = inside.scope
    owners = _owners(scope)
    decided = {state.decision for state in scope.states if isinstance(state, ir.Choose)}
    for state in scope.states:
        said = teller.said(inside, state)
        if said is not None:
            span = state.span
            yield Note(span.file, span.line, "engine", *said, counts.get(state.name, {}))
        if isinstance(state, ir.Spawn):
            for branch in state.branches:
                yield from notes_of(Inside(inside.machine, branch, state, inside), teller, counts)
    for pc, node in scope.nodes.items():
        for line, why in _pieces(node, decided):
            if pc in owners:
                where = teller.site(tuple(owners[pc]))
                yield Note(node.span.file, line, "site", where, why, {})


def _owners(scope: Scope) -> dict[Pc, list[str]]:
    """The sites that run each pure node, in program order."""
    found: dict[Pc, dict[str, None]] = {}
    for state in scope.states:
        for pc in _driven(scope, state):
            found.setdefault(pc, {})[state.name] = None
    return {pc: [*names] for pc, names in found.items()}


def _driven(scope: Scope, state: State) -> Iterator[Pc]:
    """The pure nodes that a site may pass."""
    pending: list[Pc] = []
    match state:
        case ir.Run(pc=own):
            node = scope.nodes[own]
            assert isinstance(node, ir.Operation), "a site's operation"
            for pc, settled in scope.settled.items():
                if settled == own and pc != own:
                    yield pc
                    pending += _handlers(scope.nodes[pc])
            pending += [node.ok, *_handlers(node)]
        case ir.Route(target=None, name=name):
            pending += _entries(scope, name)
        case ir.Route(target=target):
            for pc, settled in scope.settled.items():
                if settled == target:
                    yield pc
                    pending += [*successors(scope.nodes[pc]), *_handlers(scope.nodes[pc])]
        case _:
            return
    yield from _onward(scope, pending)


def _onward(scope: Scope, pending: list[Pc]) -> Iterator[Pc]:
    seen: set[Pc] = set()
    while pending:
        pc = pending.pop()
        node = scope.nodes[pc]
        if pc in seen or pc in scope.settled or isinstance(node, ir.Operation | ir.ForkNode):
            continue
        seen.add(pc)
        yield pc
        pending += [*successors(node), *_handlers(node)]


def _handlers(node: Node) -> list[Pc]:
    handler = handler_of(node)
    return [] if handler is None else [handler]


def _entries(scope: Scope, name: str) -> list[Pc]:
    """Where a site is entered."""
    from perdure.machine.verify import edges_of

    edges = [edge for state in scope.states for edge in edges_of(state)]
    if scope.start is not None:
        edges.append(scope.start)
    return [edge.at for edge in edges if edge.to == name and edge.at]


def _pieces(node: Node, decided: set[str | None]) -> Iterator[tuple[int, str]]:
    """The lines of a pure node, each with why it is Python's."""
    line = node.span.line
    match node:
        case ir.Block():
            for code in node.code:
                yield from _code(code, node.span)
        case ir.Decision(choice=ir.Test(test=test)):
            yield line, _needs("evaluate", test)
        case ir.Decision(choice=ir.Advance(target=target)):
            yield line, f"needs Python to take the next item for {_shown(target)}"
        case ir.Decision(choice=ir.MatchCases(subject=subject)):
            yield line, _needs("match", subject)
        case ir.Decision(choice=ir.MatchErrors()):
            yield line, "needs Python to find the handler: exceptions match by their real classes"
        case ir.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant | ast.Name):
            yield line, _needs("evaluate", value)
        case ir.Raise(value=value):
            yield line, _needs("raise", value)
        case _:
            return


def _code(code: ir.Code, span: Span) -> Iterator[tuple[int, str]]:
    match code:
        case ir.Statements(code=statements):
            for statement in statements:
                yield getattr(statement, "lineno", span.line), _needs("run", statement)
        case ir.Bind(value=ast.expr() as value) if not isinstance(value, ast.Constant | ast.Name):
            yield getattr(value, "lineno", span.line), _needs("evaluate", value)
        case ir.Iterate(iterable=iterable):
            yield span.line, _needs("go through", iterable)
        case ir.Enter(callee=callee):
            yield span.line, f"the helper `{callee.ref.qualname}` is part of the flow"
        case ir.Bind() | ir.Keep() | ir.Unbind() | ir.Use() | ir.Restore():
            return
        case _:
            assert_never(code)


def _needs(what: str, node: ast.stmt | ast.expr) -> str:
    return f"needs Python to {what} {_shown(node)}"


def _shown(node: ast.stmt | ast.expr) -> str:
    """Code as it is written, in one line, not too long; `_1` is not what anybody wrote."""
    names = (one.id for one in ast.walk(node) if isinstance(one, ast.Name))
    if any(name[0] == "_" and name[1:].isdigit() for name in names):
        return "what stands here"
    text = " ".join(ast.unparse(node).replace("__perdure__.", "").split())
    text = text if '"' in text else text.replace("'", '"')
    return f"`{text}`" if len(text) <= LONGEST else f"`{text[: LONGEST - 1]}…`"
