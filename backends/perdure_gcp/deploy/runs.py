"""The runs of a deployed environment: started, watched, woken, cancelled from outside.

Everything goes through the run store and the workflows of releases, as it does for whoever else
starts runs; nothing is kept here.
"""

import asyncio
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import final

from perdure.codec import Json, encode_error
from perdure.deploying.client import DeployedClient
from perdure.deployment import DeployError, Happened, Place
from perdure.errors import RunConflict
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.values import failed
from perdure.sites.cancel import cancel
from perdure.sites.executions import execution_name
from perdure.sites.state import text
from perdure.store.inbox import put_event
from perdure.store.match import doorbells, live_waiters, match, rung
from perdure.store.protocol import Doorbell, End, Key, RunRecord, Status, UnknownRun
from perdure.store.runs import digest_of, end_run, find_run, get_run, request_cancel
from perdure.store.starts import is_noted, note_start
from perdure_gcp.deploy.environment import Environment
from perdure_gcp.deploy.happened import happened
from perdure_gcp.deploy.names import flow_name
from perdure_gcp.ended import error_of
from perdure_gcp.google import API, Callbacks, Executions
from perdure_gcp.live import workflows_for

__all__ = ["GcpRuns"]

SHARED = 60
"""Characters of a run's id that the names of all its executions have."""
EXECUTIONS = "executions"
"""The partition in which executions are noted, by the names that their runs give them."""


@final
class GcpRuns:
    """See `perdure.deployment.Runs`."""

    def __init__(self, place: Place) -> None:
        self.environment = Environment(place, _unsaid)
        self.environment.need()
        self.store = self.environment.store
        self.client = DeployedClient(self)
        self._bell = Callbacks(self.environment.api.send)

    def start(self, flow: str, arguments: Mapping[str, Json], run: str) -> None:
        """Start an execution where new runs start; repeating it is the run that there is."""
        known, digest = get_run(self.store, run), digest_of(dict(arguments))
        if known is not None:
            _check_same(run, known.flow, flow, known.input_digest == digest)
            return
        workflows = self._workflows(flow, run)
        # Noted first: from here on it may be sent to, and a start that is repeated is this one.
        seed, _ = note_start(self.store, run, flow, digest, os.urandom(16).hex(), now=time.time())
        given: dict[str, Json] = {"run": {"id": run, "seed": seed}, "input": dict(arguments)}
        executions = Executions(self.environment.api.send, self.store, workflows)
        executions.start(flow, execution_name(run), given)

    def send(self, run: str, event: str, payload: Json, *, id: str, asks: bool = False) -> None:
        """Store an event, and ring whoever waits for it."""
        if get_run(self.store, run) is None and not is_noted(self.store, run):
            raise UnknownRun(f"no run has the id {run!r}")
        put_event(self.store, run, event, payload, id=id, now=time.time(), asks=asks)
        self._ring(match(self.store, run, event))

    def wake(self, run: str) -> None:
        """See `perdure.deployment.Runs`: of a bell that was lost, another one."""
        for event in sorted({n for waiter in live_waiters(self.store, run) for n in waiter.names}):
            match(self.store, run, event)
        self._ring(doorbells(self.store, run))

    def _ring(self, bells: Iterable[Doorbell]) -> None:
        for bell in bells:
            self._bell.ring(bell.token)
            rung(self.store, bell)

    def cancel(self, run: str, *, at_once: bool) -> None:
        """See `perdure.deployment.Runs`."""
        record = find_run(self.store, run)
        if record.end is not None:
            return
        if not at_once:
            cancel(self.store, run, self._bell, self, now=time.time())
            return
        request_cancel(self.store, run, at_once=True)
        for execution in self._executions(run):
            self.environment.stop(execution)
        error = encode_error(asyncio.CancelledError())
        end_run(self.store, run, End(Status.CANCELLED, error=error), time.time())

    def happened(self, record: RunRecord) -> Happened:
        """See `perdure.deployment.Runs`."""
        execution = self._execution(execution_name(record.run))
        return happened(self.store, record, execution)

    def outcome(self, run: str) -> Outcome | None:
        """How a run ended, None while it goes on. A run that never claimed its id ended with its
        execution.
        """
        record = get_run(self.store, run)
        if record is not None and record.end is not None:
            end = record.end
            return Completed(end.value) if end.status is Status.COMPLETED else Failed(end.error)
        if record is not None:
            return None
        execution = self._execution(execution_name(run))
        said = execution and self.environment.api.find(f"{API}{execution}")
        if not said or said.get("state") not in ("FAILED", "CANCELLED"):
            return None
        return failed(error_of(said))

    # --- the protocol of `perdure.sites.executions.Stops` -----------------------------------------

    def stop(self, flow: str, name: str) -> None:
        """Cancel an execution, unless it has ended."""
        execution = self._execution(name)
        if execution is not None:
            self.environment.stop(execution)

    # --- where things are -----------------------------------------------------------------------

    def _workflows(self, flow: str, run: str) -> Mapping[str, str]:
        place, name = self.environment.place, flow.rpartition(":")[2]
        found = workflows_for(self.store, flow_name(place, name), run)
        if flow not in found:
            where = place.environment.name
            raise DeployError(f"`{name}` is not deployed in {where}: run `perdure deploy {where}`")
        return found

    def _execution(self, name: str) -> str | None:
        item = self.store.get(Key(EXECUTIONS, name))
        return None if item is None else text(item.body["execution"])

    def _executions(self, run: str) -> Iterator[str]:
        """Those of a run: its generations, and branches of its forks. Names begin with the run's;
        those of its children, and of other runs that are called so, are told apart by their run.
        """
        prefix = re.sub(r"[^A-Za-z0-9_-]", "-", run)[:SHARED]
        for item in self.store.query(EXECUTIONS, prefix):
            if item.body.get("run") == run:
                yield text(item.body["execution"])


def _check_same(run: str, known: str, flow: str, same_input: bool) -> None:
    if known != flow:
        raise RunConflict(f"run {run!r} is a run of {known}, not of {flow}")
    if not same_input:
        raise RunConflict(f"run {run!r} was started with another input")


def _unsaid(line: str) -> None:
    """Progress that nobody waits for."""
