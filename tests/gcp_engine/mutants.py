"""Small wrong changes of a module: each is one `Mutant`, and each should make a test fail.

Changed are comparisons, `and`/`or`, arithmetic, conditions, constants, what is returned, and
whether a statement is there at all. Not changed is what no behaviour hangs on: annotations,
docstrings, decorators, assertions, `__all__`, imports, and prose (a text with a space in it).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

__all__ = ["Mutant", "mutants_of", "source_of"]

COMPARISONS: Final[dict[type[ast.cmpop], ast.cmpop]] = {
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
}
ARITHMETIC: Final[dict[type[ast.operator], ast.operator]] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.FloorDiv(),
    ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.FloorDiv(),
    ast.Pow: ast.Mult(),
    ast.BitOr: ast.BitAnd(),
    ast.BitAnd: ast.BitOr(),
}


@final
@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: which node of the module, and what is done to it."""

    file: Path
    node: int
    """Its place among the nodes of the module, as `ast.walk` has them."""
    change: str
    line: int
    function: str | None
    """The outermost function it lies in; None: it is done when the module is imported."""

    @property
    def name(self) -> str:
        """What it is called in lists: the line itself rather than its number, which moves."""
        return f"{self.file.name}: {self.text}: {self.change}"

    @property
    def text(self) -> str:
        """The line that is changed."""
        return self.file.read_text("utf-8").splitlines()[self.line - 1].strip()

    def tree(self) -> ast.Module:
        """The module with the change in it."""
        tree = ast.parse(self.file.read_text("utf-8"))
        _change(list(ast.walk(tree))[self.node], self.change)
        return ast.fix_missing_locations(tree)


def source_of(mutant: Mutant) -> str:
    """The whole text of the changed module."""
    return ast.unparse(mutant.tree())


def mutants_of(file: Path) -> Iterator[Mutant]:
    """All changes of one file, in the order of its nodes."""
    tree = ast.parse(file.read_text("utf-8"))
    skipped = _skipped(tree)
    functions = {id: name for id, name in _functions(tree).items() if name not in _early(tree)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in skipped:
            for change, line in _changes(node, skipped):
                yield Mutant(file, number, change, line, functions.get(id(node)))


def _changes(node: ast.AST, skipped: set[int]) -> Iterator[tuple[str, int]]:
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                yield f"compare {at} {type(COMPARISONS[type(op)]).__name__}", node.lineno
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            yield "other operator", node.lineno
        case ast.BinOp() | ast.AugAssign() if type(node.op) in ARITHMETIC:
            yield type(ARITHMETIC[type(node.op)]).__name__, node.lineno
        case ast.If() | ast.While() | ast.IfExp():
            yield "not", node.test.lineno
        case ast.match_case(guard=ast.expr() as guard):
            yield "not", guard.lineno
        case ast.comprehension() if node.ifs:
            yield "not", node.ifs[0].lineno
        case ast.Constant() if _changed(node.value) is not None:
            yield f"{_changed(node.value)!r}", node.lineno
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "None", node.lineno
        case _:
            pass
    for field in ("body", "orelse", "finalbody"):
        for at, one in enumerate(_block(node, field)):
            if id(one) not in skipped and _may_go(one):
                yield f"without {field} {at}", one.lineno


def _block(node: ast.AST, field: str) -> list[ast.stmt]:
    of_statement: list[ast.stmt] = []
    match getattr(node, field, None):
        case [ast.stmt(), *_] as found:
            of_statement += found
        case _:
            pass
    return of_statement


def _may_go(statement: ast.stmt) -> bool:
    kinds = ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Delete | ast.Break
    return isinstance(statement, kinds | ast.Continue)


def _change(node: ast.AST, change: str) -> None:
    """Do it."""
    if change.startswith("without "):
        _, block, place = change.split()
        getattr(node, block)[int(place)] = ast.Pass()
        return
    match node:
        case ast.Compare():
            at = int(change.split()[1])
            node.ops[at] = COMPARISONS[type(node.ops[at])]
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp():
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.BinOp() | ast.AugAssign():
            node.op = ARITHMETIC[type(node.op)]
        case ast.If() | ast.While() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.match_case(guard=ast.expr() as guard):
            node.guard = ast.UnaryOp(ast.Not(), guard)
        case ast.comprehension():
            node.ifs[0] = ast.UnaryOp(ast.Not(), node.ifs[0])
        case ast.Constant():
            changed = _changed(node.value)
            assert changed is not None, "only such constants are changed"
            node.value = changed
        case ast.Return():
            node.value = ast.Constant(None)
        case _:
            raise AssertionError(change)


def _changed(value: object) -> bool | int | float | str | bytes | None:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if " " not in value.strip(" "):
            return f"{value}X"
        case bytes():
            return value + b"X"
        case _:
            return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _skipped(tree: ast.Module) -> set[int]:
    """Nodes on which no behaviour hangs, with all that is below them."""
    roots: list[ast.AST] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                roots += node.decorator_list
                roots += (
                    [] if isinstance(node, ast.ClassDef) or not node.returns else [node.returns]
                )
            case ast.arg(annotation=ast.expr() as annotation):
                roots.append(annotation)
            case ast.AnnAssign():
                roots.append(node.annotation)
            case ast.Assign(targets=[ast.Name(id="__all__")]):
                roots.append(node)
            case ast.Import() | ast.ImportFrom() | ast.TypeAlias() | ast.Assert():
                roots.append(node)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                roots.append(node)
            case ast.Expr(value=ast.Constant()):
                roots.append(node)
            case ast.JoinedStr():
                roots += [part for part in node.values if isinstance(part, ast.Constant)]
            case ast.Call(func=ast.Name(id="TypeVar" | "NewType")):
                roots.append(node)
            case _:
                pass
    return {id(below) for root in roots for below in ast.walk(root)}


def _functions(tree: ast.Module) -> dict[int, str]:
    """The outermost function of each node that runs when it is called."""
    found: dict[int, str] = {}
    for outer, function in _outermost(tree, ""):
        name = f"{outer}{function.name}"
        for part in function.body:
            found |= {id(node): name for node in ast.walk(part)}
        found[id(function)] = name
    return found


def _early(tree: ast.Module) -> set[str]:
    """Functions that the module calls itself, when it is imported."""
    pending: list[ast.AST] = [tree]
    called: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func.id)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return called


def _outermost(
    node: ast.Module | ast.ClassDef, outer: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for one in node.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            yield outer, one
        elif isinstance(one, ast.ClassDef):
            yield from _outermost(one, f"{outer}{one.name}.")
