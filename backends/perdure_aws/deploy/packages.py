"""`perdure package`: the code of a function, with the dependencies that uv.lock pins.

Comes in: the bundle that `compile` wrote, the project's lock. Goes out: one zip per flow in
`.perdure/packages/`, equal for equal input, built for the function's Python and architecture, not
larger than Lambda takes. Its key names what is in it.
"""

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, final

from perdure.deployment import DeployError, Place, Say
from perdure_aws.deploy.releases import Release

__all__ = ["UNZIPPED_BYTES", "Package", "dependencies", "package", "zipped"]

UNZIPPED_BYTES = 262_144_000
"""250 MB of a function, unzipped (lambda/latest/dg/gettingstarted-limits.html, 2026-11-23)."""
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
"""Lambda's runtimes of Python 3.12 and later are Amazon Linux 2023: glibc 2.34."""
NEVER = ("perdure",)
"""The bundle has the part of it that runs in a function; the tool and what it needs stay out."""
LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
"""Of `*.dist-info`: what says how it was installed, and differs from time to time."""
EPOCH = (1980, 1, 1, 0, 0, 0)


@final
class Package(NamedTuple):
    """The code of a flow's functions."""

    flow: str
    path: Path
    key: str
    """Where it lies in the bucket."""
    unzipped: int
    size: int


def package(place: Place, release: Release, say: Say) -> Package:
    """Build the zip of a flow, or take the one that is there."""
    files = dict(dependencies(place, release, say))
    with zipfile.ZipFile(release.bundle) as archive:
        files.update({name: archive.read(name) for name in archive.namelist()})
    unzipped = sum(map(len, files.values()))
    _check_size(release.flow, unzipped, files)
    digest = _digest(files)
    path = _folder(place) / f"{release.flow}-{digest[:16]}.zip"
    if not path.is_file():
        _write(path, zipped(files))
    return Package(release.flow, path, f"code/{digest}.zip", unzipped, path.stat().st_size)


def dependencies(place: Place, release: Release, say: Say) -> Mapping[str, bytes]:
    """The files of what the project depends on, by path."""
    root = place.project.root
    lock = root / "uv.lock"
    if not lock.is_file():
        _refuse_unlocked(root)
        return {}
    python, architecture = str(release.about["python"]), place.environment.architecture
    digest = sha256(lock.read_bytes() + f"{python} {architecture}".encode()).hexdigest()
    folder = _folder(place) / f"dependencies-{digest[:16]}"
    if not folder.is_dir():
        wanted = _locked(root)
        say(f"dependencies: {len(_named(wanted))} packages for Python {python}, {architecture}")
        _install(wanted, folder, python, architecture)
    return _files(folder)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as a zip whose bytes hang on nothing but the files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def _refuse_unlocked(root: Path) -> None:
    """A project that depends on something says in which version."""
    import tomllib

    file = root / "pyproject.toml"
    if not file.is_file():
        return
    project: dict[str, list[str]] = tomllib.loads(file.read_text("utf-8")).get("project", {})
    needed = [one for one in project.get("dependencies", []) if not one.startswith(NEVER)]
    if needed:
        raise DeployError(
            f"the project depends on {', '.join(needed)} and nothing is locked: run `uv lock`"
        )


def _locked(root: Path) -> str:
    """What uv.lock pins for the project itself, with hashes, as requirements."""
    pruned = [word for name in NEVER for word in ("--prune", name)]
    return _uv(
        ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--quiet", *pruned],
        root,
    )


def _install(requirements: str, folder: Path, python: str, architecture: str) -> None:
    """Unpack wheels of that platform; nothing is built and nothing of theirs is run."""
    made = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        if _named(requirements):
            listed = made / "requirements.txt"
            listed.write_text(requirements)
            arguments = ["pip", "install", "--quiet", "--target", str(made), "--no-deps"]
            arguments += ["--require-hashes", "--only-binary", ":all:", "--link-mode", "copy"]
            arguments += ["--python-platform", PLATFORMS[architecture], "--python-version", python]
            _uv([*arguments, "--requirement", str(listed)], folder.parent)
            listed.unlink()
        os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _uv(arguments: Sequence[str], root: Path) -> str:
    program = shutil.which("uv")
    if program is None:
        raise DeployError("`uv` locks and unpacks dependencies, and is not installed")
    done = subprocess.run(
        [program, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DeployError(f"`uv {arguments[0]}` failed: {done.stderr.strip()}")
    return done.stdout


def _named(requirements: str) -> list[str]:
    """The requirements, without hashes and comments."""
    return [line for line in requirements.splitlines() if line[:1].isalnum()]


def _files(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not _is_left_out(name):
            found[name] = path.read_bytes()
    return found


def _is_left_out(name: str) -> bool:
    parts = name.split("/")
    if "__pycache__" in parts or parts[0] in ("bin", ".lock"):
        return True
    return len(parts) > 1 and parts[-2].endswith(".dist-info") and parts[-1] in LEFT_OUT


def _check_size(flow: str, unzipped: int, files: Mapping[str, bytes]) -> None:
    if unzipped <= UNZIPPED_BYTES:
        return
    tops: dict[str, int] = {}
    for name, content in files.items():
        top = name.partition("/")[0]
        tops[top] = tops.get(top, 0) + len(content)
    largest = sorted(tops.items(), key=lambda item: -item[1])[:5]
    listed = ", ".join(f"{name} {size / 1_048_576:.0f} MB" for name, size in largest)
    raise DeployError(
        f"the code of `{flow}` is {unzipped / 1_048_576:.0f} MB unzipped and Lambda takes 250;"
        f" the largest: {listed}"
    )


def _digest(files: Mapping[str, bytes]) -> str:
    """Of what is in the zip: the bytes of the zip may differ between versions of zlib."""
    whole = sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{sha256(files[name]).hexdigest()}\n".encode())
    return whole.hexdigest()


def _folder(place: Place) -> Path:
    folder = place.project.root / ".perdure" / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(path: Path, content: bytes) -> None:
    made = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    made.write_bytes(content)
    os.replace(made, path)
