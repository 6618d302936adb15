"""Which store a command means, and which run: what the verbs on runs share."""

import errno
import os
import shlex
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import click

from perdure.diagnostics import Report, nearest
from perdure.local.schema import open_store as open_file
from perdure.local.schema import read_store as read_file
from perdure.project import Project, find_project
from perdure.render.width import visible
from perdure.run_ids import LAST, check_id, could_be
from perdure.store.protocol import NotAStore, RunRecord, StoreTooNew
from perdure.store.runs import get_run, list_runs
from perdure.store.sqlite import SqliteStore

__all__ = ["LAST", "Place", "choose_run", "no_run", "open_store", "store_path"]

SHOWN = 80
"""Characters of an id that is none."""
_ADVICE = (
    "free space if its disk is full, or name another file with PERDURE_STORE; nothing that was"
    " recorded is lost by that"
)


class Place:
    """A project and its store."""

    def __init__(self, project: Project, store: SqliteStore) -> None:
        self.project = project
        self.store = store


def store_path(project: Project) -> Path:
    """The store's file: `PERDURE_STORE`, else the setting `store`."""
    named = os.environ.get("PERDURE_STORE")
    return Path(named).absolute() if named else project.root / project.settings.store


def open_store(start: Path, *, make: bool = False, read: bool = False) -> Place:
    """The store of the project that a path belongs to; without `make` it has to exist.

    To `read` is all that is wanted: that also goes where nothing can be written.
    """
    project = find_project(start, Report())
    path = store_path(project)
    if not make and not path.exists():
        raise click.UsageError(
            f"there are no runs yet: `{path}` does not exist; {_way_to_runs(project)}"
        )
    if path.exists() and not path.is_file():
        raise _no_store(path)
    try:
        return Place(project, read_file(path) if read else open_file(path))
    except StoreTooNew as error:
        raise click.UsageError(str(error)) from None
    except sqlite3.OperationalError as error:
        if path.is_file() and not _writable(path):
            problem = "this store cannot be written here; `perdure runs` and `show` read it"
            raise OSError(errno.EROFS, problem, path) from None
        problem = f"this store of runs cannot be used: {error}; {_ADVICE}"
        raise OSError(errno.EIO, problem, path) from None
    except NotAStore:
        raise _no_store(path) from None
    except sqlite3.DatabaseError:
        raise _no_store(path, "; or it is one and damaged: then put a copy of it back") from None


def _writable(path: Path) -> bool:
    """Whether a store can be written: SQLite makes files beside it."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _way_to_runs(project: Project) -> str:
    """Where runs are: in a folder above without a pyproject.toml, or nowhere yet."""
    for folder in project.root.parents:
        above = find_project(folder, Report())
        if store_path(above).is_file():
            return f"those in `{above.root}` are listed there: `cd {shlex.quote(str(above.root))}`"
    return "start one with `perdure run FILE`"


def _no_store(path: Path, damaged: str = "") -> click.UsageError:
    return click.UsageError(
        f"`{path}` is no store of runs; name another file with PERDURE_STORE, or the setting "
        f"`store` under `[tool.perdure]`{damaged}"
    )


def choose_run(store: SqliteStore, name: str) -> RunRecord:
    """The run of that id, or the newest that no other run started as its child."""
    if name == LAST:
        for record in list_runs(store):
            if record.parent is None:
                return record
        raise click.UsageError("there are no runs yet; start one with `perdure run FILE`")
    found = get_run(store, name) if could_be(name) else None
    if found is not None:
        return found
    raise no_run(name, [record.run for record in list_runs(store)], "perdure runs")


def no_run(name: str, known: Sequence[str], lists: str) -> click.UsageError:
    """What to say of an id that no run has; `lists` is the command that lists those there are."""
    shown = visible(name if len(name) <= SHOWN else f"{name[:SHOWN]}...")
    try:
        check_id(name.partition("/")[0])
    except ValueError as error:
        return click.UsageError(f"no run has the id `{shown}`: {visible(str(error)[: 2 * SHOWN])}")
    starting = [identity for identity in known if identity.startswith(name)]
    meant = starting[0] if starting else nearest(name, known)
    hint = f"the nearest is `{meant}`" if meant else f"`{lists}` lists them"
    return click.UsageError(f"no run has the id `{shown}`; {hint}")
