"""The verbs on runs, in a deployed environment: `--on ENV`."""

import json
import shlex
import sys
import time
from typing import TYPE_CHECKING

import click

from perdure.cli import exits
from perdure.cli.environments import connected, open_environment
from perdure.cli.histories import DeployedHistory
from perdure.cli.store import LAST, no_run
from perdure.cli.streams import drawn, json_text, out, say
from perdure.deployment import CloudRefused, DeployError, Runs
from perdure.errors import LimitExceeded, RunConflict
from perdure.run_ids import could_be
from perdure.store.protocol import RunRecord, Status
from perdure.store.runs import get_run, list_runs
from perdure.store.starts import is_noted

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.local.program import Program

__all__ = [
    "cancel_on",
    "choose_on",
    "program_of",
    "refuse_middle",
    "resume_on",
    "run_on",
    "send_on",
    "show_on",
]

SHORT_INPUT = 500
"""Characters of an input that is typed; a longer one goes through a file."""
NEWEST = 50
"""Runs whose ids are compared with one that none has."""
LOOKS = 0.5
"""Seconds between two looks at a run that is followed."""


def choose_on(environment: str, runs: Runs, name: str) -> RunRecord:
    """The run of that id, or the newest that no other run started as its child."""
    if name == LAST:
        for record in list_runs(runs.store):
            if record.parent is None:
                return record
        raise click.UsageError(
            f"there are no runs yet; start one with `perdure run FILE --on {environment}`"
        )
    found = get_run(runs.store, name) if could_be(name) else None
    if found is not None:
        return found
    if could_be(name) and is_noted(runs.store, name):
        raise click.UsageError(
            f"run `{name}` is starting: nothing of it has run yet, so there is nothing to see or"
            " to wake; once more in a moment"
        )
    known = [record.run for record in list_runs(runs.store, NEWEST)]
    raise no_run(name, known, f"perdure runs --on {environment}")


def show_on(environment: str, run: str, *, follow: bool, as_json: bool) -> int:
    """The tree of a run."""
    from perdure.cli.tree import draw, run_json

    runs = connected(environment)
    record = choose_on(environment, runs, run)
    if as_json:
        out(json_text(run_json(DeployedHistory(runs), record.run)))
        return exits.DONE
    while follow and record.end is None:
        time.sleep(LOOKS)
        record = choose_on(environment, runs, record.run)
    for line in draw(DeployedHistory(runs), record, time.time()):
        out(drawn(line, sys.stdout))
    return exits.DONE


def cancel_on(environment: str, run: str, *, at_once: bool) -> int:
    """Ask a run to cancel."""
    runs = connected(environment)
    record = choose_on(environment, runs, run)
    if record.end is not None:
        raise click.UsageError(f"run {record.run} has ended already: {record.end.status.value}")
    runs.cancel(record.run, at_once=at_once)
    say(f"run {record.run} was asked to cancel")
    return exits.DONE


def resume_on(environment: str, run: str | None, *, detach: bool) -> int:
    """Wake a run that has all it waits for, and stay until it ends or, detached, not."""
    runs = connected(environment)
    if run is None:
        left = [r for r in list_runs(runs.store) if r.end is None and r.parent is None]
        if not left:
            raise click.UsageError(f"every run has ended; `perdure runs --on {environment}`")
        run = left[0].run
    record = choose_on(environment, runs, run)
    if record.end is None:
        runs.wake(record.run)
    if detach and runs.outcome(record.run) is None:
        say(f"run {record.run} goes on by itself; `perdure show {record.run} --on {environment}`")
        return exits.WAITING
    return _stay(environment, runs, record.run)


def refuse_middle(environment: str, name: str, done: str) -> click.UsageError:
    """Why a run cannot begin at one of its operations there, and how to come near to it."""
    record = choose_on(environment, connected(environment), name)
    run = record.run
    if record.parent is not None:
        top = record.parent.partition("/")[0]
        return click.UsageError(
            f"`{run}` is a child, and is not {done} by itself; its run is `{top}`"
        )
    if record.end is None:
        return click.UsageError(
            f"run {run} has not ended: `perdure resume {run} --on {environment}` wakes it"
        )
    return click.UsageError(
        f"run {run} cannot be {done} in `{environment}`: what is deployed starts at the beginning"
        " of a flow, and keeps no state of its middle to start from. A new run with the same"
        f" input:\n  {_again(environment, record)}"
    )


def _again(environment: str, record: RunRecord) -> str:
    """What to type for a new run with the input of another one."""
    from perdure.cli.plain import plain

    module, _, flow = record.flow.partition(":")
    given = json.dumps(plain(record.input), ensure_ascii=False)
    if len(given) > SHORT_INPUT:
        given = f"@input.json   # `input` of `perdure show {record.run} --on {environment} --json`"
    else:
        given = shlex.quote(given)
    file = f"{module.replace('.', '/')}.py:{flow}"
    return f"perdure run {file} --on {environment} --input {given}"


def send_on(runs: Runs, record: RunRecord, event: str, payload: "Json", identity: str) -> int:
    """Store an event for a run, and wake it."""
    runs.send(record.run, event, payload, id=identity)
    say(f"`{event}` is stored for run {record.run}")
    return exits.DONE


def program_of(environment: str, runs: Runs, record: RunRecord) -> "Program":
    """The flow of a run, out of the source that its store keeps."""
    from perdure.local.program import load_copied

    place, _ = open_environment(environment)
    root = place.project.root
    return load_copied(runs.store, record, root, root / ".perdure" / "sources")[0]


def run_on(
    environment: str, program: "Program", arguments: "dict[str, Json]", run: str, *, detach: bool
) -> int:
    """Start a run, and stay until it ends or, detached, has begun."""
    runs = connected(environment)
    try:
        runs.start(program.flow.__perdure_ref__, arguments, run)
    except (RunConflict, LimitExceeded) as refused:
        raise click.UsageError(str(refused)) from None
    except CloudRefused:
        raise
    except DeployError as error:
        raise click.ClickException(str(error)) from None
    say(f"run {run} on {environment}")
    return exits.WAITING if detach else _stay(environment, runs, run)


def _stay(environment: str, runs: Runs, run: str) -> int:
    """Until the run ends; how it did."""
    try:
        while runs.outcome(run) is None:
            time.sleep(LOOKS)
    except KeyboardInterrupt:
        say(f"it goes on: `perdure show {run} --on {environment}`")
        return exits.INTERRUPTED
    return _ended(runs, run)


def _ended(runs: Runs, run: str) -> int:
    from perdure.cli.drive import error_text
    from perdure.cli.plain import plain
    from perdure.runtime.engine import Completed

    outcome = runs.outcome(run)
    if isinstance(outcome, Completed):
        out(json_text(plain(outcome.value)))
        return exits.DONE
    assert outcome is not None, "the run has ended"
    record = get_run(runs.store, run)
    what = "was cancelled" if record and record.status is Status.CANCELLED else "failed"
    say(f"run {run} {what}: {error_text(outcome.error)}")
    return exits.REFUSED
