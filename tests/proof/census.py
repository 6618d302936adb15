"""Counts, in the analysed source, which node of the IR stands in which syntactic position.

Two questions: in which position of an expression an operation is awaited, and in which kind of
block each node stands. What a call is comes from the analysis of the front end.
"""

import ast
from collections import Counter
from collections.abc import Iterator

from perdure.frontend.analysis import Analysis, CallFact, CallKind, FunctionKind

__all__ = ["Cell", "census"]

type Cell = tuple[str, str]
"""(node of the IR, position)."""

_NATIVES = {
    "event": "op event",
    "sleep": "op sleep",
    "progress": "op progress",
    "reply": "op reply",
    "start": "op start",
    "send": "op send",
    "ask": "op ask",
    "cancel": "op cancel",
    "gather": "fork all",
    "race": "fork race",
    "quorum": "fork quorum",
    "wait_for": "deadline",
    "timeout": "deadline",
    "timeout_at": "deadline",
    "task_group": "group",
    "create_task": "task",
}
_KINDS = {
    CallKind.STEP: "op step",
    CallKind.FLOW: "op flow",
    CallKind.TABLE: "op table",
    CallKind.VALUE: "op value",
    CallKind.HELPER: "call",
}


def census(analysis: Analysis) -> Counter[Cell]:
    """Of all functions that the entry flow reaches; those that are nested count in their place."""
    counts: Counter[Cell] = Counter()
    for info in analysis.functions.values():
        if info.kind is FunctionKind.STEP or info.parent is not None:
            continue
        if isinstance(info.node, ast.AsyncFunctionDef | ast.FunctionDef):
            block = _function(info.kind, info.owner is not None)
            counts.update(_Walk(analysis, info.qualname == "main").body(info.node.body, block))
    return counts


def _function(kind: FunctionKind, method: bool) -> str:
    if kind is FunctionKind.FLOW:
        return "flow"
    if kind is FunctionKind.MANAGER:
        return "manager"
    return "method" if method else "helper"


