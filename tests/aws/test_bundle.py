"""The bundle as it is deployed: nothing is missing in it, and its own handler runs the flow."""

import ast
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from perdure.codec import decode
from perdure.driver import FlowName
from perdure.sites.failures import failure
from perdure_aws.engine import START, Execution, Json, engine
from perdure_aws.engine.flows import compiled
from tests.aws.bundles import bundle_of, in_lambda, unpacked
from tests.aws.lambda_process import LambdaProcess

ROOT = Path(__file__).parents[2]
TRIAGE = ROOT / "examples" / "triage.py"
OUTSIDE = {
    "perdure_aws.target": "compiling needs it, and asks for it by attribute",
    "perdure.deployment": "reaching other environments by name needs it, and no site does",
    "boto3": "Lambda's runtime brings it",
}
"""What modules of a bundle import though it is not in there."""

CALLED = ("perdure_aws/door.py", "perdure_aws/handler.py")
"""What Lambda calls."""

FLOW = """
from perdure import Retry, event, flow, step

@step(retry=Retry(attempts=3, delay="2s", jitter=False))
async def flaky(key: str) -> int:
    from perdure import this_step
    if this_step().attempt < 3:
        raise OSError("busy")
    return this_step().attempt

@step
async def broken() -> None:
    raise KeyError("no such thing")

@flow
async def main(key: str) -> tuple[int, str]:
    tries = await flaky(key)
    try:
        await broken()
    except LookupError as error:
        key = f"{key} {error}"
    answer = await event("answer", str, timeout="1h")
    return tries, f"{key} {answer}"
"""


@pytest.fixture(scope="module")
def triage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(bundle_of(TRIAGE), tmp_path_factory.mktemp("triage"))


def _imports(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """(module, imported name), also inside functions; not what only checkers read."""
    ignored = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for stmt in node.body
        for inner in ast.walk(stmt)
    }
    for node in ast.walk(tree):
        if id(node) in ignored:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_every_import_of_a_bundle_is_in_it() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle_of(TRIAGE))) as archive:
        names = {name: archive.read(name) for name in archive.namelist()}
    missing: set[str] = set()
    for path, content in names.items():
        if not path.endswith(".py"):
            continue
        for module, _ in _imports(ast.parse(content)):
            place = module.replace(".", "/")
            there = f"{place}.py" in names or f"{place}/__init__.py" in names
            if not there and module.partition(".")[0] not in sys.stdlib_module_names:
                missing.add(module)
    assert missing == set(OUTSIDE)


def test_every_module_can_be_imported_with_the_standard_library_alone(triage: Path) -> None:
    modules = sorted(
        path.relative_to(triage).with_suffix("").as_posix().replace("/", ".")
        for path in triage.rglob("*.py")
        if path.relative_to(triage).as_posix() not in CALLED
    )
    names = [name.removesuffix(".__init__") for name in modules]
    code = f"""
import importlib
for name in {names!r}:
    importlib.import_module(name)
print(json.dumps(sorted(m for m in sys.modules if m.partition(".")[0] in ("boto3", "tests"))))
"""
    assert in_lambda(triage, code, packages=False) == []


def test_the_handlers_need_boto3_besides(triage: Path) -> None:
    code = """
from perdure_aws import door, handler
import perdure
print(json.dumps([handler.__file__, perdure.__file__]))
"""
    handler, package = in_lambda(triage, code)
    assert (handler, package) == (
        str(triage / "perdure_aws" / "handler.py"),
        str(triage / "perdure" / "__init__.py"),
    )


def test_modules_that_only_steps_need_are_in_the_bundle(triage: Path) -> None:
    assert (triage / "examples" / "model.py").is_file()


def run(
    file: Path, folder: Path, given: Json, *events: tuple[float, str, Json], twice: bool = False
) -> tuple[Execution, LambdaProcess]:
    """The emitted definition on moto's interpreter, its Tasks answered by the bundle's handler."""
    artifacts = compiled(FlowName(file))[2]
    bundle = artifacts["bundle.zip"]
    assert isinstance(bundle, bytes)
    definition = json.loads(artifacts["definition.asl.json"])
    with LambdaProcess(unpacked(bundle, folder), twice=twice) as process:
        simulation = engine("moto").simulation(functions={"${Sites}": process})
        process.simulation = simulation
        for after, name, payload in events:
            simulation.at(
                START + timedelta(seconds=after), partial(process.send, "r", name, payload)
            )
        seed: Json = {"id": "r", "seed": "0" * 32}
        ended = simulation.run(definition, {"run": seed, "input": given}, name="r")
        if ended.status == "SUCCEEDED":
            process.answers.append({"record": process.record("r")})
        return ended, process


