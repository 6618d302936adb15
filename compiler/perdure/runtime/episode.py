"""A run on an engine that replays: the flow's coroutine on a loop whose waits are the SDK's tasks.

Every episode runs the flow from its first line; the SDK gives back what the history has. When
nothing is ready any more the orchestrator yields what the flow waits for. At the end of an episode
the SDK drops the generator: the flow's coroutines are then cancelled in silence, without any
operation being scheduled or logged.

What one SDK has of its own is behind `Sdk`; all else is here.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, final

from perdure.codec.text import Json
from perdure.errors import LimitExceeded
from perdure.runtime.account import Account
from perdure.runtime.attempts import attempted_outcome, call_of
from perdure.runtime.engine import (
    Completed,
    Failed,
    FlowCall,
    LogRecord,
    Outcome,
    StepCall,
)
from perdure.runtime.envelope import pack, size_of, unpack
from perdure.runtime.host import Attempt, Begun, Identity, LostError
from perdure.runtime.hosted import HostedRun
from perdure.runtime.inputs import flow_input, input_of, message_in
from perdure.runtime.usage import Usage
from perdure.runtime.values import failed
from perdure.runtime.waits import Tasks, Waits
from perdure.runtime.watch import watcher
from perdure.trace import TraceEntry, error_json

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable
    from perdure.language import Flow, Step
    from perdure.runtime.site import Site

__all__ = [
    "LONGEST",
    "Asked",
    "Episode",
    "FlowFailed",
    "Limits",
    "Sdk",
    "run_episode",
]

MOST_CALLBACKS = 10_000
"""How much an abandoned flow may still do: it can catch its cancellation again and again."""
ROOM = 1_024
"""Bytes of a message that are not its payload's."""

LONGEST = 300
"""Events after which a run hands over; replaying one costs 23 to 48 us (azure-functions-durable
2.0.0rc3, measured), and each comes with a replay of all before it."""


class Sdk[T](Tasks[T], Protocol):
    """What an engine's SDK offers to one episode; the names of functions and runs are ours."""

    limits: "Limits"
    tells_at_once: bool
    """Whether `tell` is done with; else it gives the task that does it."""

    def run_id(self) -> str:
        """The id under which the engine has this run."""
        ...

    def is_replaying(self) -> bool:
        """Whether this was executed in an earlier episode."""
        ...

    def step(self, step: "Step[..., object]", given: Json) -> T:
        """The task of an attempt."""
        ...

    def child(self, flow: "Flow[..., object]", given: Json, run: str) -> T:
        """The task of a child run."""
        ...

    def start(self, flow: "Flow[..., object]", given: Json, run: str) -> T:
        """The task that starts a run, once: {"run"}, or {"error"}."""
        ...

    def find(self, run: str) -> T:
        """The task that looks for a run: {"found"}."""
        ...

    def message(self) -> T:
        """The task of the next message to this run."""
        ...

    def event(self, name: str) -> T | None:
        """The task of the next event that comes under its own name, as an operator raises it."""
        ...

    def tell(self, run: str, message: Json) -> T | None:
        """Write to another run."""
        ...

    def show(self, status: Json) -> None:
        """Publish what the run is at."""
        ...

    def unread(self, taken: int) -> Sequence[object]:
        """Messages after so many that the engine would forget when the run begins again."""
        ...

    def begin_again(self, given: Json) -> None:
        """Go on under an empty history."""
        ...


class Limits(NamedTuple):
    """What an engine carries."""

    message_bytes: int
    custom_status_bytes: int
    orchestration_actions: int


class Asked(NamedTuple):
    """An attempt of a step that was asked for, and where."""

    name: str
    input: Json
    site: "Site"


class FlowFailed(Exception):  # noqa: N818  # it is shown in consoles as what happened
    """The flow raised: type and message of its error; all of it is in the status."""


