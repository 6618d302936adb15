"""What to write instead, where that depends on what the file has."""

import ast
from collections.abc import Iterable

from perdure.diagnostics import nearest

__all__ = ["no_flow_hint", "undefined_hint", "unknown_hint"]


def undefined_hint(name: str, function: ast.AST, known: Iterable[str]) -> str:
    """What to write where a name is bound nowhere; `known`: the names of the module."""
    names = [*known]
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            names.append(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
    close = nearest(name, (one for one in names if one != name)) if len(name) > 2 else None
    meant = f"write `{close}`, or " if close else ""
    return f"{meant}assign `{name}` on every path before this line"


def unknown_hint(top: str | None = None) -> str:
    """What to do with a call that nobody here can read; `top`: the module it is imported from."""
    way = "call it inside a step; if it is pure, add it to `pure` under `[tool.perdure]`"
    if top is None:
        return way
    return f"`{top}` is no module of this project or the standard library. Of a package: {way}"


def no_flow_hint(tree: ast.Module) -> str:
    """What to write in a file without flows; a method cannot be one."""
    for owner in tree.body:
        if not isinstance(owner, ast.ClassDef):
            continue
        for method in owner.body:
            if isinstance(method, ast.AsyncFunctionDef | ast.FunctionDef) and any(
                ast.unparse(mark).partition("(")[0].endswith("flow")
                for mark in method.decorator_list
            ):
                return (
                    f"a method is no flow: move `{method.name}` out of the class `{owner.name}`, "
                    "and give it what it takes from `self` as parameters"
                )
    return "write `@flow` above the `async def` that should run"
