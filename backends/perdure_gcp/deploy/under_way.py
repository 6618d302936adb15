"""What is under way in an environment's workflows: which executions are runs, and ending them.

A run may go through several executions: a long one hands itself over to another, forks have some
for their branches. A run is counted by its first one, or by the one that it has come to.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, final
from urllib.parse import quote

from perdure.codec import Json, encode_error
from perdure.sites.keep import unkept
from perdure.sites.state import fields, text
from perdure.store.protocol import End, RunRecord, Status, Versions
from perdure.store.runs import (
    claim_run,
    digest_of,
    end_run,
    get_run,
    list_runs,
    result_doorbells,
    ring_result_waiter,
)
from perdure_gcp.deploy.environment import Environment
from perdure_gcp.deploy.kinds import Resource
from perdure_gcp.deploy.places import places_of
from perdure_gcp.deploy.record import Deployed
from perdure_gcp.ended import run_of
from perdure_gcp.google import API, Callbacks

__all__ = ["UnderWay", "end_left", "stop", "under_way"]

RUNNING = quote('state="ACTIVE"')


@final
class UnderWay(NamedTuple):
    """An execution that runs."""

    execution: str
    flow: str
    """What it runs: the flow that is deployed, or one that it starts."""
    version: int
    release: str
    run: str
    argument: Mapping[str, Json]

    @property
    def is_run(self) -> bool:
        """Whether it is no branch of a run."""
        return "branch" not in self.argument


def under_way(environment: Environment, one: Deployed) -> Iterator[UnderWay]:
    """All executions of a deployed flow and of those it starts; a child may outlive its run."""
    for number in one.releases:
        for ref, workflow in number.workflows.items():
            for execution in _running(environment, workflow):
                argument = fields(json.loads(text(execution["argument"])))
                named = text(execution["name"])
                version = one.number_of(number.release)
                run = run_of(argument)
                yield UnderWay(named, ref, version, number.release, run, argument)


def _running(environment: Environment, workflow: str) -> list[Mapping[str, Json]]:
    """Executions of a workflow that are under way, with their arguments."""
    if environment.kinds.find(Resource("", "workflow", workflow, {})) is None:
        return []
    url = f"{API}{workflow}/executions?filter={RUNNING}&view=FULL"
    return environment.api.pages(url, "executions")


def stop(environment: Environment, one: Deployed, live: Iterable[UnderWay]) -> None:
    """Stop executions of a flow, and record that their runs were cancelled.

    The end is written first: who repeats a destroy that was interrupted in between finds the
    execution under way still. A run that has ended meanwhile keeps its own end.
    """
    for found in live:
        if get_run(environment.store, found.run) is None and "resume" not in found.argument:
            claim_run(environment.store, _unclaimed(environment, one, found))
        _end_run(environment, found.run)
        environment.stop(found.execution)


def _end_run(environment: Environment, run: str) -> None:
    """The first end stays; whoever waits for it in another flow is told."""
    store = environment.store
    error = encode_error(asyncio.CancelledError())
    end_run(store, run, End(Status.CANCELLED, error=error), time.time())
    bells = Callbacks(environment.api.send)
    for bell in result_doorbells(store, run):
        bells.ring(bell.token)
        ring_result_waiter(store, bell)


def _unclaimed(environment: Environment, one: Deployed, found: UnderWay) -> RunRecord:
    """The record of a run of which no site has run: what its first site would have written."""
    whole = unkept(environment.store, fields(json.loads(text(found.argument["state"]))))
    about = fields(places_of(environment.store, one.name, found.release)["versions"])
    codec, run = about["codec"], fields(whole["run"])
    assert isinstance(codec, int), "versions are numbers"
    return RunRecord(
        run=found.run,
        flow=found.flow,
        input_digest=digest_of(whole["input"]),
        input=whole["input"],
        versions=Versions(
            text(about["perdure"]), text(about["python"]), codec, text(about["source"])
        ),
        seed=text(run["seed"]),
        started=time.time(),
        target="gcp",
    )


def end_left(environment: Environment, refs: frozenset[str]) -> None:
    """Once workflows are gone: end the runs of these flows that nothing of the environment runs.

    Somebody may have started one between the look at what is under way and its flow's end.
    """
    ours = [r for r in list_runs(environment.store) if r.end is None and r.flow in refs]
    if ours:
        found = (each for one in environment.flows() for each in under_way(environment, one))
        there = {each.run for each in found}
        for record in ours:
            if record.run not in there:
                _end_run(environment, record.run)
