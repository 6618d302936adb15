"""Where a project begins, and what its settings may say."""

from pathlib import Path

import pytest

from perdure.diagnostics import Report
from perdure.project import DEFAULTS, Environment, Settings, find_project


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


AWS = "[tool.perdure.env.prod]\ntarget='aws'\n"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
LONG = f"[tool.perdure.env.{'x' * 51}]"


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
        (AWS + "memory = 1", ("PDR252", "memory")),
        (AWS + "memory = 10241", ("PDR252", "memory")),
        (AWS + "[tool.perdure.env.prod.groups.g]\nmemory = 127", ("PDR252", "memory")),
        (AWS + "log_days = 11", ("PDR252", "log_days")),
        (AWS + "alarm_topic = 'alarms'", ("PDR252", "alarm_topic")),
        (AWS + f"region = 'eu-west-1'\nalarm_topic = '{TOPIC}'", ("PDR252", "alarm_topic")),
        ("[tool.perdure.env.my_prod]\ntarget='aws'", ("PDR252", "[tool.perdure.env.my_prod]")),
        (f"[tool.perdure.env.{'x' * 51}]\ntarget='aws'", ("PDR252", LONG)),
        (AWS + "settings = ['A']", ("PDR252", "settings")),
        (AWS + "settings = { MODEL = 3 }", ("PDR252", "settings")),
        (AWS + "settings = { AWS_REGION = 'x' }", ("PDR252", "settings")),
        (AWS + "settings = { perdure_table = 'x' }", ("PDR252", "settings")),
        (AWS + "settings = { 'a-b' = 'x' }", ("PDR252", "settings")),
        (AWS + f"settings = {{ MODEL = '{'x' * 3000}' }}", ("PDR252", "settings")),
        ("[tool.perdure.env.local]\nmemory = 3", ("PDR251", "memory")),
        (
            "[tool.perdure.env.local.settings]\n_X = ''",
            ("PDR252", "[tool.perdure.env.local.settings]"),
        ),
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


def test_what_is_wrong_names_what_is_taken(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(AWS + "log_days = 11\nmemory = 1\n")
    report = Report()
    find_project(tmp_path, report)
    days, memory = report.diagnostics
    assert "from 128 to 10240" in memory.message
    assert memory.help == "write `memory = 128`"
    assert "one of 1, 3, 5, 7, 14, 30, 60" in days.message
    assert days.help in ("write `log_days = 7`", "write `log_days = 14`")


def test_plain_settings_are_read_for_an_environment_and_for_this_machine(tmp_path: Path) -> None:
    text = AWS + "[tool.perdure.env.prod.settings]\nMODEL = 'large'\n"
    settings, found = _project(
        tmp_path, text + "[tool.perdure.env.local]\nsettings.MODEL = 'small'"
    )
    assert not found
    assert isinstance(settings, Settings)
    assert settings.environments["prod"].settings == {"MODEL": "large"}
    assert settings.local == {"MODEL": "small"}
    assert list(settings.environments) == ["prod"], "this machine is nothing to deploy to"


def test_a_target_that_is_not_known_checks_its_settings_itself(tmp_path: Path) -> None:
    _, found = _project(
        tmp_path, "[tool.perdure.env.my_lab]\ntarget = 'lab'\nmemory = 1\nlog_days = 11"
    )
    assert not found


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
