"""The ledger of a flow: its releases, counted from 1, and where new runs start.

It lies beside the releases in storage. The app's zip is pushed before the ledger names a release,
so what the ledger names is always there to run.
"""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple, final

from perdure.codec.text import Json
from perdure.deployment import DeployError
from perdure_azure.deploy.blobs import Blobs

__all__ = ["Ledger", "Ledgers", "Listed"]

FORMAT: Final = 1


@final
class Listed(NamedTuple):
    """A release."""

    number: int
    name: str
    about: Mapping[str, Json]
    """What its bundle says of itself."""


@final
class Ledger(NamedTuple):
    """All of a flow; `package` is the digest of the zip that was pushed last."""

    flow: str
    releases: tuple[Listed, ...]
    """The newest last."""
    live: tuple[tuple[str, int], ...]
    package: str
    version: str | None
    """Of the blob; None: it is not there yet."""

    def webhooks(self, url: str) -> list[str]:
        """Their URLs in an app that is reached at `url`."""
        paths = self.newest.about.get("webhooks") if self.newest is not None else None
        return [f"{url}{path}" for path in paths] if isinstance(paths, list) else []

    @property
    def newest(self) -> Listed | None:
        """That which was deployed last."""
        return self.releases[-1] if self.releases else None

    def release(self, name: str) -> Listed | None:
        """By its name."""
        return next((one for one in self.releases if one.name == name), None)

    def number(self, name: str) -> int:
        """0 of one that is none."""
        found = self.release(name)
        return found.number if found else 0

    def numbered(self, number: int) -> Listed | None:
        """By its number."""
        return next((one for one in self.releases if one.number == number), None)


@final
class Ledgers:
    """Those of an environment."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def read(self, flow: str) -> Ledger:
        """The ledger of a flow; an empty one before its first deploy."""
        found = self._blobs.get(_name(flow))
        if found is None:
            return Ledger(flow, (), (), "", None)
        said = json.loads(found[0])
        if said["format"] != FORMAT:
            raise DeployError(f"the ledger of `{flow}` was written by a newer perdure")
        releases = tuple(Listed(int(n), str(name), about) for n, name, about in said["releases"])
        live = tuple((str(name), int(weight)) for name, weight in said["live"])
        return Ledger(flow, releases, live, str(said["package"]), found[1])

    def write(self, ledger: Ledger) -> Ledger:
        """Write one that was read before; DeployError where another deploy wrote since."""
        said = {
            "format": FORMAT,
            "releases": ledger.releases,
            "live": ledger.live,
            "package": ledger.package,
        }
        content = (json.dumps(said, indent=1) + "\n").encode()
        if self._blobs.put(_name(ledger.flow), content, version=ledger.version):
            return self.read(ledger.flow)
        there = self.read(ledger.flow)
        if there._replace(version=None) != ledger._replace(version=None):
            raise DeployError(
                f"somebody else deployed `{ledger.flow}` meanwhile: look (`perdure status`), then"
                " deploy again"
            )
        return there

    def remove(self, flow: str) -> None:
        """Of a flow that is destroyed, the ledger and its releases."""
        for one in self.read(flow).releases:
            self._blobs.remove(release_blob(flow, one.name))
        self._blobs.remove(_name(flow))


def release_blob(flow: str, release: str) -> str:
    """Where a release lies."""
    return f"{flow}/{release}.zip"


def _name(flow: str) -> str:
    return f"{flow}/ledger.json"
