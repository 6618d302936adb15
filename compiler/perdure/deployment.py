"""The contract between the command line and a target that deploys: `perdure plan|deploy|...`.

A deployer reads the artifacts of `compile`, never the IR, and talks to the cloud. Everything it
does may be interrupted anywhere and repeated. It says what it does, line by line, and answers
with data for programs and lines for people.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, final

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.project import Environment, Project
    from perdure.runtime.clients import Client
    from perdure.runtime.engine import Outcome
    from perdure.store.protocol import RunRecord, RunStore

__all__ = [
    "Answer",
    "CloudRefused",
    "DeployError",
    "Deployer",
    "Place",
    "Runs",
    "Say",
    "SecretStore",
    "UnknownEnvironment",
    "find_place",
    "load_deployer",
]

GROUP = "perdure.deployers"
BUILT_IN: Mapping[str, str] = {
    "aws": "perdure_aws.deploy:deployer",
    "azure": "perdure_azure.deploy:deployer",
    "gcp": "perdure_gcp.deploy:deployer",
}
"""Deployers of this distribution, so that finding them needs no scan of what is installed."""

type Say = Callable[[str], None]
"""Takes a line about what is being done."""


class DeployError(Exception):
    """What stopped a deployment, and what to do; for people."""


class CloudRefused(DeployError):  # noqa: N818
    """The cloud does not let these credentials, does not know them, or cannot be reached."""


class UnknownEnvironment(DeployError):  # noqa: N818
    """`[tool.perdure.env]` has no environment of this name, or one that cannot be deployed to."""


@final
class Place(NamedTuple):
    """A project and one of its environments."""

    project: "Project"
    environment: "Environment"

    @property
    def name(self) -> str:
        """What the project is called where it is deployed."""
        return self.project.settings.name or self.project.root.name


@final
class Answer(NamedTuple):
    """What a verb found or did."""

    data: Mapping[str, object]
    """For programs; made of what JSON has."""
    lines: tuple[str, ...]
    """For people."""
    done: bool = True
    """False: it was refused, or something is left to do."""


class Runs(Protocol):
    """The runs of a deployed environment, as the verbs on runs see them."""

    @property
    def store(self) -> "RunStore":
        """Its run store."""
        ...

    @property
    def client(self) -> "Client":
        """What `Flow.start` and `Handle` use."""
        ...

    def start(self, flow: str, arguments: "Mapping[str, Json]", run: str) -> None:
        """Start a run under this id, or find the one there is; RunConflict for another one."""
        ...

    def send(self, run: str, event: str, payload: "Json", *, id: str) -> None:
        """Store an event, and wake who waits for it."""
        ...

    def wake(self, run: str) -> None:
        """Wake whoever in a run waits for what has come; who was woken already stays as it is."""
        ...

    def outcome(self, run: str) -> "Outcome | None":
        """How a run ended, None while it goes on."""
        ...

    def cancel(self, run: str, *, at_once: bool) -> None:
        """Ask a run to cancel; `at_once`: end it without the flow's cleanup."""
        ...

    def happened(self, record: "RunRecord") -> "Happened":
        """What a run did so far."""
        ...


@final
class Happened(NamedTuple):
    """What a run did: records of its operations and logs, in the order in which they ended."""

    operations: "tuple[Mapping[str, Json], ...]"
    logs: "tuple[Mapping[str, Json], ...]"
    decisions: "tuple[Mapping[str, Json], ...]"


class SecretStore(Protocol):
    """Where the secrets of one environment lie. No value ever comes out of it here."""

    def present(self, names: Sequence[str]) -> frozenset[str]:
        """Those of the names that are set."""
        ...

    def put(self, name: str, value: str) -> bool:
        """Set a secret, whatever it was before; whether it is new."""
        ...

    def remove(self, name: str) -> bool:
        """Delete a secret; whether it was there."""
        ...


class Deployer(Protocol):
    """What a target does about environments."""

    def package(self, place: Place, say: Say) -> Answer:
        """Build what is deployed, with the project's dependencies."""
        ...

    def plan(self, place: Place, say: Say) -> Answer:
        """What `deploy` would change."""
        ...

    def deploy(self, place: Place, say: Say, *, weight: int = 100) -> Answer:
        """Bring the environment to what was compiled; `weight` percent of new runs go there."""
        ...

    def rollback(self, place: Place, say: Say, *, flow: str | None, to: int | None) -> Answer:
        """Start new runs on an older version: that before the newest, or `to`."""
        ...

    def status(self, place: Place, say: Say) -> Answer:
        """What is deployed."""
        ...

    def destroy(
        self, place: Place, say: Say, *, flow: str | None, with_runs: bool, with_data: bool
    ) -> Answer:
        """Remove the environment, or one flow; runs under way and kept data only if asked to."""
        ...

    def connect(self, place: Place) -> Runs:
        """Its runs."""
        ...

    def secrets(self, place: Place) -> SecretStore:
        """Its secrets; they may be set before the first deploy."""
        ...


def load_deployer(target: str) -> Deployer:
    """The deployer of a target; DeployError if there is none, or its packages are missing."""
    from importlib import import_module

    from perdure.diagnostics import nearest

    try:
        if target in BUILT_IN:
            module, _, attribute = BUILT_IN[target].partition(":")
            deployer: Deployer = getattr(import_module(module), attribute)
            return deployer
        from importlib.metadata import entry_points

        for entry in entry_points(group=GROUP, name=target):
            loaded: Deployer = entry.load()
            return loaded
    except ModuleNotFoundError as error:
        raise DeployError(
            f"`{error.name}` is not installed: add `perdure[{target}]` to the project"
        ) from None
    known = {*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))}
    meant = nearest(target, known)
    hint = f"; the nearest is `{meant}`" if meant else f", only to {', '.join(sorted(known))}"
    raise DeployError(f"there is nothing that deploys to `{target}`{hint}")


def find_place(start: Path, name: str) -> Place:
    """The environment of that name, of the project that a path belongs to."""
    from perdure.diagnostics import Report, nearest
    from perdure.project import find_project

    report = Report()
    project = find_project(start, report)
    if not report.ok:
        raise UnknownEnvironment(
            "the settings in pyproject.toml are wrong; `perdure check` says where"
        )
    known = project.settings.environments
    if name in known:
        return Place(project, known[name])
    meant = nearest(name, known)
    hint = (
        f"the nearest is `{meant}`"
        if meant
        else f'write `[tool.perdure.env.{name}]` with `target = "aws"`'
    )
    raise UnknownEnvironment(f"there is no environment `{name}`; {hint}")
