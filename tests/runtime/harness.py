"""Hand-instrumented flows on the reference: what the front end would have rewritten."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from perdure.language import Flow
from perdure.reference.runner import run_loaded
from perdure.runtime.site import Site
from perdure.testing import Request, Result, ScriptedEvent
from perdure.testing.scripts import Script, Scripts

__all__ = ["at", "paths", "run"]


@cache
def at(label: str) -> Site:
    return Site(label, "flow.py", 1, 0, 1, 1)


def run(
    flow: "Flow[..., Any]",
    arguments: Mapping[str, object] | None = None,
    *,
    steps: Mapping[str, Script] | None = None,
    events: Sequence[tuple[float, str, object]] = (),
    cancel: float | None = None,
    seed: int = 0,
    bodies: bool = False,
) -> Result:
    scripts = Scripts(steps, "run" if bodies else "refuse")
    request = Request(
        Path("flow.py"),
        None,
        arguments or {},
        scripts,
        tuple(ScriptedEvent(*event) for event in events),
        cancel,
        None,
        seed,
    )
    return run_loaded(flow, request)


def paths(result: Result, keep: Callable[[str], bool] = bool) -> list[str]:
    return [entry.path for entry in result.trace if keep(entry.path)]
