"""What was compiled, as it lies on disk: one release per flow."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, final

from perdure.artifacts import is_ours
from perdure.codec import Json
from perdure.deployment import DeployError, Place

__all__ = ["TARGET", "Release", "read_releases"]

TARGET = "gcp"
FORMAT = 1


@final
class Release(NamedTuple):
    """The artifacts of one flow."""

    flow: str
    folder: Path
    deployment: Mapping[str, Json]
    environment: Mapping[str, Json]
    """The resources of the environment."""
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
        named = self.deployment.get("secrets")
        return tuple(map(str, named)) if isinstance(named, list) else ()

    def text(self, path: str) -> str:
        """An artifact."""
        return (self.folder / path).read_text("utf-8")


def read_releases(place: Place) -> tuple[Release, ...]:
    """All flows that were compiled, in alphabetical order."""
    folder = place.project.out / TARGET
    found = sorted(path for path in folder.iterdir() if is_ours(path)) if folder.is_dir() else []
    if not found:
        raise DeployError(f"nothing is compiled in {folder}: run `perdure compile --target gcp`")
    return tuple(_release(path) for path in found)


def _release(folder: Path) -> Release:
    try:
        with zipfile.ZipFile(folder / "bundle.zip") as archive:
            about: dict[str, Json] = json.loads(archive.read("perdure_bundle.json"))
        return Release(
            folder.name,
            folder,
            _document(folder / "deployment.json"),
            _document(folder / "environment.json"),
            (folder / "source.json").read_bytes(),
            about,
        )
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DeployError(
            f"{folder} is not whole ({error}): run `perdure compile --target gcp`"
        ) from None


def _document(path: Path) -> Mapping[str, Json]:
    found: dict[str, Json] = json.loads(path.read_text("utf-8"))
    if found["format"] != FORMAT:
        raise DeployError(f"{path} has format {found['format']}, and this perdure reads {FORMAT}")
    return found
