"""An older release in a process of its own: `python -m perdure_azure.served` in its folder.

Reads calls, a line of JSON each, and writes an answer to each, in whatever order they end:

    {"id": 1, "function": "app__main", "body": "<the host's request>"}      an orchestrator
    {"id": 2, "function": "app__add", "call": {...}}                        an activity
    {"id": 1, "value": ...} or {"id": 2, "error": "KeyError: 'x'"}

What flows and steps print goes to standard error.
"""

import asyncio
import inspect
import json
import os
import sys
import threading
from importlib import import_module
from types import SimpleNamespace
from typing import IO, Any

__all__ = ["main"]


def main() -> None:
    """Until there is nothing to read any more."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    app: Any = import_module("function_app").app  # a DFApp
    functions = {
        str(each._function._name or each._function._func.__name__): each._function
        for each in app._function_builders
    }
    lock = threading.Lock()
    for line in sys.stdin.buffer:
        work = threading.Thread(target=_answer, args=(functions, line, answers, lock))
        work.start()


def _answer(
    functions: dict[str, Any], line: bytes, answers: IO[bytes], lock: threading.Lock
) -> None:
    asked = json.loads(line)
    try:
        said = {"id": asked["id"], "value": _called(functions[asked["function"]], asked)}
    except Exception as error:
        said = {"id": asked["id"], "error": f"{type(error).__name__}: {error}"}
    with lock:
        answers.write(json.dumps(said).encode() + b"\n")
        answers.flush()


def _called(function: Any, asked: dict[str, Any]) -> Any:
    given = SimpleNamespace(body=asked["body"]) if "body" in asked else asked["call"]
    answer = function._func(**{function.get_trigger().name: given})
    return asyncio.run(_awaited(answer)) if inspect.isawaitable(answer) else answer


async def _awaited(answer: Any) -> Any:
    return await answer


if __name__ == "__main__":
    main()
