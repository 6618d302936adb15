"""Nothing that the engine does changes unseen: golden files of very many inputs."""

import copy
import itertools
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from perdure_gcp.workflows.values import Value
from tests.gcp_engine import (
    test_calls,
    test_checker,
    test_expressions,
    test_open_questions,
    test_parallel,
    test_steps,
    transcripts,
)

GOLDEN = Path(__file__).parent / "golden"

FIRST: Value = {"set": {"assign": [{"x": 1}, {"m": {"a": "${x}"}}, {"m.b[0]": 2}], "next": "pick"}}
PARTS: list[Value] = [
    {"pick": {
        "switch": [
            {"condition": "${x == 1}", "next": "loop"},
            {"condition": True, "steps": [{"inner": {"return": 1}}]},
            {"condition": "${not (x == 1)}", "raise": "no"},
        ],
        "next": "end",
    }},
    {"loop": {"for": {
        "value": "v", "index": "i", "in": [1, "${x}"],
        "steps": [{"body": {"assign": [{"x": "${x + v}"}], "next": "continue"}}],
    }}},
    {"count": {"for": {"value": "k", "range": [1, 3], "steps": [
        {"add": {"call": "sys.log", "args": {"data": "${k}", "severity": "INFO"}}}]}}},
    {"both": {"parallel": {
        "shared": ["x"], "concurrency_limit": 2, "exception_policy": "continueAll",
        "branches": [
            {"left": {"steps": [{"one": {"assign": [{"x": "${x + 1}"}]}}]}},
            {"right": {"steps": [{"two": {"call": "double_it", "args": {"n": 2},
                                          "result": "y"}}]}},
        ],
    }}},
    {"each": {"parallel": {"for": {"value": "w", "in": "${[1]}", "steps": [
        {"nap": {"call": "sys.sleep", "args": {"seconds": 1}}}]}}}},
    {"tried": {
        "try": {"steps": [{"get": {"call": "http.get", "args": {"url": "https://a.b/"},
                                   "result": "answer"}}]},
        "retry": {"predicate": "${http.default_retry_predicate}", "max_retries": 2,
                  "backoff": {"initial_delay": 1, "max_delay": 2, "multiplier": 2}},
        "except": {"as": "e", "steps": [{"seen": {"raise": "${e}"}}]},
    }},
    {"group": {"steps": [{"last": {"assign": [{"z": "${double_it(x)}"}]}}]}},
    {"give": {"return": {"z": "${z}", "text": "plain", "list": [1, None]}}},
]  # fmt: skip
OTHER: Value = {"params": ["n", {"by": 2}], "steps": [{"out": {"return": "${n * by}"}}]}
LAST: Value = {"pick": {"call": "double_it", "args": {"n": 1}}}


def _document(*steps: Value) -> Value:
    return {"main": {"params": ["input"], "steps": [*steps]}, "double_it": OTHER}


WHOLE = _document(FIRST, *PARTS)

INSTEAD: tuple[Value, ...] = (None, 5, "word", "${", "${1}", [], {"k": 1})

EXPRESSIONS = (
    'a.b["c"][0] + -1.5 * (2 - f(1, "x\\n")) // 3 % 4 / 5',
    'not (a in [1, "b", null]) and true or x >= 1 == false != (y < 2) <= 3 > 4',
    'text.split("a,b", ",")[1] + default(map.get(m, ["k"]), 0)',
)
INSERTED = ('"', "(", ")", "]", ".", ",", "1", "and", "'", "#", "=", "\\", " ", "e", "{", "!")