@pytest.mark.parametrize("twice", [False, True])
def test_the_handler_runs_steps_retries_errors_and_waits(tmp_path: Path, twice: bool) -> None:
    (tmp_path / "app.py").write_text(FLOW)
    (tmp_path / "pyproject.toml").write_text("")
    ended, process = run(
        tmp_path / "app.py",
        tmp_path / "bundle",
        {"key": "k"},
        (600.0, "answer", "yes"),
        twice=twice,
    )
    assert ended.status == "SUCCEEDED", ended.cause
    assert decode(ended.output) == (3, "k 'no such thing' yes")
    entered = list(ended.states)
    assert entered.count("retry flaky") == 2
    told = {said["errorType"] for said in process.answers if "errorType" in said}
    assert told == {"perdure.Again", "perdure.Raised[except LookupError]"}
    end = process.answers[-1]["record"]["end"]
    assert (end["status"], end["value"]) == ("completed", ended.output)


def test_a_wait_that_nobody_answers_times_out(tmp_path: Path) -> None:
    ended, process = run(TRIAGE, tmp_path, {"issue": {"number": 1, "title": "error"}})
    assert ended.output == "escalated: nobody answered in three days", ended.cause
    assert ended.states[3:5] == ("approval", "to if not decision.approved")
    assert (ended.stopped or START) - ended.started >= timedelta(days=3)
    assert process.answers


def test_an_event_rings_the_token(tmp_path: Path) -> None:
    payload: Json = {"approved": False, "note": "no"}
    ended, process = run(
        TRIAGE, tmp_path, {"issue": {"number": 1, "title": "error"}}, (60.0, "approval", payload)
    )
    assert ended.output == "rejected: no", ended.cause
    rung = [one for said in process.answers for one in said.get("rung", [])]
    assert len(rung) == 1


def test_lambda_reports_names_that_the_definition_catches() -> None:
    """Lambda's Python runtime says `errorType: type(exception).__name__`."""
    for name in ("perdure.Again", "perdure.Raised[except LookupError]", "perdure.Raised[]"):
        error = failure(name, {"next": {}})
        assert type(error).__name__ == name
        assert type(error).error_type == name
        assert json.loads(str(error)) == {"next": {}}


def test_an_input_that_does_not_fit_is_refused_at_the_start(tmp_path: Path) -> None:
    ended, _ = run(TRIAGE, tmp_path, {"issue": {"number": "one", "title": "error"}})
    assert (ended.status, ended.error) == ("FAILED", "InvalidInput")
    assert "issue.number" in str(ended.cause)


def test_a_bundle_for_another_python_does_not_start(tmp_path: Path) -> None:
    other = f"3.{sys.version_info.minor + 1}"
    (tmp_path / "pyproject.toml").write_text(f'[tool.perdure]\npython = "{other}"\n')
    (tmp_path / "app.py").write_text(FLOW)
    code = """
try:
    from perdure_aws import handler
except RuntimeError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""
    name, text = in_lambda(unpacked(bundle_of(tmp_path / "app.py"), tmp_path / "bundle"), code)
    assert name == "WrongPython"
    assert (
        f"is compiled for Python {other}, and the function runs 3.{sys.version_info.minor}" in text
    )
    assert f"set its runtime to python{other}" in text


def test_a_pure_site_does_not_import_the_users_modules(triage: Path) -> None:
    code = """
import sys
from perdure_sites import sites_examples_triage_triage as made
seen = ["examples.triage" in sys.modules]
assert made.if_kind_spam({"kind": "spam"}) == "then"
seen.append("examples.triage" in sys.modules)
made.classify_operands({"issue": 1})
seen.append("examples.triage" in sys.modules)
print(json.dumps(seen))
"""
    assert in_lambda(triage, code, packages=False) == [False, False, True]
