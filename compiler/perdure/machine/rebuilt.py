"""Nested functions without operations that blocks rebuild: see `code.Rebuilt`.

    total = 0
    def add(n):                  every block that calls `add` begins with this `def`,
        nonlocal total           after `total` was loaded, and keeps `total`
        total += n

Comes in: a function of the program. Goes out: those of its nested functions that are only ever
called by their name, in its own code, and whose variables change while they live. All others are
values, with the cells that they had when they were made.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from perdure.ir import Block, Call, Deadline, For, Fork, Function, Group, Op, Pure, Task, Try, With
from perdure.machine import ir
from perdure.machine.code import Frame, Rebuilt
from perdure.machine.trees import code_trees
from perdure.passes.blocks import children, code_in
from perdure.uses import bound_by_target, captured_names

__all__ = ["rebuilt_functions", "rebuilt_in"]

type _Made = ast.FunctionDef | ast.Lambda
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def rebuilt_functions(function: Function, others: Sequence[Function]) -> Mapping[str, Rebuilt]:
    """Of a function of the program, by name; `others` may be nested in it."""
    made = dict(_made(function.body))
    if not made:
        return MappingProxyType({})
    code = [*code_in(function.body)]
    shared = frozenset[str]().union(
        *(other.captures for other in others), *_branches(function.body)
    )
    bound = list(_bound(function.body))
    shared |= {name for name, _ in bound}
    candidates = {
        name: statement
        for name, statement in made.items()
        if name in function.slots and name not in shared
    }
    while True:
        kept = {
            name: statement
            for name, statement in candidates.items()
            if _is_only_called(name, statement, code, candidates)
        }
        if len(kept) == len(candidates):
            break
        candidates = kept
    slots = function.slots | function.captures
    found = {name: _rebuilt(statement, candidates, slots) for name, statement in kept.items()}
    changed = {name for name, one in found.items() if _changes(one, made[name], code, bound)}
    # Those that call one that is rebuilt, or are called by one, are so too.
    waiting = [*changed]
    while waiting:
        one = waiting.pop()
        near = {name for name, other in found.items() if one in other.calls} | found[one].calls
        waiting.extend(near - changed)
        changed |= near
    return {name: one for name, one in found.items() if name in changed}


def _rebuilt(statement: ast.stmt, others: Mapping[str, ast.stmt], slots: frozenset[str]) -> Rebuilt:
    reads, writes = captured_names(_function(statement))
    calls = frozenset(reads & others.keys())
    return Rebuilt(statement, frozenset(reads & slots) - calls, frozenset(writes & slots), calls)


def rebuilt_in(frame: Frame, node: ir.Node) -> Mapping[str, Rebuilt]:
    """Those that the node's code calls, but for the ones that it defines."""
    if not frame.functions:
        return MappingProxyType({})
    trees = code_trees(node)
    defined = {id(inner) for tree in trees for inner in ast.walk(tree)}
    names = {inner.id for tree in trees for inner in ast.walk(tree) if isinstance(inner, ast.Name)}
    called = frame.called(names)
    return {name: one for name, one in called.items() if id(one.code) not in defined}


def _made(body: Block) -> Iterator[tuple[str, ast.stmt]]:
    """The functions that the body itself makes, at its top."""
    for statement in body:
        for one in statement.code if isinstance(statement, Pure) else ():
            match one:
                case ast.FunctionDef(name=name, decorator_list=[], args=args) if _plain(args):
                    yield name, one
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=args)) if _plain(
                    args
                ):
                    yield name, one
                case _:
                    pass


def _plain(arguments: ast.arguments) -> bool:
    defaults = (*arguments.defaults, *arguments.kw_defaults)
    return all(one is None or isinstance(one, ast.Constant) for one in defaults)


def _function(statement: ast.stmt) -> _Made:
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Lambda):
        return statement.value
    assert isinstance(statement, ast.FunctionDef), "one of the two makes a function"
    return statement