ACTIONS = (
    *(f"{{call: sys.sleep, args: {{seconds: {n}}}}}" for n in
      ("0", "1", "0.5", "31536000", "31536001", "-1", "'1'", "true", "null")),
    *(f"{{call: sys.sleep_until, args: {{time: {t}}}}}" for t in
      ("'2026-01-01T00:01:00Z'", "'2025-01-01T00:00:00+02:00'", "5", "'soon'")),
    *(f"{{call: sys.log, args: {args}}}" for args in
      ("{data: 1}", "{text: a, severity: ERROR}", "{json: {a: 1}}", "{data: 1, text: a}",
       "{text: a, severity: LOUD}", "{text: a, severity: 5}", "{text: a, timeout: 5}")),
    *(f"{{call: events.create_callback_endpoint, args: {{http_callback_method: {m}}}, result: r}}"
      for m in ("GET", "POST", "TRACE", "5")),
    *(f"{{call: events.await_callback, args: {args}, result: r}}" for args in
      ("{callback: 5}", "{callback: {}}", "{callback: {url: x}}", "{callback: {url: 5}}",
       "{callback: {url: x}, timeout: 0}", "{callback: {url: x}, timeout: '5'}",
       "{callback: {url: x}, timeout: true}", "{callback: {url: x}, timeout: -1}")),
    *(f"{{call: http.get, args: {{url: 'https://a.b/', timeout: {n}}}, result: r}}"
      for n in ("1", "2", "3", "5000")),
    *(f"{{call: {name}, args: {args}, result: r}}" for name in
      ("googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run",
       "experimental.executions.run")
      for args in ("{workflow_id: nope}", "{workflow_id: 5}",
                   "{workflow_id: nope, argument: {a: 1}}",
                   "{workflow_id: nope, connector_params: 5}",
                   "{workflow_id: nope, connector_params: {timeout: 5}}")),
    "{call: googleapis.storage.v1.objects.get, args: {bucket: b, connector_params: {a: 1}}, "
    "result: r}",
    *(f"{{for: {{value: v, {items}, steps: [{{s: {{assign: [{{x: '${{v}}'}}]}}}}]}}}}" for items in
      ("in: 5", "in: '${\"ab\"}'", "range: [1, 1]", "range: [2, 1]", "range: [1.5, 3]",
       "range: ['1', 2]", "range: '${[1, 2, 3]}'", "range: 5", "in: '${keys(input)}'")),
    *(f"{{switch: [{{condition: {c}, next: end}}]}}" for c in
      ("'${5}'", "'${null}'", "'${\"true\"}'", "true", "false")),
    *(f"{{raise: {value}}}" for value in ("text", "{code: 5}", "5", "'${input}'", "[1]", "null")),
    *(f"{{parallel: {{concurrency_limit: '${{{n}}}', for: {{value: v, in: [1, 2, 3], steps: "
      "[{s: {call: sys.sleep, args: {seconds: '${v}'}}}]}}}" for n in
      ("1", "2", "0", "-1", "1.5", "true", "\"2\"")),
)  # fmt: skip


def _broken(document: Value) -> Iterator[tuple[str, Value]]:
    """The document with something else, or nothing, in each of its places."""
    for path in _places(document, ()):
        for instead in INSTEAD:
            changed = copy.deepcopy(document)
            _put(_at(changed, path[:-1]), path[-1], instead)
            yield f"{_named(path)} is {instead!r}", changed
        changed = copy.deepcopy(document)
        _drop(_at(changed, path[:-1]), path[-1])
        yield f"without {_named(path)}", changed
        if isinstance(path[-1], str):
            changed = copy.deepcopy(document)
            holder = _at(changed, path[:-1])
            assert isinstance(holder, dict), "a key is one of a map"
            holder[f"{path[-1]}_"] = holder.pop(path[-1])
            yield f"{_named(path)}_", changed


