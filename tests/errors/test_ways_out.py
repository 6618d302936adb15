"""The way out that a page shows works: it is compiled for every target, and runs there as it reads.

Each page's good program runs on the reference and on the engines, with arguments and steps that
answer by what they declare.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from perdure.testing import Result, ScriptError, run
from perdure.trace import compare
from tests.errors.test_pages import PAGES, SHOWN_ELSEWHERE, blocks_of, write_blocks

SLOW = ("local", "gcp", "azure")
EXAMPLES: dict[str, object] = {
    "str": "a b",
    "int": 2,
    "float": 1.5,
    "bool": True,
    "bytes": b"x",
    "None": None,
    "object": "x",
    "datetime": "2026-01-01T00:00:00Z",
}
EVENTS: dict[str, list[tuple[object, str, object]]] = {
    "PDR131": [("1m", "item", "x")],
    "PDR213": [("1m", "sign_off", "x")],
    "PDR301": [("1m", "a", "x")],
    "PDR307": [("1h", "approval", 3)] * 100,
    "PDR308": [("5m30s", "done", "x")],
}
"""What is sent to flows that wait: one that nothing ends would run for ever on a virtual clock."""
OLDER = ("PDR101",)
"""Pages whose project pins a Python that is too old for Azure."""
INSTALLED = {"PDR112": ("slugs", "def slugify(text):\n    return text.replace(' ', '-')\n")}
"""A package that the page's program has from elsewhere."""


def example(annotation: ast.expr | None) -> object:
    """A plain value that fits what is declared."""
    match annotation:
        case None:
            return "x"
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in EXAMPLES:
            return EXAMPLES[name]
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return [example(item), example(item)]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, item])):
            return {"k": example(item)}
        case ast.BinOp(left=left):
            return example(left)
        case _:
            return {}


def functions(folder: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Those at the top of the files of a page."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_bytes()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def steps_of(folder: Path) -> dict[str, Callable[..., object]]:
    """Answers for the steps."""
    found: dict[str, Callable[..., object]] = {}
    for node in functions(folder):
        names = " ".join(map(ast.unparse, node.decorator_list))
        if "step" in names:
            answer = example(node.returns)
            found[node.name] = partial(_answer, answer)
    return found


def _answer(value: object, *_: object) -> object:
    return value


def arguments_of(folder: Path) -> dict[str, object]:
    """The input of `main`, but what has a default."""
    node = next(one for one in functions(folder) if one.name == "main")
    required = node.args.args[: len(node.args.args) - len(node.args.defaults)]
    return {one.arg: example(one.annotation) for one in required}


def runs(folder: Path, code: str, target: str) -> Result:
    """How the page's program ends there."""
    steps = steps_of(folder)
    while True:
        try:
            return run(
                f"{folder / 'flow.py'}:main",
                arguments_of(folder),
                target=target,
                steps=steps,
                unscripted="run",
                events=EVENTS.get(code, []),
            )
        except ScriptError as error:
            # A step that the page declares and its flow does not call.
            unknown = [name for name in steps if f"the flow has no step {name!r}" in str(error)]
            if not unknown:
                raise
            del steps[unknown[0]]


@pytest.mark.parametrize(
    "target", ["aws", *(pytest.param(t, marks=pytest.mark.slow) for t in SLOW)]
)
@pytest.mark.parametrize(
    "code",
    [path.stem for path in sorted(PAGES.glob("PDR*.md")) if path.stem not in SHOWN_ELSEWHERE],
)
def test_the_way_out_works(
    code: str,
    target: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_blocks(blocks_of(code), "good", tmp_path)
    monkeypatch.chdir(tmp_path)
    if code in INSTALLED:
        name, text = INSTALLED[code]
        home = tmp_path_factory.mktemp("installed")
        (home / f"{name}.py").write_text(text)
        monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    expected = runs(tmp_path, code, "reference")
    assert expected.status == "done", expected.error
    if target == "azure" and code in OLDER:
        pytest.skip("the page is about an older Python")
    assert compare(expected.whole_trace, runs(tmp_path, code, target).whole_trace) == []
