"""What is different between two machines, state by state, with the line each state comes from.

Comes in: the definition that runs now, the one that was compiled. A state is the same state where
it has the same name in the same branch. Versions of functions and lines of the source differ from
deploy to deploy and are no difference of the machine.
"""

import json
import re
from collections.abc import Iterator, Mapping

from perdure.codec import Json
from perdure.deploying.difference import Difference, short

__all__ = ["differences"]

type State = Mapping[str, Json]

FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]*:\d*:function:[^\"]+")
INNER = ("Branches", "ItemProcessor")
"""Members that hold states, which are compared for themselves."""


def differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[Difference, ...]:
    """In the order of the new definition; what was removed stands last."""
    before, after = dict(_states(old, "")), dict(_states(new, ""))
    found = [
        *_starts(old, new),
        *(one for name, state in after.items() for one in _compared(name, before.get(name), state)),
    ]
    gone = [name for name in before if name not in after]
    found += [Difference("remove", name, _place(before[name]), "") for name in gone]
    return tuple(found)


def _starts(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Difference]:
    if old.get("StartAt") != new.get("StartAt"):
        what = f"StartAt {short(old.get('StartAt'))} -> {short(new.get('StartAt'))}"
        yield Difference("change", "(the machine)", "", what)


def _states(graph: Mapping[str, Json], within: str) -> Iterator[tuple[str, State]]:
    states = graph.get("States")
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        yield f"{within}{name}", state
        branches = state.get("Branches")
        for number, branch in enumerate(branches if isinstance(branches, list) else ()):
            if isinstance(branch, dict):
                yield from _states(branch, f"{within}{name}[{number}]/")
        processor = state.get("ItemProcessor")
        if isinstance(processor, dict):
            yield from _states(processor, f"{within}{name}[]/")


def _compared(name: str, before: State | None, after: State) -> Iterator[Difference]:
    if before is None:
        yield Difference("add", name, _place(after), str(after.get("Type", "")))
        return
    changed = [what for key in sorted({*before, *after}) for what in _member(key, before, after)]
    if changed:
        yield Difference("change", name, _place(after), "; ".join(changed))


def _member(key: str, before: State, after: State) -> Iterator[str]:
    if key in ("Comment", *INNER):
        return
    old, new = _steady(before.get(key)), _steady(after.get(key))
    if old == new:
        return
    if isinstance(old, dict | list) or isinstance(new, dict | list):
        yield f"{key} changed"
    else:
        yield f"{key} {short(old)} -> {short(new)}"


def _steady(value: Json) -> Json:
    """A value without what every deploy makes anew: versions of functions, lines."""
    if value is None:
        return None
    text = FUNCTION.sub("function", re.sub(r"\$\{\w+\}", "function", json.dumps(value)))
    found: Json = json.loads(text)
    return _without_lines(found)


def _without_lines(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _without_lines(item) for name, item in value.items() if name != "line"}
    if isinstance(value, list):
        return [_without_lines(item) for item in value]
    return value


def _place(state: State) -> str:
    return str(state.get("Comment", ""))
