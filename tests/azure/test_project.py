"""The emitted project: its goldens, its bytes, and that it is complete."""

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from perdure.backend import load_target
from perdure.diagnostics import Refused, Report
from perdure.driver import check_source
from perdure.frontend.loader import RefusedError
from perdure_azure.engine.compiled import compiled
from tests.conformance.engines import ROOT

GOLDEN = Path(__file__).with_name("golden")
EXAMPLES = ("agent", "research", "saga", "triage")
RUNTIME = ("perdure/", "perdure_azure/")


def files_of(example: str) -> Mapping[str, str | bytes]:
    return compiled(ROOT / "examples" / f"{example}.py", None).files


def own(files: Mapping[str, str | bytes]) -> dict[str, str]:
    """What is written for the project; the runtime's files by name only."""
    runtime = [path for path in files if path.startswith(RUNTIME)]
    texts = {
        path: content for path, content in files.items() if isinstance(content, str) and content
    }
    return {**texts, "runtime": "".join(f"{path}\n" for path in sorted(runtime))}


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_emitted_as_its_golden_says(example: str, update: bool) -> None:
    folder = GOLDEN / example
    files = own(files_of(example))
    if update:
        for path, text in files.items():
            target = folder / f"{path}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
    found = {
        path.relative_to(folder).as_posix().removesuffix(".txt"): path.read_text("utf-8")
        for path in folder.rglob("*.txt")
    }
    assert files == found


@pytest.mark.parametrize("example", EXAMPLES)
def test_compiling_twice_gives_the_same_bytes(example: str) -> None:
    assert list(files_of(example).items()) == list(files_of(example).items())


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_project_imports_with_nothing_but_itself_and_the_sdk(
    example: str, tmp_path: Path
) -> None:
    pytest.importorskip("azure.durable_functions", reason="version 2 needs Python 3.13")
    for path, content in files_of(example).items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    (site,) = {str(Path(path)) for path in sys.path if path.endswith("site-packages")}
    # -S: the environment's own perdure is found through a .pth file, which is not read.
    code = (
        f"import sys; sys.path[:] = ['.', *sys.path[1:], {site!r}]\n"
        "import function_app, perdure, perdure_azure, json\n"
        "names = sorted(f.get_function_name() for f in function_app.app.get_functions())\n"
        "print(json.dumps([perdure.__file__, perdure_azure.__file__, names]))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    perdure, azure, names = json.loads(done.stdout)
    assert Path(perdure).is_relative_to(tmp_path)
    assert Path(azure).is_relative_to(tmp_path)
    assert f"examples_{example}__{example}" in names


def test_an_app_for_another_python_does_not_start(tmp_path: Path) -> None:
    other = sys.version_info.minor + 1
    (tmp_path / "pyproject.toml").write_text(f'[tool.perdure]\npython = "3.{other}"\n')
    (tmp_path / "flows.py").write_text(
        "from perdure import flow\n\n@flow\nasync def f() -> None: ...\n"
    )
    text = compiled(tmp_path / "flows.py", "f").files["function_app.py"]
    assert isinstance(text, str)
    with pytest.raises(RuntimeError, match=rf"for Python 3\.{other}, and runs on 3\.\d+: set"):
        exec(compile(text, "function_app.py", "exec"), {})


def test_a_test_without_a_pin_is_for_the_python_that_runs_it(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        "from perdure import flow\n\n@flow\nasync def f() -> None: ...\n"
    )
    text = compiled(tmp_path / "flows.py", "f").files["function_app.py"]
    assert f"version_info[:2] != (3, {max(sys.version_info.minor, 13)})" in str(text)


def test_the_target_is_found_by_its_name() -> None:
    target = load_target("azure")
    assert target is not None
    assert (target.name, target.family) == ("azure", "code")


@pytest.mark.parametrize(("body", "line"), [("    await f.start(1, on='prod')\n", 6)])
def test_a_start_in_another_environment_is_refused_at_its_line(
    body: str, line: int, tmp_path: Path
) -> None:
    source = "from perdure import flow\n\n\n@flow\nasync def f(n: int) -> None:\n"
    file = tmp_path / "flows.py"
    file.write_text(source + body)
    with pytest.raises(RefusedError) as refused:
        compiled(file, "f")
    found = refused.value.analysis.report.diagnostics
    assert [(each.rule.code, each.span.line if each.span else 0) for each in found] == [
        ("PDR390", line)
    ]


def test_an_older_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.perdure]\npython = "3.12"\n')
    file = tmp_path / "flows.py"
    file.write_text("from perdure import flow\n\n\n@flow\nasync def f() -> None: ...\n")
    with pytest.raises(RefusedError) as refused:
        compiled(file, "f")
    assert [each.rule.code for each in refused.value.analysis.report.diagnostics] == ["PDR305"]


