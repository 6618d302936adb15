"""What the sites' service answers to a workflow: one request in, one answer out.

A request is {"ask", "state", "token"}: `ask` says which site, in the workflow's own words; `state`
is the last answer, with what a native step told along (`along`). It is made an invocation of
`perdure.sites.site`, which knows no engine, and what comes of that an answer:

    state      text: all that only sites read
    time       milliseconds of the engine's clock, text: when the next site is entered
    go         "on"; where an error leads ("raised H", "ended P"); "again"; "failed";
               "handed over"
    late, decisions                  what the switches that follow look at
    until, native, pause             of a sleep, or before another attempt
    starts, branches, each, limit    of a fork: numbers of its branches, the states that they
                                     begin with, and how long the text of an end may be
    steps, since                     of the execution: see `perdure_gcp.generations`
    end, value, error                how a branch, or the flow, ended
    over, seconds, forever           of a wait: decided, or how long to listen; no time ends it
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol, final

from perdure.codec import Json, encode_error
from perdure.errors import StepLost
from perdure.sites.error_names import AGAIN
from perdure.sites.failures import SiteFailure
from perdure.sites.host import Host
from perdure.sites.keep import keep, unkept
from perdure.sites.site import invoke
from perdure.sites.state import fields, text
from perdure.sites.waits import NEVER, Bell, settle
from perdure.store.records import partition_of, waiter_record
from perdure_gcp import forks
from perdure_gcp.generations import counted, hand_over, is_due, share_of, without_steps
from perdure_gcp.keys import key

__all__ = ["Reported", "answer"]

LONG: Final = 8_000
"""Characters of a branch's start or end that travel; longer ones lie in the run store.

