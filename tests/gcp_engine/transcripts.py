"""What the engine does with each of many inputs, as lines of a golden file.

The other tests say what the documentation says. These keep everything else from changing unseen:
the tags and texts of errors, at which open question a strict run stops and how the other goes on,
the places of problems, steps, memory and times of runs.
"""

import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import final

from perdure_gcp.workflows import (
    DeployError,
    Failure,
    Project,
    Request,
    Response,
    Unverified,
    WorkflowError,
)
from perdure_gcp.workflows.environment import replaced
from perdure_gcp.workflows.http import made, outcome
from perdure_gcp.workflows.library import LIBRARY, holds_for, library_constant
from perdure_gcp.workflows.operators import binary, index, negative, text_of
from perdure_gcp.workflows.problems import Doubts, Limited
from perdure_gcp.workflows.project import START
from perdure_gcp.workflows.retries import Policy
from perdure_gcp.workflows.signatures import CONSTANTS, FUNCTIONS, PREDICATES
from perdure_gcp.workflows.values import (
    Function,
    Undocumented,
    Value,
    from_json,
    from_python,
    size,
    to_json,
    type_name,
)

__all__ = ["arguments", "operators", "policies", "problems", "requests", "runs", "values"]

type Work = Callable[[Doubts], object]

ALL: Sequence[Value] = (
    None, True, False, 0, 5, -7, 2**63 - 1, -(2**63), 1.5, -2.5, 2.0, 1e300, 1e-4, 0.1 + 0.2,
    1e-3, 999999999.5, 1000000000.5, 0.12345678901234, 0.123456789012345, 1.5e-7, -0.5,
    float("nan"), "", "a", "ab", "12", "-3.5", ".5", "5.", "1e3", " 7 ", "99999999999999999999",
    "\u00e9", "\U0001f600", "\ud800", "a,b", "%41+", "%4", "a+b c", "<", "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-01-01", "[1]", '{"a": 1.5, "a": 1e2}',
    "NaN", b"", b"hi", b"\xff", [], [1, "x"], {}, {"a": 1, "b": {"c": 2}}, Function("f"),
    Undocumented("a field"),
)  # fmt: skip
SOME: Sequence[Value] = (
    None, True, -1, 3, 1.5, "", "a", "ana", "banana", "b*", "$", "n\n", "SHA256", "MD5",
    "\U0001f600", b"hi",
    ["a", "b"], {"a": {"b": 2}},
)  # fmt: skip
FEW: Sequence[Value] = (1, 9, -1, "", "ana", "banana", "(a)", "\\1", b"k", "SHA1")
NUMBERS: Sequence[Value] = (
    None, True, 0, 7, -7, 2, -2, 2**63 - 1, 1.5, -2.5, 2.0, 0.0, 1e308, "", "a", "b", b"a", [1], [],
    {"a": 1}, {"1": 2}, Function("f"), Undocumented("a field"),
)  # fmt: skip
OPERATORS = ("+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "in")


@final
class World:
    """What functions of the library ask for."""

    def __init__(self, doubts: Doubts) -> None:
        self.doubts = doubts
        self.order = random.Random(0)

    def now(self) -> float:
        return START + 1.5

    def environment(self, name: str) -> str | None:
        return {"a": "set"}.get(name)

    def uuid(self) -> str:
        return "a UUID"


def shown(value: object) -> str:
    """A value in one line."""
    return repr(value)


def ended(work: Work) -> str:
    """How the strict engine ends, and, where that is an open question, the other one."""
    try:
        return shown(work(Doubts(strict=True)))
    except WorkflowError as error:
        return f"raises {shown(error.value)}"
    except Limited as limit:
        return f"ends with {limit.tag}: {limit.message}"
    except Unverified as open_:
        _, _, detail = str(open_).partition("? ")
        return f"{open_.question} {detail}, else {_lax(work)}"


def _lax(work: Work) -> str:
    try:
        return shown(work(Doubts(strict=False)))
    except WorkflowError as error:
        return f"raises {shown(error.value)}"
    except Limited as limit:
        return f"ends with {limit.tag}: {limit.message}"


def grouped(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each way to end, with all inputs that end so."""
    found: dict[str, list[str]] = {}
    for given, end in rows:
        found.setdefault(end, []).append(given)
    for end, inputs in found.items():
        yield f"    {end}"
        yield f"        {' '.join(inputs)}"


def _call(name: str, given: Sequence[Value], doubts: Doubts) -> object:
    return LIBRARY[name](World(doubts), list(given))


def arguments() -> Iterator[str]:
    """Every function of the library with every kind of argument."""
    for name in sorted(LIBRARY):
        count = len(FUNCTIONS[name].parameters)
        pool = {0: ALL, 1: ALL, 2: SOME}.get(count, FEW)
        yield f"{name}({', '.join(FUNCTIONS[name].parameters)})"
        rows = itertools.product(pool, repeat=count)
        yield from grouped(
            (f"({', '.join(map(shown, row))})", ended(partial(_call, name, row))) for row in rows
        )
    for name in sorted((*CONSTANTS, *PREDICATES)):
        yield f"{name}\n    {shown(library_constant(name))}"


def operators() -> Iterator[str]:
    """Every operator with every kind of operand; access to parts, and assignments to them."""
    for name in OPERATORS:
        yield f"left {name} right"
        pairs = itertools.product(NUMBERS, repeat=2)
        yield from grouped(
            (f"({shown(one)}, {shown(two)})", ended(partial(binary, name, one, two)))
            for one, two in pairs
        )
    yield "-operand"
    yield from grouped((shown(one), ended(partial(negative, one))) for one in NUMBERS)
    yield "text"
    yield from grouped((shown(one), ended(partial(text_of, one))) for one in ALL)
    bases: Sequence[Value] = ([], [1, [2, 3]], {"a": [1], "1": {"b": 2}}, "text", None, b"b", 5)
    keys: Sequence[Value] = (0, 1, 2, -1, 1.0, True, "a", "b", "1", "0", None)
    yield "base[key]"
    yield from grouped(
        (f"{shown(base)}[{shown(key)}]", ended(partial(index, base, key)))
        for base, key in itertools.product(bases, keys)
    )
    yield "base[key][then] = 9"
    paths: list[Sequence[Value]] = [["a", 0], ["x", "y"], ["1", "b"], [1, 0], [1, 5], ["1", "b", 0]]
    paths += [[key] for key in keys]
    yield from grouped(
        (f"{shown(base)}{shown([*path])}", ended(partial(replaced, base, [*path], 9)))
        for base, path in itertools.product(bases, paths)
    )


def values() -> Iterator[str]:
    """Types, sizes and JSON of values."""
    for one in ALL:
        text = ended(partial(to_json, one))
        yield f"{shown(one)}: {type_name(one)}, {size(one)} bytes, {text}"
    for text in TEXTS:
        yield f"{text} is {ended(partial(from_json, text))}"
    for given in ({1: 2}, {"a": (1, 2)}, 2**64, {True: [None]}):
        yield f"{given} is {ended(partial(from_python, given))}"
    nested: Value = {"b": [1, 2.5, {"z": None, "y": "\u00e9"}], "a": True}
    for seed in range(3):
        yield to_json(nested, Doubts(strict=True), random.Random(seed), "  ")


TEXTS = (
    "1", "1.5", "1.0", "1e2", "1.5e0", "[1, {}]", '{"a": {"b": null}}', "{", "",
    "99999999999999999999", '"\\ud83d\\ude00"', "NaN", "-0", "true",
)  # fmt: skip
URL = "https://service.example/a?b=1"
HEADERS: Sequence[object] = ({}, {"X": "y"}, {"X": 1}, {"X": None}, [], "X: y")
REQUESTS: Sequence[tuple[str, Mapping[str, object]]] = (
    ("http.get", {"url": URL}),
    ("http.get", {"url": "https://service.example"}),
    ("http.get", {"url": "ftp://service.example"}),
    ("http.get", {"url": "http://service.example"}),
    ("http.get", {"url": 5}),
    ("http.get", {}),
    ("http.request", {"url": URL, "method": "patch"}),
    ("http.request", {"url": URL, "method": 1}),
    *(("http.get", {"url": URL, "query": query}) for query in (
        {}, {"a": "b c", "d": "\u00e9&="}, {"a": 1, "b": True, "c": False}, {"a": 1.5}, {"a": [1]},
        [1], 5)),
    *(("http.get", {"url": "https://service.example/", "query": query}) for query in ({"a": "b"},)),
    *(("http.get", {"url": URL, "headers": headers}) for headers in HEADERS),
    *(("http.post", {"url": URL, "body": body}) for body in (
        None, "text", b"bytes", {"a": 1}, [1], 5, True, 1.5, {"a": b"x"}, {"a": 2.0}, "\ud800")),
    ("http.put", {"url": URL, "body": "<a/>", "headers": {"content-type": "text/xml"}}),
    *(("http.delete", {"url": URL, "auth": auth}) for auth in (
        {"type": "OIDC"}, {"type": "OIDC", "audience": "x"}, {"type": "OIDC", "audience": 5},
        {"type": "OAuth2"}, {"type": "OAuth2", "scope": "s"}, {"type": "OAuth2", "scopes": "s"},
        {"type": "OAuth2", "scopes": ["s", "t"]}, {"type": "OAuth2", "scopes": [1]},
        {"type": "Basic"}, {}, "OIDC")),
    *(("http.patch", {"url": URL, "timeout": timeout}) for timeout in (
        None, 1, 0.5, 1800, 1801, 0, -1, "9", True)),
)  # fmt: skip
RESPONSES: Sequence[Response] = (
    Response(),
    Response(200, b"[1]"),
    Response(204, b"", {}),
    Response(200, b"text", {"content-type": "text/html"}),
    Response(200, b"\xff", {"Content-Type": "text/plain"}),
    Response(200, b"\xff", {"Content-Type": "image/png"}),
    Response(200, b"{", {"Content-Type": "application/json"}),
    Response(399, b"1"),
    Response(400, b"1"),
    Response(404, b'{"a": 1}'),
    Response(200, b" " * 2_097_152, {"Content-Type": "x/y"}),
    Response(200, b" " * 2_097_153),
)


def requests() -> Iterator[str]:
    """Requests that calls of `http` make, and what responses become."""
    for function, given in REQUESTS:
        read = {name: from_python(one, Doubts(strict=True)) for name, one in given.items()}
        yield f"{function} {shown(given)}\n    {ended(partial(made, function, read))}"
    for response in RESPONSES:
        end = ended(partial(outcome, response))
        size_of_it = f"{response.code} {len(response.body)} bytes"
        yield f"{size_of_it}\n    {end if len(end) < 500 else len(end)}"
    sent = Request("GET", "https://service.example/a/b?c=1&d=")
    yield f"{sent.path} {sent.query}"


GOOD: Mapping[str, object] = {
    "predicate": Function("retry.always"),
    "max_retries": 3,
    "backoff": {"initial_delay": 1, "max_delay": 10, "multiplier": 3},
}


def policies() -> Iterator[str]:
    """Retries: policies of any form, their delays, and what the library's predicates say."""
    plain = {"initial_delay": 1, "max_delay": 10, "multiplier": 3}
    rows: list[object] = [5, None, {}, dict(GOOD), {**GOOD, "more": 1}]
    rows += [{**GOOD, "predicate": one} for one in ("x", None, Function("mine"))]
    rows += [{**GOOD, "max_retries": one} for one in (0, -1, 2.5, "3", None, True)]
    whole: Sequence[object] = (None, 5, {}, {"initial_delay": 2, "max_delay": 9})
    rows += [{**GOOD, "backoff": one} for one in whole]
    odd = (0, 0.5, -1, "1", True)
    rows += [{**GOOD, "backoff": {**plain, name: one}} for name in plain for one in odd]
    for row in rows:
        value = from_python(row, Doubts(strict=True))
        yield f"{shown(row)}\n    {ended(partial(_policy, value))}"
    tags = ("ConnectionError", "ConnectionFailedError", "TimeoutError", "HttpError")
    errors: list[object] = ["text", None, {"tags": "TimeoutError"}, {"tags": ["X"], "code": 503}]
    errors += [{"code": code} for code in (408, 428, 429, 500, 502, 503, 504, "429")]
    errors += [{"tags": [tag]} for tag in tags]
    for name in sorted(PREDICATES):
        held = [one for one in errors if holds_for(name, from_python(one, Doubts(strict=True)))]
        yield f"{name}: {' '.join(map(shown, held))}"


def _policy(value: Value, doubts: Doubts) -> object:
    policy = Policy(value, doubts)
    return (
        policy.predicate,
        policy.most,
        [policy.delay(n) for n in range(4)],
        policy.of_library("x"),
    )


def problems(source: str) -> str:
    """What is wrong with a file, with places and what to write."""
    try:
        Project().deploy("main", source)
    except DeployError as error:
        rows = [f"    {p.position.line}:{p.position.column} {p.kind}: {p.message} | {p.help}"
                for p in error.problems]  # fmt: skip
        return "\n".join(rows)
    return "    deploys"


ANSWERS: Sequence[Response | Failure] = (
    Response(200, b"[7]", after=2.0),
    Response(503, b"no"),
    Failure("ConnectionError", after=1.0),
)


def runs(source: str, seed: int = 0, *, strict: bool = True) -> str:
    """A run, whole: how it ends, when, its steps, memory, logs and requests."""
    project = Project(seed=seed, strict=strict)
    answers: Iterator[Response | Failure] = itertools.cycle(ANSWERS)
    project.route("https://", lambda _request: next(answers))
    try:
        project.deploy("main", source)
        execution = project.run("main", {"n": 3})
    except DeployError:
        return problems(source)
    except Unverified as open_:
        lax = "" if not strict else "\n" + runs(source, seed, strict=False)
        return f"    {open_}{lax}"
    steps = " ".join(
        f"{entry.routine}.{entry.step}:{entry.kind.removeprefix('STEP_')}@{entry.time - START:g}"
        for entry in execution.history
    )
    sent = [(one.method, one.url) for one in project.router.requests]
    end = json.dumps([execution.result, execution.error], default=shown)
    return (
        f"    {execution.state} {end} after {project.clock - START:g} s\n"
        f"    {execution.steps} steps, {execution.memory.most_used} bytes, then "
        f"{execution.memory.used}, {execution.logs} {sent}\n    {steps[:1500]}"
    )
