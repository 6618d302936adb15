"""Deployed flows as the door of their webhooks, links and schedules sees them.

The run store says what there is; an engine comes in as something that starts executions (`Begins`)
and something that wakes waits (`Bell`).
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Protocol, final

from perdure.codec import Json
from perdure.errors import InvalidInput, RunConflict
from perdure.language import Flow
from perdure.runtime.values import encode_input, encode_payload
from perdure.sites.waits import Bell
from perdure.store.inbox import put_event
from perdure.store.match import match, rung
from perdure.store.protocol import RunStore
from perdure.store.runs import digest_of, get_run
from perdure.store.starts import is_noted, note_start, run_of_moment
from perdure.triggers import Cron
from perdure.webhooks.delivery import UnknownRun

__all__ = ["Begins", "DoorRuns", "Payloads", "start_due"]


class Begins(Protocol):
    """Starts executions of the door's own flow, where new runs start."""

    def check(self, given: Mapping[str, Json]) -> None:
        """LimitExceeded for an input that no execution takes."""
        ...

    def begin(self, run: str, given: Mapping[str, Json]) -> None:
        """Start the run's execution, unless that was done."""
        ...


@final
class Payloads:
    """What the events of a bundle take; `source` is the digest of its source copy.

    `declared`: name (None: made up at run time), module, and the type as written there.
    """

    def __init__(self, source: str, declared: Sequence[tuple[str | None, str, str]]) -> None:
        self._source = source
        self._declared = declared

    def encoded(self, event: str, payload: object, source: str | None) -> Json:
        """The payload as the first type of its event that it fits; else InvalidInput.

        A run of another source (None: not known yet) may declare others: what is sent to it stays
        plain, and is refused here if the event has a type here that it does not fit.
        """
        types = [_type(*one) for name, *one in self._declared if name == event]
        if not types:
            self._check_name(event, is_ours=source == self._source)
            return encode_payload(payload, None)
        problem: InvalidInput | None = None
        for declared in types:
            try:
                fitting = encode_payload(payload, declared)
            except InvalidInput as error:
                problem = problem or error
                continue
            return fitting if source in (self._source, None) else encode_payload(payload, None)
        raise InvalidInput(f"the payload of `{event}` does not fit: {problem}")

    def _check_name(self, event: str, *, is_ours: bool) -> None:
        if is_ours and not any(name is None for name, *_ in self._declared):
            raise InvalidInput(f"nothing in the flow waits for an event `{event}`")


def _type(module: str, text: str) -> object:
    """The declared type; None where only the flow can tell."""
    try:
        found: object = eval(f"({text or None})", dict(vars(import_module(module))))
    except Exception:
        return None  # a name of the flow's own: whoever takes the event checks it
    return found


@final
class DoorRuns:
    """See `perdure.webhooks.door.Runs`."""

    def __init__(
        self,
        store: RunStore,
        begins: Begins,
        bell: Bell,
        payloads: Payloads,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._begins = begins
        self._bell = bell
        self._payloads = payloads
        self._now = now

    def start(self, flow: Flow[..., Any], arguments: Mapping[str, Json], run: str) -> bool:
        """Start a run, and start it again where nobody knows whether that was done."""
        given, digest = dict(arguments), digest_of(dict(arguments))
        ref = flow.__perdure_ref__
        fresh = os.urandom(16).hex()
        # Before it is noted: what no execution takes leaves nothing behind.
        self._begins.check({"run": {"id": run, "seed": fresh}, "input": given})
        seed, new = note_start(self._store, run, ref, digest, fresh, now=self._now())
        if get_run(self._store, run) is None:
            self._begins.begin(run, {"run": {"id": run, "seed": seed}, "input": given})
        return new

    def send(self, run: str, event: str, payload: object, id: str) -> bool:
        """Store an event, and wake who waits for it; whether it is new."""
        record = get_run(self._store, run)
        if record is None and not is_noted(self._store, run):
            raise UnknownRun(run)
        if record is not None and record.end is not None:
            raise UnknownRun(run)
        source = None if record is None else record.versions.source
        encoded = self._payloads.encoded(event, payload, source)
        now = self._now()
        stored = put_event(self._store, run, event, encoded, id=id, now=now)
        for bell in match(self._store, run, event):
            self._bell.ring(bell.token)
            rung(self._store, bell)
        # What lies there may be another's: of two decisions at once, one is told that it counts.
        return (stored.stored, stored.payload) == (now, encoded)


def start_due(
    flow: Flow[..., Any], schedule: tuple[str, str], moment: str, runs: DoorRuns
) -> Iterator[tuple[str, str]]:
    """Start what a schedule of a flow (expression and time zone, as written) is due to start at a
    moment (ISO 8601): one run for each input that the flow has under it; each, and how it went.

    A run's id is made of the moment, so that telling of it again starts nothing.
    """
    due = datetime.fromisoformat(moment).astimezone(UTC)
    for cron in flow.on:
        if not isinstance(cron, Cron) or (cron.expression, cron.schedule.tz) != schedule:
            continue
        arguments = encode_input(flow, cron.input)
        run = run_of_moment(flow.name, due, arguments if cron.input else None)
        try:
            new = runs.start(flow, arguments, run)
        except RunConflict as conflict:
            yield run, f"is not started: {conflict}"
            continue
        yield run, "is started by its schedule" if new else "was started before"
