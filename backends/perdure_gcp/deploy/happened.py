"""What a run did, out of what its sites have noted in the run store.

Comes in: the notes (`perdure_gcp.journal`), and the lines and ways of the release that the run is
of. Goes out: the records that the sites left, with when each operation began and the line it
stands in; the ways that were taken.
"""

from collections.abc import Mapping
from typing import final

from perdure.codec import Json
from perdure.deployment import Happened
from perdure.sites.keep import unkept
from perdure.sites.state import fields, text
from perdure.store.protocol import RunRecord, RunStore
from perdure_gcp.deploy.places import places_of
from perdure_gcp.journal import noted

__all__ = ["happened"]


def happened(store: RunStore, record: RunRecord, execution: str | None) -> Happened:
    """Everything in the order in which it ended."""
    places: Mapping[str, Json] = {}
    if execution is not None:
        name, release = _release_of(execution)
        places = places_of(store, name, release)
    reader = _Notes(store, places)
    for item in noted(store, record.run):
        reader.take(item.body)
    return Happened(tuple(reader.operations), tuple(reader.logs), tuple(reader.decisions))


def _release_of(execution: str) -> tuple[str, str]:
    """projects/P/locations/L/workflows/NAME-RELEASE[-n]/executions/E."""
    workflow = execution.split("/")[5]
    name, _, last = workflow.rpartition("-")
    if not last.startswith("r"):  # that of another flow of the release
        name, _, last = name.rpartition("-")
    return name, last


@final
class _Notes:
    """The notes so far."""

    def __init__(self, store: RunStore, places: Mapping[str, Json]) -> None:
        self._store = store
        self._lines = fields(places.get("lines", {}))
        self._ways = fields(places.get("ways", {}))
        self.operations: list[Mapping[str, Json]] = []
        self.logs: list[Mapping[str, Json]] = []
        self.decisions: list[Mapping[str, Json]] = []
        self._failures: dict[str, list[Json]] = {}
        self._began: dict[str, float] = {}

    def take(self, body: Mapping[str, Json]) -> None:
        """One note more."""
        said, time = unkept(self._store, fields(body["said"])), body["time"]
        entered = body["entered"]
        assert isinstance(time, int | float)
        assert isinstance(entered, int | float)
        self._failed(said, time, entered)
        records, logs = said.get("records"), said.get("logs")
        for record in records if isinstance(records, list) else ():
            if isinstance(record, dict):
                self.operations.append(self._operation(record, body, entered))
        for log in logs if isinstance(logs, list) else ():
            if isinstance(log, dict):
                self.logs.append({**log, "time": time})
        self._decided(said.get("decisions"), time)

    def _decided(self, decisions: Json, time: float) -> None:
        for state, exit in decisions.items() if isinstance(decisions, dict) else ():
            exits = self._ways.get(state)
            to = exits.get(str(exit)) if isinstance(exits, dict) else None
            self.decisions.append(
                {
                    "state": state,
                    "to": to or exit,
                    "time": time,
                    "line": self._lines.get(state),
                }
            )

    def _failed(self, said: Mapping[str, Json], time: float, entered: float) -> None:
        """An attempt that is made again."""
        again = said.get("again")
        if not isinstance(again, dict) or "path" not in again:
            return
        path, _, number = text(again["path"]).rpartition("~")
        self._began.setdefault(path, entered)
        failure: dict[str, Json] = {
            "attempt": int(number) - 1,
            "time": time,
            "error": again.get("last"),
        }
        self._failures.setdefault(path, []).append(failure)

    def _operation(
        self, record: Mapping[str, Json], body: Mapping[str, Json], entered: float
    ) -> Mapping[str, Json]:
        path, label = text(record["path"]), text(record["label"])
        if record.get("contestant") is not None:
            path = f"{path}/{record['name']}"
        # What a native step did is told by the site after it.
        own = record["kind"] != "step" and label in self._lines
        return {
            **record,
            "path": path,
            "began": self._began.pop(path, entered),
            "line": self._lines.get(label) if own else body.get("line"),
            "failures": self._failures.pop(path, []),
        }
