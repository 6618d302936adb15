"""Secrets of an environment in Key Vault: whether they are there, and setting them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, final

from perdure.deployment import DeployError
from perdure_azure.arm.flow import kept_as
from perdure_azure.deploy import seams
from perdure_azure.deploy.account import KEY_VAULT, Account, NotThere

__all__ = ["AzureSecrets", "missing_lines"]

VERSION: Final = {"api-version": "7.6"}


@final
class AzureSecrets:
    """See `perdure.deployment.SecretStore`. `vault` is "" before there is one."""

    def __init__(self, account: Account, vault: str, environment: str) -> None:
        self._account = account
        self._vault = vault.rstrip("/")
        self._environment = environment

    def present(self, names: Sequence[str]) -> frozenset[str]:
        """Those that have a value; of the values nothing is asked."""
        listed = set(self.kept()) if self._vault and names else set[str]()
        return frozenset(name for name in names if kept_as(name) in listed)

    def put(self, name: str, value: str) -> bool:
        """A new version of a secret, or a new secret."""
        if not self._vault:
            raise DeployError(
                f"`{self._environment}` has no vault yet: run `perdure deploy {self._environment}`"
                " first, then set its secrets"
            )
        is_new = name not in self.present([name])
        url = f"{self._vault}/secrets/{kept_as(name)}"
        self._recover(kept_as(name))
        self._account.send("PUT", url, KEY_VAULT, {"value": value}, VERSION)
        return is_new

    def remove(self, name: str) -> bool:
        """Delete a secret; for seven days, until that is done, `put` brings its name back."""
        if name not in self.present([name]):
            return False
        url = f"{self._vault}/secrets/{kept_as(name)}"
        self._account.send("DELETE", url, KEY_VAULT, None, VERSION)
        return True

    def kept(self) -> tuple[str, ...]:
        """What all secrets are called in the vault."""
        names: list[str] = []
        url, query = f"{self._vault}/secrets", dict(VERSION)
        while url:
            page = self._account.send("GET", url, KEY_VAULT, None, query)
            rows = page.get("value")
            found = (one for one in (rows if isinstance(rows, list) else ()))
            names += [str(one["id"]).rpartition("/")[2] for one in found if isinstance(one, dict)]
            url, query = str(page.get("nextLink") or ""), {}
        return tuple(sorted(names))

    def _recover(self, called: str) -> None:
        """One that was deleted and is not purged yet is in the way of its own name."""
        url = f"{self._vault}/deletedsecrets/{called}"
        try:
            self._account.send("GET", url, KEY_VAULT, None, VERSION)
        except NotThere:
            return
        self._account.send("POST", f"{url}/recover", KEY_VAULT, None, VERSION)
        while called not in self.kept():
            seams.pause()


def missing_lines(missing: Iterable[str], environment: str) -> Iterator[str]:
    """What to type for each."""
    for name in missing:
        yield (
            f"the secret {name} is missing: `perdure secrets set {environment} {name}`"
            " before a run reads it"
        )
