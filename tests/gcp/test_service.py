"""The bundle as Cloud Run has it: a process that sees nothing else, with Google in a dictionary."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from perdure.codec import Json, encode_slots
from perdure.driver import FlowName
from perdure.store.protocol import Key
from perdure_gcp.engine.flows import compiled
from perdure_gcp.firestore import FirestoreStore
from perdure_gcp.google import API, Callbacks, Executions
from tests.conformance.engines import CASES, ROOT
from tests.gcp.cloud import Firestore

CLOUD = Path(__file__).parent / "cloud.py"
WORKFLOW = "projects/demo/locations/here/workflows/triage"

FIRST = """
import importlib.util, json, os, sys
sys.path[:] = [sys.argv[1], *json.loads(sys.argv[2])]
spec = importlib.util.spec_from_file_location("cloud", sys.argv[3])
cloud = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cloud)
from perdure_gcp.handler import Service
firestore = cloud.Firestore()
service = Service(firestore, {"PERDURE_PROJECT": "demo"})
asked = json.loads(sys.argv[4])
said = json.loads(service.respond(json.dumps(asked).encode()))
again = json.loads(service.respond(json.dumps(asked).encode()))
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "yaml", "tests"})
kept = sorted(one["fields"]["sort"]["stringValue"] for one in firestore.documents.values()
              if "sort" in one["fields"])
print(json.dumps({"said": said, "same": said["go"] == again["go"], "loaded": loaded, "kept": kept}))
"""

ENDED = """
import base64, importlib.util, json, sys
sys.path[:] = [sys.argv[1], *json.loads(sys.argv[2])]
spec = importlib.util.spec_from_file_location("cloud", sys.argv[3])
cloud = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cloud)
from perdure.store.runs import get_run
from perdure_gcp.firestore import FirestoreStore
from perdure_gcp.handler import Service
firestore = cloud.Firestore()
asked = json.loads(sys.argv[4])
ended = {"state": "FAILED", "argument": json.dumps({"state": asked["state"]["state"]}),
         "error": {"payload": json.dumps({"tags": ["ResourceLimitError"], "message": "steps"})}}
def send(method, url, body=None):
    if "workflowexecutions" not in url:
        return firestore(method, url, body)
    assert (method, url.rpartition("/v1/")[2]) == (
        "GET", "projects/demo/locations/here/workflows/saga/executions/0001"), url
    return 200, ended
workflow = "projects/demo/locations/here/workflows/saga"
named = json.dumps({"examples.saga:saga": workflow})
service = Service(send, {"PERDURE_PROJECT": "demo", "PERDURE_WORKFLOWS": named})
service.respond(json.dumps(asked).encode())
entry = {"resource": {"labels": {"workflow_id": "saga"}}, "jsonPayload": {"state": "FAILED"},
         "labels": {"workflows.googleapis.com/execution_id": "0001"}}
message = {"data": base64.b64encode(json.dumps(entry).encode()).decode()}
before = get_run(FirestoreStore(send, "demo"), "order-1").end
for _ in range(2):  # a push may come twice
    service.respond(json.dumps({"message": message}).encode())
end = get_run(FirestoreStore(send, "demo"), "order-1").end
print(json.dumps({"before": before, "status": end.status, "error": end.error}))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    found = compiled(FlowName(ROOT / "examples/saga.py"))[2]["bundle.zip"]
    assert isinstance(found, bytes)
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        archive.extractall(folder)
    return folder


def told(bundle: Path, script: str) -> dict[str, Json]:
    """What a script prints that sees the bundle and the standard library alone."""
    given: Json = {
        "run": {"id": "order-1", "seed": "0" * 32},
        "input": encode_slots(dict(CASES["saga-shipped"].arguments)),
    }
    ask: Json = {
        "flow": "examples.saga:saga",
        "scope": "",
        "site": "start",
        "line": "",
        "route": None,
    }
    state: Json = {"state": json.dumps(given), "time": "1767225600000"}
    asked = json.dumps({"ask": ask, "state": state, "token": ""})
    paths = json.dumps([path for path in sys.path if path and str(ROOT) not in path])
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(bundle), paths, str(CLOUD), asked],
        capture_output=True, text=True, check=False, cwd=bundle,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Json] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_bundle_answers_with_the_standard_library_alone(bundle: Path) -> None:
    found = told(bundle, FIRST)
    assert found["loaded"] == []
    assert found["same"]
    assert "record" in str(found["kept"])
    assert isinstance(found["said"], dict)
    assert set(found["said"]) >= {"state", "time", "go", "late", "decisions"}


