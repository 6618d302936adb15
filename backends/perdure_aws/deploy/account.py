# pyright: reportUnknownMemberType=false
# (the stubs know `client` by the names of all services, also of those that are not installed)
"""The account and region of an environment, and clients for it. A wrong account is refused."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from perdure.deployment import CloudRefused, DeployError, Place
from perdure_aws.deploy.refusals import explained, tell_refusals

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_stepfunctions import SFNClient

__all__ = ["Account", "SecretsManager", "code_of", "message_of"]


class SecretPage(TypedDict, total=False):
    """A page of ListSecrets."""

    SecretList: Sequence[Mapping[str, object]]
    NextToken: str


class SecretsManager(Protocol):
    """The part of Secrets Manager's client that is used here; its stubs are not installed."""

    def describe_secret(self, *, SecretId: str) -> Mapping[str, object]:  # noqa: N803  (AWS's name)
        """DescribeSecret."""
        ...

    def create_secret(
        self,
        *,
        Name: str,  # noqa: N803
        SecretString: str,  # noqa: N803
        Tags: Sequence[Mapping[str, str]],  # noqa: N803
    ) -> object:
        """CreateSecret."""
        ...

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> object:  # noqa: N803
        """PutSecretValue."""
        ...

    def list_secrets(
        self,
        *,
        Filters: Sequence[Mapping[str, object]],  # noqa: N803
        NextToken: str = ...,  # noqa: N803
    ) -> SecretPage:
        """ListSecrets."""
        ...

    def delete_secret(
        self,
        *,
        SecretId: str,  # noqa: N803
        ForceDeleteWithoutRecovery: bool = ...,  # noqa: N803
    ) -> object:
        """DeleteSecret."""
        ...

    def restore_secret(self, *, SecretId: str) -> object:  # noqa: N803
        """RestoreSecret."""
        ...


IMPATIENCE = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 5})


@final
class Account:
    """Clients of one account in one region."""

    def __init__(self, place: Place) -> None:
        environment = place.environment
        where = f"[tool.perdure.env.{environment.name}]"
        if not environment.region:
            raise DeployError(f'{where} says no region: write `region = "eu-central-1"`, say')
        self.region = environment.region
        self._session = self._signed_in()
        self.id = self._identity()
        if not environment.account:
            raise DeployError(
                f"{where} says no account, and these credentials are of {self.id}: write"
                f' `account = "{self.id}"` if that is meant'
            )
        if self.id != environment.account:
            raise CloudRefused(
                f"these credentials are of account {self.id}, and {where} says"
                f" {environment.account}: choose others, with AWS_PROFILE for example"
            )

    def _signed_in(self) -> boto3.Session:
        try:
            session = boto3.Session(region_name=self.region)
        except BotoCoreError as error:
            raise explained(error, self.region) or error from None
        tell_refusals(session, self.region)
        return session

    def _identity(self) -> str:
        try:
            client = self._session.client("sts", config=PATIENCE)
            return str(client.get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            refused = explained(error, self.region)
            raise refused or CloudRefused(f"AWS does not say who you are: {error}") from None

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """Stacks."""
        return self._session.client("cloudformation", config=PATIENCE)

    def other_regions(self) -> tuple[str, ...]:
        """The regions of the same partition beside this one, as botocore knows them."""
        partition = self._session.get_partition_for_region(self.region)
        known = self._session.get_available_regions("cloudformation", partition_name=partition)
        return tuple(region for region in sorted(known) if region != self.region)

    def cloudformation_in(self, region: str) -> "CloudFormationClient":
        """Stacks of another region; it is asked once, and not for long."""
        return self._session.client("cloudformation", region_name=region, config=IMPATIENCE)

    @cached_property
    def s3(self) -> "S3Client":
        """Code and definitions."""
        return self._session.client("s3", config=PATIENCE)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The run store."""
        return self._session.client("dynamodb", config=PATIENCE)

    @cached_property
    def secretsmanager(self) -> "SecretsManager":
        """Secrets."""
        session: Any = self._session  # Any: a client without stubs
        found: SecretsManager = session.client("secretsmanager", config=PATIENCE)
        return found

    @cached_property
    def functions(self) -> "LambdaClient":
        """Functions and their versions."""
        return self._session.client("lambda", config=PATIENCE)

    @cached_property
    def stepfunctions(self) -> "SFNClient":
        """Machines and executions."""
        return self._session.client("stepfunctions", config=PATIENCE)


def code_of(error: ClientError) -> str:
    """The code of a refusal, as the service spells it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    """What the service says."""
    return str(error.response.get("Error", {}).get("Message", ""))