def test_refusals_above_are_of_the_target_alone() -> None:
    text = "from perdure import flow, reply\n\n\n@flow\nasync def f() -> None:\n"
    report: Report = check_source(text + "    await reply('message', 1)\n")
    assert report.ok


def test_what_an_app_needs_of_ours_beside_the_shared_runtime_is_small() -> None:
    files = compiled(ROOT / "examples" / "triage.py", None).files
    lines = sum(
        bool(line.strip())
        for path, content in files.items()
        if path.startswith("perdure_azure/") and isinstance(content, bytes)
        for line in content.decode().splitlines()
    )
    assert lines <= 600


def sdk1_project(folder: Path) -> Mapping[str, str | bytes]:
    """That of an example, where SDK 1 is asked for."""
    (folder / "pyproject.toml").write_text(
        '[tool.perdure]\npython = "3.12"\n\n[tool.perdure.azure]\nsdk = 1\n'
    )
    (folder / "triage.py").write_bytes((ROOT / "examples/triage.py").read_bytes())
    return compiled(folder / "triage.py", None).files


def test_a_project_for_sdk_1_is_emitted_as_its_golden_says(tmp_path: Path, update: bool) -> None:
    files = own(sdk1_project(tmp_path))
    names = ("function_app.py", "host.json", "requirements.txt", "runtime")
    for name in names:
        golden = GOLDEN / "sdk1" / f"{name}.txt"
        if update:
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(files[name], encoding="utf-8", newline="\n")
        assert files[name] == golden.read_text("utf-8")


@pytest.mark.parametrize("value", ["3", "true", '"1"', "1.0"])
def test_there_are_two_sdks(value: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.perdure.azure]\nsdk = {value}\n")
    (tmp_path / "triage.py").write_bytes((ROOT / "examples/triage.py").read_bytes())
    with pytest.raises(Refused, match="sdk"):
        compiled(tmp_path / "triage.py", None)


def lines_of_flows(text: str) -> int:
    """Lines of code in the flows of a module."""
    found = 0
    for node in ast.parse(text).body:
        if isinstance(node, ast.AsyncFunctionDef) and ast.unparse(node.decorator_list[0]) == "flow":
            lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
            found += sum(bool(line.split("#")[0].strip()) for line in lines)
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_orchestrator_has_at_most_half_as_many_lines_more_than_its_flow(example: str) -> None:
    path = f"examples/{example}.py"
    printed = files_of(example)[path]
    assert isinstance(printed, str)
    assert lines_of_flows(printed) <= 1.5 * lines_of_flows((ROOT / path).read_text("utf-8"))


def test_literals_and_heads_are_as_they_were_written(tmp_path: Path) -> None:
    """Quotes, numerals, f-strings, a head of several lines; each in one function."""
    flow = '''\
from perdure import flow, step


@step
async def work(n: int) -> int: ...


@flow
async def main(
    n: int = 0x10,  # sixteen
    *,
    name: str = "it's",
) -> list[object]:
    # The first thing.
    """What it does."""

    said = [1_000, 1e3, 'single', r"raw\\n", b"bytes", "a" "b", f"{n:>{3}} {name!r} {'x'}"]
    total = await work(n)  # and again
    return [*said, total, -1, (1).real, f"{await work(total)}"]
'''
    (tmp_path / "flows.py").write_text(flow)
    text = str(compiled(tmp_path / "flows.py", "main").files["flows.py"])
    for line in flow.splitlines():
        if not line.strip().startswith(("#", "total", "from", "return")):
            assert line in text.splitlines()
    assert ast.parse(text)