class _Walk:
    def __init__(self, analysis: Analysis, entry: bool) -> None:
        self.analysis = analysis

    def body(self, code: list[ast.stmt], block: str) -> Iterator[Cell]:
        for stmt in code:
            yield from self.statement(stmt, block)

    def statement(self, stmt: ast.stmt, block: str) -> Iterator[Cell]:
        here = f"in {block}"
        if not _holds(stmt):
            name = _EXITS.get(type(stmt), "pure")
            yield (name, here)
            return
        match stmt:
            case ast.If():
                yield ("if", here)
                yield from self.expression(stmt.test, "if test", block)
                yield from self.body(stmt.body, "if")
                yield from self.body(stmt.orelse, "else")
            case ast.While():
                yield ("while", here)
                yield from self.expression(stmt.test, "while test", block)
                yield from self.body(stmt.body, "while")
                yield from self.body(stmt.orelse, "loop else")
            case ast.For():
                yield ("for", here)
                yield from self.expression(stmt.iter, "iterated", block)
                yield from self.body(stmt.body, "for")
                yield from self.body(stmt.orelse, "loop else")
            case ast.Try() | ast.TryStar():
                star = isinstance(stmt, ast.TryStar)
                yield ("try star" if star else "try", here)
                yield from self.body(stmt.body, "try")
                for handler in stmt.handlers:
                    yield from self.body(handler.body, "except*" if star else "except")
                yield from self.body(stmt.orelse, "try else")
                yield from self.body(stmt.finalbody, "finally")
            case ast.Match():
                yield ("match", here)
                yield from self.expression(stmt.subject, "matched", block)
                for case in stmt.cases:
                    if case.guard is not None:
                        yield from self.expression(case.guard, "guard", block)
                    yield from self.body(case.body, "case")
            case ast.With() | ast.AsyncWith():
                yield from self.managed(stmt, block)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for default in [*stmt.args.defaults, *stmt.args.kw_defaults]:
                    if default is not None:
                        yield from self.expression(default, "default", block)
                yield from self.body(stmt.body, "nested function")
            case _:
                yield from self.simple(stmt, block)

    def managed(self, stmt: ast.With | ast.AsyncWith, block: str) -> Iterator[Cell]:
        inner = "with"
        for item in stmt.items:
            call = item.context_expr
            fact = self.analysis.calls.get(id(call))
            node = _node(fact) if isinstance(call, ast.Call) and fact is not None else None
            if node in ("deadline", "group"):
                inner = "timeout" if node == "deadline" else "group body"
                yield (node, f"in {block}")
            else:
                inner = "async with" if isinstance(stmt, ast.AsyncWith) else "with"
                yield ("with", f"in {block}")
            position = "deadline operand" if node == "deadline" else "with item"
            for part in ast.iter_child_nodes(call):
                if isinstance(part, ast.expr):
                    yield from self.expression(part, position, block)
        yield from self.body(stmt.body, inner)

    def simple(self, stmt: ast.stmt, block: str) -> Iterator[Cell]:
        name = _EXITS.get(type(stmt))
        if name is not None:
            yield (name, f"in {block}")
        match stmt:
            case ast.Expr(value=value):
                yield from self.expression(value, "statement", block)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from self.target(target, block)
                yield from self.expression(value, _assigned(targets[0]), block)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield from self.expression(value, "assigned", block)
            case ast.AugAssign(target=target, value=value):
                yield from self.target(target, block)
                plain = isinstance(target, ast.Name)
                yield from self.expression(value, "augmented" if plain else "item augmented", block)
            case ast.Return(value=ast.expr() as value):
                yield from self.expression(value, "returned", block)
            case ast.Raise(exc=exc, cause=cause):
                if exc is not None:
                    yield from self.expression(exc, "raised", block)
                if cause is not None:
                    yield from self.expression(cause, "cause", block)
            case ast.Assert(test=test, msg=message):
                yield from self.expression(test, "asserted", block)
                if message is not None:
                    yield from self.expression(message, "assert message", block)
            case ast.Delete(targets=targets):
                for target in targets:
                    yield from self.target(target, block, "deleted")
            case _:
                pass

    def target(self, node: ast.expr, block: str, as_: str = "index assigned") -> Iterator[Cell]:
        match node:
            case ast.Subscript(value=value, slice=index):
                yield from self.expression(value, "index", block)
                yield from self.expression(index, as_, block)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    yield from self.target(part, block, as_)
            case _:
                pass

    def expression(self, node: ast.expr, position: str, block: str) -> Iterator[Cell]:
        """Everything awaited in there; `position` is where `node` itself stands."""
        if isinstance(node, ast.Await):
            yield from self.awaited(node, position, block)
            return
        if isinstance(node, ast.Call):
            fact = self.analysis.calls.get(id(node))
            if fact is not None and fact.native == "create_task":
                yield ("task", f"in {block}")
                yield ("task", position)
        for part, inside in _parts(node, position):
            yield from self.expression(part, inside, block)

    def awaited(self, node: ast.Await, position: str, block: str) -> Iterator[Cell]:
        call = node.value
        name = "op value"
        if isinstance(call, ast.Call):
            fact = self.analysis.calls.get(id(call))
            name = _node(fact) or name if fact is not None else name
            if name.startswith("fork") and _is_map(call):
                name += " map"
            yield from self.operands(call, fact, block)
        else:
            yield from self.expression(call, "awaited value", block)
        yield (name, position)
        yield (name, f"in {block}")

    def operands(self, call: ast.Call, fact: CallFact | None, block: str) -> Iterator[Cell]:
        name = "" if fact is None else _node(fact) or ""
        position = {
            "call": "helper argument",
            "op flow": "child argument",
            "op sleep": "option",
            "op event": "option",
        }.get(name, "operation argument")
        if name.startswith("fork"):
            position = "branch"
        if fact is not None and fact.options is not None:
            for keyword in fact.options.keywords:
                yield from self.expression(keyword.value, "option", block)
        elif isinstance(call.func, ast.Attribute):
            yield from self.expression(call.func.value, "receiver", block)
        for part in [*call.args, *(keyword.value for keyword in call.keywords)]:
            inside = part.value if isinstance(part, ast.Starred) else part
            if position == "branch" and isinstance(inside, ast.Call):
                for argument in [*inside.args, *(word.value for word in inside.keywords)]:
                    yield from self.expression(argument, "branch argument", block)
            else:
                yield from self.expression(part, position, block)


