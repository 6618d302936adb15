"""The secrets that a project's source names: what a deployed site may read, and nothing else."""

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend.meanings import External, Scope
from perdure.modules import Module
from perdure.secrets import NAME

if TYPE_CHECKING:
    from perdure.diagnostics import Report
    from perdure.frontend.resolver import Resolver

__all__ = ["makes_links", "read_secret_names"]

_MAKERS = frozenset(
    {"perdure.secret", "perdure.Secret", "perdure.secrets.secret", "perdure.secrets.Secret"}
)
_LINKS = frozenset({"perdure.approval_link", "perdure.webhooks.links.approval_link"})


def read_secret_names(
    resolver: "Resolver", modules: Iterable[Module], report: "Report"
) -> tuple[str, ...]:
    """Every NAME of `secret("NAME")`, sorted; one that is computed is reported."""
    names: set[str] = set()
    for module in modules:
        if "perdure" not in module.source.text or "ecret" not in module.source.text:
            continue
        scope = Scope(module, None, {})
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or not _is_maker(resolver, node, scope):
                continue
            match node.args:
                case [ast.Constant(value=str(name))] if NAME.match(name):
                    names.add(name)
                case _:
                    report.error(rules.SECRET_NOT_NAMED, module.source.span(node))
    return tuple(sorted(names))


def makes_links(resolver: "Resolver", modules: Iterable[Module]) -> bool:
    """Whether something in the modules is `perdure.approval_link`, called or handed on."""
    for module in modules:
        if "approval_link" not in module.source.text:
            continue
        scope = Scope(module, None, {})
        if any(_dotted(resolver, node, scope) in _LINKS for node in ast.walk(module.tree)):
            return True
    return False


def _is_maker(resolver: "Resolver", node: ast.Call, scope: Scope) -> bool:
    return _dotted(resolver, node.func, scope) in _MAKERS


def _dotted(resolver: "Resolver", node: ast.AST, scope: Scope) -> str:
    """What a name means outside the project; "" for anything else."""
    if not isinstance(node, ast.Name | ast.Attribute):
        return ""
    meaning = resolver.expression(node, scope)
    return meaning.dotted if isinstance(meaning, External) else ""
