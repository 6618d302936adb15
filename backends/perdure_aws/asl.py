"""Machine IR to Amazon States Language, JSONata mode.

What crosses between states is their input and output, no variables: one JSON object that the
sites write (`perdure_aws.envelope`). So a state says only which site runs, and where it leads:

    await classify(issue)          "classify"              Task, a site
    if kind == "spam":             "if kind == 'spam'"     Choice on what a site decided
    await event("approval", ...)   "approval"              Task with a token
    await sleep("1d")              "sleep"                 Wait
    await gather(...)              "gather"                Parallel or Map

An exception of a step, or of the code before it, is a failed Task; its name says which handler
it goes to. The name of a user's exception is no handler's name: it ends the execution, and is
its error.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never, final

from perdure.codec import Json, encode_error
from perdure.errors import StepLost
from perdure.ir import StepInfo
from perdure.machine.chains import chain_of, swallowed
from perdure.machine.ir import (
    Await,
    Child,
    Choose,
    Done,
    Edge,
    Failed,
    Machine,
    Raised,
    Route,
    Run,
    Scope,
    Sleep,
    Spawn,
    State,
)
from perdure.machine.policies import MARGIN, Policies
from perdure.sites.error_names import AGAIN, LOST, WON, ended, raised
from perdure.source import Span
from perdure_aws import asl_waits as waits
from perdure_aws import expressions as jsonata
from perdure_aws.asl_ends import TOGETHER, End, Ending, lost_end
from perdure_aws.asl_forked import Forked, forked_catchers, forked_scopes, lost_branch
from perdure_aws.asl_handover import HandOver
from perdure_aws.asl_spawn import spawn
from perdure_aws.asl_waits import INVOKE, LOST_ATTEMPTS, ROUTE_SECONDS
from perdure_aws.asl_wide import Wide
from perdure_aws.expressions import INPUT, RESULT, expression
from perdure_aws.names import StateNames

__all__ = ["SITES", "Definition", "definition", "function_groups"]

type States = dict[str, Json]
type Native = Await | Sleep | Spawn | Child

SITES = "${Sites}"
"""Stands for the ARN of the function's pinned version; the deployment substitutes it."""


@final
class Definition:
    """One machine's definition under construction; `origins` says where each state comes from."""

    def __init__(self, machine: Machine, policies: Policies) -> None:
        self.machine = machine
        self.policies = policies
        self.names = StateNames(machine)
        self.forked = forked_scopes(machine)
        """Those whose branches are executions of their own."""
        self.origins: dict[str, tuple[str, Span]] = {}
        """Scope id and span of each state, by its name in the definition."""

    def document(self) -> dict[str, Json]:
        """The whole definition."""
        return {
            "Comment": f"{self.machine.ref} ({place(self.machine.span)})",
            "QueryLanguage": "JSONata",
            **self.graph(self.machine.root),
        }

    def graph(
        self,
        scope: Scope,
        branch: int | None = None,
        ending: Ending = TOGETHER,
        *,
        guarded: bool = False,
    ) -> dict[str, Json]:
        """`StartAt` and `States` of a scope.

        `branch` is its index in a Parallel, None elsewhere; `ending`: whether the end of this
        branch may end the fork; `guarded`: a handler around the fork takes its errors.
        """
        assert scope.start is not None, "a machine is emitted after its states were placed"
        emitter = ScopeStates(self, scope, branch, ending, guarded=guarded)
        for state in scope.states:
            emitter.add(state)
        emitter.hand_over.add()
        emitter.wide.add()
        states = emitter.states
        for inner in self.forked if emitter.is_root else ():
            states |= self._forked(inner)
        return {"StartAt": self.names.of(scope, scope.start.to), "States": states}

    def _forked(self, inner: Forked) -> States:
        """The states of a branch that is an execution of its own, beside those of the flow."""
        emitter = ScopeStates(self, inner.scope, None, inner.ending, guarded=False, forked=True)
        for state in inner.scope.states:
            emitter.add(state)
        emitter.hand_over.add()
        return emitter.states


def definition(machine: Machine, policies: Policies) -> Definition:
    """The definition of one machine; `.document()` is the JSON."""
    return Definition(machine, policies)


def place(span: Span) -> str:
    """Where a state comes from, as its comment says it."""
    return f"{span.file}:{span.line}"


