"""What is under way in an environment's machines: which executions are runs, and ending them.

A run may go through several executions: a long one hands itself over to another, forks have some
for their branches. A run is counted by its first one, which is there as long as the run is.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, final

from perdure.codec import Json, encode_error
from perdure.sites.executions import execution_name, is_part
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
from perdure_aws.deploy.environment import Deployed, Environment
from perdure_aws.deploy.machines import number_of
from perdure_aws.ended import run_of

__all__ = ["UnderWay", "end_left", "stop", "under_way"]

CAUSE = "its environment was destroyed"


@final
class UnderWay(NamedTuple):
    """An execution that runs."""

    execution: str
    flow: str
    """What it runs: the flow that is deployed, or one that it starts."""
    version: int
    """Of its machine; 0 where it was started without one."""

    @property
    def name(self) -> str:
        """What the execution is called."""
        return self.execution.rpartition(":")[2]

    @property
    def is_run(self) -> bool:
        """Whether it is the first execution of a run."""
        return not is_part(self.name)


def under_way(environment: Environment, one: Deployed) -> Iterator[UnderWay]:
    """All executions of a deployed flow and of those it starts; a child may outlive its run."""
    for ref, machine in one.machines.items():
        for execution, version in environment.machines.running(machine):
            yield UnderWay(execution, ref, number_of(version) if version else 0)


def stop(environment: Environment, one: Deployed, live: Iterable[UnderWay]) -> None:
    """Stop executions of a flow, and record that their runs were cancelled.

    The end is written first: who repeats a destroy that was interrupted in between finds the
    execution under way still. A run that has ended meanwhile keeps its own end.
    """
    keeps = environment.store_stack() is not None and environment.has_table()
    for found in live:
        if keeps:
            told = environment.machines.described(found.execution)
            if told is not None:
                _end(environment, one, found, told)
        environment.machines.stop(found.execution, CAUSE)


def _end(
    environment: Environment, one: Deployed, found: UnderWay, told: Mapping[str, object]
) -> None:
    asked: Mapping[str, Json] = {"name": found.name, "input": str(told["input"])}
    run, store = run_of(asked), environment.store
    if get_run(store, run) is None:
        claim_run(store, _unclaimed(environment, one, found, str(told["input"])))
    _end_run(environment, run)


def _end_run(environment: Environment, run: str) -> None:
    """The first end stays; whoever waits for it in another flow is told."""
    store = environment.store
    error = encode_error(asyncio.CancelledError())
    end_run(store, run, End(Status.CANCELLED, error=error), time.time())
    for bell in result_doorbells(store, run):
        environment.machines.ring(bell.token)
        ring_result_waiter(store, bell)


def _unclaimed(environment: Environment, one: Deployed, found: UnderWay, given: str) -> RunRecord:
    """The record of a run of which no site has run: what its first site would have written."""
    asked: dict[str, Json] = json.loads(given)
    run, arguments = fields(asked["run"]), asked["input"]
    return RunRecord(
        run=text(run["id"]),
        flow=found.flow,
        input_digest=digest_of(arguments),
        input=arguments,
        versions=_versions(environment, one),
        seed=text(run["seed"]),
        started=time.time(),
        target="aws",
    )


def _versions(environment: Environment, one: Deployed) -> Versions:
    """What the deployed code was made with: its bundle says it."""
    about = environment.bucket.description(one.stack.parameters["CodeKey"])
    return Versions(
        text(about["perdure"]),
        text(about["python"]),
        int(str(about["codec"])),
        text(about["source"]),
    )


def end_left(environment: Environment, refs: frozenset[str]) -> int:
    """Once machines are gone: end the runs of these flows that nothing of the environment runs.

    Somebody may have started one between the look at what is under way and its flow's end.
    """
    if environment.store_stack() is None or not environment.has_table():
        return 0
    ours = [r for r in list_runs(environment.store) if r.end is None and r.flow in refs]
    there = _names(environment, refs) if ours else frozenset[str]()
    lost = [record for record in ours if execution_name(record.run) not in there]
    for record in lost:
        _end_run(environment, record.run)
    return len(lost)


def _names(environment: Environment, refs: frozenset[str]) -> frozenset[str]:
    found = (each for one in environment.flows() for each in under_way(environment, one))
    return frozenset(each.name for each in found if each.flow in refs)
