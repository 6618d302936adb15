"""The zip of an app: the newest release, and beside it each older one that is still needed."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple, final

from perdure.codec.text import Json
from perdure.deploying.packages import zipped
from perdure_azure.deploy.ledger import Listed
from perdure_azure.releases import FOLDER, LISTED, Functions, Releases

__all__ = ["Zip", "zip_of_app"]

COPY: Final = "source.json"
"""What releases keep for who reads runs; apps do without."""


@final
class Zip(NamedTuple):
    """A zip, and what it is called."""

    content: bytes
    digest: str


def zip_of_app(
    newest: Mapping[str, bytes],
    name: str,
    live: tuple[tuple[str, int], ...],
    older: tuple[Listed, ...],
    files_of: Callable[[str], Mapping[str, bytes]],
) -> Zip:
    """`newest` are the files of the release `name`; `files_of` gives those of an older one."""
    listed = Releases(name, live, {one.name: _functions(one.about) for one in older})
    files = {**_app(newest), LISTED: listed.text().encode()}
    for one in older:
        for path, content in _app(files_of(one.name)).items():
            files[f"{FOLDER}/{one.name}/{path}"] = content
    whole = sha256()
    for path in sorted(files):
        whole.update(f"{path}\0{sha256(files[path]).hexdigest()}\n".encode())
    return Zip(zipped(files), whole.hexdigest())


def _app(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path != COPY}


def _functions(about: Mapping[str, Json]) -> Functions:
    return Functions(_names(about, "orchestrators"), _names(about, "activities"))


def _names(about: Mapping[str, Json], kind: str) -> tuple[str, ...]:
    found = about.get(kind)
    return tuple(map(str, found)) if isinstance(found, list) else ()
