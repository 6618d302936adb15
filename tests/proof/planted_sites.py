# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
# (faults are planted in the inside of the sites)
"""Faults of the code that runs at sites: values, forks, waits, cancels, deadlines, retries."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from perdure.codec import encode_slots
from perdure.runtime import scope as scopes
from perdure.sites import deadlines, joins, operands, operations, site, site_forks, visit, waits
from perdure.sites.driver import Site
from perdure.sites.visit import Visit
from perdure.store import match
from perdure_aws.engine.patches import Patches

__all__ = ["SITES"]

# Any: a patch takes whatever the function takes that it stands for.
type Patch = Callable[[Patches], None]


def _instead(owner: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    return lambda patches: patches.replace(owner, name, make(getattr(owner, name)))


def _crossing(change: Callable[[Any], Any]) -> Patch:
    """Slots are changed when they cross to the next site."""

    def changed(slots: Mapping[str, Any], **options: Any) -> Any:
        return encode_slots({name: change(value) for name, value in slots.items()}, **options)

    return lambda patches: patches.replace(visit, "encode_slots", changed)


def _apart(_: Any) -> Any:
    """Each slot is encoded alone: what two of them share is two things afterwards."""

    def encoded(slots: Mapping[str, Any], **options: Any) -> Any:
        found: dict[str, Any] = {}
        for name, value in slots.items():
            found |= encode_slots({name: value}, **options)
        return found

    return encoded


def _floats(change: Callable[[float], Any]) -> Callable[[Any], Any]:
    def changed(value: Any) -> Any:
        if type(value) is float:
            return change(value)
        if type(value) is list:
            value[:] = [changed(one) for one in value]
        if type(value) is dict:
            value.update({key: changed(one) for key, one in value.items()})
        return value

    return changed


def _listed(value: Any) -> Any:
    return list(value) if type(value) is tuple else value


def _sorted_dict(value: Any) -> Any:
    if type(value) is dict and all(isinstance(key, str) for key in value):
        items = sorted(value.items())
        value.clear()
        value.update(items)
    return value


def _reversed_gather(original: Any) -> Any:
    return lambda outcomes, **named: original(outcomes[::-1], **named)


def _last_error(original: Any) -> Any:
    def gathered(outcomes: Any, *, return_exceptions: bool) -> Any:
        failed = [one for one in outcomes if "error" in one]
        if failed and not return_exceptions:
            return original([failed[-1]], return_exceptions=False)
        return original(outcomes, return_exceptions=return_exceptions)

    return gathered


def _by_index(original: Any) -> Any:
    return lambda *args: sorted(original(*args), key=lambda pair: pair[0])


def _one_off(original: Any) -> Any:
    """The third time a label runs has the path of the second."""

    def enter(self: Any, label: str) -> str:
        if self.counts.get(label, 0) == 2:
            self.counts[label] = 1
        return str(original(self, label))

    return enter


def _higher_index(_: Any) -> Any:
    def over(contestants: Any) -> Any:
        due = waits.first_due(contestants)
        if due is None:
            return None
        index = max(i for i, one in enumerate(contestants) if one.due == due)
        return waits.Ended(index, None, timed_out=True)

    return over


def _not_at_the_deadline(original: Any) -> Any:
    def serve(store: Any, waiter: Any) -> None:
        if waiter.deadline is not None:
            waiter = waiter._replace(deadline=waiter.deadline - 0.001)
        original(store, waiter)

    return serve


def _last_in(original: Any) -> Any:
    return lambda store, run, name: list(original(store, run, name))[::-1]


def _no_decision(kind: str) -> Callable[[Any], Any]:
    def made(original: Any) -> Any:
        def decision(seen: Visit, branch: Any, how: str, data: Any) -> Any:
            if seen.event.get("wins") == kind:
                return None
            return original(seen, branch, how, data)

        return decision

    return made


def _other_winner(original: Any) -> Any:
    def decision(seen: Visit, branch: Any, how: str, data: Any) -> Any:
        said = original(seen, branch, how, data)
        return said if said is None or "name" not in said else {**said, "name": "p"}

    return decision


def _first_input(original: Any) -> Any:
    """Parameters of a flow are read from its input at every site: an assignment is lost."""
    first: dict[int, Any] = {}

    def init(self: Any, host: Any, event: Any) -> None:
        original(self, host, event)
        if "x" in self.slots and not self.scope_id:
            self.slots["x"] = first.setdefault(id(host.store), self.slots["x"])

    return init


def _cells_apart(original: Any) -> Any:
    """What a nested function wrote to the variable around it is gone at the next site."""

    def next_state(self: Any, stop: Any) -> Any:
        if "hits" in self.slots and type(self.slots["hits"]) is int:
            self.slots["hits"] = 0
        return original(self, stop)

    return next_state


def _number_off(original: Any) -> Any:
    def attempted(*args: Any, **named: Any) -> Any:
        return original(*args, **{**named, "number": named["number"] + 1})

    return attempted


def _same_reads(original: Any) -> Any:
    """Every site begins to count its random reads anew."""

    def init(self: Any, host: Any, event: Any) -> None:
        original(self, host, event)
        self.counts.reads = 0

    return init


def _logs_again(original: Any) -> Any:
    def init(self: Any, host: Any, event: Any) -> None:
        original(self, host, event)
        self.counts.logs = 0

    return init


def _stays_armed(original: Any) -> Any:
    def end(slots: Any) -> None:
        around = deadlines.deadlines_of(slots)
        if around is not None and len(around.stack) > 1:
            original(slots)

    return end


def _short_text(original: Any) -> Any:
    def bind(self: Any, slot: Any, value: Any) -> None:
        if isinstance(value, BaseException) and value.args:
            value.args = value.args[:1]
            if len(str(value.args[0])) > 3:
                value.args = (str(value.args[0])[:3],)
        original(self, slot, value)

    return bind


def _rounded_down(_: Any) -> Any:
    return lambda now, seconds: float(int(now + seconds))


SITES: dict[str, Patch] = {
    "a lost alias between names": _instead(visit, "encode_slots", _apart),
    "-0.0 that becomes 0.0": _crossing(_floats(lambda value: value + 0.0)),
    "2.0 that becomes 2": _crossing(
        _floats(lambda value: int(value) if value == value // 1 and abs(value) < 99 else value)
    ),
    "tuples that become lists": _crossing(_listed),
    "dicts that come back sorted": _crossing(_sorted_dict),
    "gather in reverse": _instead(joins, "gathered", _reversed_gather),
    "the last error of a gather": _instead(joins, "gathered", _last_error),
    "return_exceptions ignored": _instead(
        joins,
        "gathered",
        lambda original: lambda outcomes, **_: original(outcomes, return_exceptions=False),
    ),
    "a quorum in order of index": _instead(joins, "quorum_value", _by_index),
    "fail_fast ignored": _instead(site_forks, "_decision", _no_decision("fail_fast")),
    "a group that waits for all": _instead(site_forks, "_decision", _no_decision("group")),
    "the wrong name of a winner": _instead(site_forks, "_decision", _other_winner),
    "an occurrence off by one": _instead(scopes.Scope, "enter", _one_off),
    "ties to the higher index": _instead(waits, "_over", _higher_index),
    "an event at the deadline is too late": _instead(match, "_serve", _not_at_the_deadline),
    "events last in, first out": _instead(match, "open_events", _last_in),
    "a cancel that is not delivered": _instead(Visit, "is_cancelled", lambda _: lambda self: False),
    "a parameter's reassignment lost": _instead(Visit, "__init__", _first_input),
    "a lost nonlocal": _instead(Visit, "_next", _cells_apart),
    "retries counted from two": _instead(site, "attempt_step", _number_off),
    "randomness that repeats": _instead(Visit, "__init__", _same_reads),
    "ordinals of log records that repeat": _instead(Visit, "__init__", _logs_again),
    "a deadline that stays armed": _instead(deadlines, "end_deadline", _stays_armed),
    "errors that lose their arguments": _instead(Site, "bind", _short_text),
    "times rounded down": _instead(operands, "due", _rounded_down),
}
_ = json, operations