def _named(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def _places(document: Value, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    inner: list[tuple[str | int, Value]] = []
    if isinstance(document, dict):
        inner = list(document.items())
    if isinstance(document, list):
        inner = list(enumerate(document))
    for key, value in inner:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _at(document: Value, path: tuple[str | int, ...]) -> Value:
    for key in path:
        match document, key:
            case dict(), str():
                document = document[key]
            case list(), int():
                document = document[key]
            case _:
                raise AssertionError(path)
    return document


def _put(holder: Value, key: str | int, value: Value) -> None:
    match holder, key:
        case dict(), str():
            holder[key] = value
        case list(), int():
            holder[key] = value
        case _:
            raise AssertionError(key)


def _drop(holder: Value, key: str | int) -> None:
    match holder, key:
        case dict(), str():
            del holder[key]
        case list(), int():
            del holder[key]
        case _:
            raise AssertionError(key)


def _expressions() -> Iterator[str]:
    """Expressions, whole, without one of their characters, and with one more."""
    for text in EXPRESSIONS:
        yield text
        for at in range(len(text)):
            yield text[:at] + text[at + 1 :]
            yield text[:at] + INSERTED[at % len(INSERTED)] + text[at:]


def problems() -> Iterator[str]:
    small = _broken(_document(FIRST, LAST))
    parts = (one for part in PARTS for one in _broken(part))
    placed = ((name, _document(FIRST, part, LAST)) for name, part in parts)
    for name, broken in itertools.chain(small, placed):
        found = transcripts.problems(json.dumps(broken, indent=0))
        if found != "    deploys":
            yield f"{name}\n{found}"
    tables = [row[0] for table in test_checker.TABLES.values() for row in table.values()]
    for source in (*tables, *test_checker.OPEN.values()):
        text = textwrap.dedent(source)
        yield f"{text.strip()}\n{transcripts.problems(text)}"


def grammar() -> Iterator[str]:
    for text in _expressions():
        source = json.dumps([{"one": {"return": "${" + text + "}"}}])
        yield f"{text}\n{transcripts.problems(source)}"


def runs() -> Iterator[str]:
    tables = (test_steps.TABLES, test_calls.TABLES)
    for table in (table for tables in tables for table in tables.values()):
        for name, row in table.items():
            yield f"{name}\n{transcripts.runs(textwrap.dedent(row[0]))}"
    for name, row in test_parallel.RESULTS.items():
        for seed in range(3):
            yield f"{name} ({seed})\n{transcripts.runs(textwrap.dedent(row[0]), seed)}"
    for source in test_open_questions.PROGRAMS.values():
        yield transcripts.runs(textwrap.dedent(source))
    for action in ACTIONS:
        for source in (
            f"main: {{params: [input], steps: [{{one: {action}}}]}}",
            f"main: {{params: [input], steps: [{{t: {{try: {{steps: [{{one: {action}}}]}}, "
            "except: {as: e, steps: [{give: {return: '${e}'}}]}}}]}",
        ):
            yield f"{action}\n{transcripts.runs(source)}"
    for seed in range(3):
        yield transcripts.runs(json.dumps(WHOLE), seed)


def expressions() -> Iterator[str]:
    rows = [row for table in test_expressions.TABLES.values() for row in table]
    for text, given, *_ in rows:
        assign = [{key: value} for key, value in given.items()] or [{"unused": 1}]
        steps = [{"given": {"assign": assign}}, {"give": {"return": ["${" + text + "}"]}}]
        yield f"{text} {given}\n{transcripts.runs(json.dumps(steps))}"


FILES: dict[str, Callable[[], Iterator[str]]] = {
    "arguments": transcripts.arguments,
    "operators": transcripts.operators,
    "values": transcripts.values,
    "requests": transcripts.requests,
    "policies": transcripts.policies,
    "problems": problems,
    "grammar": grammar,
    "runs": runs,
    "expressions": expressions,
}


@pytest.mark.parametrize("name", FILES)
def test_the_engine_does_what_it_did(name: str, update: bool) -> None:
    file = GOLDEN / f"{name}.txt"
    text = "\n".join(FILES[name]()) + "\n"
    if update:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    assert text.encode("utf-8", "backslashreplace").decode() == file.read_text("utf-8")
