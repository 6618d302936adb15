"""The verbs of the command line, each handed to the module that does it."""

from typing import final

from perdure.deployment import Answer, Place, Runs, Say, SecretStore
from perdure_gcp.deploy.deploying import deploy, prepare, rollback
from perdure_gcp.deploy.destroying import destroy
from perdure_gcp.deploy.planning import plan, status

__all__ = ["GcpDeployer"]


@final
class GcpDeployer:
    """See `perdure.deployment.Deployer`."""

    def package(self, place: Place, say: Say) -> Answer:
        """Build the archives."""
        found = [one.package for one in prepare(place, say)]
        rows = [{**one._asdict(), "path": str(one.path)} for one in found]
        lines = [
            f"{one.flow}: {one.path.name}, {one.size / 1_048_576:.1f} MB"
            f" ({one.unzipped / 1_048_576:.1f} MB unzipped)"
            for one in found
        ]
        return Answer({"packages": rows}, tuple(lines))

    def plan(self, place: Place, say: Say) -> Answer:
        """What `deploy` would change."""
        return plan(place, say)

    def deploy(self, place: Place, say: Say, *, weight: int = 100) -> Answer:
        """Bring the environment to what was compiled."""
        return deploy(place, say, weight)

    def rollback(self, place: Place, say: Say, *, flow: str | None, to: int | None) -> Answer:
        """Start new runs on an older version."""
        return rollback(place, say, flow, to)

    def status(self, place: Place, say: Say) -> Answer:
        """What is deployed."""
        return status(place, say)

    def destroy(
        self, place: Place, say: Say, *, flow: str | None, with_runs: bool, with_data: bool
    ) -> Answer:
        """Remove what is deployed."""
        return destroy(place, say, flow, with_runs=with_runs, with_data=with_data)

    def connect(self, place: Place) -> Runs:
        """The runs of an environment."""
        from perdure_gcp.deploy.runs import GcpRuns

        return GcpRuns(place)

    def secrets(self, place: Place) -> SecretStore:
        """The secrets of an environment."""
        from perdure_gcp.deploy.account import Account
        from perdure_gcp.deploy.secrets import GcpSecrets

        return GcpSecrets(place, Account(place, _unsaid).api)


def _unsaid(line: str) -> None:
    """Progress that nobody waits for."""
