"""The verbs of the command line, each handed to the module that does it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from perdure.deployment import Answer, DeployError, Place, Runs, Say, SecretStore
from perdure_azure.deploy.deploying import deploy, rollback
from perdure_azure.deploy.destroying import destroy
from perdure_azure.deploy.planning import plan, status
from perdure_azure.deploy.refusals import told

__all__ = ["AzureDeployer", "refusing"]


@final
class AzureDeployer:
    """See `perdure.deployment.Deployer`."""

    def package(self, place: Place, say: Say) -> Answer:
        """Build the zips."""
        from perdure_azure.deploy.releases import packed, read_releases

        folder = place.project.root / ".perdure" / "packages"
        folder.mkdir(parents=True, exist_ok=True)
        rows: list[dict[str, object]] = []
        lines: list[str] = []
        for one in read_releases(place, say):
            content, path = packed(one.files), folder / f"{one.flow}-{one.name}.zip"
            path.write_bytes(content)
            unzipped = sum(map(len, one.files.values()))
            key = f"{one.flow}/{one.name}.zip"
            sizes = {"unzipped": unzipped, "size": len(content)}
            rows.append({"flow": one.flow, "path": str(path), "key": key, **sizes})
            lines.append(
                f"{one.flow}: {path.name}, {len(content) / 1_048_576:.1f} MB"
                f" ({unzipped / 1_048_576:.1f} MB unzipped)"
            )
        return Answer({"packages": rows}, tuple(lines))

    def plan(self, place: Place, say: Say) -> Answer:
        """What `deploy` would change."""
        with refusing():
            return plan(place, say)

    def deploy(self, place: Place, say: Say, *, weight: int = 100) -> Answer:
        """Bring the environment to what was compiled."""
        with refusing():
            return deploy(place, say, weight)

    def rollback(self, place: Place, say: Say, *, flow: str | None, to: int | None) -> Answer:
        """Start new runs on an older version."""
        with refusing():
            return rollback(place, say, flow, to)

    def status(self, place: Place, say: Say) -> Answer:
        """What is deployed."""
        with refusing():
            return status(place, say)

    def destroy(
        self, place: Place, say: Say, *, flow: str | None, with_runs: bool, with_data: bool
    ) -> Answer:
        """Remove what is deployed."""
        with refusing():
            return destroy(place, say, flow, with_runs=with_runs, with_data=with_data)

    def connect(self, place: Place) -> Runs:
        """The runs of an environment."""
        from perdure_azure.deploy.runs import AzureRuns

        with refusing():
            return AzureRuns(place)

    def secrets(self, place: Place) -> SecretStore:
        """The secrets of an environment."""
        from perdure_azure.deploy.environment import Environment
        from perdure_azure.deploy.secrets import AzureSecrets

        with refusing():
            environment = Environment(place, _unsaid)
            shared = environment.shared()
            vault = shared.outputs.get("vault", "") if shared else ""
            return AzureSecrets(environment.account, vault, place.environment.name)


@contextmanager
def refusing() -> Generator[None]:
    """What Azure refuses is said as what to do; what was done stays, and the verb can be
    repeated."""
    try:
        yield
    except DeployError:
        raise
    except Exception as error:
        refused = told(error)
        if refused is None:
            raise
        raise refused from error


def _unsaid(line: str) -> None:
    """Progress that nobody waits for."""
