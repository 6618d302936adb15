"""The code of a Lambda function: see `perdure.deploying.packages`."""

from perdure.deploying import packages
from perdure.deploying.packages import Package, Runtime, zipped
from perdure.deployment import Place, Say
from perdure_aws.deploy.releases import Release

__all__ = ["UNZIPPED_BYTES", "package"]

UNZIPPED_BYTES = 262_144_000
"""250 MB of a function, unzipped (lambda/latest/dg/gettingstarted-limits.html, 2026-11-23)."""
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
"""Lambda's runtimes of Python 3.12 and later are Amazon Linux 2023: glibc 2.34."""


def package(place: Place, release: Release, say: Say) -> Package:
    """Build the zip of a flow, or take the one that is there."""
    architecture = place.environment.architecture
    platform, python = PLATFORMS[architecture], str(release.about["python"])
    runtime = Runtime("Lambda", python, platform, architecture, UNZIPPED_BYTES, zipped)
    return packages.package(place, release.flow, release.bundle, runtime, say)
