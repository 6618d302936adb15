"""Same source, same bytes out: whatever the folder, hash seed, line ends, file order or Python."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FLOWS = {
    "flows/order.py": """
from dataclasses import dataclass

from lib import pricing
from lib.steps import charge, notify
from perdure import event, flow, gather, race, sleep


@dataclass
class Order:
    items: list[str]
    note: str = "ä"


@flow
async def order(order: Order) -> dict[str, float]:
    kinds = {item.lower() for item in order.items}
    totals: dict[str, float] = {}
    for kind in sorted(kinds):
        totals[kind] = pricing.rounded(await charge(kind))
    if len(totals) > 2:
        await gather(*[notify(f"{name}: {total}") for name, total in totals.items()])
    else:
        winner, _ = await race(said=event("approval", bool), late=sleep("2h"))
        await notify(winner)
    return totals
""",
    "lib/__init__.py": "",
    "lib/pricing.py": "def rounded(value: float) -> float:\n    return round(value, 2)\n",
    "lib/steps.py": """
from perdure import step


@step(retry=3, timeout="1m")
async def charge(kind: str) -> float:
    return {"a": 1.0}.get(kind, 2.5)


@step
async def notify(text: str) -> None:
    print(text)
""",
    "pyproject.toml": "",
}
FLOW = ("flows/order.py",)
CASES = ("dt_01_travel_saga", "re_03_signup", "sf_07_stock", "sw_03_alarm", "tp_37_language")
OURS = (
    *(f"examples/{name}.py" for name in ("agent", "research", "saga", "triage")),
    *(f"tests/cases/{name}.py" for name in CASES),
)


def _checkout(folder: Path, order: Callable[[list[str]], list[str]], end: str = "\n") -> Path:
    for name in order([*FLOWS]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FLOWS[name].replace("\n", end).encode())
    return folder


def _digests(
    checkout: Path, python: str = sys.executable, seed: str = "0", flows: Sequence[str] = FLOW
) -> str:
    roots = os.pathsep.join(str(ROOT / name) for name in ("compiler", "backends", "templates"))
    done = subprocess.run(
        [python, str(ROOT / "tests" / "base" / "digests.py"), str(checkout), *flows],
        env={"PYTHONPATH": roots, "PYTHONHASHSEED": seed, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        cwd=checkout.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _python_3_12() -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    places = [
        os.environ.get("PERDURE_PYTHON_3_12"),
        shutil.which("python3.12"),
        *map(str, sorted(pyenv.glob("versions/3.12.*/bin/python3.12"))),
    ]
    for found in filter(None, places):
        asked = subprocess.run(
            [found, "-c", "import sys; print(sys.version_info[:2] == (3, 12), sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        # What was found may be a shim that needs its environment: take what it led to.
        right, _, executable = asked.stdout.strip().partition(" ")
        if right == "True":
            return executable
    return None


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _digests(_checkout(tmp_path_factory.mktemp("first"), sorted))


def test_another_checkout_and_order_of_files(tmp_path: Path, expected: str) -> None:
    other = _checkout(tmp_path / "another place" / "ö", lambda names: sorted(names, reverse=True))
    assert _digests(other) == expected


@pytest.mark.parametrize("seed", ["1", "4294967295"])
def test_another_hash_seed(tmp_path: Path, expected: str, seed: str) -> None:
    assert _digests(_checkout(tmp_path, sorted), seed=seed) == expected


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends(tmp_path: Path, expected: str, end: str) -> None:
    assert _digests(_checkout(tmp_path, sorted, end)) == expected


def test_the_oldest_python(tmp_path: Path, expected: str) -> None:
    python = _python_3_12()
    if python is None:
        pytest.skip("no Python 3.12 on this machine; `.ci/run` names one in PERDURE_PYTHON_3_12")
    assert _digests(_checkout(tmp_path, sorted), python) == expected
    ours = _digests(ROOT, flows=OURS)
    assert ours.count(" definition.asl.json ") == ours.count(" function_app.py ") == len(OURS)
    assert _digests(ROOT, python, flows=OURS) == ours


def test_twice_in_one_process_in_two_orders(tmp_path: Path) -> None:
    from perdure.backend import load_target
    from perdure.diagnostics import Report
    from perdure.driver import FlowName, compile_flows, open_project

    target = load_target("aws")
    assert target is not None
    checkout = _checkout(tmp_path, sorted)
    (checkout / "flows" / "other.py").write_text(
        FLOWS["flows/order.py"].replace("async def order", "async def other")
    )
    names = [FlowName(checkout / "flows" / name) for name in ("order.py", "other.py")]
    made = [
        {
            one.flow: dict(one.artifacts)
            for one in compile_flows(order, [target], open_project(checkout, Report()))
        }
        for order in (names, names[::-1], names)
    ]
    assert made[0] == made[1] == made[2]
    assert set(made[0]) == {"order", "other"}
