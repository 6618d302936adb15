"""Webhooks and schedules of a project's flows on the local store: what `perdure dev` opens."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, final

from perdure.cron import next_due
from perdure.errors import RunConflict
from perdure.local.api import start_run
from perdure.local.payloads import fitting_payload
from perdure.local.programs import Programs
from perdure.local.writes import deliver
from perdure.runtime.values import encode_input
from perdure.store.runs import get_run
from perdure.store.sqlite import SqliteStore
from perdure.store.starts import run_of_moment
from perdure.triggers import Cron
from perdure.webhooks.delivery import Answer, Delivery, UnknownRun
from perdure.webhooks.door import AnyFlow, Door
from perdure.webhooks.links import PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perdure.codec.text import Json
    from perdure.local.program import Program

__all__ = ["Doors", "Schedules"]


@final
class Doors:
    """The webhooks of all flows, each answered while its own program is active."""

    def __init__(self, store: SqliteStore, programs: Programs) -> None:
        self._runs = _Runs(store, programs)
        self._doors: dict[str, tuple[Program, Door]] = {}
        for name in programs.names:
            program = programs.get(name)
            door = Door([program.flow], self._runs)
            for path in door.paths:
                if path in self._doors:
                    other = self._doors[path][0].flow.name
                    raise ValueError(f"{path} is a webhook of {other} and of {name}")
                self._doors[path] = (program, door)
        self._links = Door([], self._runs)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where there is a webhook."""
        return tuple(sorted(self._doors))

    def takes(self, path: str) -> bool:
        """Say whether a path is a webhook's, or an approval link's."""
        return path in self._doors or path.startswith(PATH)

    def largest(self, path: str) -> int:
        """Bytes that a delivery to a path may have."""
        return self._doors[path][1].largest(path) if path in self._doors else 65_536

    def answer(self, delivery: Delivery) -> Answer:
        """Answer a delivery."""
        if delivery.path not in self._doors:
            return self._links.answer(delivery, time.time())
        program, door = self._doors[delivery.path]
        self._runs.program = program
        with program.active():
            return door.answer(delivery, time.time())


@final
class _Runs:
    """`perdure.webhooks.door.Runs` on the local store."""

    def __init__(self, store: SqliteStore, programs: Programs) -> None:
        self._store = store
        self._programs = programs
        self.program: Program | None = None

    def start(self, flow: AnyFlow, arguments: "Mapping[str, Json]", run: str) -> bool:
        """Start a run; whether it is new."""
        if self.program is None:
            raise LookupError("no webhook is being answered")
        return start_run(self._store, self.program, arguments, run)

    def send(self, run: str, event: str, payload: object, id: str) -> bool:
        """Store an event; whether it is new."""
        record = get_run(self._store, run)
        if record is None or record.end is not None:
            raise UnknownRun(run)
        program = self._programs.of_run(self._store, record)
        with program.active():
            encoded = fitting_payload(program, event, lambda _: payload)
        now = time.time()
        with self._store.transaction():
            return deliver(self._store, run, event, encoded, id=id, now=now).stored == now


@final
class Schedules:
    """Starts flows when their schedules are due; a moment starts one run, whoever repeats it."""

    def __init__(
        self, store: SqliteStore, programs: Programs, say: "Callable[[str], None]", now: float
    ) -> None:
        self._store = store
        self._programs = programs
        self._say = say
        after = datetime.fromtimestamp(now, UTC)
        self._due = [
            (next_due(trigger.schedule, after), name, trigger)
            for name in programs.names
            for trigger in programs.get(name).flow.on
            if isinstance(trigger, Cron)
        ]

    def look(self, now: float) -> None:
        """Start what is due."""
        moment = datetime.fromtimestamp(now, UTC)
        for number, (due, name, cron) in enumerate(self._due):
            if due > moment:
                continue
            self._due[number] = (next_due(cron.schedule, moment), name, cron)
            program = self._programs.get(name)
            run = name
            try:
                with program.active():
                    arguments = encode_input(program.flow, cron.input)
                run = run_of_moment(name, due, arguments if cron.input else None)
                if start_run(self._store, program, arguments, run):
                    self._say(f"run {run} is started by its schedule")
            except (RunConflict, ValueError) as error:
                self._say(f"the schedule of {name} cannot start {run}: {error}")
