"""A project of Google Cloud on this machine: workflows, executions, one clock, HTTP.

Time stands still while anything can go on, then moves to the next thing that is due. Which thread
goes next, in which order branches start, the order of keys, and whether a callback that comes
early is kept are drawn from the seed: the documentation promises none of them.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Final, final

from perdure_gcp.workflows.callbacks import Callbacks
from perdure_gcp.workflows.checker import load
from perdure_gcp.workflows.execution import Execution, Identity, Surroundings
from perdure_gcp.workflows.http import Failure, Handler, Later, Response, Router, outcome
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import Doubts, Limited, WorkflowError, failure
from perdure_gcp.workflows.runner import Runner
from perdure_gcp.workflows.syntax import Program
from perdure_gcp.workflows.values import Undocumented, Value, from_json, from_python, to_json
from perdure_gcp.workflows.waits import Callback, Called, Fork, Pause, Sent, Until, Wait

__all__ = ["START", "Project"]

START: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


@final
@dataclass(slots=True, eq=False)
class _Thread:
    """One line of control: an execution's first, or a branch."""

    execution: Execution
    work: Generator[Wait, Value, object]
    done: Callable[[Value], None]
    """Called with the error that ended it, or null."""
    branch: bool = False
    result: Value = None
    waits: int = 0
    """How often it has waited: an outcome for an earlier wait comes too late."""


@final
@dataclass(slots=True, eq=False)
class _Join:
    """A parallel step under way."""

    parent: _Thread
    waiting: list[tuple[int, Generator[Wait, Value, None]]]
    limit: int | None
    errors: list[Value]
    running: int = 0


@final
@dataclass(slots=True)
class _Deployed:
    program: Program
    environment: Mapping[str, str]


