"""`asyncio.Semaphore` is `limit=` of a fork: it has to be around whole branches.

The finished walk comes in; semaphores around anything else are refused.
"""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend.analysis import FunctionKind
from perdure.frontend.meanings import External, Instance
from perdure.frontend.state import State, Use
from perdure.frontend.symbols import every_statement

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk

__all__ = ["check"]

_SEMAPHORE = Instance(External("asyncio.Semaphore"))


def check(walk: "Walk") -> None:
    """Refuse semaphores that are not around a whole branch."""
    for state in walk.states.values():
        if isinstance(state.node, ast.Lambda):
            continue
        whole = _whole(walk, state)
        for statement in every_statement(state.node.body):
            if isinstance(statement, ast.AsyncWith) and statement is not whole:
                for item in statement.items:
                    _refuse(walk, state, item.context_expr)
        for call in state.calls:
            func = call.node.func
            if isinstance(func, ast.Attribute) and func.attr in ("acquire", "release"):
                _refuse(walk, state, func.value)


def _refuse(walk: "Walk", state: State, node: ast.expr) -> None:
    if walk.resolver.expression(node, state.scope) == _SEMAPHORE:
        walk.problem(state, rules.SEMAPHORE_IN_BRANCH, node, name=ast.unparse(node))


def _whole(walk: "Walk", state: State) -> ast.stmt | None:
    """The one statement of a function that is only ever a branch."""
    node = state.node
    if isinstance(node, ast.Lambda) or state.func.kind is not FunctionKind.HELPER:
        return None
    body = [part for part in node.body if not _is_text(part)]
    awaited = any(
        state.ref in call.refs and call.use is Use.AWAIT
        for other in walk.states.values()
        for call in other.calls
    )
    if awaited or len(body) != 1:
        return None
    only = body[0]
    return only if isinstance(only, ast.AsyncWith) and len(only.items) == 1 else None


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