def _branches(body: Block) -> Iterator[frozenset[str]]:
    """What branches capture: they have no variables of the function."""
    blocks = [body]
    while blocks:
        for statement in blocks.pop():
            blocks.extend(children(statement))
            if isinstance(statement, Fork):
                yield from (frozenset(branch.captures) for branch in statement.branches)
            elif isinstance(statement, Task):
                yield frozenset(statement.branch.captures)


def _is_only_called(
    name: str, made: ast.stmt, code: Sequence[ast.AST], others: Mapping[str, ast.stmt]
) -> bool:
    """Whether the name is bound once, there, and only called: by the code behind it, and by others
    of the kind that are made before anything calls them.
    """
    known = {id(one) for one in others.values()}
    last = max(one.lineno for one in others.values())
    bound = 0
    stack: list[tuple[ast.AST, bool, bool]] = [(one, False, False) for one in code]
    called: set[int] = set()
    while stack:
        node, inside, other = stack.pop()
        if node is made:
            bound += 1
            called.update(_called(node))
            other = True
        match node:
            case ast.Call():
                called.update(_called(node))
            case ast.Name(id=found, ctx=ast.Load()) if found == name:
                early = not other and node.lineno <= (last if len(others) > 1 else made.lineno)
                if inside or id(node) not in called or early:
                    return False
            case ast.Name(id=found) if found == name and not isinstance(made, ast.Assign):
                return False
            case ast.FunctionDef(name=found) | ast.ClassDef(name=found) if (
                found == name and node is not made
            ):
                return False
            case ast.ExceptHandler(name=found) if found == name:
                return False
            case _:
                pass
        other = other or id(node) in known
        within = inside or (isinstance(node, (*_FUNCTIONS, ast.GeneratorExp)) and not other)
        stack.extend((child, within, other) for child in ast.iter_child_nodes(node))
    return bound == 1 and _stores(name, code) == isinstance(made, ast.Assign)


def _called(node: ast.AST) -> Iterator[int]:
    """The names whose functions a call calls, and is done with."""
    match node:
        case ast.Call(func=func, keywords=keywords):
            if isinstance(func, ast.Name):
                yield id(func)
            sorts = (isinstance(func, ast.Name) and func.id in {"sorted", "min", "max"}) or (
                isinstance(func, ast.Attribute) and func.attr == "sort"
            )
            for keyword in keywords:
                if sorts and keyword.arg == "key":
                    yield id(keyword.value)
        case _:
            return


def _stores(name: str, code: Sequence[ast.AST]) -> int:
    return sum(
        isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)
        for tree in code
        for node in ast.walk(tree)
    )


def _bound(body: Block) -> Iterator[tuple[str, int]]:
    """What statements other than Python's own bind, and in which line."""
    blocks = [body]
    while blocks:
        for statement in blocks.pop():
            blocks.extend(children(statement))
            match statement:
                case Op(target=str(name)) | Call(target=str(name)) | Fork(target=str(name)):
                    yield name, statement.span.line
                case Task(target=str(name)) | Group(name=str(name)) | Deadline(name=str(name)):
                    yield name, statement.span.line
                case Try(handlers=handlers):
                    yield from ((h.name, h.span.line) for h in handlers if h.name is not None)
                case For(target=target) | With(name=ast.expr() as target):
                    yield from ((name, target.lineno) for name in bound_by_target(target))
                case _:
                    pass


def _changes(
    one: Rebuilt, made: ast.stmt, code: Sequence[ast.AST], bound: Sequence[tuple[str, int]]
) -> bool:
    """Whether a variable that it captures is bound after it was made, perhaps by itself."""
    if one.writes or any(name in one.reads and line > made.lineno for name, line in bound):
        return True
    return any(
        isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and node.id in one.reads
        and node.lineno > made.lineno
        for tree in code
        for node in ast.walk(tree)
    )