@final
class Episode[T]:
    """One execution of an orchestrator, from the start to where the history ends: the `Host`."""

    def __init__(
        self, sdk: Sdk[T], functions: "FunctionTable | None", tree: str, release: str = ""
    ) -> None:
        self._sdk = sdk
        self._release = release
        self.functions = functions
        self.tree = tree
        self.waits = Waits(sdk)
        self.loop = self.waits.loop
        self.until = self.waits.until
        self.settle = self.waits.settle
        self.now = sdk.now
        self.over = False
        self.run: HostedRun | None = None
        self.entries: list[TraceEntry] = []
        self.branches: set[str] = set()
        """Branches that ended by themselves."""
        self.logs: list[LogRecord] = []
        self.account = Account()
        self.progress: Json = None
        self.at: Site | None = None
        """The operation that started last."""
        self.asked: list[Asked] = []
        """The attempts of steps, in order."""
        self._names: set[str] = set()
        """The events that are listened to under their own names."""
        self.taken = 0
        """Messages that came."""
        self._errands: list[asyncio.Task[None]] = []
        self.stopped = False
        """A limit was passed."""
        self._refusals = 0
        watching = watcher.get()
        self.longest = LONGEST if watching is None else watching.longest

    def is_full(self) -> bool:
        """So many events that replaying them costs more than beginning anew."""
        return self.waits.changes > self.longest and self.waits.is_idle()

    def is_busy(self) -> bool:
        """Whether something is under way that has to end although the run has."""
        self._errands = [errand for errand in self._errands if not errand.done()]
        return bool(self._errands)

    def refused(self) -> None:
        """Something was asked after the end; a flow that never gives up is left where it is."""
        self._refusals += 1
        if self._refusals > MOST_CALLBACKS:
            raise RecursionError("a flow catches every cancellation")

    def limited(self, problem: str, site: "Site | None") -> None:
        """The run ends: no handler of the flow sees this."""
        assert self.run is not None
        self.stopped = True
        at = "" if site is None else f" ({site.file}:{site.line})"
        self.run.stop(failed(LimitExceeded(f"{problem}{at}")))

    def fits(self, what: str, given: Json, site: "Site | None", *, asks: bool = True) -> bool:
        """Whether a message carries it; else the run is over."""
        limits = self._sdk.limits
        carried, most = limits.message_bytes - ROOM, limits.orchestration_actions
        if (size := size_of(given)) > carried:
            self.limited(_too_large(what, size, carried), site)
        elif asks and self.waits.asked >= most:
            comes = f"orchestration_actions: {what} comes after {most} operations"
            self.limited(f"{comes}, and an episode asks for no more", site)
        else:
            return True
        return False

    # Operations

    async def attempt(
        self, call: StepCall, attempt: Attempt
    ) -> tuple[Outcome, bool, tuple[Usage, ...]]:
        """A function of its own; one that fails was lost."""
        carried = self._sdk.limits.message_bytes - ROOM
        given = call_of(attempt, call.arguments, carried, self._release)
        if not self.fits(f"the input of `{call.name}`", given, call.op.site):
            await self.loop.create_future()
        self.asked.append(Asked(call.name, given, call.op.site))
        result = await self.waits.value(self._sdk.step(call.step, given))
        if (size := unpack(result).get("bytes")) is not None:
            what = f"the result of `{call.name}`"
            self.limited(_too_large(what, int(str(size)), carried), call.op.site)
            await self.loop.create_future()
        outcome, again, usage = attempted_outcome(result)
        self.account.attempted(call.op.path, attempt.number, outcome, usage, self.now())
        return outcome, again, usage

    def jitter(self, key: str) -> float:
        """The same draw at each replay; none in tests."""
        return 1.0 if watcher.get() is not None else random.Random(key).random()

    def child(self, call: FlowCall, identity: Identity) -> asyncio.Future[Outcome]:
        """A run under this one."""
        given = flow_input(call.flow, identity, call.arguments, child=True, release=self._release)
        if not self.fits(f"the input of `{call.name}`", given, call.op.site):
            return self.loop.create_future()
        task = self._sdk.child(call.flow, given, identity.run)
        return self.loop.create_task(_child_outcome(self.waits.future(task)))

    async def start(self, call: FlowCall, identity: Identity) -> Outcome:
        """Only a client can see whether the run exists."""
        given = flow_input(call.flow, identity, call.arguments, release=self._release)
        if not self.fits(f"the input of `{call.name}`", given, call.op.site):
            await self.loop.create_future()
        data = unpack(await self._sure(lambda: self._sdk.start(call.flow, given, identity.run)))
        return Failed(data["error"]) if "error" in data else Completed(identity.run)

    async def find(self, run: str) -> str | None:
        """By a client too."""
        found = unpack(await self._sure(lambda: self._sdk.find(run)))["found"]
        return None if found is None else str(found)

    def tell(self, run: str, message: Mapping[str, Json]) -> None:
        """At once, or as an errand that follows those before it."""
        given = pack(message)
        if not self.fits(f"a message to run {run!r}", given, self.at):
            return
        if self._sdk.tells_at_once:
            self._sdk.tell(run, given)
        else:
            before = self._errands[-1:]
            self._errands.append(self.loop.create_task(self._errand(before, run, given)))

    async def _errand(self, before: "list[asyncio.Task[None]]", run: str, given: Json) -> None:
        if before:
            await asyncio.wait(before)
        await self._sure(lambda: self._sdk.tell(run, given))

    async def _sure(self, ask: Callable[[], T | None]) -> object:
        """The value of a task of perdure's own, however often it is lost."""
        while True:
            task = ask()
            assert task is not None
            try:
                return await self.waits.value(task)
            except LostError:
                await self.until(self.now() + 1)

    # What comes from outside

    def listen(self) -> None:
        """Take what is written to the run: one wait is always open."""
        self._listen(self._sdk.message, self._came)

    def expect(self, name: str) -> None:
        """An event of this name may also come as an operator raises it, from now on."""
        if name not in self._names:
            self._names.add(name)
            self._listen(partial(self._sdk.event, name), partial(self._raised, name))

    def take(self, left: Sequence[object]) -> None:
        """Messages that the generation before this one had not read."""
        for message in left:
            self._message(message)

    def _listen(self, wait: Callable[[], T | None], come: Callable[[object], None]) -> None:
        def came(done: "asyncio.Future[object]") -> None:
            if not done.cancelled():
                self._listen(wait, come)
                if self.run is not None and self.run.end is None:
                    come(done.result())

        task = wait()
        if task is not None:
            self.waits.listening(task).add_done_callback(came)

    def _came(self, value: object) -> None:
        self.taken += 1
        self._message(value)

    def _message(self, value: object) -> None:
        message = message_in(value)
        if message is not None and self.run is not None:
            self.run.deliver(message)
        elif not self._sdk.is_replaying():
            logging.getLogger("perdure").warning("%s was sent what is no message", self.tree)

    def _raised(self, name: str, value: Any) -> None:
        assert self.run is not None
        self.run.deliver({"event": name, "payload": value, "plain": True})

    # What is shown

    def show(self, progress: Json, site: "Site") -> None:
        """The status of the run."""
        status = pack({"status": "running", "progress": progress})
        size, most = 2 * size_of(status), self._sdk.limits.custom_status_bytes
        if size > most:
            shown = f"custom_status_bytes: `progress` shows {size} bytes"
            self.limited(f"{shown}, and a status holds {most}", site)
        else:
            self.progress = progress
            self._sdk.show(status)

    def log(self, record: LogRecord) -> None:
        """Show a log record, unless an earlier episode did."""
        self.logs.append(record)
        self.account.logs.append((self.now(), record))
        if not self._sdk.is_replaying():
            level = logging.getLevelNamesMapping().get(record.level.upper(), logging.INFO)
            logging.getLogger(record.logger or "perdure").log(level, "%s", record.text.rstrip("\n"))

    def begun(self, begun: Begun) -> None:
        """Kept for who asks what a run did, and to say where a limit was passed."""
        self.at = begun.op.site
        self.account.begun(begun, self.now())

    def came(self, begun: Begun, outcome: Outcome | None) -> None:
        """Kept for who asks what a run did."""
        self.account.ended(begun, outcome, self.now())

    def ended(self, entry: TraceEntry) -> int:
        """Kept for tests."""
        self.entries.append(entry)
        return len(self.entries) - 1

    def lost(self, place: int) -> None:
        """Kept for tests."""
        self.entries[place] = self.entries[place]._replace(outcome="cancelled")

    def branch_ended(self, path: str) -> None:
        """Kept for tests."""
        self.branches.add(path)

    def misfit(self, problem: str) -> None:
        """Tell a test that its script sent what does not fit."""
        watching = watcher.get()
        if watching is not None:
            watching.misfit(problem)

    def abandon(self) -> None:
        """Nobody will resume this: let the coroutines end without doing anything."""
        if self.over:
            return
        self.over = True
        for _ in range(2):
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.drain(MOST_CALLBACKS)
        self.loop.close()


