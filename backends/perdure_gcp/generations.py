"""Hand-over: a long run goes on in another execution of the same workflow.

An execution has 100,000 steps and a year. Each answer of a site carries an estimate of the steps
that the execution has made, and when it began; a request brings them back, and what branches made
comes with their ends. At the head of a loop a site that finds either of them large starts the next
execution, which begins there, and this one ends. What a run is does not lie in its executions: its
record, its inbox and its waiters are in the run store.

https://cloud.google.com/workflows/quotas
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from perdure.codec import Json
from perdure.sites.executions import generation_name
from perdure.sites.keep import keep
from perdure.sites.state import fields, text
from perdure.store.protocol import FORMAT, Key
from perdure.store.records import partition_of
from perdure_gcp.keys import key

if TYPE_CHECKING:
    from perdure.sites.host import Host
    from perdure.store.protocol import RunStore

__all__ = [
    "HANDED_OVER",
    "argument_of",
    "counted",
    "hand_over",
    "is_due",
    "latest",
    "share_of",
    "without_steps",
]

HANDED_OVER: Final = "handed over"
"""How an answer says it (`go`)."""
STEPS: Final = 50_000
"""Of 100,000: a request whose answer is lost four times makes half as many steps again."""
SECONDS: Final = 90 * 86_400
"""Of a year: what the loop does next may wait for the rest of it."""
LONGEST_END: Final = 8_000
LONGEST_ARGUMENT: Final = 15_000
"""Bytes of a state that stands in an argument, where its quotes are escaped."""
ENDS: Final = 160_000
"""Characters of the ends of all branches: the variables of an execution have 512 KB together."""
STEPS_OF_A_REQUEST: Final = 16
"""A round of a wait has thirteen, with its callback; a site and the decisions after it, fewer."""


def counted(host: "Host", state: Mapping[str, Json], said: Mapping[str, Json]) -> dict[str, Json]:
    """An answer with what it says of the execution: its steps so far, and when it began.

    The end of a branch has its steps with it, and no more text than its share.
    """
    steps, share = _steps(state) + STEPS_OF_A_REQUEST, state.get("share")
    whole = {**said, "steps": str(steps), "since": state.get("since") or state["time"]}
    longest = LONGEST_END if share is None else _number(share)
    if share is not None:
        whole["share"] = share
    error = said.get("error")
    if isinstance(said.get("end"), str):
        whole["end"] = _with_steps(host, text(said["end"]), steps, longest)
    if isinstance(error, Mapping) and isinstance(error.get("end"), str):
        end = _with_steps(host, text(error["end"]), steps, longest)
        whole["error"] = {**error, "end": end}
    return whole


def share_of(branches: int) -> int:
    """Characters of the end of each: all of them lie in variables together."""
    return max(120, min(LONGEST_END, ENDS // max(1, branches)))


def argument_of(given: Mapping[str, Json], store: "RunStore") -> dict[str, Json]:
    """The argument of an execution: of a branch as it is; of a run its state, as text.

    An argument has 32 KB: a long input lies in the store.
    """
    if "branch" in given:
        return dict(given)
    state = {name: value for name, value in given.items() if name != "resume"}
    written = json.dumps(state, ensure_ascii=False)
    if len(written.encode("utf-8", "surrogatepass")) > LONGEST_ARGUMENT:
        kept: dict[str, Json] = {"run": given["run"], "kept": keep(store, state)}
        written = json.dumps(kept)
    resumed: dict[str, Json] = {"resume": given["resume"]} if "resume" in given else {}
    return {"state": written, **resumed}


def without_steps(end: Mapping[str, Json]) -> dict[str, Json]:
    """How a branch ended, as sites read it."""
    return {name: value for name, value in end.items() if name != "steps"}


def is_due(host: "Host", ask: Mapping[str, Json], state: Mapping[str, Json]) -> bool:
    """Whether the run goes on elsewhere: at the head of a loop, when much is behind it."""
    if "head" not in ask:
        return False
    age = host.now() - _number(state.get("since", state["time"])) / 1000
    return _steps(state) > STEPS or age > SECONDS


def hand_over(host: "Host", ask: Mapping[str, Json], data: Mapping[str, Json]) -> dict[str, Json]:
    """Start the next execution, once, at this site and from this state; say which it is."""
    run, generation = fields(data["run"]), data.get("generation", 1)
    assert isinstance(generation, int), "generations are counted"
    name = generation_name(text(run["id"]), generation + 1)
    given: dict[str, Json] = {
        "run": dict(run),
        "resume": text(ask["site"]),
        "kept": keep(host.store, {**data, "generation": generation + 1}),
    }
    host.executions.start(text(ask["flow"]), name, given)
    _note(host.store, text(run["id"]), generation + 1)
    return {"go": key(HANDED_OVER), "value": f"goes on in {name}"}


def _steps(state: Mapping[str, Json]) -> int:
    """Those before a request, with those of the branches whose ends it brings."""
    steps, along = _number(state.get("steps", "0")), state.get("along")
    outcomes = along.get("outcomes") if isinstance(along, Mapping) else None
    for end in outcomes.values() if isinstance(outcomes, Mapping) else ():
        if isinstance(end, str):
            steps += STEPS_OF_A_REQUEST + _number(fields(json.loads(end)).get("steps", "0"))
    return steps


def latest(store: "RunStore", run: str) -> int:
    """Which execution the run is in."""
    item = store.get(_key(run))
    number = 1 if item is None else item.body["number"]
    assert isinstance(number, int), "generations are counted"
    return number


def _note(store: "RunStore", run: str, number: int) -> None:
    body: dict[str, Json] = {"format": FORMAT, "number": number}
    item = store.get(_key(run))
    if item is None:
        store.put_if_absent(_key(run), body)
    elif latest(store, run) < number:
        store.replace(_key(run), item.version, body)


def _key(run: str) -> Key:
    return Key(partition_of(run), "generation")


def _with_steps(host: "Host", end: str, steps: int, longest: int) -> str:
    whole = fields(json.loads(end))
    if len(end) > longest and "kept" not in whole:
        whole = {"kept": keep(host.store, whole)}
    return json.dumps({**whole, "steps": str(steps)}, ensure_ascii=False, separators=(",", ":"))


def _number(written: Json) -> int:
    return int(text(written))
