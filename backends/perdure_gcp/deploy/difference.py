"""What is different between two workflows, step by step, with the line each step comes from.

Comes in: the source that runs now, the one that was compiled. A step is the same step where it
has the same name in the same routine. Lines of the source are no difference.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from perdure.codec import Json
from perdure.deploying.difference import Difference, short

__all__ = ["differences"]

type Step = Mapping[str, Json]

OWN = ("site", "wait", "pause")
"""Routines that are in every workflow."""


def differences(old: str, new: str) -> tuple[Difference, ...]:
    """In the order of the new workflow; what was removed stands last."""
    before, after = dict(_steps(json.loads(old))), dict(_steps(json.loads(new)))
    found = [one for name, step in after.items() for one in _compared(name, before.get(name), step)]
    gone = [name for name in before if name not in after]
    return (*found, *(Difference("remove", name, _place(before[name]), "") for name in gone))


def _steps(document: Mapping[str, Json]) -> Iterator[tuple[str, Step]]:
    for routine, whole in document.items():
        if routine in OWN or not isinstance(whole, dict):
            continue
        within = "" if routine == "main" else f"{routine}/"
        yield from _listed(whole.get("steps"), within)


def _listed(steps: Json, within: str) -> Iterator[tuple[str, Step]]:
    for row in steps if isinstance(steps, list) else ():
        for name, body in row.items() if isinstance(row, dict) else ():
            if isinstance(body, dict):
                yield f"{within}{name}", body


def _compared(name: str, before: Step | None, after: Step) -> Iterator[Difference]:
    if before is None:
        yield Difference("add", name, _place(after), _kind(after))
        return
    changed = [what for key in sorted({*before, *after}) for what in _member(key, before, after)]
    if changed:
        yield Difference("change", name, _place(after), "; ".join(changed))


def _member(key: str, before: Step, after: Step) -> Iterator[str]:
    old, new = _without_lines(before.get(key)), _without_lines(after.get(key))
    if old == new:
        return
    if key == "args" and isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                yield _change(name, old.get(name), new.get(name))
    else:
        yield _change(key, old, new)


def _change(key: str, old: Json, new: Json) -> str:
    if isinstance(old, dict | list) or isinstance(new, dict | list):
        return f"{key} changed"
    return f"{key} {short(old)} -> {short(new)}"


def _without_lines(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _without_lines(item) for name, item in value.items() if name != "line"}
    if isinstance(value, list):
        return [_without_lines(item) for item in value]
    return value


def _kind(step: Step) -> str:
    return str(step.get("call") or next(iter(step), ""))


def _place(value: Json | Mapping[str, Json]) -> str:
    """The first line that a step names."""
    if isinstance(value, Mapping):
        line = value.get("line")
        if isinstance(line, str) and line:
            return line
        return _first(value.values())
    return _first(value) if isinstance(value, list) else ""


def _first(values: Iterable[Json]) -> str:
    places = (_place(one) for one in values)
    return next((place for place in places if place), "")
