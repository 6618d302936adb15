"""Secrets of an environment in Secrets Manager: whether they are there, and setting them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import final

from botocore.exceptions import BotoCoreError, ClientError

from perdure.deployment import DeployError, Place
from perdure_aws.deploy.account import Account, code_of
from perdure_aws.deploy.names import secret_name, tags

__all__ = ["AwsSecrets", "missing_lines"]


@final
class AwsSecrets:
    """See `perdure.deployment.SecretStore`."""

    def __init__(self, place: Place, account: Account) -> None:
        self._place = place
        self._client = account.secretsmanager

    def present(self, names: Sequence[str]) -> frozenset[str]:
        """DescribeSecret of each: one that is being deleted is not there."""
        try:
            return frozenset(name for name in names if self._is_there(name))
        except (ClientError, BotoCoreError) as error:
            raise DeployError(f"AWS: {error}") from None

    def put(self, name: str, value: str) -> bool:
        """A new version of a secret, or a new secret. What AWS refuses holds no value."""
        called = secret_name(self._place, name)
        labels = [{"Key": key, "Value": text} for key, text in tags(self._place).items()]
        try:
            if self._is_there(name, restore=True):
                self._client.put_secret_value(SecretId=called, SecretString=value)
                return False
            self._client.create_secret(Name=called, SecretString=value, Tags=labels)
        except (ClientError, BotoCoreError) as error:
            raise DeployError(f"AWS: {error}") from None
        return True

    def kept(self) -> tuple[str, ...]:
        """What all secrets of the environment are called in Secrets Manager."""
        prefix = secret_name(self._place, "")
        named = [{"Key": "name", "Values": [prefix]}]
        page = self._client.list_secrets(Filters=named)
        found = [*page.get("SecretList", ())]
        while (token := page.get("NextToken")) is not None:
            page = self._client.list_secrets(Filters=named, NextToken=token)
            found += page.get("SecretList", ())
        names = (str(one["Name"]) for one in found if "DeletedDate" not in one)
        return tuple(sorted(name for name in names if name.startswith(prefix)))

    def remove(self, name: str) -> bool:
        """Delete a secret; for 30 days, until that is done, `put` brings it back."""
        try:
            if not self._is_there(name):
                return False
            self._client.delete_secret(SecretId=secret_name(self._place, name))
        except (ClientError, BotoCoreError) as error:
            raise DeployError(f"AWS: {error}") from None
        return True

    def remove_kept(self, called: str) -> None:
        """Delete one of `kept` for good; it may be gone already."""
        try:
            self._client.delete_secret(SecretId=called, ForceDeleteWithoutRecovery=True)
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise

    def _is_there(self, name: str, *, restore: bool = False) -> bool:
        called = secret_name(self._place, name)
        try:
            said = self._client.describe_secret(SecretId=called)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return False
            raise
        if "DeletedDate" in said and restore:
            self._client.restore_secret(SecretId=called)
            return True
        return "DeletedDate" not in said


def missing_lines(missing: Iterable[str], environment: str) -> Iterator[str]:
    """What to type for each."""
    for name in missing:
        yield (
            f"the secret {name} is missing: `perdure secrets set {environment} {name}`"
            " before a run reads it"
        )
