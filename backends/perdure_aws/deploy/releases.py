"""What was compiled, as it lies on disk: one release per flow."""

import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, final

from perdure.artifacts import is_ours
from perdure.codec import Json
from perdure.deployment import DeployError, Place

__all__ = ["TARGET", "Release", "read_releases"]

TARGET = "aws"
DEFINITION = "definition.asl.json"


@final
class Release(NamedTuple):
    """The artifacts of one flow."""

    flow: str
    folder: Path
    template: str
    store: str
    """The template of the environment."""
    definitions: Mapping[str, str]
    """The machines, by path in the folder."""
    source: bytes
    """The copy of the source that its runs keep."""
    about: Mapping[str, Json]
    """What the bundle says of itself."""

    @property
    def bundle(self) -> Path:
        """The zip without dependencies."""
        return self.folder / "bundle.zip"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of those that its code reads."""
        named = self.about.get("secrets")
        return tuple(map(str, named)) if isinstance(named, list) else ()

    @property
    def prefix(self) -> str:
        """Where the definitions lie in the bucket: another content, another place."""
        listed = json.dumps(self.definitions, sort_keys=True)
        return f"definitions/{sha256(listed.encode()).hexdigest()}"


def read_releases(place: Place) -> tuple[Release, ...]:
    """All flows that were compiled, in alphabetical order."""
    folder = place.project.out / TARGET
    found = sorted(path for path in folder.iterdir() if is_ours(path)) if folder.is_dir() else []
    if not found:
        raise DeployError(f"nothing is compiled in {folder}: run `perdure compile --target aws`")
    return tuple(_release(path) for path in found)


def _release(folder: Path) -> Release:
    try:
        with zipfile.ZipFile(folder / "bundle.zip") as archive:
            about: dict[str, Json] = json.loads(archive.read("perdure_bundle.json"))
        return Release(
            folder.name,
            folder,
            (folder / "template.json").read_text("utf-8"),
            (folder / "store.json").read_text("utf-8"),
            _texts(folder, DEFINITION),
            (folder / "source.json").read_bytes(),
            about,
        )
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DeployError(
            f"{folder} is not whole ({error}): run `perdure compile --target aws`"
        ) from None


def _texts(folder: Path, name: str) -> dict[str, str]:
    """The files of that name, of the flow itself and of those below it."""
    found = sorted(folder.rglob(name))
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in found}