The variables of an execution have 512 KB together (https://cloud.google.com/workflows/quotas).
"""
LONGEST_STATE: Final = 40_000
"""Likewise, of the state itself."""
BLOCK: Final = 64
"""Starts of branches that lie in the store together."""
ROUND_SECONDS: Final = 30
LONGEST_ROUND: Final = 21_600
"""How long a wait listens for a ring before it asks again: a ring may be lost."""

KINDS: Final = (
    ("raised", "perdure.Raised["),
    ("ended", "perdure.Ended["),
    ("lingering", "perdure.Lingering["),
)
"""How a failing site says where the flow goes on, and how the workflow reads it."""

type Answer = dict[str, Json]


class Reported(Protocol):
    """Who is told of what each invocation reports."""

    def told(self, event: Mapping[str, Json], said: Mapping[str, Json]) -> None:
        """`said`: records of the trace, log records, branches that ended."""
        ...


def answer(
    host: Host,
    request: Mapping[str, Json],
    reported: Reported,
    waits: Callable[[Mapping[str, Json]], None] = lambda _event: None,
) -> Answer:
    """The answer to one request; `waits` is told of each wait for events."""
    state = fields(request["state"])
    return counted(host, state, _answer(host, request, state, reported, waits))


def _answer(
    host: Host,
    request: Mapping[str, Json],
    state: Mapping[str, Json],
    reported: Reported,
    waits: Callable[[Mapping[str, Json]], None],
) -> Answer:
    ask = fields(request["ask"])
    arrived = _arrived(host, state)
    if is_due(host, ask, state) and "input" not in arrived:
        return hand_over(host, ask, arrived)
    event: dict[str, Json] = {
        **ask,
        "next": arrived,
        "steps": state.get("steps", "0"),
        "entered": datetime.fromtimestamp(int(text(state["time"])) / 1000, UTC).isoformat(),
    }
    if "wait" in ask:
        waits(event)
    if "over" in ask:
        forks.branch_over(host, ask, state)
        return {"go": "on"}
    if {"wait", "pause", "child", "fork", "lingering"} & set(ask):
        return _waiting(host, event, state, fields(request["token"]), reported)
    try:
        said = fields(invoke(host, event))
    except SiteFailure as failure:
        said = fields(json.loads(str(failure)))
        reported.told(event, said)
        return _failed(host, ask, failure.error_type, said)
    reported.told(event, said)
    data = fields(said["next"])
    if data.get("raised") == "":
        # An epilogue failed, and no handler of the scope takes it.
        return _ended(host, _name(data.get("error")), data)
    return _answered(host, data, "on", forked=ask.get("forked"))


def _arrived(host: Host, state: Mapping[str, Json]) -> dict[str, Json]:
    """The state that a site works on: the text, and what a native step told."""
    data = dict(unkept(host.store, json.loads(text(state["state"]))))
    branch = state.get("branch")
    if isinstance(branch, int):
        data = dict(_start(host, data, branch))
    told = state.get("along")
    if not isinstance(told, Mapping):
        return data
    along = {name: value for name, value in told.items() if name != "at"}
    if told.get("at"):
        data["at"] = told["at"]
    if "lost" in along:
        lost = StepLost(f"{along.pop('lost')}: 5 attempts were lost")
        along["error"] = encode_error(lost)
    operands = data.get("operands")
    for name in ("slept", "paused"):
        if name in along:
            along[name] = fields(operands)["record"]
    if "ended" in along:
        along["ended"] = state.get("on_time", True)
    if "forked" in along:
        del along["forked"]
        along.update(forks.outcome(host, data))
    if "outcomes" in along and isinstance(along["outcomes"], Mapping):
        along["outcomes"] = _outcomes(host, fields(along["outcomes"]))
    data["along"] = along
    return data


def _starts(host: Host, starts: list[Json]) -> str:
    """The text from which each branch takes its start: all of them, or where blocks of them lie."""
    whole = _text({"starts": starts})
    if len(whole) <= LONG:
        return whole
    parts = [starts[at : at + BLOCK] for at in range(0, len(starts), BLOCK)]
    return _kept(host, {"blocks": [keep(host.store, {"starts": part}) for part in parts]})


def _start(host: Host, given: Mapping[str, Json], branch: int) -> Mapping[str, Json]:
    starts, blocks = given.get("starts"), given.get("blocks")
    if isinstance(blocks, list):
        starts = unkept(host.store, {"kept": blocks[branch // BLOCK]})["starts"]
        branch %= BLOCK
    assert isinstance(starts, list), "branches are a list"
    return unkept(host.store, fields(starts[branch]))


def _outcomes(host: Host, ends: Mapping[str, Json]) -> list[Json]:
    """The ends of branches, in their order; one that is missing was lost."""
    found: list[Json] = []
    for number in range(len(ends)):
        said = ends[str(number)]
        if said is None:
            found.append({"error": encode_error(StepLost("a branch was lost"))})
        else:
            found.append(without_steps(unkept(host.store, json.loads(text(said)))))
    return found


def _answered(host: Host, data: Mapping[str, Json], go: str, *, forked: Json = None) -> Answer:
    """The answer that a state makes: what the workflow reads, and the rest as text.

    `forked`: where the branches of a fork are executions of their own, which the sites start.
    """
    given: Answer = {
        "state": _state(host, data),
        "time": _milliseconds(host),
        "go": key(go),
        "late": key(text(data["raised"])) if go == "on" and data.get("raised") else "",
        "decisions": _decisions(data.get("decisions")),
    }
    operands = data.get("operands")
    if isinstance(operands, Mapping):
        if "until" in operands:
            given["until"] = operands["until"]
        if "branches" in operands and not _is_forked(host, data, forked):
            starts = operands["branches"]
            assert isinstance(starts, list), "branches are a list"
            given["starts"] = [*range(len(starts))]
            given["branches"] = _starts(host, starts)
            given["each"] = str(share_of(len(starts)))
            given["limit"] = operands.get("limit") or max(1, len(starts))
            slim = {name: value for name, value in operands.items() if name != "branches"}
            given["state"] = _state(host, {**data, "operands": slim})
    if "value" in data:
        given["value"] = _text(data["value"])
    if "end" in data:
        given["end"] = _kept(host, fields(data["end"]))
        given["won"] = data.get("won", "")
    return given


def _is_forked(host: Host, data: Mapping[str, Json], forked: Json) -> bool:
    return isinstance(forked, list) and unkept(host.store, data)["at"] in forked


def _decisions(decided: Json) -> dict[str, Json]:
    if not isinstance(decided, Mapping):
        return {}
    return {key(name): key(text(exit)) for name, exit in decided.items()}


def _failed(host: Host, ask: Mapping[str, Json], name: str, said: Mapping[str, Json]) -> Answer:
    """An error of the flow: its handler, another attempt, or the end."""
    data = unkept(host.store, fields(unkept(host.store, said)["next"]))
    if name == AGAIN:
        again = fields(data["again"])
        whole = {"state": _state(host, data), "time": _milliseconds(host), "go": "again"}
        native = bool(ask.get("native", False))
        return {**whole, "until": again["until"], "native": native, "pause": "again"}
    for kind, prefix in KINDS:
        inner = name.removeprefix(prefix).removesuffix("]")
        if name.startswith(prefix) and inner:
            return _answered(host, data, f"{kind} {inner}", forked=ask.get("forked"))
    return _ended(host, name, data)


def _ended(host: Host, name: str, data: Mapping[str, Json]) -> Answer:
    """The scope fails: what the routine `site` raises."""
    error: dict[str, Json] = {"tags": ["perdure", name], "message": name}
    if "end" in data:
        error["end"] = _kept(host, fields(data["end"]))
        error["won"] = data.get("won", "")
    else:
        error["error"] = _text(data.get("error"))
        error["message"] = f"{name}: {_message(data.get('error'))}"
    return {"go": "failed", "error": error}


def _name(error: Json) -> str:
    kind = error.get("type") if isinstance(error, Mapping) else None
    return kind.rpartition(":")[2] if isinstance(kind, str) else "Error"


def _message(error: Json) -> str:
    said = error.get("message") if isinstance(error, Mapping) else None
    return said if isinstance(said, str) else ""


def _kept(host: Host, data: Mapping[str, Json]) -> str:
    """The text of a state, or of the digest under which it lies in the store."""
    whole = _text(data)
    return whole if len(whole) <= LONG else _text({"kept": keep(host.store, data)})


def _state(host: Host, data: Mapping[str, Json]) -> str:
    """What the next site gets; a long one lies in the store, for variables have little room."""
    whole = _text(data)
    return whole if len(whole) <= LONGEST_STATE else _text({"kept": keep(host.store, data)})


def _text(value: Json | Mapping[str, Json]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _milliseconds(host: Host) -> str:
    return str(round(host.now() * 1000))


# --- waits --------------------------------------------------------------------------------------


@final
class OwnBell:
    """Rings of the wait that is being asked about: they are its answer; others go out."""

    def __init__(self, others: Bell, token: str) -> None:
        self._others = others
        self.token = token
        self.rung = False
        self.late = False
        """A deadline came before the end of a child."""
        self.again: Mapping[str, Json] | None = None

    def ring(self, token: str) -> bool:
        """The wait is decided."""
        if token != self.token:
            return self._others.ring(token)
        self.rung = True
        return True

    def fail(self, token: str, error: str, cause: str) -> bool:
        """It is cancelled, or what it waits for is to be tried again."""
        if token != self.token:
            return self._others.fail(token, error, cause)
        self.rung = True
        if error == AGAIN:
            self.again = fields(json.loads(cause))
        return True


def _waiting(
    host: Host,
    event: Mapping[str, Json],
    state: Mapping[str, Json],
    token: Mapping[str, Json],
    reported: Reported,
) -> Answer:
    """Register the wait, once more for each ring or round, and say whether it is decided."""
    bell = OwnBell(host.bell, text(token["url"]))
    own = dataclasses.replace(host, bell=bell)
    data: Mapping[str, Json] = fields(event["next"])
    asked = {**event, "token": text(token["url"])}
    try:
        if "fork" in event:
            forks.begin(own, event, data, bell.token)
            bell.rung = forks.is_decided(own, data)
        else:
            invoke(own, asked)
    except SiteFailure as failure:
        said = fields(json.loads(str(failure)))
        reported.told(event, said)
        return {**_failed(host, event, failure.error_type, said), "over": True}
    left = None if bell.rung else _left(host, event, state, bell)
    if bell.rung or bell.late:
        return _decided(host, data, state, bell)
    number = token["round"]
    assert isinstance(number, int), "rounds are counted"
    listen = min(LONGEST_ROUND, ROUND_SECONDS * 2 ** min(number, 10))
    seconds = listen if left is None else min(listen, int(left))
    return {**state, "over": False, "go": "on", "seconds": seconds, "forever": left is None}


def _decided(
    host: Host, data: Mapping[str, Json], state: Mapping[str, Json], bell: OwnBell
) -> Answer:
    whole: Answer = {"over": True, "go": "on", "state": state["state"]}
    if "branch" in state:
        whole["branch"] = state["branch"]
    whole["on_time"] = not bell.late
    whole["time"] = _milliseconds(host)
    if bell.again is not None:
        operands = {**fields(data["operands"]), **bell.again}
        state_again = _state(host, {**data, "operands": operands})
        whole.pop("branch", None)
        whole.update(state=state_again, go="again", native=False)
        whole.update(until=bell.again["until"], pause="operands")
    return whole


def _left(
    host: Host, event: Mapping[str, Json], state: Mapping[str, Json], bell: OwnBell
) -> float | None:
    """Seconds until the wait is over by time; None where it has no end, or has ended now."""
    data = fields(event["next"])
    if "pause" in event:
        until = text(fields(data[text(event["pause"])])["until"])
        return datetime.fromisoformat(until).timestamp() - host.now()
    if "child" in event:
        seconds = fields(data["operands"]).get("seconds")
        if not isinstance(seconds, int) or seconds >= NEVER:
            return None
        left = int(text(state["time"])) / 1000 + seconds - host.now()
        if left < 1:
            host.sleep(max(0.0, left))
            bell.late = not bell.rung
        return left
    if "wait" not in event:
        return None
    run = text(fields(data["run"])["id"])
    # A wait for time alone stands in no line: it is looked for by its token.
    waiters = map(waiter_record, host.store.query(partition_of(run), "waiter/"))
    waiter = next((one for one in waiters if one.token == bell.token), None)
    if waiter is None or waiter.deadline is None:
        return None
    left = waiter.deadline - host.now()
    if left >= 1:
        return left
    # An execution listens for whole seconds: the rest is waited for here.
    host.sleep(max(0.0, left))
    settle(host.store, run, waiter.path, host.now())
    bell.rung = True
    return None
