"""The operations that a site performs itself: steps, replies, progress.

Each ends in a record (a line of the run's trace) and an outcome for the driver, or with another
attempt to make.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, final

from perdure.codec import Json, encode
from perdure.durations import due
from perdure.language import Step
from perdure.operations import ThisStep
from perdure.runtime.bodies import Attempted
from perdure.runtime.engine import Completed, Outcome
from perdure.runtime.masking import masked
from perdure.runtime.retries import delay_before_next
from perdure.runtime.site import Site
from perdure.runtime.usage import Usage, usage_json
from perdure.runtime.values import failed
from perdure.store.inbox import events, get_reply, put_reply
from perdure.store.protocol import Event, EventState, RunStore
from perdure.store.runs import update_run
from perdure.trace import is_contest, outcome_json

__all__ = [
    "Again",
    "Attempt",
    "Records",
    "StepRunner",
    "attempt_step",
    "perform_message",
    "trace_line",
]


def _never() -> bool:
    return False


@final
@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a step to run."""

    step: Step[..., object]
    path: str
    arguments: Mapping[str, Json]
    this: ThisStep
    now: float
    until: float | None = None
    """When a deadline of the flow ends it."""
    is_cancelled: Callable[[], bool] = _never
    """Whether the run is to be cancelled by now: this attempt ends and is recorded first."""


class StepRunner(Protocol):
    """Runs attempts: the step's own body, or a test's script."""

    def attempt(self, attempt: Attempt) -> Attempted | None:
        """Run it to its end, or to its deadline (then it raised TimeoutError).

        None: it was not over at `attempt.until`. What becomes of it nobody will know.
        """
        ...


@final
@dataclass(frozen=True, slots=True)
class Again:
    """Another attempt, its number, not before `until`; `last`: how the one before ended."""

    number: int
    until: float
    last: Outcome


@final
@dataclass(slots=True)
class Records:
    """Lines of the trace that this invocation adds: operations that ended in it."""

    lines: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    ended: list[Json] = field(default_factory=list[Json])
    """Paths of the branches that ended by themselves, not cancelled."""

    def add(
        self,
        path: str,
        kind: str,
        name: str,
        arguments: Mapping[str, Json],
        outcome: Outcome | None,
        *,
        label: str,
        time: float,
        attempts: int = 1,
        contestant: Json = None,
        site: Site | None = None,
    ) -> None:
        """One operation ended; `outcome` None: cancelled. `contestant`: its name in a race; `site`:
        where only the operation knows it.
        """
        self.lines.append(
            trace_line(
                path,
                kind,
                name,
                arguments,
                outcome,
                label=label,
                time=time,
                attempts=attempts,
                contestant=contestant,
                site=site,
            )
        )


def trace_line(
    path: str,
    kind: str,
    name: str,
    arguments: Mapping[str, Json],
    outcome: Outcome | None,
    *,
    label: str,
    time: float,
    attempts: int = 1,
    contestant: Json = None,
    site: Site | None = None,
    usage: Iterable[Usage] = (),
) -> dict[str, Json]:
    """A line of the trace, as `Records.add` takes it."""
    return {
        "path": path,
        "kind": kind,
        "name": name,
        "arguments": dict(arguments),
        "attempts": attempts,
        "outcome": outcome_json(outcome),
        "label": label,
        "contestant": contestant,
        "time": time,
        **({} if site is None else {"site": list(site)}),
        **({"usage": spent} if (spent := usage_json(usage)) else {}),
    }


def attempt_step(
    runner: StepRunner,
    step: Step[..., object],
    arguments: Mapping[str, Json],
    *,
    run: str,
    path: str,
    number: int,
    now: Callable[[], float],
    until: float | None,
    is_cancelled: Callable[[], bool],
    spent: list[Usage],
) -> Outcome | Again | None:
    """One attempt of the step, and what its policy makes of it. None: a deadline came before.

    What it says it spent is put to `spent`. Once the run `is_cancelled` no deadline comes before.
    """
    started = now()
    deadline = datetime.fromtimestamp(due(started, step.timeout), UTC)
    this = ThisStep(f"{run}/{path}", number, deadline, run)
    if until is not None and until < started:
        return None
    attempted = runner.attempt(Attempt(step, path, arguments, this, started, until, is_cancelled))
    if attempted is None:
        return None
    spent.extend(attempted.usage)
    if attempted.error is not None:
        delay = delay_before_next(step.retry, attempted.error, number)
        if delay is not None:
            return Again(number + 1, due(now(), delay), attempted.outcome)
    return attempted.outcome


def perform_message(
    store: RunStore,
    run: str,
    name: str | None,
    value: object,
    *,
    scope: str,
    path: str,
    label: str,
    now: float,
    records: Records,
    answered: Callable[[str], None],
) -> Outcome:
    """Publish progress, or answer the oldest event of that name that `scope` took and nobody
    answered."""
    payload = encode(value)
    if name is None:
        update_run(store, run, lambda record: record._replace(progress=masked(payload)))
        return Completed(None)
    known = (event for event in events(store, run, name) if _was_taken_in(scope, event))
    question = next((event for event in known if _is_open(store, run, event)), None)
    outcome: Outcome = Completed(None)
    if question is None:
        missing = f"reply({name!r}): this scope took no message that is unanswered"
        outcome = failed(RuntimeError(missing))
    else:
        put_reply(store, run, question.id, payload)
        answered(question.id)
    records.add(path, "reply", name, {"value": payload}, outcome, label=label, time=now)
    return outcome


def _was_taken_in(scope: str, event: Event) -> bool:
    """Whether the scope itself waited for it; a contestant of a race is a scope of its own."""
    above, _, label = (event.waiter or "").rpartition("/")
    is_contestant = is_contest(label, "race") and event.name != "race"
    return above == scope and not is_contestant


def _is_open(store: RunStore, run: str, event: Event) -> bool:
    return event.state is EventState.TAKEN and get_reply(store, run, event.id) is None
