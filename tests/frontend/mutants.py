"""Sources gone wrong: the project's own flows, cut, mixed and bent, from a seed."""

import ast
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[2]
_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")
_WORDS = [
    "await",
    "async",
    "def",
    "class",
    "return",
    "yield",
    "lambda",
    "for",
    "in",
    "if",
    "else",
    "while",
    "try",
    "except",
    "finally",
    "with",
    "as",
    "global",
    "nonlocal",
    "import",
    "from",
    "raise",
    "match",
    "case",
    "del",
    "not",
    "and",
    "or",
    "is",
    "None",
    "True",
    "f'{x}'",
    "*",
    "**",
    ":",
    "=",
    ":=",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "==",
    "+=",
    "@",
    "...",
    "0",
    "1e999",
    "'a'",
    '"b"',
    "b'c'",
    "gather",
    "race",
    "flow",
    "step",
    "event",
    "asyncio",
    "print",
    "self",
    "set()",
    "x",
    "y",
    "main",
    "__perdure__",
    "\\",
    "\n",
    "\t",
    "#",
    "é",
    "\u2028",
    "\x00",
]


@cache
def seeds() -> tuple[str, ...]:
    """The texts that mutants are made from."""
    files = sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("tests/cases/*.py")])
    return tuple(text for file in files if "@flow" in (text := file.read_text("utf-8")))


def mutants(seed: int, count: int) -> Iterator[str]:
    """So many mutants; half of them still parse."""
    rng = random.Random(seed)
    changes: tuple[Callable[[str, random.Random], str], ...] = (_tokens, _lines, _characters)
    for number in range(count):
        text = rng.choice(seeds())
        if number % 2:
            text = _tree(text, rng)
            continue_with = text
        else:
            continue_with = text
            for _ in range(rng.randint(1, 3)):
                continue_with = rng.choice(changes)(continue_with, rng)
        yield continue_with


def _tokens(text: str, rng: random.Random) -> str:
    tokens: list[str] = _TOKENS.findall(text)
    at = rng.randrange(len(tokens))
    match rng.randrange(4):
        case 0:
            del tokens[at : at + rng.randint(1, 4)]
        case 1:
            tokens[at] = rng.choice(_WORDS)
        case 2:
            tokens.insert(at, f" {rng.choice(_WORDS)} ")
        case _:
            tokens[at] = rng.choice(tokens)
    return "".join(tokens)


def _lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.randrange(len(lines))])
        case 2:
            lines[at] = "    " + lines[at]
        case _:
            lines[at] = lines[at].strip()
    return "\n".join(lines)


def _characters(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + chr(rng.choice((0, 9, 10, 34, 39, 40, 92, 233, 0x2028, 0xD800))) + text[at:]


def _tree(text: str, rng: random.Random) -> str:
    """Expressions and statements change places: the result parses, and means something odd."""
    tree = ast.parse(text)
    expressions: list[tuple[ast.AST, str, int | None]] = []
    statements: list[list[ast.stmt]] = []
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr) and _is_read(node, field):
                expressions.append((node, field, None))
            elif isinstance(value, list):
                items = cast("list[object]", value)  # `ast` says no more
                if items and all(isinstance(item, ast.stmt) for item in items):
                    statements.append(cast("list[ast.stmt]", items))  # looked at above
                elif field in ("args", "elts", "values") and not isinstance(node, ast.JoinedStr):
                    expressions.extend((node, field, i) for i in range(len(items)))
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.3:
            block, other = rng.choice(statements), rng.choice(statements)
            block.insert(rng.randrange(len(block) + 1), rng.choice(other))
        else:
            _put(rng.choice(expressions), _get(rng.choice(expressions)))
    try:
        return ast.unparse(tree)
    except (AttributeError, ValueError, RecursionError):
        return text


def _is_read(node: ast.AST, field: str) -> bool:
    return field in ("value", "test", "iter", "func", "left", "operand", "elt", "body", "exc")


def _get(place: tuple[ast.AST, str, int | None]) -> object:
    node, field, index = place
    value = getattr(node, field)
    return value if index is None else value[index]


def _put(place: tuple[ast.AST, str, int | None], new: object) -> None:
    node, field, index = place
    if index is None:
        setattr(node, field, new)
    else:
        getattr(node, field)[index] = new


def awkward() -> dict[str, str]:
    """Texts that break readers: nesting, length, bytes that are none."""
    start = "from perdure import flow, step\n@step\ndef f(x): ...\n@flow\nasync def main(x):\n"
    return {
        "empty": "",
        "null bytes": start + "    return 0\0\n",
        "brackets": start + "    return " + "(" * 5000 + ")" * 5000 + "\n",
        "lists": start + "    return " + "[" * 150 + "]" * 150 + "\n",
        "a long sum": start + "    return " + " + ".join(["x"] * 20_000) + "\n",
        "a long and": start + "    return " + " and ".join(["x"] * 20_000) + "\n",
        "a long line": start + "    x = '" + "a" * 1_000_000 + "'\n",
        "a long list": start + "    x = [" + "x," * 200_000 + "]\n",
        "many elifs": start + "    if x: pass\n" + "    elif x: pass\n" * 3000 + "\n",
        "deep blocks": start
        + "".join("    " * (n + 1) + "if x:\n" for n in range(90))
        + "    " * 91
        + "pass\n",
        "deep attributes": start + "    return x" + ".a" * 5000 + "\n",
        "deep calls": start + "    return x" + ".a()" * 3000 + "\n",
        "deep not": start + "    return " + "not " * 3000 + "x\n",
        "deep minus": start + "    return " + "-" * 3000 + "x\n",
        "deep await": start + "    return " + "await " * 1000 + "x\n",
        "deep lambdas": start + "    return " + "lambda: " * 900 + "x\n",
        "nested functions": start
        + "".join("    " * (n + 1) + f"def f{n}():\n" for n in range(90))
        + "    " * 91
        + "pass\n",
        "a surrogate": start + "    return '\ud800'\n",
        "a huge number": start + "    return " + "9" * 10_000 + "\n",
        "a form feed": start + "\f    return 1\n",
        "carriage returns": start.replace("\n", "\r") + "    return 1\r",
        "only a comment": "# x",
        "itself": "from flow import main\nimport flow\n" + start + "    return flow.main\n",
        "a cycle": start + "    a = b\n    b = a\n    return a(b)\n",
        "star of itself": "from flow import *\n" + start + "    return y\n",
        "class bases": "class A(B): ...\nclass B(A): ...\n" + start + "    return A().x\n",
        "names": start + "    __perdure__ = f\n    return __sites__\n",
    }
