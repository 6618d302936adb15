"""`perdure dev`: a worker with an HTTP API, webhooks and schedules, on this machine."""

import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from perdure.diagnostics import Report
from perdure.driver import FlowName
from perdure.local.programs import Programs
from perdure.local.schema import open_store
from perdure.local.triggers import Schedules
from perdure.project import find_project
from perdure.store.runs import list_runs
from tests.local.project import popen, write_project

FLOW = """
from datetime import datetime
from perdure import Bearer, Cron, Webhook, event, flow, secret, step


@step
async def double(n: int) -> int:
    return 2 * n


@flow
async def wait(n: int) -> int:
    return await double(n) + await event("go", int)


@flow(on=Webhook("/start", verify=Bearer(secret("KEY"))))
async def hooked(n: int) -> int:
    return await double(n)


@flow(on=Cron("* * * * *", input={"n": 4}))
async def minutely(n: int) -> int:
    return await double(n)
"""


class Site(NamedTuple):
    address: str
    process: "subprocess.Popen[str]"

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, object]:
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        request = urllib.request.Request(self.address + path, data, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None


@contextmanager
def dev(root: Path, *options: str) -> Generator[Site]:
    process = popen(root, "dev", "app.py", "--port", "0", *options)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            found = re.match(r"(http://\S+)/api ", line)
            if found:
                yield Site(found[1], process)
                break
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = write_project(tmp_path_factory.mktemp("dev"), app=FLOW)
    (made / ".env").write_text("KEY=sesame-open\n")
    return made


@pytest.fixture(scope="module")
def site(root: Path) -> Generator[Site]:
    with dev(root) as site:
        yield site


def test_a_run_is_started_woken_and_read(site: Site) -> None:
    assert site.ask("POST", "/api/flows/wait/runs?id=a", {"n": 4}) == (201, {"run": "a"})
    assert site.ask("POST", "/api/flows/wait/runs?id=a", {"n": 4}) == (200, {"run": "a"})
    assert site.ask("POST", "/api/flows/wait/runs?id=a", {"n": 5})[0] == 409
    status, sent = site.ask("POST", "/api/runs/a/events/go?id=one", 7)
    assert (status, sent) == (202, {"run": "a", "event": "go", "id": "one"})
    ended = {"run": "a", "status": "completed", "result": 15, "error": None}
    assert site.ask("GET", "/api/runs/a/result?wait=20") == (200, ended)
    assert site.ask("POST", "/api/runs/a/events/go", 7)[0] == 409
    status, shown = site.ask("GET", "/api/runs/a")
    text = json.dumps(shown)
    assert '"path": "double"' in text
    assert '"path": "go"' in text
    status, listed = site.ask("GET", "/api/runs")
    assert '"run": "a"' in json.dumps(listed)


def test_a_run_is_followed_as_it_happens(site: Site) -> None:
    assert site.ask("GET", "/api/runs/nobody/follow")[0] == 404
    site.ask("POST", "/api/flows/wait/runs?id=f", {"n": 4})
    address = f"{site.address}/api/runs/f/follow"
    with urllib.request.urlopen(address, timeout=30) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        seen: list[str] = []
        while '"operation": "event"' not in (seen or [""])[-1]:
            seen += [stream.readline().decode()]
        site.ask("POST", "/api/runs/f/events/go", 7)
        *before, last, _ = stream.read().decode().split("\n\n")
    ends = [json.loads(text.strip().removeprefix("data: ")) for text in before if text.strip()]
    assert [each["path"] for each in ends if each["kind"] == "end"] == ["go"]
    assert (
        last == 'event: end\ndata: {"run": "f", "status": "completed", "result": 15, "error": null}'
    )


def test_a_run_is_cancelled(site: Site) -> None:
    site.ask("POST", "/api/flows/wait/runs?id=c", {"n": 1})
    assert site.ask("GET", "/api/runs/c/result")[0] == 202
    assert site.ask("POST", "/api/runs/c/cancel") == (202, {"run": "c"})
    status, ended = site.ask("GET", "/api/runs/c/result?wait=20")
    assert isinstance(ended, dict)
    assert (status, ended["status"]) == (200, "cancelled")


WRONG: list[tuple[tuple[str, str, object], int, str]] = [
    (("POST", "/api/flows/wiat/runs", {}), 404, "the nearest is `wait`"),
    (("POST", "/api/flows/wait/runs", {"m": 1}), 422, "no parameter of this name"),
    (("POST", "/api/flows/wait/runs", [1]), 400, "a JSON object"),
    (("POST", "/api/flows/wait/runs?id=a%2Fb", {"n": 1}), 422, "is no run id"),
    (("GET", "/api/runs/nobody", None), 404, "no run has the id `nobody`"),
    (("PUT", "/api/runs", None), 405, "this takes GET"),
    (("GET", "/somewhere", None), 404, "GET /api lists"),
    (("GET", "/api/runs?limit=x", None), 400, "`limit` is a whole number"),
    (("GET", "/api/runs?limit=-1", None), 400, "`limit` is a whole number"),
]


@pytest.mark.parametrize(("asked", "status", "said"), WRONG)
def test_what_is_wrong_is_told(
    site: Site, asked: tuple[str, str, object], status: int, said: str
) -> None:
    got, answer = site.ask(*asked)
    assert isinstance(answer, dict)
    assert got == status
    assert said in answer["error"]


def test_a_payload_that_does_not_fit_is_refused(site: Site) -> None:
    site.ask("POST", "/api/flows/wait/runs?id=p", {"n": 1})
    got, answer = site.ask("POST", "/api/runs/p/events/go", "x")
    assert got == 422
    assert "expected int" in str(answer)


def test_a_body_in_chunks_is_asked_for_whole(site: Site) -> None:
    def slowly() -> Iterator[bytes]:
        for part in (b'{"n":', b" 1}"):
            yield part
            time.sleep(0.2)  # the answer is there before the body is: who sends must still see it

    connection = HTTPConnection(urlsplit(site.address).netloc, timeout=30)
    with closing(connection):
        connection.request("POST", "/api/flows/wait/runs", slowly())
        answer = connection.getresponse()
        assert (answer.status, "content-length" in answer.read().decode()) == (411, True)


def test_pages_of_other_sites_get_nothing(site: Site) -> None:
    assert site.ask("GET", "/api", Host="evil.example")[0] == 403
    assert (
        site.ask("POST", "/api/flows/wait/runs", {"n": 1}, Origin="http://evil.example")[0] == 403
    )
    assert site.ask("GET", "/api", Origin="http://localhost:3000")[0] == 200


def test_webhooks_are_live(site: Site) -> None:
    assert site.ask("POST", "/start", {"n": 3})[0] == 401
    status, answer = site.ask("POST", "/start", {"n": 3}, Authorization="Bearer sesame-open")
    assert status == 202
    assert isinstance(answer, dict)
    status, ended = site.ask("GET", f"/api/runs/{answer['run']}/result?wait=20")
    assert isinstance(ended, dict)
    assert ended["result"] == 6


def test_a_moment_of_a_schedule_starts_one_run(root: Path, tmp_path: Path) -> None:
    project = find_project(root / "app.py", Report())
    programs = Programs(project, [FlowName(root / "app.py", "minutely")])
    said: list[str] = []
    store = open_store(tmp_path / "runs.db")
    for _ in range(2):
        schedules = Schedules(store, programs, said.append, 1_767_225_600.0)
        for now in (1_767_225_630.0, 1_767_225_660.5, 1_767_225_665.0, 1_767_225_720.0):
            schedules.look(now)
    runs = [record.run for record in list_runs(store)]
    store.close()
    moments = [run.rpartition("-")[0] for run in sorted(runs)]
    assert moments == ["minutely-20260101T0001Z", "minutely-20260101T0002Z"]
    assert len(said) == 2


def test_where_others_can_reach_it_a_token_is_needed(root: Path) -> None:
    with dev(root, "--token", "hunter2") as site:
        assert site.ask("GET", "/api")[0] == 401
        assert site.ask("GET", "/api", Authorization="Bearer wrong")[0] == 401
        assert site.ask("GET", "/api", Authorization="Bearer hunter2")[0] == 200
