"""The verbs of the command line, each handed to the module that does it."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from botocore.exceptions import BotoCoreError, ClientError

from perdure.deployment import Answer, DeployError, Place, Runs, Say, SecretStore
from perdure_aws.deploy.deploying import deploy, prepare, rollback
from perdure_aws.deploy.destroying import destroy
from perdure_aws.deploy.planning import plan, status

__all__ = ["AwsDeployer"]


@final
class AwsDeployer:
    """See `perdure.deployment.Deployer`."""

    def package(self, place: Place, say: Say) -> Answer:
        """Build the zips."""
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
        with _told():
            return plan(place, say)

    def deploy(self, place: Place, say: Say, *, weight: int = 100) -> Answer:
        """Bring the environment to what was compiled."""
        with _told():
            return deploy(place, say, weight)

    def rollback(self, place: Place, say: Say, *, flow: str | None, to: int | None) -> Answer:
        """Start new runs on an older version."""
        with _told():
            return rollback(place, say, flow, to)

    def status(self, place: Place, say: Say) -> Answer:
        """What is deployed."""
        with _told():
            return status(place, say)

    def destroy(
        self, place: Place, say: Say, *, flow: str | None, with_runs: bool, with_data: bool
    ) -> Answer:
        """Remove what is deployed."""
        with _told():
            return destroy(place, say, flow, with_runs=with_runs, with_data=with_data)

    def connect(self, place: Place) -> Runs:
        """The runs of an environment."""
        from perdure_aws.deploy.runs import AwsRuns

        with _told():
            return AwsRuns(place)

    def secrets(self, place: Place) -> SecretStore:
        """The secrets of an environment."""
        from perdure_aws.deploy.account import Account
        from perdure_aws.deploy.secrets import AwsSecrets

        with _told():
            return AwsSecrets(place, Account(place))


@contextmanager
def _told() -> Generator[None]:
    """What AWS refuses is said as it says it; what was done stays, and the verb can be repeated."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise DeployError(f"AWS: {error}; the same command goes on from here") from error
