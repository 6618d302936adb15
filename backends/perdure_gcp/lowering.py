"""Machine IR to Google Cloud Workflows: one routine for each scope, one step for each state.

    await classify(issue)          classify            call: site
    if kind == "spam":             if_kind_spam        switch on what a site decided
    await event("approval", ...)   approval            call: wait, until an event is there
    await sleep("1d")              sleep               sys.sleep_until; call: pause in branches
    await gather(...)              gather              parallel, one call of a routine each
    await other_flow(...)          other_flow          call: wait, until the child has ended

What crosses between steps is `reply`, the last answer of a site: its `state` is text that no step
looks into, so no number and no order of keys hangs on the engine. An error of the flow at its own
level is an answer too (`go` says which handler it leads to); where none does, `site` raises, and
the execution fails, or the branch ends. Nothing is emitted whose behaviour is not documented:
https://cloud.google.com/workflows/docs/reference/syntax
"""

from collections.abc import Iterator, Mapping
from typing import assert_never, final

from perdure.codec import Json
from perdure.machine.chains import chain_of, swallowed
from perdure.machine.graph import scopes
from perdure.machine.ir import (
    Await,
    Child,
    Choose,
    Done,
    Edge,
    Failed,
    Machine,
    Operation,
    Route,
    Run,
    Scope,
    Sleep,
    Spawn,
    State,
)
from perdure.machine.loops import heads
from perdure.machine.policies import MARGIN, Policies
from perdure.sites import branch_name
from perdure.sites.state import fields
from perdure.source import Span
from perdure_gcp.branches import REPLY, is_forked, wins_of, with_branches, with_ways_in
from perdure_gcp.generations import HANDED_OVER
from perdure_gcp.keys import key
from perdure_gcp.names import Names, routine_name
from perdure_gcp.routines import NOW, RUNNING, step

__all__ = ["Workflow", "workflow"]

type Native = Await | Sleep | Spawn | Child

ROUTE_SECONDS = 60
MOST_CASES = 50
"""Conditions of a switch (https://cloud.google.com/workflows/quotas)."""


@final
class Workflow:
    """The workflow of one machine; `origins` says where each step comes from."""

    def __init__(self, machine: Machine, policies: Policies) -> None:
        self.machine = machine
        self.policies = policies
        self.ways_in: list[str] = []
        """Steps of `main` at which another execution of a run may begin."""
        self.switches: list[str] = []
        """Steps that lead there, for as many each as a switch has conditions."""
        self.origins: dict[str, tuple[str, str, Span]] = {}
        """Routine, scope and span of each step, by routine and name."""
        self.states: dict[str, str] = {}
        """What the machine calls each of them."""
        names = Names()
        for name in RUNNING:
            names.free(name)
        self.routines = {scope.id: routine_name(scope, names) for scope in scopes(machine.root)}
        self.wins: dict[str, str | None] = {}
        """Of the scopes whose branches are executions: what their sites are told of the fork."""
        for scope in scopes(machine.root):
            for state in scope.states:
                if isinstance(state, Spawn) and is_forked(scope, state):
                    self.wins.update((branch.id, wins_of(state.fork)) for branch in state.branches)

    def document(self) -> dict[str, Json]:
        """The whole file: `main` first, what every workflow has last."""
        built: dict[str, Json] = {}
        for scope in scopes(self.machine.root):
            built[self.routines[scope.id]] = Routine(self, scope).build()
        main = dict(fields(built["main"]))
        if self.wins:
            routines = [self.routines[scope] for scope in self.wins]
            main = with_branches(main, routines, str(self.machine.ref))
        return {**built, "main": with_ways_in(main, self.ways_in, self.switches), **RUNNING}


def workflow(machine: Machine, policies: Policies) -> Workflow:
    """The workflow of one machine; `.document()` is its tree."""
    return Workflow(machine, policies)


