"""The body of one node's function.

Comes in: a node, what is live and bound around it. Goes out: lines. Locals are loaded from slots
that they need (one that may be unbound only if it is there, so that CPython raises its own error),
and what is still needed of those it binds is kept; in a `finally` where a handler sees what was
done before an exception.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import assert_never, final

from perdure.ir import Argument, Branch, Op, OpKind, Ref, Slot
from perdure.machine import ir
from perdure.machine.effects import Effects, effects, facts_effects
from perdure.machine.emit_names import SITES, CodeNames
from perdure.machine.escapes import raising
from perdure.machine.globals import loaded_names
from perdure.machine.graph import handler_of, successors
from perdure.machine.ir import NOTHING, Frame, Node, Scope
from perdure.machine.rebuilt import rebuilt_in
from perdure.machine.saves import saved_slots
from perdure.machine.text import expression, statements
from perdure.machine.trees import CALLS, fork_operands, reference, trees

__all__ = ["Body"]


@final
class Body:
    """The lines of one function."""

    def __init__(self, scope: Scope, node: Node, names: CodeNames) -> None:
        self.scope = scope
        self.node = node
        self.names = names
        self.s = names.s
        self.effects = Effects() if isinstance(node, ir.Catch) else effects(node)
        self.frame = None if isinstance(node, ir.Catch | ir.Reraise) else node.frame
        self.local_of = NOTHING if self.frame is None else self.frame.local_of
        self.rebuilt = NOTHING if self.frame is None else rebuilt_in(self.frame, node)

    def lines(self) -> list[str]:
        """Imports, loads, the code, stores."""
        self.names.begin()
        body = self._body()
        inside = _read_inside([*trees(self.node), *(one.code for one in self.rebuilt.values())])
        return [*self.names.imports_here(inside), *body]

    def _body(self) -> list[str]:
        written = {slot for slot in self.effects.writes if self._is_stored_local(slot)}
        after = self._live_after()
        handler = handler_of(self.node)
        seen = frozenset[Slot]() if handler is None else self.scope.live[handler]
        kept = sorted(written & (after | seen))
        advance = isinstance(self.node, ir.Decision) and isinstance(self.node.choice, ir.Advance)
        always = bool(written & seen) or not (advance or isinstance(self.node, ir.Block))
        binds = frozenset(kept) if advance else self.effects.binds
        old = {slot for slot in kept if always or slot not in binds}
        # What is not live before has no value that anything after could see.
        old &= self.scope.live[self.node.pc]
        code = self._code()
        loads = [*self._globals(), *self._loads(self.effects.reads | old)]
        loads += statements([one.code for one in self.rebuilt.values()])
        if not kept:
            return [*loads, *code]
        if always:
            keep = [f"    {self._keep(kept)}"]
            return [*loads, "try:", *(f"    {line}" for line in code), "finally:", *keep]
        if advance:
            stores = [f"{self.s}[{slot!r}] = {self.local_of[slot]}" for slot in kept]
            return [*loads, *code[:-1], *stores, code[-1]]
        return [*loads, *code, *self._stores(kept)]

    def _is_stored_local(self, slot: Slot) -> bool:
        """Whether it is a local of this function here, not written through `s`."""
        if slot not in self.local_of:
            return False
        if not isinstance(self.node, ir.Block):
            return True
        entered = [frozenset(c.own) for c in self.node.code if isinstance(c, ir.Enter)]
        entered += [c.slots for c in self.node.code if isinstance(c, ir.Restore)]
        return not any(slot in own for own in entered)

    def _live_after(self) -> frozenset[Slot]:
        node = self.node
        found: frozenset[Slot] = frozenset()
        for pc in successors(node):
            # An operation's `live` may be meant after its operands: what it reads counts here.
            found |= self.scope.live[pc] | effects(self.scope.nodes[pc]).reads
        if isinstance(node, ir.ForkNode):
            found = found.union(*(branch.captures for branch in node.scopes))
        return found

    def _loads(self, slots: frozenset[Slot] | set[Slot]) -> list[str]:
        lines: list[str] = []
        bound = self.scope.bound[self.node.pc]
        for slot in sorted(slots):
            name = self.local_of.get(slot)
            if name is None:
                continue
            load = f"{name} = {self.s}[{slot!r}]"
            lines.append(load if slot in bound else f"if {slot!r} in {self.s}: {load}")
        return lines

    def _stores(self, slots: Sequence[Slot]) -> list[str]:
        sure = [slot for slot in slots if slot in self.effects.binds]
        lines = [f"{self.s}[{slot!r}] = {self.local_of[slot]}" for slot in sure]
        rest = [slot for slot in slots if slot not in self.effects.binds]
        return [*lines, self._keep(rest)] if rest else lines

    def _keep(self, slots: Sequence[Slot]) -> str:
        plain = [repr(slot) for slot in slots if self.local_of[slot] == slot]
        renamed = [
            f"{self.local_of[slot]}={slot!r}" for slot in slots if self.local_of[slot] != slot
        ]
        found = self.names.builtin("locals")
        return f"{self.s}.keep({found}(), {', '.join([*plain, *renamed])})"

    def _globals(self) -> list[str]:
        """Imports what the code takes from its module; a line for each name that another module
        took.
        """
        if self.frame is None:
            return []
        functions = [one.code for one in self.rebuilt.values()]
        found = dict(loaded_names([*trees(self.node), *functions]))
        if SITES in found:
            self.names.use_sites(self.frame.ref.module, [*trees(self.node), *functions])
        lines: list[str] = []
        for name in [*found, *self._callees()]:
            if name not in self.frame.names:
                lines += self._global(self.frame.ref.module, name)
        return lines

    def _global(self, module: str, name: str) -> list[str]:
        if not self.names.modules.binds(module, name):
            return []
        alias = self.names.name(module, name)
        return [] if alias == name else [f"{name} = {alias}"]

    def _callees(self) -> list[str]:
        node = self.node
        if isinstance(node, ir.Operation) and node.op.callee is None and node.op.candidates:
            ref = node.op.candidates[0]
            if self.frame is not None and ref.module == self.frame.ref.module:
                return [ref.qualname.partition(".")[0]]
        return []

    # --- code

    def _code(self) -> list[str]:
        node, s = self.node, self.s
        match node:
            case ir.Block():
                lines = [line for code in node.code for line in self._piece(code, node)]
                return lines or ["pass"]
            case ir.Decision():
                return self._choice(node.choice)
            case ir.Operation():
                return [f"return {self._operands(node.op)}"]
            case ir.ForkNode():
                return [f"return {self._fork(node)}"]
            case ir.Return():
                match node.value:
                    case None:
                        return ["return None"]
                    case str(slot):
                        return [f"return {s}[{slot!r}]"]
                    case value:
                        return [f"return {expression(value)}"]
            case ir.Raise():
                cause = "" if node.cause is None else f" from {expression(node.cause)}"
                return [f"raise {expression(node.value)}{cause}"]
            case ir.Reraise():
                return [f"raise {s}[{node.slot!r}]"]
            case ir.Catch():
                return []
            case _:
                assert_never(node)

    def _piece(self, code: ir.Code, node: ir.Block) -> list[str]:
        s = self.s
        match code:
            case ir.Statements():
                if code.active is None:
                    return statements(list(code.code))
                active = self._unused("active")
                changed = raising(code.code, active)
                return [f"{active} = {s}[{code.active!r}]", *statements(changed)]
            case ir.Keep():
                return [f"{s}[{code.slot!r}] = {code.value!r}"]
            case ir.Bind():
                given = code.value
                value = self._slot(given) if isinstance(given, str) else expression(given)
                local = self.local_of.get(code.slot)
                return [f"{local} = {value}" if local else f"{s}[{code.slot!r}] = {value}"]
            case ir.Iterate():
                return [f"{s}[{code.slot!r}] = {self._cursor(code.iterable, node.frame)}"]
            case ir.Use():
                return [self._use(code)]
            case ir.Unbind():
                return [line for slot in code.slots for line in self._unbind(slot)]
            case ir.Enter():
                return self._enter(code, node)
            case ir.Restore():
                return [f"{s}.pull({self._saved(code)})"]
            case _:
                assert_never(code)

    def _use(self, code: ir.Use) -> str:
        s = self.s
        values = [self._slot(v) if isinstance(v, str) else expression(v) for v in code.values]
        call = f"{self.names.sites}.{code.function}({', '.join([s, *values])})"
        if code.slot is None:
            return call
        local = self.local_of.get(code.slot)
        return f"{local} = {call}" if local else f"{s}[{code.slot!r}] = {call}"

    def _slot(self, slot: Slot) -> str:
        return self.local_of.get(slot) or f"{self.s}[{slot!r}]"

    def _unbind(self, slot: Slot) -> list[str]:
        name = self.local_of.get(slot)
        return [f"{self.s}.drop({slot!r})"] if name is None else [f"{name} = None", f"del {name}"]

    def _enter(self, code: ir.Enter, node: ir.Block) -> list[str]:
        params = {code.callee.slot(parameter.name) for parameter in code.parameters}
        stale = sorted((set(code.own) - params) & self.scope.live[node.next])
        values = f"{self.names.binder(code)}({_arguments(code.arguments)})"
        others = "".join(f", {slot!r}" for slot in stale)
        if code.saves is None:
            return [f"{self.s}.enter({values}{others})"]
        given = self._unused("given")
        written = sorted(facts_effects(code.facts, node.frame).writes)
        return [
            f"{given} = {values}",
            *([self._keep(written)] if written else []),
            f"{self.s}.push({self._saved(code.saves)})",
            f"{self.s}.enter({given}{others})",
        ]

    def _saved(self, code: ir.Saved | ir.Restore) -> str:
        slots = saved_slots(code, self.scope.nodes, self.scope.live)
        return ", ".join(map(repr, slots))

    def _cursor(self, iterable: ast.expr, frame: Frame) -> str:
        """The builtins that make iterators are taken apart where they are written."""
        sites = self.names.sites
        match iterable:
            case ast.Call(func=ast.Name(id="enumerate" | "zip" | "reversed" as name)):
                module = frame.ref.module
                if name in frame.names or self.names.modules.binds(module, name):
                    return f"{sites}.cursor({expression(iterable)})"
                made = {"enumerate": "enumerated", "zip": "zipped", "reversed": "from_the_end"}
                inner = [self._part(one, frame) for one in iterable.args]
                inner += [
                    f"{k.arg}={expression(k.value)}" if k.arg else f"**{expression(k.value)}"
                    for k in iterable.keywords
                ]
                return f"{sites}.{made[name]}({', '.join(inner)})"
            case _:
                return f"{sites}.cursor({expression(iterable)})"

    def _part(self, iterable: ast.expr, frame: Frame) -> str:
        """An argument of those builtins, which may be one of their iterators itself."""
        match iterable:
            case ast.Call(func=ast.Name(id="enumerate" | "zip" | "reversed")):
                return self._cursor(iterable, frame)
            case _:
                return expression(iterable)

    def _choice(self, choice: ir.Choice) -> list[str]:
        s = self.s
        match choice:
            case ir.Test():
                return [f'return "then" if {expression(choice.test)} else "else"']
            case ir.MatchCases():
                return self._cases(choice)
            case ir.Advance():
                more, item = self._unused("more"), self._unused("item")
                return [
                    f"{more}, {item} = {s}[{choice.cursor!r}].step()",
                    f"if not {more}:",
                    '    return "done"',
                    f"{_target(choice.target)} = {item}",
                    'return "item"',
                ]
            case ir.MatchErrors():
                anything = self.names.builtin("BaseException")
                lines = ["try:", f"    raise {s}[{choice.slot!r}]"]
                for exit, type in choice.types:
                    clause = "except" if type is None else f"except {expression(type)}"
                    if type is None:
                        clause = f"except {anything}"
                    lines += [f"{clause}:", f"    return {exit!r}"]
                if choice.types[-1][1] is not None:
                    lines += [f"except {anything}:", "    return 'no clause'"]
                return lines
            case ir.Switch():
                return [f"return {s}[{choice.slot!r}]"]
            case _:
                assert_never(choice)

    def _cases(self, choice: ir.MatchCases) -> list[str]:
        cases = [
            ast.match_case(pattern, guard, [ast.Return(ast.Constant(exit))])
            for exit, pattern, guard in choice.cases
        ]
        match = ast.fix_missing_locations(ast.Match(choice.subject, cases))
        return [*statements([match]), "return 'no case'"]

    def _unused(self, name: str) -> str:
        taken = self.names.used
        while name in taken:
            name += "_"
        return name

    def _operands(self, op: Op) -> str:
        if op.kind not in CALLS and op.callee is not None:
            return f"{{'value': {expression(op.callee)}}}"
        if op.kind not in CALLS:
            return _mapping([(a.name or "value", expression(a.value)) for a in op.arguments])
        if op.callee is not None:
            callee = expression(op.callee)
        else:
            callee = self._reference(op.candidates[0])
        if op.options:
            callee = f"{callee}.options({_arguments(op.options)})"
        arguments = _arguments(op.arguments)
        return f"{self.names.sites}.call({callee}{', ' if arguments else ''}{arguments})"

    def _reference(self, ref: Ref) -> str:
        """A step or flow by its home; under another name if the code here has one like it."""
        first, _, rest = ref.qualname.partition(".")
        alias = self.names.name(ref.module, first)
        if self.frame is not None and alias in self.frame.names:
            return f"{self.names.sites}.function({str(ref)!r})"
        return f"{alias}.{rest}" if rest else expression(reference(Ref(ref.module, alias)))

    def _fork(self, node: ir.ForkNode) -> str:
        if node.alternatives:
            return _mapping([(one.name, self._operands(one.op)) for one in node.alternatives])
        if node.rows is not None:
            return _mapping([("group", f"{self.s}[{node.rows!r}]")])
        operands = [(n, expression(value)) for n, value in fork_operands(node.fork)]
        match node.fork.branches:
            case (Branch(body=(Op(kind=OpKind.VALUE), *_)),) if node.fork.over is not None:
                checked = f"{self.names.sites}.awaitables"
                operands = [(n, f"{checked}({v})" if n == "over" else v) for n, v in operands]
            case _:
                pass
        return _mapping(operands)


def _read_inside(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Names that functions and classes in the code read."""
    inner = [
        node
        for root in nodes
        for node in ast.walk(root)
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    return frozenset(loaded_names(inner)) if inner else frozenset()


def _target(target: ast.expr) -> str:
    return ast.unparse(target)


def _mapping(items: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in items) + "}"


def _arguments(arguments: Sequence[Argument]) -> str:
    return ", ".join(map(_argument, arguments))


def _argument(argument: Argument) -> str:
    value = expression(argument.value)
    if argument.star is not None:
        return f"{argument.star}{value}"
    return value if argument.name is None else f"{argument.name}={value}"
