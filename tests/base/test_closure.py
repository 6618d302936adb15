"""What has to be shipped with a flow: every project module that importing it needs."""

from pathlib import Path

from perdure.diagnostics import Report
from perdure.driver import FlowName, build_program, check_flow

FLOW = """
from app.deep import words
from perdure import flow, step

@step
async def work(x: int) -> int:
    from app.lazy import twice
    return twice(x)

@flow
async def main(x: int) -> int:
    return await work(x)
"""


def test_the_sources_of_a_flow_are_closed_under_imports(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": "[tool.perdure]\n",
        "app/__init__.py": "",
        "app/flow.py": FLOW,
        "app/deep/__init__.py": "from app.deep import words\n",
        "app/deep/words.py": "import app.constants\n",
        "app/constants.py": "N = 1\n",
        "app/lazy.py": "def twice(x: int) -> int:\n    return 2 * x\n",
        "app/unused.py": "raise SystemExit\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    report = Report()
    analysis = check_flow(FlowName(tmp_path / "app/flow.py", None), report)
    program = None if analysis is None else build_program(analysis, report)
    assert program is not None, report.diagnostics
    assert [path for path, _ in program.sources] == [
        "app/__init__.py",
        "app/constants.py",
        "app/deep/__init__.py",
        "app/deep/words.py",
        "app/flow.py",
        "app/lazy.py",
    ]
