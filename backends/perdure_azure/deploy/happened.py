"""What a run did: its history, run again with the code of its release.

Comes in: the events of the hub, the files of the release. Goes out: the account that the flow gave
of itself on the way (`perdure.runtime.account`). Only the orchestrator runs: it schedules nothing,
and activities have their recorded outcomes.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

import durabletask.internal.orchestrator_service_pb2 as pb
from durabletask.internal import helpers

from perdure.codec.text import Json
from perdure.deployment import DeployError, Happened
from perdure.runtime.account import Account, Happening
from perdure.runtime.engine import Completed, LogRecord
from perdure.runtime.episode import Episode
from perdure.runtime.usage import usage_json
from perdure.runtime.watch import watcher
from perdure.store.protocol import Waiter
from perdure_azure.engine.app import App
from perdure_azure.engine.files import imported_from

__all__ = ["account_of", "happened", "waiters"]

APP = "function_app"


def account_of(files: Mapping[str, bytes], run: str, events: Sequence[pb.HistoryEvent]) -> Account:
    """Run a history again; what it came to."""
    past = [event for event in events if not event.HasField("executionCompleted")]
    if not any(event.HasField("executionStarted") for event in past):
        return Account()
    seen = _Seen()
    with TemporaryDirectory() as folder, imported_from(files, Path(folder), [APP]) as modules:
        token = watcher.set(seen)
        client: Any = None  # of activities, which do not run
        functions = App(modules[APP].app, client)
        try:
            begins = helpers.new_orchestrator_started_event()
            begins.timestamp.CopyFrom(past[-1].timestamp)
            request = pb.OrchestratorRequest(instanceId=run, pastEvents=past, newEvents=[begins])
            functions.orchestrate(request)
        except KeyError as error:
            raise DeployError(f"the release of run {run} has no orchestrator {error}") from None
        finally:
            watcher.reset(token)
            functions.close()
            if seen.episode is not None:
                seen.episode.abandon()
    return seen.episode.account if seen.episode is not None else Account()


def happened(account: Account) -> Happened:
    """In the order in which operations ended; what is under way last, but for waits for events."""
    under_way = [one for one in account.happenings.values() if one.ended is None]
    open_ones = [one for one in under_way if one.begun.kind not in ("event", "timeout")]
    return Happened(
        tuple(_operation(one) for one in (*account.order, *open_ones)),
        tuple(_log(time, record) for time, record in account.logs),
        (),
    )


def waiters(run: str, account: Account) -> Iterator[Waiter]:
    """The events that a run waits for."""
    for one in account.happenings.values():
        if one.ended is None and one.begun.kind == "event":
            op = one.begun.op
            yield Waiter(run, op.path, (one.begun.name,), one.began, one.begun.due)


def _operation(one: Happening) -> Mapping[str, Json]:
    begun, site = one.begun, one.begun.op.site
    failures: list[Json] = [
        {"attempt": number, "time": time, "error": error} for number, time, error in one.failures
    ]
    said: dict[str, Json] = {
        "path": begun.op.path,
        "kind": begun.kind,
        "name": begun.name,
        "arguments": begun.arguments,
        "began": one.began,
        "time": one.ended,
        "attempts": one.attempts,
        "line": f"{site.file}:{site.line}",
        "failures": failures,
        "usage": usage_json(one.usage),
    }
    if one.ended is not None:
        said["outcome"] = _outcome(one)
    return said


def _outcome(one: Happening) -> Json:
    if one.outcome is None:
        return "cancelled"
    if isinstance(one.outcome, Completed):
        return {"value": one.outcome.value}
    return {"error": one.outcome.error}


def _log(time: float, record: LogRecord) -> Mapping[str, Json]:
    return {**record._asdict(), "time": time}


@final
class _Seen:
    """The watcher of the execution."""

    longest = 1 << 60

    def __init__(self) -> None:
        self.episode: Episode[Any] | None = None

    def began(self, episode: Episode[Any]) -> None:
        """The orchestrator was entered."""
        self.episode = episode

    def ended(self, episode: Episode[Any]) -> None:
        """It goes on as it did."""

    def attempt(self, step: object, call: object, arguments: object) -> None:
        """No activity runs."""

    def misfit(self, problem: str) -> None:
        """It was taken when it came."""

    def clock(self) -> float:
        """Nobody asks."""
        return 0.0