@final
class Routine:
    """The steps of one scope."""

    def __init__(self, whole: Workflow, scope: Scope) -> None:
        self._whole = whole
        self._scope = scope
        self._names = Names()
        self._by_name = {state.name: state for state in scope.states}
        self._swallowed = swallowed(scope)
        self._steps: list[Json] = []
        self._after: list[tuple[State, str, dict[str, Json]]] = []
        """Steps that only some sites lead to."""
        self._given = {
            state.name: self._names.free(state.name)
            for state in scope.states
            if not isinstance(state, Failed)
        }
        self._heads = heads(scope) if self._is_root else ()
        """Sites at which the run may go on in another execution."""
        ways = range(0, len(self._heads), MOST_CASES)
        self._switches = [self._names.free(f"resume at {number}") for number in ways]
        self._handed = self._names.free("handed over") if self._heads else ""
        self._on = {
            state.name: self._names.free(f"{state.name} on")
            for state in scope.states
            if isinstance(state, Await | Sleep | Spawn | Child)
        }
        """Of each native state: the step that tells the next site how it ended."""
        self._before: dict[str, list[Native]] = {}
        for state in scope.states:
            if isinstance(state, Await | Sleep | Spawn | Child):
                self._before.setdefault(state.next.to, []).append(state)

    def build(self) -> dict[str, Json]:
        """`params` and `steps`."""
        start = self._scope.start
        assert start is not None, "a machine is emitted after its states were placed"
        if self._is_root:
            begin: list[Json] = [REPLY]
            self._whole.ways_in = [self._given[head] for head in self._heads]
            self._whole.switches = self._switches
        else:
            begin = [{"reply.time": NOW}]
        self._steps.append(step("begin", {"assign": begin, "next": self._given[start.to]}))
        for state in self._scope.states:
            self._add(state)
        for state, name, body in self._after:
            self._put(state, name, body)
        if self._heads:
            head = self._by_name[self._heads[0]]
            self._put(head, self._handed, {"return": "${reply.value}"})
        return {"params": ["input" if self._is_root else "reply"], "steps": self._steps}

    @property
    def _is_root(self) -> bool:
        return not self._scope.id

    def _add(self, state: State) -> None:
        match state:
            case Run() | Route():
                self._site(state)
            case Choose():
                if state.name not in self._swallowed:
                    self._choose(state)
            case Sleep():
                self._sleep(state)
            case Await():
                self._wait(state, "wait", {"received": True})
            case Child():
                self._wait(state, "child", {"ended": True})
            case Spawn() if is_forked(self._scope, state):
                self._fork(state)
            case Spawn():
                self._spawn(state)
            case Done():
                given = "${reply.value}" if self._is_root else "${reply}"
                self._put(state, self._given[state.name], {"return": given})
            case Failed():
                pass  # `site` raises there
            case _:
                assert_never(state)

    def _put(self, state: State, name: str, body: dict[str, Json]) -> None:
        routine = self._whole.routines[self._scope.id]
        self._whole.origins[f"{routine}.{name}"] = (routine, self._scope.id, state.span)
        self._whole.states[f"{routine}.{name}"] = state.name
        self._steps.append(step(name, body))

    # --- sites ----------------------------------------------------------------------------------

    def _site(self, state: Run | Route) -> None:
        name = self._given[state.name]
        ask: dict[str, Json] = (
            {"route": state.target} if isinstance(state, Route) else {"run": state.pc}
        )
        if self._takes_late_errors(state.next):
            ask["late"] = True
        if state.name in self._heads:
            ask["head"] = True
        handled = [n.pc for n in self._handled_before(state) if n.on_error.to == state.name]
        if handled:
            ask["handles"] = [*handled]
        if isinstance(state, Run) and self._whole.policies.may_retry(state.op):
            ask["native"] = self._is_root and not self._is_guarded(state.on_error)
        wins = self._whole.wins.get(self._scope.id)
        if wins is not None:
            ask["wins"] = wins
        forked: list[Json] = [*self._forked()]
        if forked:
            ask["forked"] = forked
        args = self._args(state, ask, "${reply}")
        if isinstance(state, Run):
            args["timeout"] = self._whole.policies.timeout(state.op)
        else:
            args["timeout"] = ROUTE_SECONDS + MARGIN
        ways = [*self._ways(state), *self._lingering(state)]
        if self._is_guarded(state.on_error):
            args["guarded"] = True
        body: dict[str, Json] = {"call": "site", "args": args, "result": "reply"}
        ends = state.next is None or isinstance(self._by_name[state.next.to], Failed)
        onward = None if ends or state.next is None else self._given[state.next.to]
        if not ways:
            self._put(state, name, {**body, **_next(onward)})
            return
        went = self._names.free(f"{state.name} went")
        self._put(state, name, body)
        self._put(state, went, {"switch": ways, **_next(onward)})

    def _args(self, state: State, ask: Mapping[str, Json], reply: Json) -> dict[str, Json]:
        span = state.span
        asked: dict[str, Json] = {
            "flow": str(self._whole.machine.ref),
            "scope": self._scope.id,
            "site": self._given[state.name],
            "line": f"{span.file}:{span.line}",
            **ask,
        }
        return {"ask": asked, "state": reply}

    def _ways(self, state: Run | Route) -> Iterator[Json]:
        """Where an answer leads that is not simply the next one."""
        if state.name in self._heads and not self._decides(state.next):
            yield _case("reply.go", HANDED_OVER, next=self._handed)
        for way in state.on_raise:
            if way.handler:
                yield _case("reply.go", f"raised {way.handler}", next=self._to(way.edge))
        for native in self._handled_before(state):
            if native.on_error.to != state.name:
                yield _case("reply.go", f"ended {native.pc}", next=self._to(native.on_error))
        if self._is_guarded(state.on_error):
            edge = state.on_error
            along: Json = {"at": edge.at, "bind": edge.bind, "lost": state.name}
            yield _case(
                "reply.go", "lost", assign=[{"reply.along": along}], next=self._given[edge.to]
            )

    def _lingering(self, state: Run | Route) -> Iterator[Json]:
        """Where a site waits for children that a race or a deadline before it left behind."""
        for native in self._before.get(state.name, ()):
            timed = isinstance(native, Child) and _is_timed(self._scope, native)
            if timed or (isinstance(native, Spawn) and is_forked(self._scope, native)):
                name = self._names.free(f"end of {native.name}")
                yield _case("reply.go", f"lingering {native.pc}", next=name)
                args = self._args(native, {"lingering": native.pc}, "${reply}")
                body: dict[str, Json] = {"call": "wait", "args": args, "result": "reply"}
                self._after.append((native, name, {**body, "next": self._given[state.name]}))

    def _forked(self) -> Iterator[str]:
        """The forks of this scope whose branches are executions."""
        for one in self._scope.states:
            if isinstance(one, Spawn) and is_forked(self._scope, one):
                yield one.pc

    def _to(self, edge: Edge) -> str:
        return self._given[edge.to]

    def _handled_before(self, state: Run | Route) -> Iterator[Native]:
        """The native states that lead to a site, and whose errors a handler takes."""
        for native in self._before.get(state.name, ()):
            if self._is_guarded(native.on_error):
                yield native

    def _is_guarded(self, edge: Edge) -> bool:
        """Whether code of the flow would run for an error that takes this edge."""
        return not isinstance(self._by_name[edge.to], Failed)

    def _decides(self, edge: Edge | None) -> bool:
        """Whether a decision follows, which says so too where the run is handed over."""
        following = None if edge is None else self._by_name[edge.to]
        return isinstance(following, Choose) and len(following.exits) > 1

    def _takes_late_errors(self, edge: Edge | None) -> bool:
        following = None if edge is None else self._by_name[edge.to]
        return isinstance(following, Choose) and bool(following.raised)

    def _choose(self, state: Choose) -> None:
        cases: list[Json] = []
        before = [self._by_name[name] for name in self._heads]
        if any(isinstance(one, Run | Route) and one.next is not None and one.next.to == state.name
               for one in before) and len(state.exits) > 1:  # fmt: skip
            cases.append(_case("reply.go", HANDED_OVER, next=self._handed))
        cases += [
            # Whoever takes this way clears it: the next switch may list the same handler.
            _case("reply.late", way.handler, assign=[{"reply.late": ""}], next=self._to(way.edge))
            for way in state.raised
            if way.handler
        ]
        chain, onward = chain_of(self._scope, state)
        cases += [
            _case(f'reply.decisions["{key(case.decision)}"]', case.name, next=self._to(case.edge))
            for case in chain
        ]
        last = None if onward is None else self._to(onward)
        name = self._given[state.name]
        if cases:
            self._switch(state, name, cases, last)
        elif last is not None:
            self._put(state, name, {"next": last})
        else:  # all that leads here has failed, and `site` has raised
            self._put(state, name, {"raise": "nothing leads here"})

    def _switch(self, state: Choose, name: str, cases: list[Json], last: str | None) -> None:
        """As many switches as the cases need; each but the last leads to the next one."""
        chunks = [cases[at : at + MOST_CASES] for at in range(0, len(cases), MOST_CASES)]
        more = [self._names.free(f"{state.name} or") for _ in chunks[1:]]
        for given, onward, chunk in zip([name, *more], [*more, last], chunks, strict=True):
            self._put(state, given, {"switch": chunk, **_next(onward)})

    # --- waits ----------------------------------------------------------------------------------

    def _sleep(self, state: Sleep) -> None:
        name = self._given[state.name]
        if self._is_root and not self._is_guarded(state.on_error):
            self._put(state, name, {"call": "sys.sleep_until", "args": {"time": "${reply.until}"}})
            self._onward(state, {"slept": True}, NOW)
        else:
            args = self._args(state, {"pause": "operands"}, "${reply}")
            self._put(state, name, {"call": "wait", "args": args, "result": "reply"})
            self._onward(state, {"paused": True}, None)

    def _wait(self, state: Await | Child, kind: str, along: dict[str, Json]) -> None:
        args = self._args(state, {kind: state.pc}, "${reply}")
        name = self._given[state.name]
        body: dict[str, Json] = {"call": "wait", "args": args, "result": "reply"}
        if isinstance(state, Await):
            ways = [
                _case("reply.go", f"raised {way.handler}", next=self._to(way.edge))
                for way in state.on_raise
                if way.handler
            ]
            self._put(state, name, body)
            if ways:
                went = self._names.free(f"{state.name} went")
                self._put(state, went, {"switch": ways})
        elif self._whole.policies.may_retry(state.op):
            again = self._names.free(f"{state.name} again")
            self._put(state, name, body)
            doze = self._names.free(f"{state.name} doze")
            self._put(state, again, {"switch": [_case("reply.go", "again", next=doze)],
                                     "next": self._on[state.name]})  # fmt: skip
            paused = self._args(state, {}, "${reply}")
            self._put(state, doze, {"call": "pause", "args": paused, "result": "reply",
                                    "next": name})  # fmt: skip
        else:
            self._put(state, name, body)
        self._onward(state, along, None)

    def _onward(self, state: Native, along: dict[str, Json], time: str | None) -> None:
        """What a native step tells the site that comes next."""
        edge = state.next
        told: dict[str, Json] = {"at": edge.at, "bind": edge.bind, "origin": state.pc, **along}
        assign: list[Json] = [{"reply.along": told}]
        if time is not None:
            assign.append({"reply.time": time})
        name = self._on[state.name]
        self._put(state, name, {"assign": assign, "next": self._to(edge)})

    # --- forks ----------------------------------------------------------------------------------

    def _spawn(self, state: Spawn) -> None:
        name = self._given[state.name]
        ready = self._names.free(f"{state.name} ready")
        # The first step of the fork has its name, for whoever goes there.
        self._put(state, name, {"assign": [{"ends": {}}]})
        loop: dict[str, Json] = {
            "shared": ["ends"],
            "for": {
                "value": "at",
                "in": "${reply.starts}",
                "steps": self._branches(state, name),
            },
        }
        if state.fork.limit is not None:
            loop = {"shared": loop["shared"], "concurrency_limit": "${reply.limit}",
                    "for": loop["for"]}  # fmt: skip
        if state.branches:
            self._put(state, ready, {"parallel": loop})
        self._onward(state, {"outcomes": "${ends}", "kind": str(state.fork.kind)}, NOW)

    def _fork(self, state: Spawn) -> None:
        """Branches as executions of their own: see `perdure_gcp.forks`."""
        routines: dict[str, Json] = {
            branch_name(scope.id): self._whole.routines[scope.id] for scope in state.scopes
        }
        args = self._args(state, {"fork": state.pc, "routines": routines}, "${reply}")
        name = self._given[state.name]
        self._put(state, name, {"call": "wait", "args": args, "result": "reply"})
        self._onward(state, {"forked": True, "kind": str(state.fork.kind)}, None)

    def _branches(self, state: Spawn, name: str) -> list[Json]:
        """One branch: a call, whose end goes into its own place."""
        routines = [self._whole.routines[scope.id] for scope in state.branches]
        end = self._names.free(f"{state.name} end")
        names = [self._names.free(f"{name} {routine}") for routine in routines]
        start: Json = {"state": "${reply.branches}", "branch": "${at}", "share": "${reply.each}"}
        calls: list[Json] = [
            step(given, {"call": routine, "args": {"reply": start}, "result": "one", "next": end})
            for given, routine in zip(names, routines, strict=True)
        ]  # fmt: skip
        for first in range(0, len(calls) if len(calls) > 1 else 0, MOST_CASES):
            # The last switch is the first of the list: each leads to its own cases or goes on.
            cases: list[Json] = [
                {"condition": f"${{(at == {number})}}", "next": names[number]}
                for number in range(first, min(first + MOST_CASES, len(calls)))
            ]
            which = self._names.free(f"{state.name} which")
            calls.insert(first // MOST_CASES, step(which, {"switch": cases}))
        ended: Json = {"ends[string(at)]": "${one.end}"}
        failed: Json = {"ends[string(at)]": '${map.get(e, "end")}'}
        tried: dict[str, Json] = {
            "try": {"steps": [*calls, step(end, {"assign": [ended]})]},
            "except": {
                "as": "e",
                "steps": [
                    step(self._names.free(f"{state.name} failed"), {"assign": [failed]}),
                ],
            },
        }
        return [step(self._names.free(f"{state.name} branch"), tried)]


def _is_timed(scope: Scope, state: Child) -> bool:
    """Whether a deadline may be around it."""
    node = scope.nodes[state.pc]
    return isinstance(node, Operation) and node.timed


def _case(value: str, equals: str, **then: Json) -> Json:
    return {"condition": f'${{({value} == "{key(equals)}")}}', **then}


def _next(name: str | None) -> dict[str, Json]:
    return {} if name is None else {"next": name}
