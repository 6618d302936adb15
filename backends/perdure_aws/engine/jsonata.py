"""Evaluate one JSONata expression as Step Functions does, with jlens (a port of JSONata 2.0.6).

In: source text, bindings, the virtual time. Out: a JSON value, or `QueryError` with a cause.
Where jlens is known to differ from AWS the difference is corrected here, or `EngineCannot` says
that this evaluator cannot know AWS's answer.
"""

import hashlib
import json
import math
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, final

import jlens

from perdure_aws.engine.interface import EngineCannot, Json
from perdure_aws.jsonata_syntax import Binary, Expression, Number, parse, walk

__all__ = ["Evaluator", "QueryError"]

MAX_DEPTH: Final = 100
"""AWS: an expression fails past a depth of about 100 (floci-io/floci#2737, measured on AWS)."""
MAX_SECONDS: Final = 1.0
"""AWS: an expression may take about a second (floci-io/floci#2737)."""
_CHECK: Final = "perdure_divisor"
_DIGESTS: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


class _ZeroDivisorError(Exception):
    """Something is divided by 0."""


class QueryError(Exception):
    """States.QueryEvaluationError; its text is the cause."""


@final
class Evaluator:
    """Evaluates expressions for one run: `$uuid` and `$random` come from `source`."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._compiled: dict[str, tuple[jlens.Expression, Expression]] = {}

    def evaluate(self, source: str, bindings: Mapping[str, Json], now: datetime) -> Json:
        """The value of `source`; undefined, functions and errors raise `QueryError`."""
        expression, syntax = self._compile(source)
        names = syntax.variables
        used = {name: value for name, value in bindings.items() if name in names}
        try:
            text = expression.evaluate_json(
                None, used, max_depth=MAX_DEPTH, timeout=MAX_SECONDS, now=now
            )
        except _ZeroDivisorError:
            return self._out_of_range(source, syntax, used, now)
        except jlens.JlensError as error:
            return self._failed(error, source, syntax, used, now)
        if text is None:
            raise QueryError(f"The JSONata expression '{source}' returned nothing (undefined).")
        value: Json = json.loads(text)
        return value

    def _failed(
        self,
        error: jlens.JlensError,
        source: str,
        syntax: Expression,
        bindings: Mapping[str, Json],
        now: datetime,
    ) -> Json:
        if getattr(error, "code", None) == "D1001":
            return self._out_of_range(source, syntax, bindings, now)
        raise QueryError(f"The JSONata expression '{source}' threw an error: {error}") from None

    def _out_of_range(
        self, source: str, syntax: Expression, bindings: Mapping[str, Json], now: datetime
    ) -> Json:
        """AWS goes on with Infinity and NaN and writes them as these strings where they leave the
        expression (floci-io/floci, sfnx docs/design.md: measured); jlens fails at once (D1001).
        """
        root = syntax.root
        if not isinstance(root, Binary) or root.operator not in ("+", "-", "*", "/", "%"):
            raise EngineCannot(
                f"a number out of range inside '{source}': AWS goes on with Infinity or NaN, "
                "which the local evaluator cannot hold"
            )
        left = self.evaluate(source[root.left.start : root.left.end], bindings, now)
        right = self.evaluate(source[root.right.start : root.right.end], bindings, now)
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise EngineCannot(f"a number out of range inside an operand of '{source}'")
        return _ieee(root.operator, float(left), float(right))

    def _compile(self, source: str) -> tuple[jlens.Expression, Expression]:
        found = self._compiled.get(source)
        if found is None:
            found = (self._with_functions(source), _syntax(source))
            self._compiled[source] = found
        return found

    def _with_functions(self, source: str) -> jlens.Expression:
        expression = jlens.Expression(_with_checked_divisors(source))
        expression.register_function(_CHECK, _refuse_zero)
        expression.register_function("uuid", self._uuid, "<:s>")
        expression.register_function("random", self._random_number, "<n?:n>")
        expression.register_function("hash", _hash, "<ss:s>")
        expression.register_function("partition", _partition, "<an:a>")
        expression.register_function("range", _range, "<nnn:a>")
        expression.register_function("parse", _parse, "<s:x>")
        return expression

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def _random_number(self, seed: float | None = None) -> float:
        return self._random.random() if seed is None else _java_double(int(seed))


@lru_cache(maxsize=4096)
def _syntax(source: str) -> Expression:
    return parse(source)


def _with_checked_divisors(source: str) -> str:
    """`0 / 0` and `1 % 0` are null in jlens, NaN on AWS: every divisor that is not written as a
    number other than 0 is looked at before it is used."""
    inserts: list[tuple[int, str]] = []
    for node in walk(_syntax(source).root):
        if isinstance(node, Binary) and node.operator in ("/", "%"):
            right = node.right
            if not isinstance(right, Number) or right.value == 0:
                text = source[right.start : right.end]
                inserts += [(right.start, f"(${_CHECK}({text}); "), (right.end, ")")]
    for position, text in sorted(inserts, key=lambda insert: insert[0], reverse=True):
        source = source[:position] + text + source[position:]
    return source


def _refuse_zero(divisor: Json = None) -> None:
    if isinstance(divisor, int | float) and divisor == 0:
        raise _ZeroDivisorError


def _ieee(operator: str, left: float, right: float) -> str:
    if operator == "%":
        result = math.nan
    elif operator == "/":
        result = left / right if right else math.copysign(math.inf, left) * math.copysign(1, right)
        result = math.nan if not right and not left else result
    else:
        operations: dict[str, Callable[[float, float], float]] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
        }
        result = operations[operator](left, right)
    return "NaN" if math.isnan(result) else "Infinity" if result > 0 else "-Infinity"


def _hash(text: str, algorithm: str) -> str:
    if algorithm not in _DIGESTS:
        raise QueryError(f"$hash: unknown algorithm {algorithm}")
    return hashlib.new(_DIGESTS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _partition(items: list[Json], size: float) -> list[list[Json]]:
    step = int(size)
    if step < 1:
        raise QueryError("$partition: the size must be 1 or more")
    return [items[index : index + step] for index in range(0, len(items), step)]


def _range(first: float, last: float, step: float) -> list[int]:
    by = int(step)
    if by == 0:
        raise QueryError("$range: the step must not be 0")
    return list(range(int(first), int(last) + (1 if by > 0 else -1), by))


def _parse(text: str) -> Json:
    """AWS refuses NaN and a key twice, and takes single quotes (floci-io/floci, measured)."""

    def refuse(constant: str) -> None:
        raise QueryError(f"$parse: {constant}")

    def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise QueryError("$parse: a key twice")
        return dict(pairs)

    try:
        value: Json = json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    except ValueError as error:
        if "'" in text:
            raise EngineCannot("$parse of single quotes, which AWS reads as strings") from error
        raise QueryError(f"$parse: {error}") from None
    return value


def _java_double(seed: int) -> float:
    """java.util.Random(seed).nextDouble(): `$random(42)` is 0.7275636800328681 on AWS
    (floci-io/floci#2662)."""
    state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)

    def bits(count: int) -> int:
        nonlocal state
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        return state >> (48 - count)

    return ((bits(26) << 27) + bits(27)) / (1 << 53)
