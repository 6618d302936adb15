"""The script that runs, under the name it has everywhere else: its path from the project's root.

`python agent.py` makes the script the module `__main__`. A run that it starts is driven by
another process, where its flows and classes are those of the module `agent`.
"""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from perdure.codec.text import Json
from perdure.diagnostics import Report
from perdure.project import find_project

__all__ = ["MAIN", "adopt", "check_guarded", "in_its_name"]

MAIN: Final = "__main__"


def adopt() -> str | None:
    """Let the script's module be found under its name, with its classes; that name."""
    script = sys.modules.get(MAIN)
    file: object = getattr(script, "__file__", None)
    if script is None or not isinstance(file, str) or not _has_flows(script):
        return None
    path = Path(file).absolute()
    name = find_project(path, Report()).module_name(path)
    if name is not None:
        sys.modules.setdefault(name, script)
    return name


def _has_flows(script: ModuleType) -> bool:
    from perdure.language import Flow

    return any(
        isinstance(value, Flow) and value.__perdure_ref__.startswith(f"{MAIN}:")
        for value in vars(script).values()
    )


def in_its_name(value: Json) -> Json:
    """An encoded value in which the script's own classes and functions have its real name."""
    name = adopt()
    return value if name is None else _renamed(value, name)


def _renamed(node: Json, name: str) -> Json:
    if isinstance(node, list):
        return [_renamed(item, name) for item in node]
    if not isinstance(node, Mapping):
        return node
    tagged = isinstance(node.get("@"), str)
    return {
        key: f"{name}:{item.removeprefix(f'{MAIN}:')}"
        if tagged and key != "v" and isinstance(item, str) and item.startswith(f"{MAIN}:")
        else _renamed(item, name)
        for key, item in node.items()
    }


def check_guarded(tree: ast.Module, file: str) -> None:
    """RuntimeError for a script that does its work also when another process imports it."""
    for stmt in tree.body:
        if isinstance(stmt, ast.If) and any(
            isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(stmt.test)
        ):
            return
    raise RuntimeError(
        f"a run of this flow is driven by a process that imports `{file}`: put what the script "
        'does under `if __name__ == "__main__":`'
    )
