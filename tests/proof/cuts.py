# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false
# (the cuts are made inside the engine's way to the sites)
"""Every invocation of every site of the cloud path, cut once in each way there is.

A cut invocation ends as a Lambda does whose sandbox is gone (`Runtime.ExitError`), or its answer is
lost, or Lambda delivers its event twice. What Step Functions then does is in the definition that
runs. The waits before it tries again take no time here, so that the clock of the run stays.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partialmethod
from pathlib import Path
from threading import get_ident
from typing import Any, Final, Literal, final

from moto.stepfunctions.parser.asl.component.common.retry.interval_seconds_decl import (
    IntervalSecondsDecl,
)

from perdure.driver import FlowName
from perdure.machine.emit import module_name
from perdure.sites.failures import SiteFailure
from perdure.sites.site import invoke
from perdure.testing import Result
from perdure.testing import machine_runs as runs
from perdure.testing.bundles import active_bundle
from perdure.testing.request import Request
from perdure.testing.scripts import Answer, Attempt, RunsBody, Scripts
from perdure.testing.spans import Spans, places_of
from perdure_aws.engine import flows
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.simulation import MotoSimulation
from tests.proof import quick

__all__ = ["CUTS", "Cut", "Swept", "swept"]

type Kind = Literal["before the step", "after the step", "after the response", "delivered twice"]

CUTS: Final[tuple[Kind, ...]] = (
    "before the step",
    "after the step",
    "after the response",
    "delivered twice",
)


@final
@dataclass
class Cut:
    """The invocation of that number (from 0) is cut; `done` says that it was."""

    number: int
    kind: Kind
    done: bool = False
    seen: int = 0
    thread: int | None = None
    """Of the cut invocation, while it runs: others run while it waits."""
    asked: list[tuple[str, int, str, bool]] = field(default_factory=list[Any])
    """Attempts of steps: path, number, arguments, and whether in the cut invocation."""
    answers: dict[tuple[str, int], Answer] = field(default_factory=dict[Any, Any])


@final
@dataclass
class Swept:
    """What came of all cuts of one case; `wrong` has a line for each that did harm."""

    invocations: int = 0
    cuts: int = 0
    repeated: int = 0
    """Bodies of steps that ran once more, all of them in or after a cut invocation."""
    wrong: list[str] = field(default_factory=list[str])


def swept(file: Path, flow: str, request: Callable[[], Request]) -> Swept:
    """All cuts of one run of a flow; `request` makes a fresh one."""
    _, machines, artifacts = flows.compiled(FlowName(file, flow))
    bundle = artifacts["bundle.zip"]
    assert isinstance(bundle, bytes), "the bundle is a zip"
    definitions: dict[str, Mapping[str, Any]] = {
        str(one.ref): json.loads(artifacts[flows._definition_of(one, machines)])
        for one in machines.machines
    }
    spans = Spans(machines, places_of(artifacts))
    found = Swept()
    with active_bundle(bundle, [module_name(one.ref) for one in machines.machines]) as loaded:

        def ran(cut: Cut) -> Result:
            with _made(cut):
                return flows.run_loaded(request(), loaded, definitions, spans)

        whole = Cut(-1, "before the step")
        meant = ran(whole)
        found.invocations = whole.seen
        for number in range(whole.seen):
            for kind in CUTS:
                cut = Cut(number, kind)
                try:
                    result = ran(cut)
                except (Exception, SystemExit) as error:  # whatever it is, the cut brought it about
                    found.wrong.append(f"{kind} {number}: {type(error).__name__}: {error}")
                    continue
                if cut.done:
                    found.cuts += 1
                    found.repeated += len(cut.asked) - len(whole.asked)
                    found.wrong += _harm(cut, whole, meant, result)
    return found


def _harm(cut: Cut, whole: Cut, meant: Result, result: Result) -> Iterator[str]:
    for line in quick.differences(meant, result):
        yield f"{cut.kind} {cut.number}: {line}"
    first: dict[tuple[str, int], str] = {}
    for path, number, arguments, _ in cut.asked:
        known = first.setdefault((path, number), arguments)
        if known != arguments:
            yield f"{cut.kind} {cut.number}: {path} {number} with other arguments"
    for key in {(path, number) for path, number, *_ in cut.asked}:
        times = [inside for path, number, _, inside in cut.asked if (path, number) == key]
        usual = sum((path, number) == key for path, number, *_ in whole.asked)
        if len(times) > usual and not any(times):
            yield f"{cut.kind} {cut.number}: {key[0]} ran again although it was not cut"


@contextmanager
def _made(cut: Cut) -> Generator[None]:
    patches = Patches()
    handle, attempt = flows.Test.handle, runs.ScriptedSteps.attempt
    answer = Scripts.answer

    def handled(self: Any, event: Any, context: Any) -> Any:
        cut.seen += 1
        if cut.seen - 1 != cut.number:
            return handle(self, event, context)
        cut.done, cut.thread = cut.kind != "after the step", get_ident()
        try:
            if cut.kind == "before the step":
                raise SystemExit(1)
            if cut.kind == "after the step":
                return _unheard(self, event, context, lost=False)
            with suppress(SiteFailure):
                _unheard(self, event, context, lost=True)
            if cut.kind == "after the response":
                raise SystemExit(1)
            return handle(self, event, context)
        finally:
            cut.thread = None

    def attempted(self: Any, one: Any) -> Any:
        ended = attempt(self, one)
        if cut.thread == get_ident() and cut.kind == "after the step":
            cut.done, cut.thread = True, None
            raise SystemExit(1)
        return ended

    def answered(self: Scripts, asked: Attempt) -> Answer:
        inside = cut.thread == get_ident()
        cut.asked.append((asked.path, asked.number, repr(dict(asked.arguments)), inside))
        key = (asked.path, asked.number)
        if key in cut.answers:
            known = cut.answers[key]
            # It took its time when it was asked first: the clock of the run stays as it was.
            return known if isinstance(known, RunsBody) else known._replace(after_seconds=0.0)
        cut.answers[key] = answer(self, asked)
        return cut.answers[key]

    try:
        patches.replace(flows.Test, "handle", handled)
        patches.replace(runs.ScriptedSteps, "attempt", attempted)
        patches.replace(Scripts, "answer", answered)
        # A child whose last answer was lost says it again after its parent has gone on.
        run = MotoSimulation.run
        patches.replace(MotoSimulation, "run", partialmethod(run, until_idle=True))
        patches.replace(IntervalSecondsDecl, "_eval_body", _at_once)
        yield
    finally:
        patches.restore()


def _at_once(_: IntervalSecondsDecl, env: Any) -> None:
    env.stack.append(0)


def _unheard(test: Any, event: Any, context: Any, *, lost: bool) -> Any:
    """An invocation whose answer nobody gets, or that may end before it has one."""
    host = test.host(event["flow"], context)
    if "wait" in event:
        test.run.waits(host, event)
    try:
        reply = invoke(host, event)
    except SiteFailure as failure:
        if not lost:
            test._told(event, json.loads(str(failure)), context)
        raise
    if reply is not None and not lost:
        test._told(event, reply, context)
    return reply
