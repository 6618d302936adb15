"""The project a file belongs to, and its settings.

A path comes in; a `Project` goes out: the folder of the nearest pyproject.toml upward (or the
file's own folder), with what `[tool.perdure]` says. Wrong settings are diagnostics that point into
pyproject.toml. Nothing of the project is imported.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple, final

from perdure import rules
from perdure.diagnostics import Report
from perdure.source import Source

__all__ = [
    "COMPILED_FOR",
    "DEFAULTS",
    "PYPROJECT",
    "Environment",
    "Group",
    "Project",
    "Settings",
    "find_project",
]

PYPROJECT = "pyproject.toml"
COMPILED_FOR = "3.13"
"""The Python minor that is compiled for where none is pinned: the oldest that every cloud takes."""


class Group(NamedTuple):
    """Steps with `@step(group="NAME")`: `[tool.perdure.env.ENV.groups.NAME]`."""

    memory: int = 0
    """Megabytes of their function; 0: as much as the environment says."""
    allow: tuple[str, ...] = ()
    """What they may do besides what the environment allows."""


class Environment(NamedTuple):
    """One place to deploy to: `[tool.perdure.env.NAME]`."""

    name: str
    target: str
    region: str = ""
    account: str = ""
    subscription: str = ""
    tenant: str = ""
    resource_group: str = ""
    """Of Azure, as the two above."""
    memory: int = 512
    """Megabytes of the functions that run steps."""
    architecture: str = "arm64"
    """Of these functions: "arm64" or "x86_64"."""
    log_days: int = 30
    """How long logs are kept."""
    alarm_topic: str = ""
    """Where alarms go."""
    allow: tuple[str, ...] = ()
    """What steps may do: on AWS "service:Action resource"; on Google Cloud "roles/NAME", or
    "roles/NAME projects/_/buckets/..." for resources whose names begin so."""
    groups: Mapping[str, Group] = {}
    settings: Mapping[str, str] = {}
    """Plain environment variables of the functions; never secrets."""
    project: str = ""
    """Of Google Cloud; any other one is refused."""


class Settings(NamedTuple):
    """What `[tool.perdure]` can say, with its defaults."""

    name: str = ""
    """Of the project, where it is deployed: else `[project] name`, else its folder's."""
    flows: tuple[str, ...] = ()
    out: str = "compiled"
    store: str = ".perdure/runs.db"
    python: str | None = None
    """The pinned minor version; None where none is written."""
    pure: frozenset[str] = frozenset()
    environments: Mapping[str, Environment] = {}
    local: Mapping[str, str] = {}
    """Those of `[tool.perdure.env.local.settings]`: this machine's."""
    azure_sdk: int = 2
    """`[tool.perdure.azure] sdk`: the major version of Azure's Durable Functions SDK."""


DEFAULTS = Settings()


@final
class Project(NamedTuple):
    """A folder of source, and its settings. Paths in messages and modules are relative to it."""

    root: Path
    settings: Settings = DEFAULTS

    def display(self, path: Path) -> str:
        """How messages and source maps name a file: from the root, with `/`."""
        try:
            return PurePosixPath(path.relative_to(self.root)).as_posix()
        except ValueError:
            return PurePosixPath(os.path.relpath(path, self.root)).as_posix()

    def module_name(self, path: Path) -> str | None:
        """The dotted name of a file of this project; None if it lies outside or has none."""
        try:
            relative = path.relative_to(self.root)
        except ValueError:
            return None
        parts = [*relative.parts[:-1], relative.stem]
        if any("." in part for part in parts):
            return None
        if parts[-1] == "__init__":
            parts.pop()
        return ".".join(parts) or None

    @property
    def out(self) -> Path:
        """The folder that `compile` writes into."""
        return self.root / self.settings.out

    @property
    def minor(self) -> str:
        """The Python minor version that is compiled for, such as "3.13"."""
        return self.settings.python or COMPILED_FOR

    @property
    def python(self) -> tuple[int, int]:
        """The same as two numbers."""
        major, minor = self.minor.split(".")
        return int(major), int(minor)


def find_project(path: Path, report: Report) -> Project:
    """The project that a file or folder belongs to; wrong settings go to the report."""
    path = Path(os.path.abspath(path))
    start = path if path.is_dir() else path.parent
    for folder in (start, *start.parents):
        if (folder / PYPROJECT).is_file():
            return Project(folder, _read_settings(folder / PYPROJECT, report))
    return Project(start)


def _read_settings(path: Path, report: Report) -> Settings:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        report.error(rules.UNREADABLE_FILE, None, file=PYPROJECT, problem=error.strerror)
        return DEFAULTS
    except UnicodeDecodeError as error:
        report.error(rules.BAD_TOML, None, problem=f"byte {error.start} is not utf-8")
        return DEFAULTS
    if "perdure" not in text:
        return DEFAULTS
    from perdure.settings import read_settings

    source = Source(PYPROJECT, text)
    report.add_source(source)
    return read_settings(source, report)
