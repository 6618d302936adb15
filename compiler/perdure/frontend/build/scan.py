"""Where the operations of a function are: one walk over its body, before it is taken apart."""

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

from perdure.frontend.analysis import CallKind

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis, FunctionNode

__all__ = ["Marks", "defaults_of", "parameters_of"]

_HOLDS, _RETURNS, _BREAKS = 1, 2, 4
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_CONTAINERS = (ast.List, ast.ListComp, ast.Dict, ast.DictComp, ast.Set, ast.SetComp)


@final
class Marks:
    """What was found in one function."""

    def __init__(self, node: "FunctionNode", analysis: "Analysis") -> None:
        self._analysis = analysis
        self.operations: set[int] = set()
        """`id()` of the expressions and statements that hold an operation."""
        self.spelled: set[int] = set()
        """`id()` of the statements that must be taken apart: they hold an operation, or control
        leaves them.
        """
        self.unsteady: set[str] = set()
        """Names that an expression may rebind while it runs: by walrus, or `nonlocal` in a nested
        function.
        """
        self.deleted: set[str] = set()
        """Names that may lose their value: by `del`, or at the end of a handler."""
        self.unsure: set[str] = set()
        """Those that have a value elsewhere too: whether they do at some place is anybody's guess,
        as every way there would have to be looked at (a `del` before an error, in a `finally`).
        """
        self.nested: dict[str, list[ast.AsyncFunctionDef]] = {}
        """Nested coroutine functions, by name."""
        self.names: set[str] = set()
        """Every name written anywhere in the function: temporaries avoid them."""
        self.values: set[str] = set()
        """Names that are read otherwise than by calling them."""
        self._called: set[int] = set()
        self._displays: dict[str, set[type[ast.expr]]] = {}
        self._display_targets: set[int] = set()
        self._otherwise: set[str] = {*parameters_of(node)}
        body: Sequence[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else node.body
        self._stored: set[str] = {*parameters_of(node)}
        self._handled: set[str] = set()
        for part in body:
            self._mark(part)
        self.unsure |= self._handled & self._stored

    def container(self, name: str) -> type | None:
        """The built-in type of a local that is only ever bound to displays of it."""
        kinds = self._displays.get(name, set())
        if name in self._otherwise or name in self.unsteady or len(kinds) != 1:
            return None
        kind = next(iter(kinds))
        if issubclass(kind, ast.List | ast.ListComp):
            return list
        return dict if issubclass(kind, ast.Dict | ast.DictComp) else set

    def _mark(self, node: ast.AST) -> int:
        """What is in there: an operation, a `return`, a `break` or `continue` of a loop around
        it.
        """
        if isinstance(node, ast.Name):
            self._name(node)
            return 0
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            return self._inner(node)
        found = _HOLDS if self._is_operation(node) else 0
        if isinstance(node, ast.Return):
            found |= _RETURNS
        elif isinstance(node, ast.Break | ast.Continue):
            found |= _BREAKS
        self._binding(node)
        if isinstance(node, _LOOPS):
            for part in node.body:
                found |= self._mark(part) & ~_BREAKS
            outside: list[ast.AST] = list(node.orelse)
            outside += [node.test] if isinstance(node, ast.While) else [node.target, node.iter]
        else:
            outside = list(ast.iter_child_nodes(node))
        for child in outside:
            found |= self._mark(child)
        if found & _HOLDS:
            self.operations.add(id(node))
        if found:
            self.spelled.add(id(node))
        return found

    def _is_operation(self, node: ast.AST) -> bool:
        match node:
            case (
                ast.Yield()
                | ast.Await()
                | ast.AsyncFor()
                | ast.AsyncWith()
                | ast.comprehension(is_async=1)
            ):
                return True
            case ast.Call():
                fact = self._analysis.calls.get(id(node))
                return (
                    fact is not None
                    and fact.kind is CallKind.NATIVE
                    and fact.native == "create_task"
                )
            case _:
                return False

    def _name(self, node: ast.Name) -> None:
        self.names.add(node.id)
        if isinstance(node.ctx, ast.Store):
            self._stored.add(node.id)
        match node.ctx:
            case ast.Load() if id(node) not in self._called:
                self.values.add(node.id)
            case ast.Del():
                self.deleted.add(node.id)
                self.unsure.add(node.id)
                self._otherwise.add(node.id)
            case ast.Store() if id(node) not in self._display_targets:
                self._otherwise.add(node.id)
            case _:
                pass

    def _binding(self, node: ast.AST) -> None:
        match node:
            case (
                ast.Assign(targets=[ast.Name() as target], value=value)
                | ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value)
            ) if isinstance(value, _CONTAINERS):
                self._displays.setdefault(target.id, set()).add(type(value))
                self._display_targets.add(id(target))
            case ast.Call(func=func):
                self._called.add(id(func))
            case ast.NamedExpr(target=ast.Name(id=name)):
                self.unsteady.add(name)
            case ast.ExceptHandler(name=str(name)):
                self.names.add(name)
                self.deleted.add(name)
                self._handled.add(name)
                self._otherwise.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self.names.add(name)
                self._otherwise.add(name)
            case ast.MatchMapping(rest=str(name)):
                self.names.add(name)
                self._otherwise.add(name)
            case _:
                pass

    def _inner(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
    ) -> int:
        for part in ast.walk(node):
            match part:
                case ast.Call(func=func):
                    self._called.add(id(func))
                case ast.Name(id=name):
                    self.names.add(name)
                    if id(part) not in self._called:
                        self.values.add(name)
                case ast.Nonlocal(names=names):
                    self.unsteady.update(names)
                case _:
                    pass
        found = 0
        if isinstance(node, ast.Lambda | ast.FunctionDef):
            for default in defaults_of(node):
                found |= self._mark(default)
        if found & _HOLDS:
            self.operations.add(id(node))
            self.spelled.add(id(node))
        if isinstance(node, ast.Lambda):
            return found
        self.names.add(node.name)
        self._otherwise.add(node.name)
        if isinstance(node, ast.AsyncFunctionDef):
            self.nested.setdefault(node.name, []).append(node)
            self.operations.add(id(node))
            self.spelled.add(id(node))
            return _HOLDS
        return found


def defaults_of(node: "FunctionNode") -> list[ast.expr]:
    """What making the function evaluates, in order."""
    return [*node.args.defaults, *(part for part in node.args.kw_defaults if part is not None)]


def parameters_of(node: "FunctionNode") -> list[str]:
    """The names of its parameters."""
    arguments = node.args
    extra = [arg.arg for arg in (arguments.vararg, arguments.kwarg) if arg is not None]
    plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*(argument.arg for argument in plain), *extra]
