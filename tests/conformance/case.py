"""One conformance case: a flow, an input, scripts for steps and events, and how it must end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

type Script = Callable[..., Any] | Sequence[Any]
"""What `perdure.testing.run` takes for a step: a function of the arguments, or answers in turn."""


@final
@dataclass(frozen=True)
class Case:
    """A run of `flow` (`file:name`); `error` is the type name of a failed one."""

    id: str
    flow: str
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    steps: Mapping[str, Script] = field(default_factory=dict[str, Script])
    unscripted: Literal["refuse", "run"] = "refuse"
    events: Sequence[tuple[str, str, object]] = ()
    cancel: str | None = None
    status: str = "done"
    result: object = None
    error: str | None = None
    kinds: frozenset[str] = frozenset()
    """race, event, saga, loop, fork: what the case is there for."""
    timed: bool = False
    """Its answer hangs on time."""


RACE = frozenset({"race"})
EVENT = frozenset({"event"})
SAGA = frozenset({"saga"})
LOOP = frozenset({"loop"})
FORK = frozenset({"fork"})


def case_flow(name: str, function: str) -> str:
    """A flow of tests/cases."""
    return f"tests/cases/{name}.py:{function}"