_EXITS: dict[type[ast.stmt], str] = {
    ast.Return: "exit return",
    ast.Raise: "exit raise",
    ast.Break: "exit break",
    ast.Continue: "exit continue",
}


def _node(fact: CallFact) -> str | None:
    if fact.native in _NATIVES:
        return _NATIVES[fact.native]
    return _KINDS.get(fact.kind)


def _is_map(call: ast.Call) -> bool:
    starred = [part for part in call.args if isinstance(part, ast.Starred)]
    return bool(starred) or any(keyword.arg is None for keyword in call.keywords)


def _holds(node: ast.AST) -> bool:
    held = ast.Await | ast.AsyncWith | ast.AsyncFor | ast.Return | ast.Raise | ast.Break
    return any(isinstance(part, held | ast.Continue | ast.Yield) for part in ast.walk(node))


def _assigned(target: ast.expr) -> str:
    match target:
        case ast.Subscript():
            return "item assigned"
        case ast.Attribute():
            return "attribute assigned"
        case ast.Tuple() | ast.List():
            return "unpacked"
        case _:
            return "assigned"


def _parts(node: ast.expr, position: str) -> Iterator[tuple[ast.expr, str]]:
    """The parts of an expression without `await` of its own, and what each is there."""
    match node:
        case ast.BoolOp(values=[first, *rest]):
            yield first, "first of and"
            for value in rest:
                yield value, "second of and"
        case ast.BinOp(left=left, right=right):
            yield left, "left operand"
            yield right, "right operand"
        case ast.UnaryOp(operand=operand):
            yield operand, "unary operand"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield test, "condition test"
            yield body, "condition then"
            yield orelse, "condition else"
        case ast.Compare(left=left, comparators=comparators):
            yield from ((part, "comparison") for part in (left, *comparators))
        case ast.NamedExpr(value=value):
            yield value, "named"
        case ast.Starred(value=value):
            yield value, "star argument" if position == "argument" else "unpacked display"
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            name = type(node).__name__.lower()
            unpacked = name == "tuple" and position == "unpacked"
            yield from ((part, "unpacked" if unpacked else name) for part in parts)
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if key is not None:
                    yield key, "dict key"
                yield value, "dict value" if key is not None else "unpacked display"
        case ast.JoinedStr(values=values):
            yield from ((value, "text") for value in values)
        case ast.FormattedValue(value=value, format_spec=spec):
            yield value, "text"
            if isinstance(spec, ast.JoinedStr):
                yield from (
                    (part.value, "text format")
                    for part in spec.values
                    if isinstance(part, ast.FormattedValue)
                )
        case ast.Subscript(value=value, slice=ast.Slice(lower=low, upper=up, step=step)):
            yield value, "receiver"
            yield from ((part, "slice") for part in (low, up, step) if part is not None)
        case ast.Subscript(value=value, slice=index):
            yield value, "receiver"
            yield index, "index"
        case ast.Attribute(value=value):
            yield value, "attribute base"
        case ast.Call():
            yield from _call_parts(node, position)
        case ast.Lambda(args=arguments):
            yield from (
                (part, "default")
                for part in (*arguments.defaults, *arguments.kw_defaults)
                if part is not None
            )
        case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
            yield element, "comprehension element"
            yield from _generator_parts(node.generators)
        case ast.DictComp(key=key, value=value):
            yield key, "comprehension value"
            yield value, "comprehension value"
            yield from _generator_parts(node.generators)
        case _:
            pass


def _generator_parts(generators: list[ast.comprehension]) -> Iterator[tuple[ast.expr, str]]:
    for generator in generators:
        yield generator.iter, "comprehension iterable"
        yield from ((test, "comprehension test") for test in generator.ifs)


def _call_parts(node: ast.Call, position: str) -> Iterator[tuple[ast.expr, str]]:
    match node.func:
        case ast.Attribute(value=ast.Name(id="log")) | ast.Name(id="print"):
            yield from ((part, "logged") for part in node.args)
            return
        case ast.Attribute(value=value):
            yield value, "method base"
        case func:
            yield func, "called"
    for at, part in enumerate(node.args):
        if isinstance(part, ast.Starred):
            yield part.value, "star argument"
        else:
            yield part, "second argument" if at else "argument"
    yield from ((keyword.value, "keyword argument") for keyword in node.keywords)
