"""One execution of a workflow: its state, what it may use, and what it leaves behind."""

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, final

from perdure_gcp.workflows.environment import Memory
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import Doubts, Limited
from perdure_gcp.workflows.syntax import Program
from perdure_gcp.workflows.values import Value

__all__ = ["Entry", "Execution", "Identity", "Logged", "State", "Surroundings"]

type State = Literal["ACTIVE", "SUCCEEDED", "FAILED", "CANCELLED"]


@final
class Entry(NamedTuple):
    """A step that was executed, as `stepEntries` shows it."""

    routine: str
    step: str
    kind: str
    """STEP_ASSIGN, STEP_CALL, ... as the API names them."""
    time: float


@final
class Logged(NamedTuple):
    """What sys.log wrote."""

    severity: str
    data: Value


@final
class Identity(NamedTuple):
    """The id of an execution, and the workflow it is of."""

    name: str
    workflow: str


@final
class Surroundings(NamedTuple):
    """What an execution gets from its project."""

    environment: Mapping[str, str]
    clock: Callable[[], float]
    doubts: Doubts
    seed: str


@final
class Execution:
    """An execution; also the `World` of its expressions."""

    def __init__(self, identity: Identity, program: Program, world: Surroundings) -> None:
        self.name = identity.name
        self.workflow = identity.workflow
        self.program = program
        self.doubts = world.doubts
        self.order = random.Random(f"{world.seed}/order")
        self.state: State = "ACTIVE"
        self.result: Value = None
        self.error: Value = None
        """What was raised, when the execution failed."""
        self.steps = 0
        self.history: list[Entry] = []
        self.logs: list[Logged] = []
        self.memory = Memory()
        self.threads = 1
        self.running_branches = 0
        self.ended: list[Callable[[], None]] = []
        """Called when the execution ends."""
        self._environment = world.environment
        self._clock = world.clock
        self._random = random.Random(f"{world.seed}/uuid")
        self._most_steps = value_of("steps")

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock()

    def environment(self, name: str) -> str | None:
        """A variable of the environment."""
        return self._environment.get(name)

    def uuid(self) -> str:
        """A new UUID, the same for the same seed."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def count(self, routine: str, step: str, kind: str) -> None:
        """One more step is executed; too many end the execution."""
        self.steps += 1
        self.history.append(Entry(routine, step, kind, self.now()))
        if self.steps > self._most_steps:
            message = f"more than {self._most_steps:,} steps"
            raise Limited("ResourceLimitError", message)
