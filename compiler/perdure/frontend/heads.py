"""The flows of a module that were not asked for: what keeps the module from being imported at
all."""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend.meanings import Func
from perdure.frontend.symbols import every_statement, own_expressions
from perdure.modules import Module

if TYPE_CHECKING:
    from perdure.diagnostics import Report

__all__ = ["check_heads"]


def check_heads(module: Module, flows: tuple[Func, ...], report: "Report") -> None:
    """Refuse flows that CPython's compiler refuses, in words of the language."""
    for func in flows:
        node = func.node
        if isinstance(node, ast.FunctionDef):
            span = module.source.header_span(node)
            report.error(rules.FLOW_NOT_ASYNC, span, name=node.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for found in _yields(node):
                report.error(rules.YIELD, module.source.keyword_span(found, "yield"))


def _yields(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.Yield | ast.YieldFrom]:
    found: list[ast.Yield | ast.YieldFrom] = []
    for statement in every_statement(node.body):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        pending: list[ast.AST] = [*own_expressions(statement)]
        while pending:
            part = pending.pop()
            if isinstance(part, ast.Yield | ast.YieldFrom):
                found.append(part)
            if not isinstance(part, ast.Lambda | ast.Constant | ast.Name):
                pending.extend(ast.iter_child_nodes(part))
    return found
