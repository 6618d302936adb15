"""The flows of a project in one process: loaded when needed, and again after a change."""

from collections.abc import Sequence
from typing import final

from perdure.driver import FlowName
from perdure.local.program import Program, load_program, load_stored
from perdure.project import Project
from perdure.store.protocol import RunRecord
from perdure.store.sqlite import SqliteStore

__all__ = ["Programs"]


@final
class Programs:
    """Programs by flow name, and those of runs that began with an older source."""

    def __init__(self, project: Project, names: Sequence[FlowName]) -> None:
        self._project = project
        self._names = {str(name.name): name for name in names}
        self._loaded: dict[str, Program] = {}
        self._older: dict[tuple[str, str], Program] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the project's flows."""
        return tuple(self._names)

    def get(self, name: str) -> Program:
        """Return a flow as its source is now; KeyError if there is none of this name."""
        known = self._loaded.get(name)
        if known is None or known.copy.changed_files(self._project.root):
            known = self._loaded[name] = load_program(self._names[name])
        return known

    def of_run(self, store: SqliteStore, record: RunRecord) -> Program:
        """Return the flow of a run with the source it began with."""
        key = (record.flow, record.versions.source)
        if key not in self._older:
            self._older[key] = load_stored(store, record, self._project.root)[0]
        return self._older[key]
