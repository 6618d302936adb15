"""`perdure package`: the code of a function, with the dependencies that uv.lock pins.

Comes in: the bundle that `compile` wrote, the project's lock, and what the cloud's runtime is. Goes
out: one archive per flow in `.perdure/packages/`, equal for equal input, built for the function's
Python and platform, not larger than the cloud takes. Its key names what is in it.
"""

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, final

from perdure.deployment import DeployError, Place, Say

__all__ = ["Package", "Runtime", "dependencies", "package", "zipped"]

NEVER = ("perdure",)
"""The bundle has the part of it that runs in a function; the tool and what it needs stay out."""
LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
"""Of `*.dist-info`: what says how it was installed, and differs from time to time."""
EPOCH = (1980, 1, 1, 0, 0, 0)


@final
class Runtime(NamedTuple):
    """Where the code runs: what is unpacked for it, and how much it takes."""

    service: str
    """What takes it, for people: "Lambda"."""
    python: str
    platform: str
    """As uv says it: `x86_64-manylinux_2_34`."""
    architecture: str
    """The same for people."""
    unzipped_bytes: int
    """The most that it takes."""
    archived: "Callable[[Mapping[str, bytes]], bytes]"
    """Files as one archive."""
    suffix: str = "zip"


@final
class Package(NamedTuple):
    """The code of a flow's functions."""

    flow: str
    path: Path
    key: str
    """Where it lies in the bucket."""
    unzipped: int
    size: int


def package(place: Place, flow: str, bundle: Path, runtime: Runtime, say: Say) -> Package:
    """Build the archive of a flow, or take the one that is there."""
    files = dict(dependencies(place, runtime, say))
    with zipfile.ZipFile(bundle) as archive:
        files.update({name: archive.read(name) for name in archive.namelist()})
    unzipped = sum(map(len, files.values()))
    _check_size(flow, unzipped, files, runtime)
    digest = _digest(files)
    path = _folder(place) / f"{flow}-{digest[:16]}.{runtime.suffix}"
    if not path.is_file():
        _write(path, runtime.archived(files))
    key = f"code/{digest}.{runtime.suffix}"
    return Package(flow, path, key, unzipped, path.stat().st_size)


def dependencies(place: Place, runtime: Runtime, say: Say) -> Mapping[str, bytes]:
    """The files of what the project depends on, by path."""
    root = place.project.root
    lock = root / "uv.lock"
    if not lock.is_file():
        _refuse_unlocked(root)
        return {}
    python, platform = runtime.python, runtime.platform
    digest = sha256(lock.read_bytes() + f"{python} {platform}".encode()).hexdigest()
    folder = _folder(place) / f"dependencies-{digest[:16]}"
    if not folder.is_dir():
        wanted = _locked(root)
        named = len(_named(wanted))
        say(f"dependencies: {named} packages for Python {python}, {runtime.architecture}")
        _install(wanted, folder, python, platform)
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


def _install(requirements: str, folder: Path, python: str, platform: str) -> None:
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
            arguments += ["--python-platform", platform, "--python-version", python]
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


def _check_size(flow: str, unzipped: int, files: Mapping[str, bytes], runtime: Runtime) -> None:
    if unzipped <= runtime.unzipped_bytes:
        return
    tops: dict[str, int] = {}
    for name, content in files.items():
        top = name.partition("/")[0]
        tops[top] = tops.get(top, 0) + len(content)
    largest = sorted(tops.items(), key=lambda item: -item[1])[:5]
    listed = ", ".join(f"{name} {size / 1_048_576:.0f} MB" for name, size in largest)
    raise DeployError(
        f"the code of `{flow}` is {unzipped / 1_048_576:.0f} MB unzipped and"
        f" {runtime.service} takes {runtime.unzipped_bytes // 1_048_576}; the largest: {listed}"
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
