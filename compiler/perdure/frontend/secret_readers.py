"""Who reads which secret: the steps of each group, and the door of the flow.

Comes in: the modules of a project that the flow needs. A statement at the top of a module is one
unit: it says names, and whoever runs it may run every unit that binds one of them, in whatever
module, a method's name included. That is more than what runs, and never less: what is deployed may
read a secret exactly if its code could.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.frontend.meanings import Func
    from perdure.modules import Module

__all__ = ["Readers", "read_readers"]


@final
class Readers(NamedTuple):
    """Names of secrets, sorted."""

    steps: tuple[tuple[str | None, tuple[str, ...]], ...] = ()
    """What the steps of each group read; None: of those without one."""
    door: tuple[str, ...] = ()
    """What the triggers read: schemes, and the functions that look into a delivery."""


@final
class _Unit(NamedTuple):
    """A statement at the top of a module."""

    binds: frozenset[str]
    says: frozenset[str]
    on_import: bool
    """Whether importing the module reads a secret: then everybody does."""


def read_readers(analysis: "Analysis", entry: "Func") -> Readers:
    """Who reads what of `analysis.secrets`."""
    if not analysis.secrets:
        return Readers()
    on = _trigger_nodes(entry)
    skipped = {id(node) for node in on}
    units = [unit for module in analysis.closure for unit in _units(module, skipped)]
    always = [unit for unit in units if unit.on_import]
    names = frozenset(analysis.secrets)
    groups: dict[str | None, set[str]] = {None: set()}
    for ref, fact in analysis.steps.items():
        begins = _identifiers(fact.node, skipped) if fact.node else frozenset[str]()
        begins |= {ref.qualname.partition(".")[0]}
        groups.setdefault(fact.group, set()).update(_reached(begins, units, always) & names)
    groups[None] |= _reached(frozenset(), units, always) & names
    door = _reached(_said(on, set()), units, always) & names if on else frozenset[str]()
    steps = tuple((group, tuple(sorted(groups[group]))) for group in groups)
    return Readers(steps, tuple(sorted(door)))


def _trigger_nodes(entry: "Func") -> Sequence[ast.expr]:
    if not isinstance(entry.policy, ast.Call):
        return ()
    return [key.value for key in entry.policy.keywords if key.arg == "on"]


def _units(module: "Module", skipped: set[int]) -> Iterator[_Unit]:
    for stmt in module.tree.body:
        says = _identifiers(stmt, skipped)
        yield _Unit(_bound(stmt), says, _reads_on_import(stmt, skipped))


def _bound(stmt: ast.stmt) -> frozenset[str]:
    """The names that a statement binds, those inside it and those of methods included."""
    found: set[str] = set()
    for node in ast.walk(stmt):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.Import() | ast.ImportFrom() if stmt is node:
                found.update(alias.asname for alias in node.names if alias.asname)
            case _:
                pass
    return frozenset(found)


def _identifiers(node: ast.AST, skipped: set[int]) -> frozenset[str]:
    return _said([node], skipped)


def _said(nodes: Iterable[ast.AST], skipped: set[int]) -> frozenset[str]:
    """Names, attributes, and texts, which may be names too (`getattr`, `secret("NAME")`)."""
    found: set[str] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if id(node) in skipped:
            continue
        match node:
            case ast.Name():
                found.add(node.id)
            case ast.Attribute():
                found.add(node.attr)
            case ast.Constant(value=str(text)):
                found.add(text)
            case ast.Import() | ast.ImportFrom():
                found.update(alias.name for alias in node.names)
            case _:
                pass
        pending.extend(ast.iter_child_nodes(node))
    return frozenset(found)


def _reads_on_import(stmt: ast.stmt, skipped: set[int]) -> bool:
    """Whether what runs when the module is imported takes a `.value` of something."""
    pending: list[ast.AST] = [stmt]
    while pending:
        node = pending.pop()
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Attribute) and node.attr == "value":
            return True
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            defaults = [one for one in node.args.kw_defaults if one is not None]
            pending += [*node.decorator_list, *node.args.defaults, *defaults]
        elif not isinstance(node, ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))
    return False


def _reached(
    begins: frozenset[str], units: Sequence[_Unit], always: Sequence[_Unit]
) -> frozenset[str]:
    """Everything that is said by what may run."""
    said, left = set(begins), list(units)
    for unit in always:
        said |= unit.says
    while True:
        found = [unit for unit in left if not said.isdisjoint(unit.binds)]
        if not found:
            return frozenset(said)
        left = [unit for unit in left if said.isdisjoint(unit.binds)]
        for unit in found:
            said |= unit.says
