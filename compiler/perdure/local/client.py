"""Runs of the local store seen from ordinary code: `Flow.start`, and what a `Handle` does.

A run that is started, woken or cancelled here is driven by a worker in the background, one for
the store, unless somebody serves it already. It outlives the program that started it, and leaves
when all runs have ended or wait for events alone; the program's modules stay as they are.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from perdure.codec import decode
from perdure.codec.text import Json
from perdure.errors import Unanswered
from perdure.local import script
from perdure.local.children import outcome_of
from perdure.local.lease import Leases
from perdure.local.schema import open_store
from perdure.local.writes import ask_to_cancel, claim, deliver
from perdure.runtime.engine import Completed, Outcome
from perdure.runtime.values import failed
from perdure.store.inbox import get_reply
from perdure.store.protocol import RunRecord
from perdure.store.runs import digest_of, find_run
from perdure.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from perdure.language import Flow
    from perdure.local.program import Program

__all__ = ["LocalClient", "connect"]

_POLL: Final = 0.05
_CARE: Final = 2.0
"""Seconds between looks whether anybody drives the run that is waited for."""
_programs: Final[dict[tuple[str, str, str], "Program"]] = {}
"""By store, flow and source: a program that sends much reads a flow once."""


def connect(folder: Path | None = None) -> "LocalClient":
    """The client of the store of the project that the working folder belongs to."""
    return LocalClient(folder or Path.cwd())


@final
class LocalClient:
    """`perdure.runtime.clients.Client` on a store file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cared = -inf

    async def start(
        self,
        flow: "Flow[..., Any]",
        arguments: Mapping[str, Json],
        id: str | None,  # the Protocol's name
    ) -> str:
        """Start a run, and see that somebody drives it."""
        from perdure.driver import FlowName
        from perdure.local.program import check_program
        from perdure.run_ids import check_id, made_id

        if id is not None:
            check_id(id)
        reference = flow.__perdure_ref__
        module, _, name = reference.partition(":")
        checked = check_program(FlowName(Path(flow.__wrapped__.__code__.co_filename), name))
        if module == script.MAIN:
            entry = checked.analysis.modules[checked.analysis.entry.module]
            script.check_guarded(entry.tree, entry.source.path)
            reference = str(checked.analysis.entry)
        encoded = {key: script.in_its_name(value) for key, value in arguments.items()}
        store = self._open()
        try:
            run = id if id is not None else made_id(name, os.urandom(4).hex())
            record = RunRecord(
                run=run,
                flow=reference,
                input_digest=digest_of(dict(encoded)),
                input=encoded,
                versions=checked.versions(store),
                seed=os.urandom(16).hex(),
                started=time.time(),
            )
            with store.transaction():
                claimed = claim(store, record)
            self._drive(store, claimed)
        finally:
            store.close()
        return run

    async def result(self, run: str) -> Outcome:
        """Wait for the end of a run."""
        script.adopt()
        store = self._open()
        try:
            while (record := find_run(store, run)).end is None:
                await self._pause(store, record)
            return outcome_of(record.end)
        finally:
            store.close()

    async def send(self, run: str, event: str, payload: Json) -> None:
        """Store an event for a run, and see that somebody drives it."""
        store = self._open()
        try:
            self._put(store, run, event, payload, asks=False)
        finally:
            store.close()

    async def ask(self, run: str, event: str, payload: Json) -> Outcome:
        """Store an event and wait for its reply."""
        script.adopt()
        store = self._open()
        try:
            identity = self._put(store, run, event, payload, asks=True)
            while True:
                record = find_run(store, run)
                answer = get_reply(store, run, identity)
                if answer is not None:
                    return Completed(answer.value)
                if record.end is not None:
                    return failed(Unanswered(f"run {run} ended before it answered"))
                await self._pause(store, record)
        finally:
            store.close()

    async def cancel(self, run: str) -> None:
        """Ask a run to cancel."""
        store = self._open()
        try:
            with store.transaction():
                record = ask_to_cancel(store, run)
            self._drive(store, record)
        finally:
            store.close()

    async def _pause(self, store: SqliteStore, record: RunRecord) -> None:
        """Wait a little for what a run comes to; whoever drove it may have died meanwhile."""
        if time.monotonic() - self._cared > _CARE:
            self._drive(store, record)
            self._cared = time.monotonic()
        await asyncio.sleep(_POLL)

    def _open(self) -> SqliteStore:
        from perdure.diagnostics import Report
        from perdure.project import find_project

        project = find_project(self._folder, Report())
        named = os.environ.get("PERDURE_STORE")
        return open_store(Path(named) if named else project.root / project.settings.store)

    def _put(self, store: SqliteStore, run: str, event: str, payload: Json, *, asks: bool) -> str:
        record = find_run(store, run)
        payload = script.in_its_name(payload)
        if record.end is None and record.target == "local":
            self._check_payload(store, record, event, payload)
        identity = os.urandom(16).hex()
        with store.transaction():
            deliver(store, run, event, payload, id=identity, now=time.time(), asks=asks)
        self._drive(store, record)
        return identity

    def _check_payload(
        self, store: SqliteStore, record: RunRecord, event: str, payload: Json
    ) -> None:
        """InvalidInput if nothing in the run's flow takes this payload."""
        from perdure.local.payloads import fitting_payload

        program = self._program(store, _root_of(store, record))
        with program.active():
            fitting_payload(program, event, lambda _: decode(payload))

    def _program(self, store: SqliteStore, record: RunRecord) -> "Program":
        """The flow of a run as the run began with it, loaded once per process."""
        from perdure.diagnostics import Report
        from perdure.local.program import load_stored
        from perdure.project import find_project

        key = (store.path, record.flow, record.versions.source)
        known = _programs.get(key)
        if known is None:
            root = find_project(self._folder, Report()).root
            known, _ = load_stored(store, record, root)
            _programs[key] = known
        return known

    def _drive(self, store: SqliteStore, record: RunRecord) -> None:
        """Start a worker in the background, if the run has something to do and nobody does it.

        What it says it says to nobody: this process may have ended long ago, and what becomes of
        the run is in the store.
        """
        record = _root_of(store, record)
        if record.end is not None or record.target != "local":
            return
        leases, now = Leases(store, f"background-{os.urandom(8).hex()}"), time.time()
        if leases.driver(record.run, now) is not None or not leases.is_left(record.run):
            return
        # From here on everybody sees a server, so that a thousand starts in a row are one process.
        leases.serve(now)
        process = subprocess.Popen(
            [sys.executable, "-m", "perdure", "worker", "--background", leases.owner],
            cwd=self._folder,
            env={**os.environ, "PERDURE_STORE": store.path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        leases.hand_to(process.pid)


def _root_of(store: SqliteStore, record: RunRecord) -> RunRecord:
    """The run that nobody started as a child, over this one."""
    while record.parent is not None:
        record = find_run(store, record.parent)
    return record
