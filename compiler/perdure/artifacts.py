"""What a compilation leaves on disk: written only where it changed, and nothing stale left behind.

Each flow of a target has a folder of its own with a `manifest.json` that lists the files perdure
wrote there, so that a later compilation removes those it no longer makes and touches no others.
It names the source file too: a flow of the same name in another file does not take its place.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal, NamedTuple, TypeGuard, final

from perdure.diagnostics import InternalError

__all__ = ["MANIFEST", "Change", "changes", "is_ours", "removals", "source_of", "write"]

MANIFEST: Final = "manifest.json"
VERSION: Final = 1


@final
class Change(NamedTuple):
    """One file that differs: `content` is what belongs there, None for a file to remove."""

    path: Path
    content: bytes | None
    kind: Literal["new", "changed", "stale"]


def changes(folder: Path, artifacts: Mapping[str, bytes | str], source: str) -> tuple[Change, ...]:
    """What has to happen in a folder so that it holds these artifacts, in the order of paths.

    `source`: the file that the flow stands in, from the project root.
    """
    wanted = _with_manifest(artifacts, source)
    found: list[Change] = []
    for name, content in wanted.items():
        before = _read(folder / name)
        if before != content:
            found.append(Change(folder / name, content, "new" if before is None else "changed"))
    kept = {folder / name for name in wanted}
    found += [Change(path, None, "stale") for path in _listed(folder) if path not in kept]
    return tuple(sorted(found, key=lambda change: change.path))


def removals(folder: Path) -> tuple[Change, ...]:
    """What has to go so that nothing of ours is left in a folder."""
    found = [*_listed(folder), *([folder / MANIFEST] if is_ours(folder) else [])]
    return tuple(Change(path, None, "stale") for path in sorted(found))


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a compiled flow."""
    return _manifest(folder) is not None


def source_of(folder: Path) -> str | None:
    """The source file of the flow that a folder holds compiled, from its project's root."""
    manifest = _manifest(folder)
    return manifest.source if manifest else None


def write(found: tuple[Change, ...], root: Path) -> None:
    """Make the changes; each file is replaced as a whole, and empty folders below `root` go."""
    for path, content, _ in found:
        if content is None:
            path.unlink(missing_ok=True)
            _remove_empty(path.parent, root)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, content)


@final
class _Manifest(NamedTuple):
    files: Mapping[str, str]
    """Digests by path."""
    source: str | None
    """None in manifests that were written before it was noted."""


def _with_manifest(artifacts: Mapping[str, bytes | str], source: str) -> Mapping[str, bytes]:
    import hashlib
    import json

    wanted: dict[str, bytes] = {}
    for path in sorted(artifacts):
        if not _is_inside(path) or path == MANIFEST:
            raise InternalError(f"{path!r} is no place for an artifact", during="write")
        content = artifacts[path]
        wanted[path] = content.encode() if isinstance(content, str) else content
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in wanted.items()}
    manifest = {
        "perdure": "artifacts",
        "version": VERSION,
        "source": source,
        "files": digests,
    }
    return wanted | {MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}


def _listed(folder: Path) -> list[Path]:
    """The files that our manifest lists and nobody has changed since."""
    import hashlib

    found: list[Path] = []
    manifest = _manifest(folder)
    for name, digest in manifest.files.items() if manifest else ():
        content = _read(folder / name)
        if content is not None and hashlib.sha256(content).hexdigest() == digest:
            found.append(folder / name)
    return found


def _manifest(folder: Path) -> _Manifest | None:
    import json

    content = _read(folder / MANIFEST)
    if content is None:
        return None
    try:
        manifest: object = json.loads(content)
    except ValueError:
        return None
    if not _is_table(manifest) or manifest.get("perdure") != "artifacts":
        return None
    files = manifest.get("files")
    if manifest.get("version") != VERSION or not _is_table(files):
        return None
    source = manifest.get("source")
    inside = {name: str(digest) for name, digest in files.items() if _is_inside(name)}
    return _Manifest(inside, source if isinstance(source, str) else None)


def _is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether a JSON value is an object; its keys are always text."""
    return isinstance(value, dict)


def _is_inside(path: str) -> bool:
    if "\\" in path or "\0" in path:
        return False
    parts = PurePosixPath(path)
    return bool(parts.parts) and not parts.is_absolute() and ".." not in parts.parts


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
