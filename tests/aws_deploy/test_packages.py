"""The zips that are deployed: locked, for the platform, equal for equal input, not too large."""

import io
import zipfile
from pathlib import Path

import pytest

from perdure.deploying import packages as deploying
from perdure.deploying.packages import Package, zipped
from perdure.deployment import DeployError, Place
from perdure_aws.deploy import packages
from perdure_aws.deploy.packages import package
from perdure_aws.deploy.releases import read_releases
from tests.aws_deploy.projects import change, small


def built(place: Place) -> Package:
    (release,) = read_releases(place)
    return package(place, release, lambda line: None)


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.namelist()


def test_equal_input_gives_equal_bytes(folder: Path) -> None:
    place = small(folder)
    first = built(place)
    content = first.path.read_bytes()
    first.path.unlink()
    second = built(place)
    assert second.path.read_bytes() == content
    assert second.key == first.key


def test_the_order_and_the_time_of_files_do_not_matter() -> None:
    files = {"b.py": b"2", "a.py": b"1"}
    assert zipped(files) == zipped(dict(reversed(files.items())))


def test_another_source_is_another_key(folder: Path) -> None:
    before = built(small(folder)).key
    assert built(change(folder, "n + 1", "n + 2")).key != before


def test_a_zip_holds_the_bundle_and_its_handler(folder: Path) -> None:
    held = names(built(small(folder)).path.read_bytes())
    assert {"perdure_aws/handler.py", "perdure_bundle.json", "app.py"} <= set(held)


def test_what_lambda_does_not_take_is_refused_with_the_largest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = small(folder)
    monkeypatch.setattr(packages, "UNZIPPED_BYTES", 100_000)  # 0.1 MB
    with pytest.raises(DeployError, match=r"Lambda takes 0; the largest: perdure "):
        built(place)


def test_dependencies_that_nobody_locked_are_refused(folder: Path) -> None:
    place = small(folder)
    settings = folder / "pyproject.toml"
    settings.write_text(
        settings.read_text().replace('name = "shop"', 'name = "shop"\ndependencies = ["idna"]')
    )
    with pytest.raises(DeployError, match="depends on idna and nothing is locked: run `uv lock`"):
        built(place)


def test_how_a_package_was_installed_is_left_out() -> None:
    left_out = deploying._is_left_out  # pyright: ignore[reportPrivateUsage]  (the rule itself)
    assert left_out("x-1.dist-info/RECORD")
    assert left_out("x/__pycache__/y.pyc")
    assert left_out("bin/x")
    assert not left_out("x-1.dist-info/METADATA")
    assert not left_out("x/RECORD")
