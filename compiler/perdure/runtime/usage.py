"""What steps say they spent: tokens and money, by model, recorded with their operation.

A body reports it by `this_step().usage(...)`; every attempt that ended counts, also one that
failed. It is beside the outcome: traces are equal whatever was spent.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from math import isfinite
from typing import NamedTuple

from perdure.codec.text import Json

__all__ = ["Usage", "added", "spent_here", "usage_from", "usage_json", "usage_of"]


class Usage(NamedTuple):
    """What one model took: tokens read and written, and what it cost in the project's currency."""

    model: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


spent_here: ContextVar[list[Usage] | None] = ContextVar("perdure.usage", default=None)
"""What the attempt that runs has reported; None outside one."""


def usage_of(input_tokens: object, output_tokens: object, cost: object, model: object) -> Usage:
    """One report; TypeError or ValueError for what is none."""
    for name, tokens in (("input_tokens", input_tokens), ("output_tokens", output_tokens)):
        if not isinstance(tokens, int) or isinstance(tokens, bool):
            raise TypeError(f"{name} is a number of tokens, not {tokens!r}")
        if tokens < 0:
            raise ValueError(f"{name} is {tokens}: tokens are counted from 0")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        raise TypeError(f"cost is a number, not {cost!r}")
    if not isfinite(cost) or cost < 0:
        raise ValueError(f"cost is {cost}: it is 0 or more")
    if model is not None and not isinstance(model, str):
        raise TypeError(f"model is a name, not {model!r}")
    assert isinstance(input_tokens, int)
    assert isinstance(output_tokens, int)
    return Usage(model, int(input_tokens), int(output_tokens), float(cost))


def added(usages: Iterable[Usage]) -> tuple[Usage, ...]:
    """One sum for each model, in the order in which they came."""
    sums: dict[str | None, Usage] = {}
    for one in usages:
        sofar = sums.get(one.model, Usage(one.model))
        sums[one.model] = Usage(
            one.model,
            sofar.input_tokens + one.input_tokens,
            sofar.output_tokens + one.output_tokens,
            sofar.cost + one.cost,
        )
    return tuple(sums.values())


def usage_json(usages: Iterable[Usage]) -> list[Json]:
    """As envelopes and records carry it: a list of objects, one for each model."""
    return [dict(one._asdict()) for one in added(usages)]


def usage_from(data: Json) -> tuple[Usage, ...]:
    """What `usage_json` wrote; () where nothing was."""
    return tuple(
        usage_of(one["input_tokens"], one["output_tokens"], one["cost"], one["model"])
        for one in (data if isinstance(data, list) else ())
        if isinstance(one, Mapping)
    )
