"""What a compilation writes, leaves and removes."""

from pathlib import Path

import pytest

from perdure import artifacts
from perdure.diagnostics import InternalError


def _write(folder: Path, files: dict[str, bytes | str]) -> list[tuple[str, str]]:
    found = artifacts.changes(folder, files, "flow.py")
    kinds: list[tuple[str, str]] = [
        (change.path.relative_to(folder).as_posix(), change.kind) for change in found
    ]
    artifacts.write(found, folder.parent)
    return kinds


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "aws" / "main"
    assert _write(folder, {"a.json": "1", "bundle/b.zip": b"2"}) == [
        ("a.json", "new"),
        ("bundle/b.zip", "new"),
        ("manifest.json", "new"),
    ]
    before = (folder / "a.json").stat().st_mtime_ns
    assert _write(folder, {"a.json": "1", "bundle/b.zip": b"2"}) == []
    assert _write(folder, {"a.json": "1", "bundle/b.zip": b"3"}) == [
        ("bundle/b.zip", "changed"),
        ("manifest.json", "changed"),
    ]
    assert (folder / "a.json").stat().st_mtime_ns == before


def test_what_is_no_longer_made_is_removed_with_its_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "main"
    _write(folder, {"a.json": "1", "old/deep/b.json": "2"})
    assert ("old/deep/b.json", "stale") in _write(folder, {"a.json": "1"})
    assert _files(folder) == ["a.json", "manifest.json"]
    assert not (folder / "old").exists()


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    folder = tmp_path / "main"
    _write(folder, {"a.json": "1", "b.json": "2"})
    (folder / "notes.txt").write_text("mine")
    (folder / "b.json").write_text("changed by hand")
    _write(folder, {"a.json": "1"})
    assert _files(folder) == ["a.json", "b.json", "manifest.json", "notes.txt"]


def test_the_removal_of_a_flow_takes_only_what_is_ours(tmp_path: Path) -> None:
    folder = tmp_path / "main"
    _write(folder, {"a.json": "1"})
    assert artifacts.is_ours(folder)
    artifacts.write(artifacts.removals(folder), tmp_path)
    assert not folder.exists()


@pytest.mark.parametrize("listed", ['"../victim"', '"/etc/victim"', '"a/../../victim"', '"x\\\\y"'])
def test_a_manifest_cannot_reach_outside_its_folder(tmp_path: Path, listed: str) -> None:
    folder = tmp_path / "main"
    folder.mkdir()
    (tmp_path / "victim").write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (folder / "manifest.json").write_text(
        f'{{"perdure": "artifacts", "version": 1, "files": {{{listed}: "{empty}"}}}}'
    )
    _write(folder, {"a.json": "1"})
    assert (tmp_path / "victim").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"version": 2}', "\0", '{"files": 3}'])
def test_a_manifest_that_is_not_ours_lists_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    assert not artifacts.is_ours(tmp_path)
    assert artifacts.removals(tmp_path) == ()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../x", "", "manifest.json", "a\\b"])
def test_a_target_cannot_write_outside_its_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(InternalError):
        artifacts.changes(tmp_path, {path: ""}, "flow.py")


def test_the_order_of_artifacts_makes_no_difference(tmp_path: Path) -> None:
    _write(tmp_path / "one", {"a": "1", "b": "2"})
    _write(tmp_path / "two", {"b": "2", "a": "1"})
    manifests = {(tmp_path / name / "manifest.json").read_bytes() for name in ("one", "two")}
    assert len(manifests) == 1
