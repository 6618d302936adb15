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
_DIGESTS: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


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
        _refuse_unknown_remainders(source, syntax)
        try:
            text = expression.evaluate_json(
                None, used, max_depth=MAX_DEPTH, timeout=MAX_SECONDS, now=now
            )
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
        if not isinstance(root, Binary) or root.operator not in "+-*/":
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
        expression = jlens.Expression(source)
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


def _refuse_unknown_remainders(source: str, syntax: Expression) -> None:
    """`1 % 0` is null in jlens and NaN (then the string "NaN") on AWS: only divisors that are
    written as numbers other than 0 are known not to be 0."""
    for node in walk(syntax.root):
        if isinstance(node, Binary) and node.operator == "%":
            if not isinstance(node.right, Number) or node.right.value == 0:
                raise EngineCannot(f"`%` by a computed divisor in '{source}': jlens hides NaN")


def _ieee(operator: str, left: float, right: float) -> str:
    if operator == "/":
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
        raise ValueError(f"$hash: unknown algorithm {algorithm}")
    return hashlib.new(_DIGESTS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _partition(items: list[Json], size: float) -> list[list[Json]]:
    step = int(size)
    if step < 1:
        raise ValueError("$partition: the size must be 1 or more")
    return [items[index : index + step] for index in range(0, len(items), step)]


def _range(first: float, last: float, step: float) -> list[int]:
    by = int(step)
    if by == 0:
        raise ValueError("$range: the step must not be 0")
    return list(range(int(first), int(last) + (1 if by > 0 else -1), by))


def _parse(text: str) -> Json:
    """AWS refuses NaN and a key twice (facts: measured); it would take single quotes, this does
    not: the expression fails, which no text that a site wrote can bring about."""

    def refuse(constant: str) -> None:
        raise ValueError(f"$parse: {constant}")

    def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError("$parse: a key twice")
        return dict(pairs)

    value: Json = json.loads(text, parse_constant=refuse, object_pairs_hook=once)
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