@final
class ScopeStates:
    """The states of one scope."""

    def __init__(
        self,
        whole: Definition,
        scope: Scope,
        branch: int | None,
        ending: Ending,
        *,
        guarded: bool,
        forked: bool = False,
    ) -> None:
        self._guarded = guarded
        self.is_forked = forked
        """Whether it is a branch that is an execution of its own."""
        self.whole = whole
        self.scope = scope
        self.branch = branch
        self.ending = ending
        self.states: States = {}
        self.by_name = {state.name: state for state in scope.states}
        self._swallowed = swallowed(scope)
        self.before: dict[str, list[Native]] = {}
        for state in scope.states:
            if isinstance(state, Await | Sleep | Spawn | Child):
                self.before.setdefault(state.next.to, []).append(state)
        self.hand_over = HandOver(self)
        self.wide = Wide(self)

    def add(self, state: State) -> None:
        """Emit a state, and those that only Step Functions needs beside it."""
        match state:
            case Run():
                self._run(state)
            case Route():
                self.put(state, self._site(state, ROUTE_SECONDS))
            case Choose():
                if state.name not in self._swallowed:
                    self.put(state, self._choose(state))
            case Sleep():
                waits.sleep(self, state)
            case Await():
                waits.wait(self, state)
            case Spawn():
                self.put(state, spawn(self, state))
            case Child():
                waits.child(self, state)
            case Done():
                if self._is_entered(state.name):
                    self._end(state, self.ending.done, self._done())
            case Failed() if self.is_forked:
                self.put(state, lost_branch(self, state))
            case Failed():
                self._end(state, self.ending.failed, self._failed())
            case _:
                assert_never(state)

    # --- sites ----------------------------------------------------------------------------------

    def _run(self, state: Run) -> None:
        policies = self.whole.policies
        site = self._site(state, policies.timeout(state.op), policies.group(state.op))
        if policies.may_retry(state.op):
            catchers = self._catchers(state)
            wait = self.whole.names.extra(f"retry {state.name}")
            site["Catch"] = [
                {"ErrorEquals": [AGAIN], "Output": _said("next"), "Next": wait},
                *catchers,
            ]
            self.put(state, site)
            waits.before_retry(self, state, wait)
        else:
            self.put(state, site)

    def _site(self, state: Run | Route, seconds: int, group: str | None = None) -> dict[str, Json]:
        """A Task that invokes a site, with where its failures lead."""
        lost: dict[str, Json] = {
            "ErrorEquals": list(LOST),
            "IntervalSeconds": 1,
            "MaxAttempts": LOST_ATTEMPTS,
            "BackoffRate": 2,
        }
        asked: dict[str, Json] = (
            {"route": state.target} if isinstance(state, Route) else {"run": state.pc}
        )
        if self._takes_late_errors(state.next):
            asked["late"] = True
        handled = [n.pc for n in self._handled_before(state) if n.on_error.to == state.name]
        if handled:
            asked["handles"] = [*handled]
        asked |= self.hand_over.asked(state.name)
        return {
            **self.task(state, state.name, INVOKE, group, **asked),
            "TimeoutSeconds": seconds + (MARGIN if isinstance(state, Route) else 0),
            "Retry": [lost],
            "Catch": self._catchers(state),
            **self._onward(state.next),
        }

    def _catchers(self, state: Run | Route) -> list[Json]:
        return [
            *self.raised(state.on_raise),
            *self._ended(state),
            *self.hand_over.catchers(state.name),
            *self.wide.catchers(state),
            *self.forked_catchers(state),
            *waits.overtaken(self, state, self.before.get(state.name, ())),
            self._lost(state.on_error, state.name),
        ]

    def _ended(self, state: Run | Route) -> Iterator[Json]:
        """Catchers of what native operations ended with: the site after them finds it out."""
        for native in self._handled_before(state):
            if native.on_error.to != state.name:
                yield {
                    "ErrorEquals": [ended(native.pc)],
                    "Output": _said("next"),
                    "Next": self.name(native.on_error.to),
                }

    def task(
        self, state: State, name: str, resource: str, group: str | None, **more: Json
    ) -> dict[str, Json]:
        """A Task that invokes the sites function."""
        payload: dict[str, Json] = {
            "flow": str(self.whole.machine.ref),
            "scope": self.scope.id,
            "site": name,
            "line": place(state.span),
            **more,
            **({} if self.ending.wins is None else {"wins": self.ending.wins}),
            "next": expression(self._entry(name)),
            "entered": expression("$states.context.State.EnteredTime"),
        }
        function = SITES if group is None else f"${{{_function_of(group)}}}"
        return {
            "Type": "Task",
            "Resource": resource,
            "Arguments": {"FunctionName": function, "Payload": payload},
        }

    def _entry(self, name: str) -> str:
        """The expression for what a site works on; the first of a branch picks its own start."""
        start = self.scope.start
        if self.branch is None or start is None or start.to != name:
            return INPUT
        return f"$type({INPUT}) = 'array' ? {INPUT}[{self.branch}] : {INPUT}"

    def _onward(self, edge: Edge | None) -> dict[str, Json]:
        """Where a site that succeeded leads; straight to the end without a state for it."""
        if edge is None:
            return {"Output": expression(f"{RESULT}.Payload.next"), "End": True}
        if isinstance(self.by_name[edge.to], Done) and self.ending.done == "data":
            member = "value" if self.is_root else "end"
            return {"Output": expression(f"{RESULT}.Payload.next.{member}"), "End": True}
        return {
            "Output": expression(f"{RESULT}.Payload.next"),
            "Next": self.name(edge.to),
        }

    def forked_catchers(self, state: State) -> Iterator[Json]:
        """Of the first state of the machine, where executions of branches come in."""
        if self.scope.start is not None and self.scope.start.to == state.name and self.is_root:
            yield from forked_catchers(self)

    def raised(self, ways: tuple[Raised, ...]) -> list[Json]:
        """Catchers of a site's own failures. At the root, one without a handler ends the run."""
        return [
            {
                "ErrorEquals": [raised(way.handler)],
                "Output": _said("next"),
                "Next": self.name(way.edge.to),
            }
            for way in ways
            if way.handler or not self.is_root
        ]

    def _handled_before(self, state: Run | Route) -> Iterator[Native]:
        """The native states that lead to a site, and whose errors a handler takes."""
        for native in self.before.get(state.name, ()):
            if not isinstance(self.by_name[native.on_error.to], Failed):
                yield native

    def _lost(self, edge: Edge, name: str) -> dict[str, Json]:
        error = encode_error(StepLost(f"{name}: {LOST_ATTEMPTS + 1} attempts were lost"))
        return {
            "ErrorEquals": list(LOST),
            **self.with_error(edge, jsonata.literal(error)),
        }

    def with_error(self, edge: Edge, error: str, **more: str) -> dict[str, Json]:
        """`Output` and `Next` that take an error (an expression) along an edge."""
        if isinstance(self.by_name[edge.to], Failed):
            ended = f"{{'error': {error}}}" if self.is_root else lost_end(self.ending, error)
            output = expression(f"$merge([{INPUT}, {ended}])")
        else:
            output = jsonata.along(edge.at, edge.bind, "error", error, **more)
        return {"Output": output, "Next": self.name(edge.to)}

    # --- states of the engine's own -------------------------------------------------------------

    def _choose(self, state: Choose) -> dict[str, Json]:
        rules: list[Json] = [
            {
                "Condition": expression(jsonata.equals(f"{INPUT}.raised", way.handler)),
                "Output": expression(f"$merge([{INPUT}, {{'raised': null}}])"),
                "Next": self.name(way.edge.to),
            }
            for way in state.raised
        ]
        cases, onward = chain_of(self.scope, state)
        for case in cases:
            decided = jsonata.member(f"{INPUT}.decisions", case.decision)
            rules.append(
                {
                    "Condition": expression(jsonata.equals(decided, case.name)),
                    "Next": self.name(case.edge.to),
                }
            )
        last = None if onward is None else self.name(onward.to)
        if not rules and last is not None:
            return {"Type": "Pass", "Next": last}
        return {"Type": "Choice", "Choices": rules, **({"Default": last} if last else {})}

    # --- ends -----------------------------------------------------------------------------------

    def _done(self) -> dict[str, Json]:
        member = "value" if self.is_root else "end"
        return {"Type": "Succeed", "Output": expression(f"{INPUT}.{member}")}

    def _failed(self) -> dict[str, Json]:
        error = f"{INPUT}.error"
        if self.is_root:
            name = f"$split({error}.type, ':')[1]"
            return {
                "Type": "Fail",
                "Error": expression(name),
                "Cause": expression(f"$string({error})"),
            }
        return {"Type": "Succeed", "Output": expression(f"{INPUT}.end")}

    def _end(self, state: Done | Failed, way: End, plain: dict[str, Json]) -> None:
        """The end of a scope; a branch can end its Parallel at once only by a failure."""
        wins: dict[str, Json] = {
            "Type": "Fail",
            "Error": WON,
            "Cause": expression(f"{INPUT}.won"),
        }
        if way != "asked":
            self.put(state, plain if way == "data" else wins)
            return
        won, other = (self.whole.names.extra(f"{state.name}: {w}") for w in ("decides", "ends"))
        rule: Json = {"Condition": expression(f"$exists({INPUT}.won)"), "Next": won}
        self.put(state, {"Type": "Choice", "Choices": [rule], "Default": other})
        self.extra(won, state, wins)
        self.extra(other, state, plain)

    # --- small things ---------------------------------------------------------------------------

    @property
    def is_root(self) -> bool:
        """Whether this is the flow's body, not a branch."""
        return self.scope is self.whole.machine.root

    def is_guarded(self, on_error: Edge) -> bool:
        """Whether code of the flow would run for an error raised there."""
        return self._guarded or not isinstance(self.by_name[on_error.to], Failed)

    def _takes_late_errors(self, edge: Edge | None) -> bool:
        """Whether a Choice follows that sorts out what was raised after the operation."""
        following = None if edge is None else self.by_name[edge.to]
        return isinstance(following, Choose) and bool(following.raised)

    def _is_entered(self, name: str) -> bool:
        """Whether a state leads here that cannot end the scope itself, as a site does."""
        return self.ending.done != "data" or any(
            edge.to == name for state in self.scope.states for edge in _transitions(state)
        )

    def name(self, state: str) -> str:
        """The name in the definition of a state of this scope."""
        return self.whole.names.of(self.scope, state)

    def put(self, state: State, body: dict[str, Json]) -> None:
        """Add the state."""
        entry = self._entry(state.name)
        if entry != INPUT:
            # What it leaves goes on from the branch's own start too, not from all of them.
            for part in (body, *_catchers(body)):
                output = part.get("Output")
                if isinstance(output, str):
                    part["Output"] = output.replace(INPUT, f"({entry})")
        self.extra(self.name(state.name), state, body)

    def extra(self, name: str, state: State, body: dict[str, Json]) -> None:
        """Add a state that only Step Functions needs beside the one it belongs to."""
        kind = body.pop("Type")
        self.states[name] = {"Type": kind, "Comment": place(state.span), **body}
        self.whole.origins[name] = (self.scope.id, state.span)


