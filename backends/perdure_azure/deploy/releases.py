"""What was compiled, as it lies on disk: one release per flow, with the code of its app."""

import io
import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, final

from perdure.artifacts import MANIFEST, is_ours
from perdure.codec.text import Json
from perdure.deploying.packages import Runtime, dependencies, zipped
from perdure.deployment import DeployError, Place, Say

__all__ = ["TARGET", "Release", "packed", "read_releases", "unpacked"]

TARGET: Final = "azure"
ABOUT: Final = "perdure_bundle.json"
BESIDE: Final = ("environment.json", "template.json", MANIFEST)
"""What deploys an app and is no part of it; of `source.json` releases keep a copy."""
PLATFORM: Final = "x86_64-manylinux_2_28"
"""Flex Consumption runs on x86-64 Linux."""
UNZIPPED_BYTES: Final = 1_073_741_824
"""No limit is documented; an app of a gigabyte would not start in time."""


@final
class Release(NamedTuple):
    """The artifacts of one flow."""

    flow: str
    folder: Path
    template: str
    environment: str
    """The template of what flows share."""
    files: Mapping[str, bytes]
    """The app, with what the project depends on, and `source.json`."""
    about: Mapping[str, Json]

    @property
    def name(self) -> str:
        """The same again is the same release."""
        whole = sha256()
        for path in sorted(self.files):
            whole.update(f"{path}\0{sha256(self.files[path]).hexdigest()}\n".encode())
        return f"r{whole.hexdigest()[:12]}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of those that its code reads."""
        named = self.about.get("secrets")
        return tuple(map(str, named)) if isinstance(named, list) else ()


def read_releases(place: Place, say: Say) -> tuple[Release, ...]:
    """All flows that were compiled, in alphabetical order."""
    if place.project.settings.azure_sdk != 2:
        raise DeployError(
            "an app of SDK 1 is deployed by hand (docs/azure.md): take `sdk = 1` out of"
            " [tool.perdure.azure] to deploy with SDK 2"
        )
    folder = place.project.out / TARGET
    found = sorted(path for path in folder.iterdir() if is_ours(path)) if folder.is_dir() else []
    if not found:
        raise DeployError(f"nothing is compiled in {folder}: run `perdure compile --target azure`")
    return tuple(_release(place, path, say) for path in found)


def _release(place: Place, folder: Path, say: Say) -> Release:
    try:
        about: dict[str, Json] = json.loads((folder / ABOUT).read_text("utf-8"))
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        template, environment = (files[name].decode() for name in ("template.json", BESIDE[0]))
        app = {name: content for name, content in files.items() if name not in BESIDE}
        runtime = Runtime(
            "Azure Functions", str(about["python"]), PLATFORM, "x86_64", UNZIPPED_BYTES, zipped
        )
    except (OSError, KeyError, ValueError) as error:
        raise DeployError(
            f"{folder} is not whole ({error}): run `perdure compile --target azure`"
        ) from None
    whole = {**dependencies(place, runtime, say), **app}
    return Release(folder.name, folder, template, environment, whole, about)


def packed(files: Mapping[str, bytes]) -> bytes:
    """As one zip, equal for equal files."""
    return zipped(files)


def unpacked(content: bytes) -> dict[str, bytes]:
    """What `packed` was given."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