def test_the_end_of_an_execution_that_workflows_ended_is_recorded(bundle: Path) -> None:
    found = told(bundle, ENDED)
    assert (found["before"], found["status"]) == (None, "failed")
    assert "LimitExceeded" in str(found["error"])


def test_the_bundle_has_a_start_and_says_what_it_is(bundle: Path) -> None:
    assert (bundle / "main.py").read_text().startswith("from perdure_gcp.handler import serve")
    about = json.loads((bundle / "perdure_bundle.json").read_text())
    assert about["flow"] == "examples.saga:saga"
    assert "main.py" in about["files"]


class Workflows:
    """The executions API: `lost` answers never arrive, though what they say was done."""

    def __init__(self) -> None:
        self.made: list[dict[str, Json]] = []
        self.cancelled: list[str] = []
        self.firestore = Firestore()

    def __call__(self, method: str, url: str, body: Json = None, /) -> tuple[int, Json]:
        if not url.startswith(API):
            return self.firestore(method, url, body)
        path = url.removeprefix(API)
        if path.endswith(":cancel"):
            self.cancelled.append(path.removesuffix(":cancel"))
            return 200, {}
        if method == "GET":
            label = path.partition("%22")[2].partition("%22")[0]
            found: list[Json] = [one for one in self.made if one["labels"] == {"perdure": label}]
            return 200, {"executions": found} if found else {}
        assert isinstance(body, dict)
        name = f"{path}/{len(self.made)}"
        self.made.append({**body, "name": name})
        return 200, {"name": name}


def test_an_execution_is_started_once_for_each_name() -> None:
    cloud = Workflows()
    store = FirestoreStore(cloud, "demo")
    executions = Executions(cloud, store, {"app:flow": WORKFLOW})
    for _ in range(2):
        executions.start(
            "app:flow", "order-1", {"run": {"id": "order-1", "seed": "0"}, "input": {}}
        )
    (made,) = cloud.made
    argument = json.loads(str(made["argument"]))
    assert json.loads(argument["state"])["run"] == {"id": "order-1", "seed": "0"}


def test_a_start_whose_answer_was_lost_finds_what_it_made() -> None:
    cloud = Workflows()
    executions = Executions(cloud, FirestoreStore(cloud, "demo"), {"app:flow": WORKFLOW})
    executions.start("app:flow", "order-1", {"branch": "race_a", "state": "{}"})
    # Another process, which knows nothing of the first.
    cloud.firestore = Firestore()
    other = Executions(cloud, FirestoreStore(cloud, "demo"), {"app:flow": WORKFLOW})
    other.start("app:flow", "order-1", {"branch": "race_a", "state": "{}"})
    (made,) = cloud.made
    assert json.loads(str(made["argument"])) == {"branch": "race_a", "state": "{}"}
    other.stop("app:flow", "order-1")
    assert cloud.cancelled == [made["name"]]


def test_stopping_what_never_started_does_nothing() -> None:
    cloud = Workflows()
    store = FirestoreStore(cloud, "demo")
    Executions(cloud, store, {"app:flow": WORKFLOW}).stop("app:flow", "never")
    assert cloud.cancelled == []
    assert store.get(Key("executions", "never")) is None


@pytest.mark.parametrize(("status", "heard"), [(200, True), (404, False), (429, False)])
def test_a_ring_says_whether_it_was_heard(status: int, heard: bool) -> None:
    sent: list[tuple[str, str]] = []

    def send(method: str, url: str, _body: Json = None, /) -> tuple[int, Json]:
        sent.append((method, url))
        return status, None

    assert Callbacks(send).ring("https://callback") is heard
    assert sent == [("POST", "https://callback")]
