"""The project's files that a bundle needs: those of the flow, and all that they import.

The front end hands over the modules that the flow itself reaches; what only the bodies of steps
use is found here, by their imports.
"""

import re
from collections.abc import Iterator
from typing import final

from perdure.diagnostics import Report
from perdure.modules import ModuleGraph
from perdure.project import Project

__all__ = ["Imported"]

_WORDS = re.compile(r"\bfrom\s+([.\w]+)|\bimport\s+([^\n;#]+)")

type Known = tuple[tuple[str, str], ...]


@final
class Imported:
    """The files of one project, read once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._found: dict[Known, dict[str, str]] = {}
        self._top: dict[str, bool] = {}

    def sources(self, known: Known) -> dict[str, str]:
        """Text by path: the known files, and what they import of the project.

        Flows of one file often know the same: they are looked up once.
        """
        if known not in self._found:
            self._found[known] = self._followed(known)
        return self._found[known]

    def _followed(self, known: Known) -> dict[str, str]:
        graph = ModuleGraph(self.project, Report())
        for path, text in known:
            if any(map(self._is_ours, _imported_names(text))):
                graph.load(self.project.root / path, text)
        imported = {m.source.path: m.source.text for m in graph.modules.values()}
        return dict(sorted({**imported, **dict(known)}.items()))

    def _is_ours(self, name: str) -> bool:
        """Whether the project has something at the top that is called so; no file is parsed."""
        top = name.partition(".")[0]
        if top not in self._top:
            here = self.project.root / top
            self._top[top] = not top or here.is_dir() or here.with_suffix(".py").is_file()
        return self._top[top]


def _imported_names(text: str) -> Iterator[str]:
    """Every name that could be imported, and words of texts too: reading a file more is no harm."""
    for found in _WORDS.finditer(text.replace("\\\n", " ")):
        if found[1]:
            yield found[1]
        else:
            yield from (part.split()[0] for part in found[2].split(",") if part.split())