def run_episode[T](
    sdk: Sdk[T],
    given: object,
    flow: "Flow[..., Any]",
    functions: "FunctionTable | None" = None,
) -> Generator[T, object, Json]:
    """Run a flow as the body of an orchestrator: `return (yield from run_episode(...))`.

    `given` is what `flow_input` wrote, or the arguments as plain JSON, where it is started by hand
    (`{"plain", "release"}` in an envelope, where that was told which release it runs on).
    """
    data = input_of(sdk, given, flow)
    arguments = data["arguments"]
    assert isinstance(arguments, dict), "the input of a flow is an object"
    identity = Identity(*(str(data[name]) for name in Identity._fields))
    episode = Episode(sdk, functions, identity.tree, str(data.get("release", "")))
    watching = watcher.get()
    if watching is not None:
        watching.began(episode)
    try:
        run = episode.run = HostedRun(episode, identity)
        handed, left = data.get("handed"), data.get("left")
        episode.listen()
        run.execute(flow, arguments, handed if isinstance(handed, dict) else None)
        episode.loop.run()
        episode.take(left if isinstance(left, list) else ())
        yield from _driven(episode, run)
        if watching is not None:
            watching.ended(episode)
        if run.next is not None and run.end is None:
            unread: list[Any] = [*sdk.unread(episode.taken)]
            again = pack({**data, "handed": run.next, "left": unread})
            if episode.fits("what a hand-over carries", again, episode.at, asks=False):
                episode.waits.close()
                sdk.begin_again(again)
                return None
        return _finished(sdk, episode, run, child=bool(data["child"]))
    finally:
        episode.abandon()


