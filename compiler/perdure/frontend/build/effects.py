"""What pure code may do besides binding names: raise, record, loop; read off the source."""

import ast
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, final

from perdure.frontend.analysis import CallKind

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis, CallFact
    from perdure.ir import Ref

__all__ = ["Effects"]

_CALM = (
    ast.Constant,
    ast.Name,
    ast.expr_context,
    ast.Assign,
    ast.Expr,
    ast.Pass,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Return,
    ast.Break,
    ast.Continue,
    ast.Lambda,
    ast.IfExp,
    ast.BoolOp,
    ast.boolop,
    ast.Not,
    ast.UnaryOp,
    ast.Is,
    ast.IsNot,
    ast.NamedExpr,
    ast.If,
)
"""Nodes that raise nothing by themselves (a truth test does, of a class of the project's: see
`_raises`).
"""
_LOOPS = (
    ast.For,
    ast.While,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


@final
class Effects:
    """Facts about calls, with what the functions of the project record remembered."""

    def __init__(self, analysis: "Analysis") -> None:
        self._analysis = analysis
        self._recording: dict[Ref, bool] = {}

    def of(
        self, nodes: Iterable[ast.AST], replaced: Mapping[int, ast.expr]
    ) -> tuple[bool, bool, bool]:
        """Whether the nodes may raise, record, loop; what was replaced by a temporary does
        nothing.
        """
        may_raise = records = loops = False
        pending = [*nodes]
        while pending:
            node = pending.pop()
            if id(node) in replaced:
                continue
            may_raise |= id(node) in self._analysis.asked
            if isinstance(node, ast.Call):
                fact = self._analysis.calls.get(id(node))
                may_raise = True
                records |= self._records(fact)
                loops |= fact is None or (fact.kind is CallKind.PURE and bool(fact.refs))
            elif isinstance(node, _LOOPS):
                may_raise = loops = True
            else:
                may_raise |= _raises(node)
            if not isinstance(node, ast.Lambda):
                pending.extend(ast.iter_child_nodes(node))
        return may_raise, records, loops

    def _records(self, fact: "CallFact | None") -> bool:
        if fact is None:
            return False
        match fact.kind:
            case CallKind.READ | CallKind.LOG:
                return True
            case CallKind.PURE | CallKind.VALUE:
                return any(self._function_records(ref) for ref in fact.refs)
            case _:
                return False

    def _function_records(self, ref: "Ref") -> bool:
        known = self._recording.get(ref)
        if known is not None:
            return known
        self._recording[ref] = False  # While it is being looked at: recursion adds nothing.
        info = self._analysis.functions.get(ref)
        found = info is not None and any(
            self._records(self._analysis.calls.get(id(node)))
            for node in ast.walk(info.node)
            if isinstance(node, ast.Call)
        )
        self._recording[ref] = found
        return found


def _raises(node: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=targets):
            return not all(isinstance(target, ast.Name) for target in targets)
        case ast.UnaryOp(op=ast.Not(), operand=test) | ast.IfExp(test=test) | ast.If(test=test):
            return not _is_plain_test(test)
        case ast.BoolOp(values=values):
            return not all(_is_plain_test(value) for value in values)
        case ast.Compare(ops=ops):
            return not all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
        case ast.Dict(keys=keys):
            return not all(isinstance(key, ast.Constant) for key in keys)
        case _:
            return not isinstance(node, _CALM)


def _is_plain_test(test: ast.expr) -> bool:
    """Its truth cannot raise: a constant, `is`, or a combination of these."""
    match test:
        case ast.Constant():
            return True
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _is_plain_test(operand)
        case ast.BoolOp(values=values):
            return all(_is_plain_test(value) for value in values)
        case _:
            return False
