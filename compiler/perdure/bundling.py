"""What every sites function needs, as one reproducible zip; backends add their own modules.

    perdure/...               the parts that run in a bundle: language, codec, runtime, sites, store
    <project sources>         as they were compiled, under their paths from the project root
    perdure_sites/<flow>.py   the emitted sites of the flow
    perdure_bundle.json       what is in it: format, versions, flow, digests

Equal input gives equal bytes: entries are sorted, stored uncompressed, with one time and one mode.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import perdure
from perdure.codec.text import Json

__all__ = ["FORMAT", "LANGUAGE", "bundle_files", "python_files", "zip_of"]

FORMAT = 1
"""Version of the bundle's layout."""

LANGUAGE = (
    "__init__",
    "cron",
    "durations",
    "errors",
    "language",
    "operations",
    "plain",
    "run_ids",
    "secrets",
    "trace",
    "triggers",
    "webhooks",
    "codec",
    "runtime",
)
"""Modules and packages of `perdure` that run wherever a flow or a step does."""
RUNTIME = (*LANGUAGE, "sites", "store")
"""Those that run in a bundle of sites."""
LEFT_OUT = frozenset({"store/sqlite.py"})
"""Of these packages: what only this machine's own engine uses."""


def bundle_files(
    own: Mapping[str, bytes],
    sources: Mapping[str, str],
    sites: Mapping[str, str],
    about: Mapping[str, Json],
) -> dict[str, bytes]:
    """Content by path: runtime, the target's `own` files, sources, emitted sites, description."""
    files = dict(python_files(Path(perdure.__file__).parent, "perdure", RUNTIME))
    files.update(own)
    files.update({path: text.encode() for path, text in sources.items()})
    files["perdure_sites/__init__.py"] = b""
    files.update({f"perdure_sites/{name}.py": text.encode() for name, text in sites.items()})
    digests = {path: sha256(content).hexdigest() for path, content in sorted(files.items())}
    description = {"format": FORMAT, **about, "files": digests}
    files["perdure_bundle.json"] = (json.dumps(description, indent=1) + "\n").encode()
    return files


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """The files as a zip whose bytes hang on nothing but the files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[path])
    return buffer.getvalue()


def python_files(folder: Path, package: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Path in the bundle, and content, of modules and packages of a package."""
    for name in names:
        root = folder / name
        files = sorted(root.rglob("*.py")) if root.is_dir() else [root.with_suffix(".py")]
        for file in files:
            inside = file.relative_to(folder).as_posix()
            if inside not in LEFT_OUT:
                yield f"{package}/{inside}", file.read_bytes().replace(b"\r\n", b"\n")