def _driven[T](episode: Episode[T], run: HostedRun) -> Generator[T, object]:
    """Until the run has ended or handed over, and all its errands are done."""
    episode.loop.run()
    while (run.end is None and run.next is None) or episode.is_busy():
        if episode.loop.errors:
            # What callbacks raised is a fault of ours, and ends the orchestration.
            raise episode.loop.errors[0]
        yield from episode.waits.next()
        episode.loop.run()
    if episode.loop.errors:
        raise episode.loop.errors[0]


def _finished[T](sdk: Sdk[T], episode: Episode[T], run: HostedRun, *, child: bool) -> Json:
    if isinstance(run.outcome, Completed):
        done: Json = pack({"status": "done", "value": run.outcome.value})
        if episode.fits("the result of the run", done, episode.at, asks=False):
            return done
    match run.outcome:
        case Failed(error) if run.end is not None and run.end.status == "failed":
            ended: Json = pack({"status": "failed", "error": error})
            if child:
                # The parent raises it: what a failed orchestration says is only text.
                return ended
            short = error_json(Failed(error))
            if 2 * size_of(ended) > sdk.limits.custom_status_bytes:
                ended = pack({"status": "failed", "type": short["type"]})
            sdk.show(ended)
            raise FlowFailed(f"{short['type']}: {short['message']}")
        case _:
            stopped = failed(asyncio.CancelledError())
            return pack({"status": "cancelled", "error": stopped.error})


def _too_large(what: str, size: int, carried: int) -> str:
    return f"message_bytes: {what} has {size} bytes, and a message carries {carried}"


async def _child_outcome(ended: asyncio.Future[object]) -> Outcome:
    data = unpack(await ended)
    return Completed(data["value"]) if data["status"] == "done" else Failed(data["error"])
