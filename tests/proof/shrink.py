"""Makes a program that goes wrong as small as it can be and still go wrong in the same way."""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.differential.harness import Program, Verdict
from tests.proof import quick

__all__ = ["shrunk"]


def shrunk(
    wrong: Program,
    engines: Sequence[str] = quick.QUICK,
    judge: Callable[[Program, Sequence[str]], dict[str, Verdict]] = quick.judge,
) -> Program:
    """Fewer lines, fewer events, blocks lifted out of what is around them."""
    how = _signature(judge(wrong, engines))

    def goes_wrong(changed: Program) -> bool:
        if not _is_python(changed.text) or "async def main(" not in changed.text:
            return False
        return _signature(judge(changed, engines)) == how

    best = wrong
    if best.cancel is not None and goes_wrong(replace(best, cancel=None)):
        best = replace(best, cancel=None)
    for event in list(best.events):
        fewer = replace(best, events=[one for one in best.events if one is not event])
        best = fewer if goes_wrong(fewer) else best
    for attempt in (_without, _lifted):
        at = 0
        while at < len(_places(best.text)):
            text = attempt(best.text, at)
            changed = replace(best, text=text)
            if text != best.text and goes_wrong(changed):
                best = changed
            else:
                at += 1
    return best


def _places(text: str) -> list[ast.stmt]:
    """Its statements, the larger ones before what is in them."""
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]


def _range(lines: list[str], node: ast.stmt) -> tuple[int, int]:
    first = node.lineno - 1
    while first and lines[first - 1].lstrip().startswith("@"):
        first -= 1
    return first, node.end_lineno or node.lineno


def _without(text: str, at: int) -> str:
    """Without that statement; `pass` where it was alone."""
    lines = text.split("\n")
    first, end = _range(lines, _places(text)[at])
    fewer = "\n".join(lines[:first] + lines[end:])
    if _is_python(fewer):
        return fewer
    indent = " " * (len(lines[first]) - len(lines[first].lstrip()))
    return "\n".join([*lines[:first], f"{indent}pass", *lines[end:]])


def _lifted(text: str, at: int) -> str:
    """The body of that statement in its place."""
    lines, node = text.split("\n"), _places(text)[at]
    body: list[ast.stmt] | None = getattr(node, "body", None)
    if not body or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return text
    first, end = _range(lines, node)
    inner = lines[body[0].lineno - 1 : body[-1].end_lineno]
    return "\n".join(lines[:first] + [line.removeprefix("    ") for line in inner] + lines[end:])


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _signature(verdicts: dict[str, Verdict]) -> object:
    """What goes wrong, without the details that change as the program shrinks."""
    kinds = tuple((name, verdict.kind) for name, verdict in verdicts.items())
    crashed = [
        v.detail.rstrip().rpartition("\n")[2] for v in verdicts.values() if v.kind == "crashed"
    ]
    return kinds, tuple(re.sub(r"\d+|'[^']*'|`[^`]*`", "_", line)[:80] for line in crashed)
