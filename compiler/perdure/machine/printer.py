"""The Machine IR as text, for people and for messages of our own faults.

machine  = "machine" ref "(" params ")" scope
scope    = ["scope" id "(" params ";" captures ")"] nodes ["start" edge] states
node     = pc ":" what ["->" pc | exits] ["!" handler] ["{" live "}"]
state    = kind name ":" edges
edge     = state ["@" pc] ["<-" slot]
"""

import ast
from collections.abc import Iterator
from typing import assert_never

from perdure.machine import ir
from perdure.machine.ir import Edge, Machine, Node, Scope, State

__all__ = ["format_machine"]


def format_machine(machine: Machine) -> str:
    """One machine: its graph, then its states."""
    params = ", ".join(parameter.name for parameter in machine.parameters)
    return "\n".join([f"machine {machine.ref}({params})", *_scope(machine.root, "  ")]) + "\n"


def _scope(scope: Scope, indent: str) -> Iterator[str]:
    for node in scope.nodes.values():
        live = scope.live.get(node.pc)
        shown = "" if live is None else f"  {{{', '.join(sorted(live))}}}"
        yield f"{indent}{node.pc}: {_node(node)}{shown}"
        if isinstance(node, ir.ForkNode):
            for again in node.again:
                yield f"{indent}  again {again.id}({'; '.join(again.captures)})"
            for branch in node.branches:
                signature = f"({', '.join(branch.params)}; {', '.join(branch.captures)})"
                yield f"{indent}  scope {branch.id}{signature}"
                yield from _scope(branch, indent + "    ")
    if scope.start is not None:
        yield f"{indent}start {_edge(scope.start)}"
    for state in scope.states:
        yield f"{indent}{_state(state)}"


def _node(node: Node) -> str:
    match node:
        case ir.Block():
            text = f"{'; '.join(_code(code) for code in node.code)} -> {node.next}"
        case ir.Decision():
            exits = ", ".join(f"{exit.name} -> {exit.to}" for exit in node.exits)
            text = f"{_choice(node.choice)} [{exits}]"
        case ir.Catch():
            return f"catch {node.slot} -> {node.next}"
        case ir.Operation():
            target = "" if node.target is None else f"{node.target} = "
            text = f"{target}{node.op.kind} {node.op.label} -> {node.ok}"
        case ir.ForkNode():
            target = "" if node.target is None else f"{node.target} = "
            text = f"{target}fork {node.fork.label} -> {node.ok}"
        case ir.Return():
            text = f"return {_value(node.value)}"
        case ir.Raise():
            text = f"raise {ast.unparse(node.value)}"
        case ir.Reraise():
            text = f"raise {node.slot}"
        case _:
            assert_never(node)
    return text if node.handler is None else f"{text} ! {node.handler}"


def _value(value: ast.expr | str | None) -> str:
    return value if isinstance(value, str) else "None" if value is None else ast.unparse(value)


def _code(code: ir.Code) -> str:
    match code:
        case ir.Statements():
            return "; ".join(ast.unparse(one).replace("\n", "\\n") for one in code.code)
        case ir.Keep():
            return f"{code.slot} = {code.value!r}"
        case ir.Bind():
            return f"{code.slot} = {_value(code.value)}"
        case ir.Iterate():
            return f"{code.slot} = cursor({ast.unparse(code.iterable)})"
        case ir.Unbind():
            return f"del {', '.join(code.slots)}"
        case ir.Use():
            target = "" if code.slot is None else f"{code.slot} = "
            return f"{target}{code.function}({', '.join(map(_value, code.values))})"
        case ir.Restore():
            return f"restore {code.site}"
        case ir.Enter(saves=ir.Saved(site=site)):
            return f"save {site}; enter {code.callee.ref.qualname}"
        case ir.Enter():
            return f"enter {code.callee.ref.qualname}"
        case _:
            assert_never(code)


def _choice(choice: ir.Choice) -> str:
    match choice:
        case ir.Test():
            return f"if {ast.unparse(choice.test)}"
        case ir.MatchCases():
            return f"match {ast.unparse(choice.subject)}"
        case ir.Advance():
            return f"for {ast.unparse(choice.target)} in {choice.cursor}"
        case ir.MatchErrors():
            return f"except {choice.slot}"
        case ir.Switch():
            return f"switch {choice.slot}"
        case _:
            assert_never(choice)


def _edge(edge: Edge | None) -> str:
    if edge is None:
        return "nowhere"
    at = f" @ {edge.at}" if edge.at else ""
    return f"{edge.to}{at}{'' if edge.bind is None else f' <- {edge.bind}'}"


def _raised(raised: tuple[ir.Raised, ...]) -> str:
    return "".join(f", raised {one.handler or '(fails)'} -> {_edge(one.edge)}" for one in raised)


def _state(state: State) -> str:
    kind = type(state).__name__
    match state:
        case ir.Run() | ir.Route() | ir.Await():
            errors = f"{_raised(state.on_raise)}, error -> {_edge(state.on_error)}"
            return f"{kind} {state.name}: -> {_edge(state.next)}{errors}"
        case ir.Choose():
            exits = ", ".join(f"{name} -> {_edge(edge)}" for name, edge in state.exits)
            return f"{kind} {state.name}: {exits}{_raised(state.raised)}"
        case ir.Sleep() | ir.Spawn() | ir.Child():
            return f"{kind} {state.name}: -> {_edge(state.next)}, error -> {_edge(state.on_error)}"
        case ir.Done() | ir.Failed():
            return f"{kind} {state.name}"
        case _:
            assert_never(state)
