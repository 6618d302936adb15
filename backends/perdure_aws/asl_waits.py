"""Waits as states: for events, for time, before another attempt.

    await event("approval", ...)   "approval"         Task with a token
    await sleep("1d")              "sleep"            Wait; a Task with a token where cleanup is
                                                      pending, or branches run beside it
    retry                          "retry classify"   likewise
    await other_flow(...)          "other_flow"       Task with a token

A Wait cannot be interrupted: whoever cancels a run that is in one stops the execution. So it stands
only where no handler of the flow would see the CancelledError.
"""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from perdure.codec import Json
from perdure.machine.graph import scopes
from perdure.machine.ir import (
    Await,
    Child,
    Operation,
    Route,
    Run,
    Scope,
    Sleep,
    Spawn,
    State,
)
from perdure.machine.policies import literal_limit
from perdure.sites.error_names import AGAIN, CANCELLED, LOST, lingering
from perdure_aws import expressions as jsonata
from perdure_aws.asl_ends import TOGETHER, ending_of
from perdure_aws.expressions import INPUT, RESULT, expression

if TYPE_CHECKING:
    from perdure_aws.asl import ScopeStates

__all__ = [
    "INVOKE",
    "LOST_ATTEMPTS",
    "ROUTE_SECONDS",
    "before_retry",
    "child",
    "hand_over",
    "overtaken",
    "sleep",
    "wait",
    "waiting",
]

INVOKE = "arn:aws:states:::lambda:invoke"
WITH_TOKEN = f"{INVOKE}.waitForTaskToken"
ROUTE_SECONDS = 60
LOST_ATTEMPTS = 4
"""Repeats of an attempt that was lost: with the first, five in a row (DESIGN §3)."""
TOKEN = expression("$states.context.Task.Token")


def hand_over(scope: "ScopeStates", head: State, name: str, after: str) -> None:
    """The Task that starts the next generation, and the one that ends this execution after it."""
    task = waiting(scope, head, name, handover=True)
    onward: dict[str, Json] = {"Output": expression(INPUT), "Next": after}
    scope.extra(name, head, {**task, **onward})
    ending = scope.task(head, after, INVOKE, None, handed=True)
    output = expression(f"{RESULT}.Payload.value")
    scope.extra(after, head, {**ending, "Output": output, "End": True})


def waiting(scope: "ScopeStates", state: State, name: str, **asked: Json) -> dict[str, Json]:
    """A Task that waits under a token; a registration that was lost is made again."""
    again: dict[str, Json] = {
        "ErrorEquals": [error for error in LOST if error != "States.Timeout"],
        "IntervalSeconds": 1,
        "MaxAttempts": LOST_ATTEMPTS,
        "BackoffRate": 2,
    }
    task = scope.task(state, name, WITH_TOKEN, None, **asked, token=TOKEN)
    return {**task, "Retry": [again]}


def sleep(scope: "ScopeStates", state: Sleep) -> None:
    """A native Wait, or a wait that a cancel can end."""
    if scope.is_root and not scope.is_guarded(state.on_error):
        until = expression(f"{INPUT}.operands.until")
        scope.put(state, {"Type": "Wait", "Timestamp": until, **_slept(scope, state, "slept")})
        return
    slept = _slept(scope, state, "paused")
    scope.put(
        state,
        {
            **waiting(scope, state, state.name, pause="operands"),
            "TimeoutSeconds": expression(f"{INPUT}.operands.seconds"),
            "Catch": [
                {
                    "ErrorEquals": [CANCELLED],
                    **scope.with_error(state.on_error, jsonata.cancelled(), origin=state.pc),
                },
                {"ErrorEquals": ["States.Timeout"], **slept},
            ],
            **slept,
        },
    )


def _slept(scope: "ScopeStates", state: Sleep, name: str) -> dict[str, Json]:
    record = f"{INPUT}.operands.record"
    edge = state.next
    return {
        "Output": jsonata.along(edge.at, edge.bind, name, record, origin=state.pc),
        "Next": scope.name(edge.to),
    }


