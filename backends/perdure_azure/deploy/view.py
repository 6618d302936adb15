"""The hubs of an environment, seen as a run store: what runs are, what they wait for.

The scheduler keeps what runs did; nothing of it is kept twice. What a store is asked for is made of
what a hub says, and nothing is written here: runs are started and told by messages.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import NoReturn, final

from durabletask.client import OrchestrationStatus

from perdure import __version__
from perdure.codec import VERSION as CODEC_VERSION
from perdure.codec import encode_error
from perdure.codec.text import Json
from perdure.deployment import Happened
from perdure.runtime.account import Account
from perdure.runtime.envelope import is_envelope, unpack
from perdure.store.protocol import FORMAT, End, Item, Key, RunRecord, Status, Versions
from perdure.store.records import index_key, line_key, run_body, waiter_body, waiter_key
from perdure.store.runs import digest_of
from perdure_azure.deploy.environment import Deployed, Environment
from perdure_azure.deploy.happened import account_of, happened, waiters
from perdure_azure.deploy.hub import Hub, Instance
from perdure_azure.deploy.ledger import Ledger, release_blob
from perdure_azure.deploy.releases import unpacked

__all__ = ["View"]

RUN, RUNS = "run/", "runs"


@final
class View:
    """See `perdure.store.protocol.RunStore`."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._flows: list[tuple[Deployed, Hub]] | None = None
        self._ledgers: dict[str, Ledger] = {}
        self._releases: dict[str, Mapping[str, bytes]] = {}
        self._listed: dict[str, tuple[Deployed, Instance]] = {}
        """Of the last listing, until it was asked for."""
        self._accounts: dict[str, tuple[datetime, Account]] = {}
        """With when the run last did anything."""

    # --- the Protocol ---------------------------------------------------------------------------

    def get(self, key: Key) -> Item | None:
        """A run's record, or one of its waits."""
        run = key.partition.removeprefix(RUN)
        if key.partition != run and key.sort.startswith(("waiter/", "line/")):
            found = (one for one in self._waits(run) if one.key == key)
            return next(found, None)
        if key.sort != "record" or key.partition == run:
            return None
        return self._run(run, key)

    def _run(self, run: str, key: Key) -> Item | None:
        found = self._listed.pop(run, None) or self.find(run)
        return None if found is None else Item(key, 1, run_body(self._record(*found)))

    def query(
        self,
        partition: str,
        prefix: str,
        *,
        after: str = "",
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Sequence[Item]:
        """The list of runs, and what one waits for."""
        items: list[Item] = []
        if partition == RUNS:
            items = [*self._index()]
        elif prefix.startswith(("waiter/", "line/")):
            items = self._waits(partition.removeprefix(RUN))
        items = [one for one in items if one.key.sort.startswith(prefix) and one.key.sort > after]
        items.sort(key=lambda one: one.key.sort, reverse=newest_first)
        return items[:limit]

    def _waits(self, run: str) -> list[Item]:
        """The waits of a run that goes on, and the lines in which they stand."""
        found = self.find(run)
        if found is None or _is_over(found[1]):
            return []
        open_ones = [*waiters(run, self.account(run))]
        lines: dict[str, list[Json]] = {}
        for one in open_ones:
            for name in one.names:
                lines.setdefault(name, []).append(one.path)
        return [
            *(Item(waiter_key(run, one.path), 1, waiter_body(one)) for one in open_ones),
            *(
                Item(line_key(run, name), 1, {"format": FORMAT, "paths": paths})
                for name, paths in lines.items()
            ),
        ]

    def put_if_absent(self, key: Key, body: Mapping[str, Json]) -> bool:
        """Nothing is written here."""
        _written(key)

    def replace(self, key: Key, version: int, body: Mapping[str, Json]) -> bool:
        """Nothing is written here."""
        _written(key)

    def put_blob(self, content: bytes) -> str:
        """Nothing is written here."""
        return sha256(content).hexdigest()

    def get_blob(self, digest: str) -> bytes | None:
        """The copy of a source, out of its release."""
        for one, _ in self.flows():
            for listed in self.ledger(one.flow).releases:
                if listed.about.get("source") == digest:
                    return self._files(one.flow, listed.name).get("source.json")
        return None

    # --- what runs ask --------------------------------------------------------------------------

    def flows(self) -> list[tuple[Deployed, Hub]]:
        """The flows that are deployed, each with its hub."""
        if self._flows is None:
            found = [one for one in self._environment.flows() if "hub" in one.deployment.outputs]
            self._flows = [(one, self._environment.hub(one)) for one in found]
        return self._flows

    def find(self, run: str) -> tuple[Deployed, Instance] | None:
        """A run, in whichever hub it is."""
        for one, hub in self.flows():
            found = hub.find(run)
            if found is not None:
                return one, found
        return None

    def hub_of(self, run: str) -> Hub | None:
        """The hub that has a run."""
        return next((hub for _, hub in self.flows() if hub.find(run) is not None), None)

    def ledger(self, flow: str) -> Ledger:
        """Read once."""
        if flow not in self._ledgers:
            self._ledgers[flow] = self._environment.ledgers.read(flow)
        return self._ledgers[flow]

    def account(self, run: str) -> Account:
        """What a run did: its history, run again."""
        found, hub = self.find(run), self.hub_of(run)
        if found is None or hub is None:
            return Account()
        one, instance = found
        known, updated = self._accounts.get(run), instance.state.last_updated_at
        if known is not None and known[0] == updated:
            return known[1]
        ledger = self.ledger(one.flow)
        release = instance.release or (ledger.newest.name if ledger.newest else "")
        account = account_of(self._files(one.flow, release), instance.id, hub.history(run))
        self._accounts[run] = updated, account
        return account

    def happened(self, run: str) -> Happened:
        """The same, as records."""
        return happened(self.account(run))

    def _files(self, flow: str, release: str) -> Mapping[str, bytes]:
        if release not in self._releases:
            found = self._environment.blobs.get(release_blob(flow, release))
            self._releases[release] = unpacked(found[0]) if found else {}
        return self._releases[release]

    def _index(self) -> list[Item]:
        items: list[Item] = []
        for one, hub in self.flows():
            for found in hub.all():
                if not found.flow:
                    continue
                self._listed[found.run] = one, found
                key = index_key(found.state.created_at.timestamp(), found.run)
                items.append(Item(key, 1, {"format": FORMAT, "run": found.run}))
        return items

    def _record(self, one: Deployed, found: Instance) -> RunRecord:
        given, state = found.given, found.state
        arguments = given.get("arguments")
        end = end_of(found)
        return RunRecord(
            found.run,
            found.flow,
            digest_of(arguments),
            arguments,
            self._versions(one, found),
            str(given.get("seed", "")),
            state.created_at.timestamp(),
            "azure",
            found.run if given.get("child") else None,
            found.id,
            None,
            _progress(found),
            end,
            state.last_updated_at.timestamp() if end else None,
        )

    def _versions(self, one: Deployed, found: Instance) -> Versions:
        listed = self.ledger(one.flow).release(found.release)
        about: Mapping[str, Json] = listed.about if listed else {}
        return Versions(
            str(about.get("perdure", __version__)),
            str(about.get("python", "")),
            int(str(about.get("codec", CODEC_VERSION))),
            str(about.get("source", "")),
        )


def _is_over(found: Instance) -> bool:
    return end_of(found) is not None


def end_of(found: Instance) -> End | None:
    """How a run ended."""
    import asyncio

    state = found.state
    match state.runtime_status:
        case OrchestrationStatus.COMPLETED:
            said = _data(state.serialized_output)
            if said.get("status") == "done":
                return End(Status.COMPLETED, said.get("value"))
            status = Status.CANCELLED if said.get("status") == "cancelled" else Status.FAILED
            return End(status, error=said.get("error"))
        case OrchestrationStatus.FAILED:
            said = _data(state.serialized_custom_status)
            if "error" in said:
                return End(Status.FAILED, error=said["error"])
            text = state.failure_details.message if state.failure_details else "it failed"
            return End(Status.FAILED, error=encode_error(RuntimeError(text)))
        case OrchestrationStatus.TERMINATED:
            return End(Status.CANCELLED, error=encode_error(asyncio.CancelledError()))
        case _:
            return None


def _progress(found: Instance) -> Json:
    return _data(found.state.serialized_custom_status).get("progress")


def _data(text: str | None) -> Mapping[str, Json]:
    said: object = json.loads(text or "null")
    return unpack(said) if is_envelope(said) else {}


def _written(key: Key) -> NoReturn:
    raise TypeError(f"the hubs of Azure are read here, and {key} cannot be written")
