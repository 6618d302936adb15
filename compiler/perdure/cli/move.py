"""Runs whose source changed: what that means for them, and `--move`."""

import time
from typing import TYPE_CHECKING

import click

from perdure.cli.called import typed
from perdure.cli.store import Place
from perdure.cli.streams import say

if TYPE_CHECKING:
    from perdure.local.moving import Verdict
    from perdure.local.program import Program
    from perdure.store.protocol import RunRecord

__all__ = ["explain_change", "move_to", "newest"]


def explain_change(place: Place, record: "RunRecord", program: "Program") -> None:
    """Say which lines changed since a run began, and whether it could go over to them."""
    from perdure.local.moving import changed_lines

    now = _newest(place, record)
    if isinstance(now, str):
        say(f"  the source as it is now cannot be loaded: {now}")
        return
    say(f"  changed: {', '.join(changed_lines(program.copy, now.copy))}")
    verdict = _verdict(place, record, now)
    if verdict.problem is None:
        say(f"  its history fits the new source: `{typed()} resume {record.run} --move` goes over")
    else:
        say(f"  it cannot go over to the new source: {verdict.problem}")


def move_to(place: Place, record: "RunRecord", program: "Program") -> "RunRecord":
    """Let a run go on with a newer source; UsageError says why it cannot.

    Within the transaction of the caller, who takes the lease in it.
    """
    from perdure.local.lease import Leases
    from perdure.local.moving import move

    held = Leases(place.store, "move").holder(record.run, time.time())
    if held is not None:
        raise click.UsageError(f"process {held.pid} drives run {record.run}: stop it first")
    versions = program.versions(place.store)
    if versions == record.versions or record.end is not None:
        return record
    verdict = _verdict(place, record, program)
    if verdict.problem is not None:
        raise click.UsageError(
            f"run {record.run} cannot go over to the new source: {verdict.problem}; without"
            " --move it goes on with the source it began with"
        )
    return move(place.store, record, versions, verdict, time.time())


def newest(place: Place, record: "RunRecord") -> "Program":
    """The flow of a run as its source is now; UsageError says why it cannot be loaded."""
    found = _newest(place, record)
    if isinstance(found, str):
        raise click.UsageError(f"the source as it is now cannot be loaded: {found}")
    return found


def _newest(place: Place, record: "RunRecord") -> "Program | str":
    """The flow as its source is now, or why it cannot be loaded."""
    from perdure.frontend.loader import UserImportError
    from perdure.local.program import Refused, WrongPython, flow_name, load_program, read_copy

    copy = read_copy(place.store, record)
    name = flow_name(copy, place.project.root, record.flow)
    if not name.path.exists():
        return f"there is no file `{name.path.name}` any more"
    try:
        return load_program(name)
    except Refused as refused:
        first = refused.report.diagnostics[0]
        return f"{first.code}: {first.message}"
    except (WrongPython, UserImportError) as error:
        return str(error)


def _verdict(place: Place, record: "RunRecord", program: "Program") -> "Verdict":
    from perdure.local.moving import compare

    return compare(place.store, record, program)
