"""The runs of a deployed environment: started, watched, told, cancelled from outside.

Everything goes through the task hubs of the flows, as it does for whoever else starts runs.
"""

import os
from collections.abc import Mapping
from typing import final

from perdure.codec.text import Json
from perdure.deploying.client import DeployedClient
from perdure.deployment import DeployError, Happened, Place
from perdure.errors import LimitExceeded, RunConflict
from perdure.runtime.clients import Client
from perdure.runtime.engine import Completed, Failed, Outcome
from perdure.runtime.envelope import size_of
from perdure.runtime.host import Identity
from perdure.runtime.inputs import run_input
from perdure.store.protocol import RunRecord, RunStore, UnknownRun
from perdure_azure.deploy.environment import Environment
from perdure_azure.deploy.hub import Hub, Instance
from perdure_azure.deploy.ledger import Ledger
from perdure_azure.deploy.verbs import refusing
from perdure_azure.deploy.view import View, end_of
from perdure_azure.limits import LIMITS
from perdure_azure.releases import chosen

__all__ = ["AzureRuns"]


@final
class AzureRuns:
    """See `perdure.deployment.Runs`."""

    def __init__(self, place: Place) -> None:
        self.environment = Environment(place, _unsaid)
        self.view = View(self.environment)
        self.store: RunStore = self.view
        self.client: Client = DeployedClient(self)

    def start(self, flow: str, arguments: Mapping[str, Json], run: str) -> None:
        """Start an orchestration on a release that is live; repeating it is the run there is."""
        with refusing():
            hub, ledger = self._flow(flow)
            self._start(hub, ledger, flow, arguments, run)

    def _start(
        self, hub: Hub, ledger: Ledger, flow: str, arguments: Mapping[str, Json], run: str
    ) -> None:
        found = self.view.find(run)
        if found is None:
            identity = Identity(run, os.urandom(16).hex(), run)
            given = run_input(flow, identity, arguments, release=chosen(run, ledger.live))
            size, limit = size_of(given), LIMITS["message_bytes"].value
            if size > limit:
                raise LimitExceeded(
                    f"message_bytes: the input has {size} bytes, and the scheduler takes {limit}"
                )
            if hub.start(flow, run, given):
                return
            found = self.view.find(run)
        assert found is not None, "its id is taken"
        _check_same(run, found[1], flow, arguments)

    def _flow(self, flow: str) -> tuple[Hub, Ledger]:
        name, where = flow.rpartition(":")[2], self.environment.place.environment.name
        for one, hub in self.view.flows():
            # A flow has its own ledger, which may have changed since it was read.
            if one.flow == name:
                ledger = self.environment.ledgers.read(name)
                newest = ledger.newest
                if newest is not None and newest.about.get("flow") == flow:
                    return hub, ledger
        raise DeployError(f"`{name}` is not deployed in {where}: run `perdure deploy {where}`")

    def send(self, run: str, event: str, payload: Json, *, id: str, asks: bool = False) -> None:
        """Write to the run; it keeps what comes early, and takes one id once."""
        if asks:
            raise DeployError(
                "`ask` from outside of runs is not there on Azure yet: `send`, and let the run"
                " `progress` its answer"
            )
        with refusing():
            hub, found = self._found(run)
            if end_of(found) is None:
                hub.tell(run, {"event": event, "payload": payload, "id": id})

    def wake(self, run: str) -> None:
        """Nobody needs to: the scheduler keeps what was sent, and delivers it."""

    def outcome(self, run: str) -> Outcome | None:
        """How a run ended, None while it goes on."""
        with refusing():
            found = self.view.find(run)
        if found is None:
            return None
        end = end_of(found[1])
        if end is None:
            return None
        return Completed(end.value) if end.error is None else Failed(end.error)

    def cancel(self, run: str, *, at_once: bool) -> None:
        """See `perdure.deployment.Runs`: a message, which the run's children are passed on."""
        with refusing():
            hub, found = self._found(run)
            if end_of(found) is None:
                hub.tell(run, {"cancel": "now" if at_once else "run"})

    def happened(self, record: RunRecord) -> Happened:
        """See `perdure.deployment.Runs`."""
        with refusing():
            return self.view.happened(record.run)

    def _found(self, run: str) -> tuple[Hub, Instance]:
        for _, hub in self.view.flows():
            found = hub.find(run)
            if found is not None:
                return hub, found
        raise UnknownRun(f"no run has the id {run!r}")


def _check_same(run: str, found: Instance, flow: str, arguments: Mapping[str, Json]) -> None:
    if found.flow and found.flow != flow:
        raise RunConflict(f"run {run!r} is a run of {found.flow}, not of {flow}")
    if found.given.get("arguments") != {**arguments}:
        raise RunConflict(f"run {run!r} was started with another input")


def _unsaid(line: str) -> None:
    """Progress that nobody waits for."""
