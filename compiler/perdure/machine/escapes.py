"""What pure statements may not hold when they become code of their own, and what they raise again.

Comes in: statements that the Flow IR keeps whole. Goes out: answers about them.
"""

import ast
from collections.abc import Iterator, Sequence

__all__ = ["closures", "has_bare_raise", "has_loop", "leaves", "raising"]

type _Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def leaves(code: Sequence[ast.stmt], *, loop: bool = False) -> bool:
    """Whether control may leave these statements by `return`, `break` or `continue`."""
    return any(_leaves(statement, loop) for statement in code)


def _leaves(statement: ast.stmt, loop: bool) -> bool:
    match statement:
        case ast.Return():
            return True
        case ast.Break() | ast.Continue():
            return not loop
        case ast.For() | ast.While() | ast.AsyncFor():
            return leaves(statement.body, loop=True) or leaves(statement.orelse, loop=loop)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return False
        case _:
            return any(leaves(block, loop=loop) for block in _blocks(statement))


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    match statement:
        case ast.If():
            yield statement.body
            yield statement.orelse
        case ast.Try() | ast.TryStar():
            yield statement.body
            for handler in statement.handlers:
                yield handler.body
            yield statement.orelse
            yield statement.finalbody
        case ast.With() | ast.AsyncWith():
            yield statement.body
        case ast.Match():
            for case in statement.cases:
                yield case.body
        case ast.For() | ast.While() | ast.AsyncFor():
            yield statement.body
            yield statement.orelse
        case _:
            return


def has_loop(code: Sequence[ast.stmt]) -> bool:
    """Whether the statements hold a `for` or `while` of their own."""
    return any(
        isinstance(statement, ast.For | ast.While | ast.AsyncFor)
        or any(has_loop(block) for block in _blocks(statement))
        for statement in code
    )


def has_bare_raise(code: Sequence[ast.stmt]) -> bool:
    """Whether a `raise` of the exception being handled stands outside a handler of these
    statements.
    """
    return any(_bare(statement) for statement in code)


def _bare(statement: ast.stmt) -> bool:
    match statement:
        case ast.Raise(exc=None):
            return True
        case ast.Try() | ast.TryStar():
            inside = (statement.body, statement.orelse, statement.finalbody)
            return any(has_bare_raise(block) for block in inside)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return False
        case _:
            return any(has_bare_raise(block) for block in _blocks(statement))


def raising(code: Sequence[ast.stmt], name: str) -> list[ast.stmt]:
    """Copies in which a bare `raise` outside their own handlers is `raise name`."""
    import copy

    return [_BareRaise(name).visit(copy.deepcopy(statement)) for statement in code]


class _BareRaise(ast.NodeTransformer):
    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:  # ast's protocol
        if node.exc is None:
            node.exc = ast.copy_location(ast.Name(self.name, ast.Load()), node)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node


_EAGER = frozenset(
    {
        "sorted",
        "min",
        "max",
        "sum",
        "any",
        "all",
        "list",
        "tuple",
        "set",
        "dict",
        "frozenset",
        "len",
    }
)
"""Builtins that are done with a function or a generator when they return."""


def closures(nodes: Sequence[ast.stmt | ast.expr]) -> Iterator[_Function | ast.GeneratorExp]:
    """Functions and generators made here that may live on after the statement."""
    stack: list[ast.AST] = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            continue
        if isinstance(node, ast.GeneratorExp):
            yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.Call):
            children = [inner for child in children for inner in _left(node, child)]
        elif isinstance(node, ast.Starred):  # unpacked here and now
            children = _unwrapped(node.value)
        stack.extend(reversed(children))


def _left(call: ast.Call, child: ast.AST) -> list[ast.AST]:
    """What of a call's parts may live on: a function that is called at once does not."""
    match call.func:
        case ast.Lambda() if child is call.func:
            return _unwrapped(child)
        case ast.Name(id=name) if name in _EAGER:
            return _unwrapped(child)
        case ast.Attribute(attr="sort"):
            return _unwrapped(child)
        case ast.Attribute(attr="join" | "extend" | "update") if isinstance(
            child, ast.GeneratorExp
        ):
            return _unwrapped(child)
        case _:
            return [child]


def _unwrapped(child: ast.AST) -> list[ast.AST]:
    """What is left of an argument that its callee uses up: the parts of it."""
    if isinstance(child, ast.keyword):
        return _unwrapped(child.value)
    if isinstance(child, ast.Lambda | ast.GeneratorExp):
        return list(ast.iter_child_nodes(child))
    return [child]
