"""The releases that stand side by side in a deployed app, and which of them a new run goes to.

    function_app.py, host.json, <modules>, perdure/...    the newest release, as it was compiled
    releases.json                                         what this file reads
    releases/<release>/...                                older ones, each whole, while it is needed

Without `releases.json` an app is one that somebody deployed by hand: it has no release.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, final

__all__ = ["FOLDER", "LISTED", "Functions", "Releases", "chosen", "read_releases"]

LISTED: Final = "releases.json"
FOLDER: Final = "releases"
FORMAT: Final = 1


@final
class Functions(NamedTuple):
    """The names of a release's functions."""

    orchestrators: tuple[str, ...]
    activities: tuple[str, ...]


@final
class Releases(NamedTuple):
    """What is in an app."""

    newest: str
    live: tuple[tuple[str, int], ...]
    """Where new runs start: releases, and percents of them."""
    older: Mapping[str, Functions]

    def text(self) -> str:
        """As `releases.json` has it."""
        older = {name: one._asdict() for name, one in sorted(self.older.items())}
        whole = {"format": FORMAT, "newest": self.newest, "live": self.live, "older": older}
        return json.dumps(whole, indent=1) + "\n"


def read_releases(folder: Path) -> Releases | None:
    """What stands in `releases.json`; None where there is none."""
    file = folder / LISTED
    if not file.is_file():
        return None
    said = json.loads(file.read_text("utf-8"))
    if said["format"] != FORMAT:
        raise RuntimeError(f"{LISTED} has format {said['format']}: this perdure reads {FORMAT}")
    older = {
        str(name): Functions(tuple(one["orchestrators"]), tuple(one["activities"]))
        for name, one in said["older"].items()
    }
    live = tuple((str(name), int(weight)) for name, weight in said["live"])
    return Releases(str(said["newest"]), live, older)


def chosen(run: str, live: Sequence[tuple[str, int]]) -> str:
    """The release that a new run starts on: for one id always the same, as long as shares stay."""
    at = int(sha256(run.encode()).hexdigest()[:8], 16) % 100
    for release, weight in live:
        if at < weight:
            return release
        at -= weight
    return live[-1][0]