def child(scope: "ScopeStates", state: Child) -> None:
    """A Task whose token the child's run keeps; the site that follows reads how the child ended."""
    edge, catchers = state.next, list[Json]()
    if scope.whole.policies.may_retry(state.op):
        wait = scope.whole.names.extra(f"retry {state.name}")
        told = f"$merge([{INPUT}.operands, $parse($states.errorOutput.Cause)])"
        asked = expression(f"$merge([{INPUT}, {{'operands': {told}}}])")
        catchers.append({"ErrorEquals": [AGAIN], "Output": asked, "Next": wait})
        before_retry(scope, state, wait, "operands")
    limit: dict[str, Json] = {}
    if _is_timed(scope, state):
        limit = {"TimeoutSeconds": expression(f"{INPUT}.operands.seconds")}
        late = jsonata.along(edge.at, edge.bind, "ended", "false", origin=state.pc)
        timeout: Json = ["States.Timeout"]
        catchers.append({"ErrorEquals": timeout, "Output": late, "Next": scope.name(edge.to)})
    scope.put(
        state,
        {
            **waiting(scope, state, state.name, child=state.pc),
            **limit,
            **({"Catch": catchers} if catchers else {}),
            "Output": jsonata.along(edge.at, edge.bind, "ended", "true", origin=state.pc),
            "Next": scope.name(edge.to),
        },
    )


def overtaken(
    scope: "ScopeStates", state: Run | Route, before: Iterable[State]
) -> Iterator[dict[str, Json]]:
    """Catchers of a site that finds children which a race or a deadline before it left behind."""
    for native in before:
        match native:
            case Spawn(fork=fork) if ending_of(fork) != TOGETHER:
                found = {one.id for one in native.scopes}
                inner = (s for s in scopes(scope.whole.machine.root) if s.id in found)
                if any(map(_has_children, inner)):
                    yield _overtaken(scope, native, state)
            case Child() if _is_timed(scope, native):
                yield _overtaken(scope, native, state)
            case _:
                pass


def _overtaken(scope: "ScopeStates", native: Child | Spawn, after: Run | Route) -> dict[str, Json]:
    """Where it leads, a Task waits for the children, and goes back to the site."""
    name = scope.whole.names.extra(f"end of {native.name}")
    task = waiting(scope, native, name, lingering=native.pc)
    onward: dict[str, Json] = {"Output": expression(INPUT), "Next": scope.name(after.name)}
    scope.extra(name, native, {**task, **onward})
    return {
        "ErrorEquals": [lingering(native.pc)],
        "Output": expression(jsonata.cause("next")),
        "Next": name,
    }


def _is_timed(scope: "ScopeStates", state: Child) -> bool:
    """Whether a deadline may be around it."""
    node = scope.scope.nodes[state.pc]
    return isinstance(node, Operation) and node.timed


def _has_children(scope: Scope) -> bool:
    """Whether a branch, or a branch in it, awaits other flows."""
    return any(isinstance(state, Child) for one in scopes(scope) for state in one.states)


def before_retry(
    scope: "ScopeStates", state: Run | Child, name: str, timing: str = "again"
) -> None:
    """Until the next attempt; the site that makes it sees whether the run was cancelled."""
    again = scope.name(state.name)
    native = scope.is_root and isinstance(state, Run) and not scope.is_guarded(state.on_error)
    if native:
        until = expression(f"{INPUT}.{timing}.until")
        scope.extra(name, state, {"Type": "Wait", "Timestamp": until, "Next": again})
        return
    onward: dict[str, Json] = {"Output": expression(INPUT), "Next": again}
    scope.extra(
        name,
        state,
        {
            **waiting(scope, state, name, pause=timing),
            "TimeoutSeconds": expression(f"{INPUT}.{timing}.seconds"),
            "Catch": [{"ErrorEquals": [CANCELLED, "States.Timeout"], **onward}],
            **onward,
        },
    )


def wait(scope: "ScopeStates", state: Await) -> None:
    """A Task with a token; when its time is up, the site that follows looks what came by then."""
    edge = state.next

    def onward(rung: str) -> dict[str, Json]:
        return {
            "Output": jsonata.along(edge.at, edge.bind, "received", rung, origin=state.pc),
            "Next": scope.name(edge.to),
        }

    scope.put(
        state,
        {
            **waiting(scope, state, state.name, wait=state.pc),
            **_time_limit(state),
            "Catch": [
                *scope.raised(state.on_raise),
                {
                    "ErrorEquals": [CANCELLED],
                    **scope.with_error(state.on_error, jsonata.cancelled(), origin=state.pc),
                },
                {"ErrorEquals": ["States.Timeout"], **onward("false")},
                *scope.hand_over.catchers(state.name),
                *scope.wide.catchers(state),
                *scope.forked_catchers(state),
            ],
            **onward("true"),
        },
    )


def _time_limit(state: Await) -> dict[str, Json]:
    """The literal limit of a wait that no site prepared, else what the site before computed."""
    if not state.prologue:
        return {"TimeoutSeconds": expression(f"{INPUT}.operands.timeout")}
    limits = [limit for a in state.alternatives if (limit := literal_limit(a.op)) is not None]
    return {"TimeoutSeconds": max(1, math.floor(min(limits)))} if limits else {}
