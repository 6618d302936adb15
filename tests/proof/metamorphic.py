"""Changes of a program that change nothing, or one thing that is known: its run stays the same.

Each takes the source of a program and gives another; `unchanged` says what is to be left out of
both runs before they are compared.
"""

import ast
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Final, NamedTuple, final

from perdure.testing import Result
from perdure.trace import to_json

__all__ = ["CHANGES", "Change", "run_of"]

RENAMED: Final = {"y": "y_renamed", "w": "w_renamed", "m": "m_renamed", "later": "later_renamed"}


@final
class Change(NamedTuple):
    """`make`: the text of the changed program, drawn from a seed."""

    make: Callable[[str, int], str]
    left_out: str = ""
    """A pattern for texts that differ."""
    paths: bool = True
    """Whether the operations keep their paths."""


def run_of(result: Result, change: Change) -> object:
    """All that is compared of a run, without what the change is known to do."""
    document = to_json(result.whole_trace)
    entries = document["entries"]
    assert isinstance(entries, list), "a trace has a list of entries"
    fields = ("path", "kind", "name", "arguments", "outcome")[not change.paths :]
    found: list[str] = []
    for entry in entries:
        assert isinstance(entry, dict), "an entry is an object"
        if entry["name"] != "noop":
            found.append(_cleaned(change, {field: entry[field] for field in fields}))
    logs = [_cleaned(change, record) for record in result.logs]
    return sorted(found), _cleaned(change, document["end"]), sorted(logs)


def _cleaned(change: Change, part: object) -> str:
    return re.sub(change.left_out, "", repr(part)) if change.left_out else repr(part)


def _main(tree: ast.Module) -> ast.AsyncFunctionDef:
    return next(
        node for node in tree.body if isinstance(node, ast.AsyncFunctionDef) and node.name == "main"
    )


def _with_steps_that_do_nothing(text: str, seed: int) -> str:
    draw, tree = random.Random(seed), ast.parse(text)
    for block in _blocks(_main(tree)):
        for at in range(len(block), -1, -1):
            if draw.random() < 0.15 and not (at == len(block) and _leaves(block[-1])):
                block.insert(at, ast.parse("await noop()").body[0])
    return "@step\nasync def noop() -> Any: ...\n\n" + ast.unparse(tree)


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Lists of statements that run in the flow itself."""
    for field in ("body", "orelse", "finalbody"):
        inner: list[ast.stmt] | None = getattr(node, field, None)
        if isinstance(inner, list) and inner:
            yield inner
            for stmt in inner:
                if not isinstance(stmt, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield from _blocks(stmt)
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from _blocks(part)


def _leaves(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.Return | ast.Raise | ast.Break | ast.Continue)


class _Renamer(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = RENAMED.get(node.id, node.id)
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.MatchAs:
        node.name = RENAMED.get(node.name or "", node.name)
        self.generic_visit(node)
        return node

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.MatchStar:
        node.name = RENAMED.get(node.name or "", node.name)
        return node


def _with_other_names(text: str, _: int) -> str:
    tree = ast.parse(text)
    _Renamer().visit(_main(tree))
    return ast.unparse(tree)


def _wrapped(head: str, tail: str = "") -> Callable[[str, int], str]:
    def make(text: str, _: int) -> str:
        tree = ast.parse(text)
        main = _main(tree)
        around = ast.parse(f"{head}\n    pass\n{tail}").body[0]
        inner = getattr(around, "body", None)
        assert isinstance(inner, list), "a statement with a block"
        inner[:] = main.body
        main.body = [around]
        return ast.unparse(tree)

    return make


def _in_a_helper(text: str, _: int) -> str:
    tree = ast.parse(text)
    main = _main(tree)
    helper = deepcopy(main)
    helper.name, helper.decorator_list = "moved", []
    main.body = ast.parse("return await moved(x)").body
    tree.body.insert(tree.body.index(main), helper)
    return ast.unparse(tree)


def _inlined(text: str, _: int) -> str:
    """`y = await twice(n)` and its like with the body of `twice` in its place."""
    tree = ast.parse(text)
    for block in _blocks(_main(tree)):
        for at, stmt in enumerate(block):
            match stmt:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Await(value=ast.Call(func=ast.Name(id="twice"), args=[given])),
                ):
                    body = (
                        f"inlined = {ast.unparse(given)}\n"
                        f"if inlined > 6:\n    {name} = 'many'\nelse:\n"
                        f"    doubled = await inc(inlined)\n"
                        f"    {name} = doubled + await inc(doubled)"
                    )
                    block[at : at + 1] = ast.parse(body).body
                case _:
                    pass
    return ast.unparse(tree)


CHANGES: Final = {
    "steps that do nothing": Change(_with_steps_that_do_nothing),
    "other names": Change(_with_other_names, "_renamed"),
    "in an `if True`": Change(_wrapped("if True:")),
    "in a `try` with an empty `finally`": Change(_wrapped("try:", "finally:\n    pass")),
    "in a loop that runs once": Change(_wrapped("for once in [0]:")),
    "in a helper": Change(_in_a_helper, r"\b(?:moved|main)\."),
    "a helper inlined": Change(_inlined, paths=False),
}