@final
@dataclass(slots=True)
class Project:
    """Everything that runs together; `strict` refuses what is not documented."""

    strict: bool = True
    seed: int = 0
    kept: float = 0.5
    """The part of the callbacks that is not lost, of those that come before they are awaited."""
    in_order: bool = False
    """What can go on goes on first in, first out, and branches by their index: not by chance."""
    name: str = "demo"
    location: str = "us-central1"
    router: Router = field(default_factory=Router)
    clock: float = START
    executions: list[Execution] = field(default_factory=list[Execution])
    _doubts: Doubts = field(init=False)
    _chance: random.Random = field(init=False)
    _callbacks: Callbacks = field(init=False)
    _workflows: dict[str, _Deployed] = field(default_factory=dict[str, _Deployed])
    _ready: list[tuple[_Thread, Value, WorkflowError | None]] = field(
        default_factory=list[tuple[_Thread, Value, WorkflowError | None]]
    )
    _now: deque[Callable[[], None]] = field(default_factory=deque[Callable[[], None]])
    _last: list[tuple[int, int, Callable[[], None]]] = field(
        default_factory=list[tuple[int, int, Callable[[], None]]]
    )
    _due: list[tuple[float, bool, int, Callable[[], None]]] = field(
        default_factory=list[tuple[float, bool, int, Callable[[], None]]]
    )
    """By time, what comes from outside first, then in the order in which it was asked for."""
    _joins: list[_Join] = field(default_factory=list[_Join])
    _numbers: int = 0
    _settled: int = 0

    def __post_init__(self) -> None:
        self._doubts = Doubts(self.strict)
        self._chance = random.Random(f"{self.seed}/threads")
        self._callbacks = Callbacks(
            self._doubts, random.Random(f"{self.seed}/callbacks"), kept=self.kept
        )

    def deploy(
        self, name: str, source: str, environment: Mapping[str, str] | None = None
    ) -> Program:
        """Make a workflow startable; `DeployError` says everything that is wrong with it."""
        program = load(source, strict=self.strict)
        self._workflows[name] = _Deployed(program, environment or {})
        return program

    def route(self, prefix: str, handler: Handler) -> None:
        """Let a Python callable answer requests to URLs that begin with `prefix`."""
        self.router.add(prefix, handler)

    def happen_at(self, time: float, action: Callable[[], None]) -> None:
        """Something from outside: before all else that is due then, one after the other."""
        self._numbers += 1
        heapq.heappush(self._due, (max(time, self.clock), False, self._numbers, action))

    def at(self, time: float, action: Callable[[], None], *, last: int | None = None) -> None:
        """Do something when the clock comes to `time`, at this instant when it is past.

        `last`: after all else that goes on at this instant, the greatest number first.
        """
        if last is not None:
            self._settled += 1
            heapq.heappush(self._last, (-last, self._settled, action))
        elif time <= self.clock:
            self._now.append(action)
        else:
            self._numbers += 1
            heapq.heappush(self._due, (time, True, self._numbers, action))

    def start(self, workflow: str, argument: object = None) -> Execution:
        """A new execution, which goes on in `run_all`."""
        deployed = self._workflows[workflow]
        value = from_python(argument, self._doubts)
        if len(to_json(value, Doubts(strict=False)).encode()) > value_of("argument_bytes"):
            message = f"an argument has at most {value_of('argument_bytes'):,} bytes"
            raise failure("ResourceLimitError", message)
        self._numbers += 1
        name = f"{self._numbers:08x}-0000-4000-8000-000000000000"
        environment = {**self._environment(workflow, name), **deployed.environment}
        seed = f"{self.seed}/{self._numbers}"
        world = Surroundings(environment, lambda: self.clock, self._doubts, seed)
        execution = Execution(Identity(name, workflow), deployed.program, world)
        self.executions.append(execution)
        work = Runner(execution).main(value)
        thread = _Thread(execution, work, lambda error: self._end(thread, error))
        self._ready.append((thread, None, None))
        self.at(self.clock + value_of("execution_seconds"), lambda: self._too_old(thread))
        return execution

    def run(self, workflow: str, argument: object = None) -> Execution:
        """Start an execution and run until nothing more happens."""
        execution = self.start(workflow, argument)
        self.run_all(until=execution)
        return execution

    def run_all(self, until: Execution | None = None) -> None:
        """Go on until nothing more happens, or that execution has ended."""
        while until is None or until.state == "ACTIVE":
            if self._ready:
                at = 0 if self.in_order else self._chance.randrange(len(self._ready))
                self._resume(*self._ready.pop(at))
            elif self._now:
                self._now.popleft()()
            elif self._last:
                heapq.heappop(self._last)[2]()
            elif self._due and any(one.state == "ACTIVE" for one in self.executions):
                self._next_instant()
            else:
                return

    def _next_instant(self) -> None:
        """Move the clock; what is due then goes on together, but for what comes from outside."""
        self.clock, own, _, action = heapq.heappop(self._due)
        self._now.append(action)
        while own and self._due and self._due[0][0] == self.clock:
            self._now.append(heapq.heappop(self._due)[3])

    def call_back(
        self, url: str, method: str = "POST", body: object = None, headers: object = None
    ) -> int:
        """Send a request to a callback endpoint: the status that the sender gets."""
        content = {
            "body": from_python(body, self._doubts),
            "headers": from_python(headers or {}, self._doubts),
            "query": {},
        }
        return self._callbacks.send(url, method, content, self.clock)

    def cancel(self, execution: Execution) -> None:
        """Stop an execution where it is."""
        if execution.state == "ACTIVE":
            execution.state = "CANCELLED"
            self._left(execution)

    def _environment(self, workflow: str, execution: str) -> dict[str, str]:
        """https://cloud.google.com/workflows/docs/reference/environment-variables"""
        return {
            "GOOGLE_CLOUD_PROJECT_ID": self.name,
            "GOOGLE_CLOUD_PROJECT_NUMBER": "123456789",
            "GOOGLE_CLOUD_LOCATION": self.location,
            "GOOGLE_CLOUD_WORKFLOW_ID": workflow,
            "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": "000001-a4d",
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": execution,
            "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ATTEMPT": "1",
            "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": f"runner@{self.name}.iam.gserviceaccount.com",
        }

    def _left(self, execution: Execution) -> None:
        """Nothing of an execution goes on."""
        self._ready = [entry for entry in self._ready if entry[0].execution is not execution]
        self._callbacks.close(execution.name)
        for told in execution.ended:
            told()

    def _too_old(self, thread: _Thread) -> None:
        if thread.execution.state == "ACTIVE":
            self._fail(thread.execution, Limited("TimeoutError", "the execution is a year old"))

    def _fail(self, execution: Execution, limit: Limited) -> None:
        execution.error = {"tags": [limit.tag], "message": limit.message}
        execution.state = "FAILED"
        self._left(execution)

    def _end(self, thread: _Thread, error: Value) -> None:
        """The first thread of an execution has ended."""
        execution = thread.execution
        execution.state = "SUCCEEDED" if error is None else "FAILED"
        execution.error = error
        if error is None:
            try:
                text = to_json(thread.result, self._doubts)
                execution.result = from_json(text, self._doubts)
            except WorkflowError as no_json:
                execution.state, execution.error = "FAILED", no_json.value
        self._left(execution)

    def _resume(self, thread: _Thread, value: Value, error: WorkflowError | None) -> None:
        """Run a thread until it waits or ends."""
        thread.waits += 1
        try:
            wait = thread.work.send(value) if error is None else thread.work.throw(error)
        except StopIteration as stop:
            thread.result = from_python(stop.value, self._doubts)
            thread.done(None)
        except WorkflowError as raised:
            thread.done(raised.value)
        except Limited as limit:
            self._fail(thread.execution, limit)
        else:
            self._wait(thread, wait)

    def _go_on(
        self, thread: _Thread, value: Value = None, error: WorkflowError | None = None
    ) -> None:
        if thread.execution.state == "ACTIVE":
            self._ready.append((thread, value, error))

    def _wait(self, thread: _Thread, wait: Wait) -> None:
        match wait:
            case Pause():
                self._go_on(thread)
            case Until(time=time):
                self.at(time, lambda: self._go_on(thread))
            case Sent():
                self._send(thread, wait)
            case Callback():
                self._call_back(thread, wait)
            case Fork(branches=branches, limit=limit):
                waiting = list(enumerate(work for _, work in branches))
                if self.in_order:
                    waiting.reverse()  # the last one goes first
                else:
                    self._chance.shuffle(waiting)
                self._joins.append(_Join(thread, waiting, limit, [None] * len(branches)))
                thread.execution.running_branches -= thread.branch
                thread.execution.threads += len(branches)
                self._fill(thread.execution)
            case Called(workflow=workflow, argument=argument):
                self._start_child(thread, workflow, argument)

    def _send(self, thread: _Thread, sent: Sent) -> None:
        number, over = thread.waits, self.clock + sent.timeout

        def come(answer: Response | Failure | None) -> None:
            if thread.waits == number and thread.execution.state == "ACTIVE":
                thread.waits += 1
                self._arrived(thread, answer, sent.timeout)

        answer = self.router.send(sent.request)
        self.at(over, lambda: come(None))
        if isinstance(answer, Later):
            answer.then(come)
        else:
            self.at(self.clock + answer.after, lambda: come(answer))

    def _arrived(self, thread: _Thread, answer: Response | Failure | None, timeout: float) -> None:
        """The answer of a request; None: it did not come in time."""
        if answer is None:
            late = failure("TimeoutError", f"no response within {timeout} seconds")
            self._go_on(thread, error=late)
        elif isinstance(answer, Failure):
            self._go_on(thread, error=failure(answer.tag, "the connection failed"))
        else:
            try:
                self._go_on(thread, outcome(answer, self._doubts))
            except WorkflowError as error:
                self._go_on(thread, error=error)
            except Limited as limit:
                self._fail(thread.execution, limit)

    def _call_back(self, thread: _Thread, wait: Callback) -> None:
        execution = thread.execution
        if wait.timeout < 0:
            prefix = (
                "https://workflowexecutions.googleapis.com/v1/projects/"
                f"{self.name}/locations/{self.location}/workflows/{execution.workflow}"
                f"/executions/{execution.name}/callbacks/"
            )
            self._go_on(thread, self._callbacks.create(prefix, wait.url, execution.name))
            return
        number = thread.waits

        def come(value: Value, error: WorkflowError | None) -> None:
            if thread.waits == number:
                thread.waits += 1
                self._go_on(thread, value, error)

        problem = self._callbacks.expect(wait.url, execution.name, come)
        if problem is not None:
            self._go_on(thread, error=problem)
            return
        late = failure("TimeoutError", f"no callback within {wait.timeout} seconds")

        def expire() -> None:
            if thread.waits == number and execution.state == "ACTIVE":
                self._callbacks.forget(wait.url)
                come(None, late)

        self.at(self.clock + wait.timeout, expire)

    def _fill(self, execution: Execution) -> None:
        """Start branches that wait, as many as may run at once."""
        for join in self._joins:
            if join.parent.execution is not execution:
                continue
            while (
                join.waiting
                and execution.running_branches < value_of("concurrent_branches")
                and (join.limit is None or join.running < join.limit)
            ):
                at, work = join.waiting.pop()
                join.running += 1
                execution.running_branches += 1
                thread = _Thread(execution, work, self._joined(join, at), branch=True)
                self._go_on(thread)

    def _joined(self, join: _Join, at: int) -> Callable[[Value], None]:
        def done(error: Value) -> None:
            execution = join.parent.execution
            join.errors[at] = error
            join.running -= 1
            execution.running_branches -= 1
            execution.threads -= 1
            if not join.running and not join.waiting:
                self._joins.remove(join)
                execution.running_branches += join.parent.branch
                self._go_on(join.parent, join.errors)
            self._fill(execution)

        return done

    def _start_child(self, thread: _Thread, workflow: str, argument: Value) -> None:
        if workflow not in self._workflows:
            message = f"there is no workflow {workflow}"
            self._go_on(thread, error=failure("HttpError", message, code=404))
            return
        try:
            child = self.start(workflow, argument)
        except WorkflowError as error:
            self._go_on(thread, error=error)
            return
        child.ended.append(lambda: self._child_ended(thread, child))

    def _child_ended(self, thread: _Thread, child: Execution) -> None:
        if child.state == "SUCCEEDED":
            self._go_on(thread, child.result)
            return
        # https://cloud.google.com/workflows/docs/connectors: the tag and these two fields.
        lax: Value = child.error
        about: Value = Undocumented("the error of a child execution") if self.strict else lax
        message = "the execution of the child workflow failed"
        error = failure("OperationError", message, operation=about, error=about)
        self._go_on(thread, error=error)
