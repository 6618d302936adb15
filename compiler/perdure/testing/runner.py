"""`run`: one flow, one input, scripts for all that comes from outside, any target."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal

from perdure.diagnostics import Refused, Report
from perdure.driver import FlowName, find_flows, open_project, which_flow
from perdure.durations import seconds_of
from perdure.testing.request import Request, Result, ScriptedEvent
from perdure.testing.scripts import Script, Scripts

__all__ = ["moment", "run", "targets"]


def run(
    flow: str,
    arguments: Mapping[str, object] | None = None,
    /,
    *,
    target: str = "reference",
    engine: str | None = None,
    steps: Mapping[str, Script] | None = None,
    unscripted: Literal["refuse", "run"] = "refuse",
    events: Sequence[tuple[object, str, object]] = (),
    cancel: object = None,
    seed: int = 0,
) -> Result:
    """Run `file.py:flow` in virtual time; see the module `perdure.testing` for an example.

    `arguments`: the input by parameter name, as plain JSON or live values. `target`:
    "reference", "local", or an installed backend; `engine`: one of its engines, None for its
    first. `steps`: by name, a function of the arguments (it takes those it has parameters
    for) or a list of answers, one per attempt, in program order; an exception is raised;
    `after("2s", x)` takes time. `unscripted="run"` runs the bodies of other steps.
    `events`: (when, name, payload), `when` counted from the start; `cancel="1d"` asks the run
    to cancel then. `seed` picks the interleaving of what runs in parallel.

    A flow that is refused raises `Refused`, whose text is what the compiler says.

    Any supported Python will do: the pin of `[tool.perdure]` is for runs that last.
    """
    file, _, name = flow.partition(":") if not re.match(r"^[A-Za-z]:[\\/]", flow) else _drive(flow)
    runner = _runner(target, engine)
    path = Path(os.path.abspath(file))
    request = Request(
        path,
        name or _only_flow(path),
        dict(arguments or {}),
        Scripts(steps, unscripted),
        tuple(sorted((_event(*event) for event in events), key=lambda event: event.after)),
        None if cancel is None else moment(cancel),
        engine,
        seed,
    )
    return runner(request)


def targets() -> tuple[str, ...]:
    """The targets that `run` can use in this installation, "reference" first."""
    from perdure.backend import target_names

    found = [name for name in target_names() if _has_engine(name)]
    return ("reference", "local", *found)


def _only_flow(file: Path) -> str:
    """The name of the flow of a file that has one; `Refused` where there are others, or none."""
    report = Report()
    workspace = open_project(file, report)
    flows = [*find_flows(workspace, FlowName(file))]
    if len(flows) > 1:
        which_flow(workspace.project, file, flows, report)
    if not report.ok:
        raise Refused(report)
    return flows[0].ref.qualname


def _runner(target: str, engine: str | None) -> Callable[[Request], Result]:
    if target == "reference":
        module = "perdure.reference.runner"
    elif target == "local":
        module = "perdure.local.virtual"
    elif _has_engine(target):
        module = f"{_package(target)}.engine"
    else:
        raise ValueError(f"no target {target!r} here; there are {', '.join(targets())}")
    found = import_module(module)
    engines: tuple[str, ...] = getattr(found, "ENGINES", ())
    if engine is not None and engine not in engines:
        others = f"there are {', '.join(engines)}" if engines else "it is one itself"
        raise ValueError(f"target {target!r} has no engine {engine!r}; {others}")
    _check_installed(target, found)
    runner: Callable[[Request], Result] = found.run_flow
    return runner


def _check_installed(target: str, engines: ModuleType) -> None:
    """ModuleNotFoundError for engines whose packages are not here; it says how to get them."""
    oldest: tuple[int, int] = getattr(engines, "OLDEST_PYTHON", (3, 0))
    running = sys.version_info[:2]
    if running < oldest:
        raise ModuleNotFoundError(
            f"target {target!r} is tested under Python {_dotted(oldest)} or later, this is "
            f"{_dotted(running)}"
        )
    needs: tuple[str, ...] = getattr(engines, "NEEDS", ())
    missing = [name for name in needs if not _is_there(name)]
    if missing:
        extra: str = getattr(engines, "EXTRA", missing[0])
        raise ModuleNotFoundError(
            f"the engines of target {target!r} are not installed (there is no {missing[0]!r}): "
            f"pip install '{extra}'",
            name=missing[0],
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _package(target: str) -> str:
    """The package of a backend: where its entry point lies."""
    from importlib.metadata import entry_points

    from perdure.backend import BUILT_IN

    if target in BUILT_IN:
        return BUILT_IN[target].partition(":")[0]
    for entry in entry_points(group="perdure.backends", name=target):
        return entry.module
    return f"perdure_{target}"


def _has_engine(target: str) -> bool:
    return _is_there(f"{_package(target)}.engine")


def _event(when: object, name: str, payload: object) -> ScriptedEvent:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"not an event name: {name!r} (a-z, then a-z, 0-9 and _)")
    return ScriptedEvent(moment(when), name, payload)


def moment(when: object) -> float:
    """Seconds from the start, of a duration in any form."""
    seconds = seconds_of(when)
    if seconds < 0:
        raise ValueError(f"{when!r} is before the start")
    return seconds


def _drive(flow: str) -> tuple[str, str, str]:
    """Of `C:\\flows\\x.py:name`: the first colon belongs to the drive."""
    rest, colon, name = flow[2:].partition(":")
    return flow[:2] + rest, colon, name
