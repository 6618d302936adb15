"""The signatures of operations: what a call of one may be given.

A call and the dotted name of what it calls come in; what does not fit is refused. Methods of
handles and task groups have their name alone (`send`).
"""

import ast
from typing import TYPE_CHECKING

from perdure import rules
from perdure.frontend.arguments import problem_of
from perdure.frontend.meanings import Coroutine

if TYPE_CHECKING:
    from perdure.frontend.reader import Reader

__all__ = ["check"]

_UNNAMED = "its branches have to be named"
_SIGNATURES = {
    "perdure.event": "name, type=None, timeout=None",
    "perdure.sleep": "duration=None, *, until=None",
    "perdure.gather": "*coroutines, limit=None, return_exceptions=False, fail_fast=False",
    "perdure.race": "**coroutines",
    "perdure.quorum": "k, /, *coroutines",
    "perdure.progress": "value",
    "perdure.reply": "name, value",
    "perdure.this_run": "",
    "asyncio.sleep": "delay, result=None",
    "asyncio.gather": "*coros_or_futures, return_exceptions=False",
    "asyncio.wait_for": "fut, timeout",
    "asyncio.timeout": "delay",
    "asyncio.timeout_at": "when",
    "asyncio.TaskGroup": "",
    "asyncio.Semaphore": "value=1",
    "create_task": "coro, *, name=None, context=None",
    "send": "event, payload=None",
    "ask": "event, payload=None",
    "cancel": "",
}


def check(reader: "Reader", node: ast.Call, dotted: str) -> None:
    """Refuse a call that the operation's signature cannot take."""
    dotted = dotted.replace(".operations.", ".")
    if dotted.startswith("asyncio."):
        dotted = f"asyncio.{dotted.rpartition('.')[2]}"
    written = _SIGNATURES.get(dotted)
    if written is None:
        return
    signature = ast.parse(f"def f({written}): ...").body[0]
    assert isinstance(signature, ast.FunctionDef)
    problem = problem_of(node, signature, frozenset()) or _more(reader, node, dotted)
    if problem is not None:
        name = ast.unparse(node.func)
        shown = f"{name}({written.replace(', /', '')})"
        if dotted == "perdure.race":
            problem = _UNNAMED if node.args else problem
            shown = f"{name}(first=..., second=...)"
        reader.problem(rules.WRONG_ARGUMENTS, node, name=name, problem=problem, signature=shown)


def _more(reader: "Reader", node: ast.Call, dotted: str) -> str | None:
    """What the signature alone does not say."""
    open_ended = any(isinstance(item, ast.Starred) for item in node.args)
    open_ended = open_ended or any(keyword.arg is None for keyword in node.keywords)
    if dotted == "perdure.sleep" and not open_ended:
        given = len(node.args) + len(node.keywords)
        return None if given == 1 else "it takes a duration or `until`, one of them"
    if dotted == "perdure.race" and node.args:
        return _UNNAMED
    if dotted == "perdure.quorum" and isinstance(reader.meaning(node.args[0]), Coroutine):
        return "the first argument says how many have to succeed"
    return None
