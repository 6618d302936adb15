"""Where a project begins, and what its settings may say."""

from pathlib import Path

import pytest

from perdure.diagnostics import Report
from perdure.project import DEFAULTS, Environment, find_project


def _project(folder: Path, settings: str) -> tuple[object, list[tuple[str, str]]]:
    (folder / "pyproject.toml").write_text(settings)
    report = Report()
    project = find_project(folder, report)
    source = report.sources.get("pyproject.toml")
    found = [
        (one.code, source.excerpt(one.span) if source and one.span else "")
        for one in report.diagnostics
    ]
    return project.settings, found


def test_the_nearest_pyproject_upward_is_the_root(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    inner = tmp_path / "flows" / "deep"
    inner.mkdir(parents=True)
    project = find_project(inner / "triage.py", Report())
    assert project.root == tmp_path
    assert project.module_name(inner / "triage.py") == "flows.deep.triage"
    assert project.module_name(inner / "__init__.py") == "flows.deep"
    assert project.display(inner / "triage.py") == "flows/deep/triage.py"


def test_a_file_outside_any_project_has_its_folder_as_root(tmp_path: Path) -> None:
    if any((parent / "pyproject.toml").exists() for parent in tmp_path.parents):
        pytest.fail("the temporary folder lies in a project")
    assert find_project(tmp_path / "flow.py", Report()).root == tmp_path


def test_a_project_that_pins_no_python_is_compiled_for_the_default(tmp_path: Path) -> None:
    project = find_project(tmp_path / "flow.py", Report())
    assert project.settings.python is None
    assert (project.minor, project.python) == ("3.13", (3, 13))


@pytest.mark.parametrize("name", ["a.b.py", "x.y/flow.py"])
def test_a_file_with_a_dot_in_its_path_has_no_module_name(tmp_path: Path, name: str) -> None:
    assert find_project(tmp_path / "flow.py", Report()).module_name(tmp_path / name) is None


def test_every_setting_is_read(tmp_path: Path) -> None:
    settings, found = _project(
        tmp_path,
        """
[tool.perdure]
flows = ["flows", "more.py"]
out = "made"
store = "state/runs.db"
python = "3.14"
pure = ["slugs.slugify"]
env.test = { target = "azure" }

[tool.perdure.env.prod]
target = "aws"
region = "eu-central-1"
account = "123456789012"
""",
    )
    assert not found
    assert settings == DEFAULTS._replace(
        flows=("flows", "more.py"),
        out="made",
        store="state/runs.db",
        python="3.14",
        pure=frozenset({"slugs.slugify"}),
        environments={
            "test": Environment("test", "azure"),
            "prod": Environment("prod", "aws", "eu-central-1", "123456789012"),
        },
    )


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("[tool.perdure]\nflow = []", ("PDR251", "flow")),
        ("[tool.perdure]\nflows = 'x'", ("PDR252", "flows")),
        ("[tool.perdure]\nflows = ['x', 3]", ("PDR252", "flows")),
        ("[tool.perdure]\npython = 3.13", ("PDR252", "python")),
        ("[tool.perdure]\npython = '3.11'", ("PDR252", "python")),
        ("[tool.perdure]\npython = '3.13.1'", ("PDR252", "python")),
        ("[tool.perdure]\nout = ''", ("PDR252", "out")),
        ("[tool.perdure]\nenv = 3", ("PDR252", "env")),
        ("[tool.perdure.env.prod]\nregion = 'x'", ("PDR252", "[tool.perdure.env.prod]")),
        ("[tool.perdure.env.prod]\ntarget='aws'\nregoin = 'x'", ("PDR251", "regoin")),
        ("[tool.perdure.env.prod]\ntarget='aws'\nmemory = '1'", ("PDR252", "memory")),
        ("[tool.perdure.env.prod]\ntarget='aws'\nallow = ['s3']", ("PDR252", "allow")),
        ("[tool.perdure.env.prod]\ntarget='aws'\narchitecture = 'x'", ("PDR252", "architecture")),
        ("[tool.perdure.env.p]\ntarget='a'\ngroups.g.x = 1", ("PDR251", "[tool.perdure.env.p]")),
        ("[tool]\nperdure.fows = []", ("PDR251", "perdure.fows")),
        ("[tool.perdure\nflows = []", ("PDR250", "\n")),
        ("perdure = [\n", ("PDR250", "perdure = [")),
    ],
)
def test_a_wrong_setting_is_shown_where_it_stands(
    tmp_path: Path, settings: str, found: tuple[str, str]
) -> None:
    read, said = _project(tmp_path, settings)
    assert [code for code, _ in said] == [found[0]]
    assert said[0][1] in (found[1], found[1].strip())
    assert read is not None


def test_a_misspelt_setting_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.perdure]\nflow = []\n")
    report = Report()
    find_project(tmp_path, report)
    assert report.diagnostics[0].help == "write `flows`"


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"[tool.perdure]\nx = '\xe9'", b"perdure=" + b"[" * 9999]
)
def test_a_pyproject_that_cannot_be_read_is_a_diagnostic(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(data)
    report = Report()
    assert find_project(tmp_path, report).settings == DEFAULTS
    assert [one.code for one in report.diagnostics] == ["PDR250"]
