"""Living flows: the project's modules imported instrumented, without a trace left behind."""

import asyncio
import sys
import traceback
from pathlib import Path
from textwrap import dedent

import pytest

from perdure.frontend.loader import LoadedFlow, RefusedError, UserImportError, load
from perdure.project import Project


def project(root: Path, **files: str) -> Project:
    for name, text in files.items():
        path = root / (_path(name) + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    return Project(root)


def _path(name: str) -> str:
    return name if "/" in name else name.replace("__", "/")


def loaded(root: Path, file: str, **files: str) -> LoadedFlow:
    return load(project(root, **files), root / file)


MAIN = """
    from dataclasses import dataclass
    from perdure import flow, gather, step
    from lib.words import shout

    @dataclass
    class Note:
        text: str

    @step
    async def twice(x: int) -> int:
        return x * 2

    @flow
    async def main(x: int) -> object:
        print("seen", x)
        return Note(shout(str(sum(await gather(*[twice(i) for i in range(x)])))))
"""


def test_a_flow_runs_as_plain_python_outside_of_an_engine(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "flows/main.py",
        flows__main=MAIN,
        lib__words="def shout(x):\n    return x + '!'\n",
    )
    result = asyncio.run(found.flow(4))
    assert type(result).__module__ == "flows.main"
    assert getattr(result, "text", None) == "12!"


def test_modules_have_their_own_names_and_leave_nothing_behind(tmp_path: Path) -> None:
    before, path = {*sys.modules}, [*sys.path]
    finders = [*sys.meta_path]
    found = loaded(
        tmp_path, "flows/main.py", flows__main=MAIN, lib__words="def shout(x):\n    return x\n"
    )
    assert {"flows.main", "lib.words"} <= {*found.modules}
    assert not {name for name in {*sys.modules} - before if name.startswith(("flows", "lib"))}
    assert sys.path == path
    assert sys.meta_path == finders
    assert "__perdure__" in vars(found.modules["flows.main"])


def test_two_projects_with_the_same_names_do_not_meet(tmp_path: Path) -> None:
    one = loaded(
        tmp_path / "a",
        "flows/main.py",
        flows__main=MAIN,
        lib__words="def shout(x): return x + 'a'\n",
    )
    two = loaded(
        tmp_path / "b",
        "flows/main.py",
        flows__main=MAIN,
        lib__words="def shout(x): return x + 'b'\n",
    )
    results = [asyncio.run(item.flow(2)) for item in (one, two, one)]
    assert [getattr(item, "text", None) for item in results] == ["2a", "2b", "2a"]


def test_late_imports_of_steps_find_the_same_modules(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "main.py",
        main="""
        from perdure import flow, step
        @step
        def late() -> str:
            import main, other
            return other.NAME + main.__name__ + str(main.late is late)
        @flow
        async def start() -> str:
            return await late()
        """,
        other="NAME = 'other'\n",
    )
    with found.active():
        assert asyncio.run(found.flow()) == "othermainTrue"
    assert "other" not in sys.modules


def test_an_error_in_the_users_module_names_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(UserImportError) as caught:
        loaded(
            tmp_path,
            "main.py",
            main="from perdure import flow\nimport broken\n@flow\nasync def start(): ...\n",
            broken="x = 1\ny = x / 0\n",
        )
    assert (caught.value.file, caught.value.line) == ("broken.py", 2)
    assert "ZeroDivisionError" in str(caught.value)
    assert "broken" not in sys.modules


def test_a_missing_package_names_the_import(tmp_path: Path) -> None:
    text = "from perdure import flow\nimport nothing_like_it\n@flow\nasync def start(): ...\n"
    with pytest.raises(UserImportError) as caught:
        loaded(tmp_path, "main.py", main=text)
    assert (caught.value.file, caught.value.line) == ("main.py", 2)


def test_a_refused_flow_is_not_imported(tmp_path: Path) -> None:
    text = "from perdure import flow\nopen('ran', 'w')\n@flow\nasync def start():\n    open('x')\n"
    with pytest.raises(RefusedError) as caught:
        loaded(tmp_path, "main.py", main=text)
    assert [found.code for found in caught.value.analysis.report.diagnostics] == ["PDR110"]
    assert not (tmp_path / "ran").exists()


def test_tracebacks_point_at_the_users_lines(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "main.py",
        main="""
        from perdure import flow
        @flow
        async def start(x: int) -> float:
            print(x)
            return 1 / x
        """,
    )
    with pytest.raises(ZeroDivisionError) as caught:
        asyncio.run(found.flow(0))
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (Path(last.filename).name, last.lineno, last.line) == ("main.py", 6, "return 1 / x")


def test_relative_imports_and_packages_work(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        "app/flows.py",
        **{"app/__init__": "from app.base import NAME\n"},
        app__base="NAME = 'app'\n",
        app__flows="""
        from perdure import flow
        from . import NAME
        from .base import NAME as same
        import app.base
        @flow
        async def start() -> bool:
            return NAME is same and app.base.NAME == NAME
        """,
    )
    assert asyncio.run(found.flow()) is True