def _catchers(body: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    catchers = body.get("Catch")
    for catcher in catchers if isinstance(catchers, list) else ():
        if isinstance(catcher, dict):
            yield catcher


def _transitions(state: State) -> Iterator[Edge]:
    """The edges of a state that need a state to lead to: all but a site's own way on."""
    match state:
        case Run() | Route():
            yield from (way.edge for way in state.on_raise)
            yield state.on_error
        case Choose():
            yield from (edge for _, edge in state.exits)
            yield from (way.edge for way in state.raised)
        case Await():
            yield from (way.edge for way in state.on_raise)
            yield from (state.next, state.on_error)
        case Sleep() | Spawn() | Child():
            yield from (state.next, state.on_error)
        case Done() | Failed():
            pass
        case _:
            assert_never(state)


def _said(name: str) -> str:
    """The input of a state reached because a site failed: a member of what the site said."""
    return expression(jsonata.cause(name))


def function_groups(steps: Iterable[StepInfo]) -> dict[str, str]:
    """The group by the name of its function, which the deployment substitutes."""
    groups = sorted({step.group for step in steps if step.group is not None})
    return {_function_of(group): group for group in groups}


def _function_of(group: str) -> str:
    """`SitesHeavy` of the group `heavy`: letters and digits alone can be substituted."""
    words = re.split(r"[^A-Za-z0-9]+", group)
    return "Sites" + "".join(word[:1].upper() + word[1:] for word in words)
