"""The module graph reads what a file reaches, and says what it cannot read."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from perdure.diagnostics import Report
from perdure.modules import ModuleGraph
from perdure.project import DEFAULTS, Project


def _load(folder: Path, files: Mapping[str, str | bytes], python: str = "3.13") -> ModuleGraph:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    graph = ModuleGraph(Project(folder, DEFAULTS._replace(python=python)), Report())
    graph.load(folder / next(iter(files)))
    return graph


def _codes(graph: ModuleGraph) -> list[str]:
    return [found.code for found in graph.report.diagnostics]


def test_imports_of_the_project_are_followed_in_the_order_of_reading(tmp_path: Path) -> None:
    graph = _load(
        tmp_path,
        {
            "flows/main.py": "import json, requests\nimport lib.a as a\nfrom . import near\n"
            "def step():\n    from lib import b\n",
            "flows/near.py": "from ..lib.c import *\nfrom .main import step\n",
            "lib/__init__.py": "from lib.a import x\n",
            "lib/a.py": "if True:\n    import lib.d\n",
            "lib/b.py": "",
            "lib/c.py": "try:\n    import missing\nexcept ImportError:\n    from lib import e\n",
            "lib/d.py": "",
            "lib/e.py": "",
            "lib/unused.py": "syntax error",
        },
    )
    assert _codes(graph) == []
    assert list(graph.modules) == [
        "flows.main",
        "lib",
        "lib.a",
        "lib.d",
        "flows.near",
        "lib.c",
        "lib.e",
        "lib.b",
    ]
    package = graph.find("lib")
    assert package is not None
    assert package.is_package


def test_an_import_beyond_the_root_leads_nowhere(tmp_path: Path) -> None:
    graph = _load(tmp_path, {"main.py": "from ... import x\nfrom . import other\n", "other.py": ""})
    assert list(graph.modules) == ["main", "other"]


def test_a_module_is_never_run(tmp_path: Path) -> None:
    graph = _load(
        tmp_path,
        {"main.py": "import other\n", "other.py": "open('trace', 'w').write('x')\n1 / 0\n"},
    )
    assert _codes(graph) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["main.py", "other.py"]


def test_a_file_of_the_project_that_hides_the_standard_library_is_refused(tmp_path: Path) -> None:
    graph = _load(tmp_path, {"main.py": "import random\n", "random.py": ""})
    assert _codes(graph) == ["PDR108"]


def test_a_file_that_cannot_be_read_is_a_diagnostic(tmp_path: Path) -> None:
    graph = ModuleGraph(Project(tmp_path), Report())
    assert graph.load(tmp_path / "missing.py") is None
    (tmp_path / "folder.py").mkdir()
    assert graph.load(tmp_path / "folder.py") is None
    assert _codes(graph) == ["PDR103", "PDR103"]
    messages = sorted(found.message for found in graph.report.diagnostics)
    assert messages == [
        "`folder.py` cannot be read: is a directory",
        "`missing.py` cannot be read: no such file or directory",
    ]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"x = '\xe9'", "PDR104"),
        (b"# coding: no-such\n", "PDR104"),
        (b"x = 1\0", "PDR105"),
        (b"\0" * 5000, "PDR105"),
        (b"\xff\xfex\0=\x001\0", "PDR105"),
        (b"x = (", "PDR100"),
        (b"x = 1 +" * 20_000, "PDR100"),
        (b"(" * 100_000, "PDR100"),
        (b"x = " + b"-" * 100_000 + b"1", "PDR102"),
        (b"x = " + b"1+" * 100_000 + b"1", "PDR102"),
        (b"x = " + b"a." * 100_000 + b"b", "PDR102"),
        (b"def f(): return\n" + b"  x\n", "PDR100"),
        (b"if x:\n" + b"".join(b" " * n + b"if x:\n" for n in range(1, 200)), "PDR100"),
        (b"return 1", "PDR100"),
        (b"@flow\nasync def f():\n    def g():\n        await x\n", "PDR100"),
        (b"@flow\nasync def f():\n    return lambda: await x\n", "PDR100"),
        (b"async def f():\n    yield\n    return 1\n", "PDR100"),
        (b"def f(a, a): pass", "PDR100"),
        (b"x = " + b"9" * 5000, "PDR100"),
        (b"x = 1\n\x1a\n", "PDR100"),
        (b"\x0c\t  x = 1", "PDR100"),
        ("x = '\ud800'".encode("utf-8", "surrogatepass"), "PDR104"),
    ],
)
def test_text_that_is_no_program_is_a_diagnostic(tmp_path: Path, content: bytes, code: str) -> None:
    graph = _load(tmp_path, {"main.py": content})
    assert _codes(graph) == [code]


@pytest.mark.parametrize(
    "text",
    ["@flow\nasync def f():\n    yield\n    return 1\n", "@flow()\ndef f():\n    await x\n"],
)
def test_what_the_rules_for_flows_say_better_is_left_to_them(tmp_path: Path, text: str) -> None:
    assert _codes(_load(tmp_path, {"main.py": text})) == []


def test_a_line_of_a_megabyte_is_read(tmp_path: Path) -> None:
    graph = _load(tmp_path, {"main.py": "x = '" + "é" * 1_000_000 + "'; y = 1\n"})
    assert _codes(graph) == []
    module = graph.find("main")
    assert module is not None
    assert module.source.excerpt(module.source.span(module.tree.body[1])) == "y = 1"


def test_text_with_a_lone_surrogate_is_a_diagnostic(tmp_path: Path) -> None:
    graph = ModuleGraph(Project(tmp_path), Report())
    assert graph.load(tmp_path / "main.py", "x = '\ud800'\n") is None
    assert _codes(graph) == ["PDR104"]


def test_syntax_that_the_pinned_version_lacks_is_refused(tmp_path: Path) -> None:
    files = {"main.py": "def f[T = int](x: T) -> T: ...\n"}
    assert _codes(_load(tmp_path, files, python="3.12")) == ["PDR101"]
    assert _codes(_load(tmp_path, files, python="3.13")) == []


def test_an_import_cycle_ends(tmp_path: Path) -> None:
    graph = _load(tmp_path, {"a.py": "import b\n", "b.py": "import a, c\n", "c.py": "import b\n"})
    assert list(graph.modules) == ["a", "b", "c"]


def test_warnings_of_the_parser_stay_inside(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    _load(tmp_path, {"main.py": "x = '\\d'\ny = 1 is 1\n"})
    assert len(recwarn) == 0
