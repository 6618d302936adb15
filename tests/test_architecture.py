"""What may depend on what, and what an installation holds."""

import ast
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "perdure": ROOT / "compiler" / "perdure",
    **{path.name: path for path in sorted((ROOT / "backends").glob("perdure_*"))},
    "perdure_templates": ROOT / "templates" / "perdure_templates",
}
BACKENDS = [name for name in PACKAGES if name.startswith("perdure_") and "templates" not in name]

LONG_FILES: dict[str, str] = {
    "compiler/perdure/frontend/known.py": "a table: what the standard library's names are",
    "tests/aws_engine/test_engine.py": "small tests in a row around one recorder",
    "tests/frontend/test_refusals.py": "a table of small programs, by the rule they break",
    "tests/machine/test_flows.py": "a table of flows that has to be read as a whole",
}
"""Files of more than 500 lines, each with the reason why they are not two."""

LONG_FUNCTIONS: dict[str, str] = {
    "backends/perdure_aws/asl_spawn.py:spawn": "one state, with all its ways out",
    "backends/perdure_aws/engine/moto_faults/services.py:lambdas_are_python_functions": (
        "one patch, of two functions that share what they close over"
    ),
    "compiler/perdure/frontend/reader.py:statement": "one `match`, a line or two for each node",
    "compiler/perdure/frontend/reader.py:expression": "one `match`, a line or two for each node",
}
"""Functions of more than 40 lines, each with the reason why they are not two."""

HEAVY = ("asyncio", "dataclasses", "importlib.metadata", "inspect", "json", "re", "ast", "logging")
"""What `import perdure` must not load: it is in every cold start of every step."""

PATH = f"import sys; sys.path.insert(0, {str(ROOT / 'compiler')!r})"

ONLY_WITH_EXTRAS = ("perdure.cli", "perdure.testing")
"""Parts of perdure that may import other packages than the standard library."""


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if ".template" not in path.name)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def _tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in _imports(path)}


def test_the_compiler_imports_no_backend() -> None:
    for path in _files(PACKAGES["perdure"]):
        found = _tops(path) & set(BACKENDS)
        assert not found, f"{path} imports {found}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_imports_no_other_backend(backend: str) -> None:
    for path in _files(PACKAGES[backend]):
        found = _tops(path) & (set(BACKENDS) - {backend})
        assert not found, f"{path} imports {found}"


def test_only_the_command_line_and_testing_need_other_packages() -> None:
    # `_typeshed` exists for type checkers only.
    own = {*sys.stdlib_module_names, *PACKAGES, "_typeshed"}
    for path in _files(PACKAGES["perdure"]):
        module = ".".join(path.relative_to(ROOT / "compiler").with_suffix("").parts)
        if not module.startswith(ONLY_WITH_EXTRAS):
            assert not _tops(path) - own, f"{module} imports {_tops(path) - own}"


def test_importing_perdure_loads_next_to_nothing() -> None:
    before = "import sys; before = set(sys.modules); "
    after = "import perdure; print(*sorted(set(sys.modules) - before))"
    # -S: an editable install runs code of its own at start-up.
    code = f"{PATH}; {before}{after}"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    assert not set(loaded) & set(HEAVY)
    assert not {
        name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names
    } - {"perdure"}
    # A bound on what it costs, where a stopwatch would make a test that fails by chance: these
    # are 15 ms on a slow machine.
    assert len(loaded) <= 20, loaded


def test_the_public_names_load_no_other_package() -> None:
    code = (
        "import sys; import perdure; "
        "[getattr(perdure, name) for name in perdure.__all__]; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"{PATH}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert loaded <= {*sys.stdlib_module_names, "perdure", "__main__", "__mp_main__"}


def test_the_wheel_holds_every_package_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == set(PACKAGES)
    assert "perdure/py.typed" in names
    for name, folder in PACKAGES.items():
        held = {path for path in names if path.startswith(f"{name}/") and path.endswith(".py")}
        assert held == {f"{name}/{path.relative_to(folder).as_posix()}" for path in _files(folder)}


def test_files_stay_short_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in [*PACKAGES.values(), ROOT / "tests"]
        for path in _files(folder)
        if (lines := len(path.read_text("utf-8").splitlines())) > 500
    }
    assert set(long) == set(LONG_FILES), long


def test_functions_fit_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.name}": lines
        for folder in PACKAGES.values()
        for path in _files(folder)
        for function in _functions(path)
        if (lines := _lines_of_code(function)) > 40
    }
    assert set(long) == set(LONG_FUNCTIONS), long


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How long the body is, after the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_a_top_folder_is_never_a_package() -> None:
    for folder in ("compiler", "backends", "templates", "examples"):
        assert not (ROOT / folder / "__init__.py").exists()


def test_every_module_says_what_it_is() -> None:
    for folder in PACKAGES.values():
        for path in _files(folder):
            text = path.read_text("utf-8")
            assert not text.strip() or ast.get_docstring(ast.parse(text)), path
