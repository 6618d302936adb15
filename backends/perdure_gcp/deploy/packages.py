"""The code of a service: see `perdure.deploying.packages`.

Cloud Run takes source without a build as a gzipped tar of all that runs, dependencies included
(https://cloud.google.com/run/docs/deploying-source-code, "without build").
"""

import gzip
import io
import tarfile
from collections.abc import Mapping

from perdure.deploying import packages
from perdure.deploying.packages import Package, Runtime
from perdure.deployment import Place, Say
from perdure_gcp.deploy.releases import Release

__all__ = ["package", "tarred"]

UNPACKED_BYTES = 262_144_000
"""250 MiB of source without a build, from the same page, 2026-11-23."""
PLATFORM = "x86_64-manylinux_2_34"
"""Cloud Run runs x86_64 (https://cloud.google.com/run/docs/container-contract)."""


def package(place: Place, release: Release, say: Say) -> Package:
    """Build the archive of a flow, or take the one that is there."""
    python = str(release.about["python"])
    runtime = Runtime(
        "Cloud Run", python, PLATFORM, "x86_64", UNPACKED_BYTES, tarred, suffix="tar.gz"
    )
    return packages.package(place, release.flow, release.bundle, runtime, say)


def tarred(files: Mapping[str, bytes]) -> bytes:
    """Files as a gzipped tar whose bytes hang on nothing but the files."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as stream:
        stream.write(plain.getvalue())
    return packed.getvalue()
