"""The supervisor of a store, looked at from inside: what it does when the clock is set."""

import socket
import sys
from pathlib import Path

from perdure.local.lease import Leases
from perdure.local.schema import open_store
from perdure.local.supervisor import Supervisor
from perdure.local.wakes import Program
from perdure.store.sqlite import SqliteStore

NOON = 1_750_000_000.0
HOUR = 3600.0


def supervisor(
    store: SqliteStore, folder: Path, steady: list[float], started: list[Program]
) -> Supervisor:
    """One whose processes do nothing; `started` gets what they would drive."""

    def command(program: Program) -> list[str]:
        started.append(program)
        return [sys.executable, "-c", ""]

    return Supervisor(
        store,
        command,
        environment={},
        folder=str(folder),
        say=print,
        steady=lambda: steady[0],
    )


def test_a_clock_that_is_set_back_keeps_nobody_from_taking_over(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs.db")
    steady, started = [100.0], list[Program]()
    chief = supervisor(store, tmp_path, steady, started)
    chief.look(NOON)
    store.connection.execute("INSERT INTO wakes VALUES ('r', 's app:f', NULL)")
    dead = Leases(store, "dead")
    dead.take("r", NOON)
    store.connection.execute("UPDATE leases SET began = 'long ago' WHERE owner = 'dead'")
    steady[0] += 3.0
    chief.look(NOON - HOUR)
    assert started == [Program("s", "app:f")]
    chief.end(1.0, hurry=lambda: False)
    store.close()


def test_what_is_due_is_so_by_the_wall_clock(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs.db")
    steady, started = [100.0], list[Program]()
    chief = supervisor(store, tmp_path, steady, started)
    store.connection.execute("INSERT INTO wakes VALUES ('r', 's app:f', ?)", (NOON + HOUR,))
    chief.look(NOON)
    steady[0] += 2.0
    chief.look(NOON + 2.0)
    assert started == []
    steady[0] += 2.0
    chief.look(NOON + HOUR)
    assert started == [Program("s", "app:f")]
    chief.end(1.0, hurry=lambda: False)
    store.close()


def test_a_pid_of_another_namespace_says_nothing_about_its_process(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs.db")
    Leases(store, "other").take("r", NOON)
    mine = Leases(store, "mine")
    assert mine.holder("r", NOON + HOUR) is not None, "its process is this one, which is alive"
    # In a container of the same host name, this pid would be nobody, or somebody else.
    store.connection.execute("UPDATE leases SET host = host || '0', began = 'unknown here'")
    held = mine.holder("r", NOON + 29.0)
    assert held is not None
    assert held.host == socket.gethostname()
    assert mine.take_over(NOON + 29.0) == []
    assert mine.holder("r", NOON + 31.0) is None
    assert mine.take_over(NOON + 31.0) == ["r"]
    store.close()
