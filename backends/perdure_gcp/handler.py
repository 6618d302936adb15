"""The sites' service: what Cloud Run runs, on the standard library's own HTTP server.

Configured by its environment: `PERDURE_PROJECT` and `PERDURE_DATABASE` name the run store,
`PERDURE_WORKFLOWS` is a JSON object that names the workflow of each flow of the bundle
(projects/P/locations/L/workflows/W), `PERDURE_SECRETS` one that says where each secret lies that
is read here, `PORT` is Cloud Run's own. Who may call is Cloud Run's to say (roles/run.invoker for
the workflow's identity). The event loop lives as long as the process, so module-level clients of
steps keep working.
"""

import asyncio
import importlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import final

from perdure.codec import Json
from perdure.runtime.bodies import Attempted
from perdure.runtime.functions import ModuleFunctions
from perdure.sites.bodies import flow_named, timed_attempt
from perdure.sites.doors import start_due
from perdure.sites.host import Host
from perdure.sites.masked import masked_output
from perdure.sites.operations import Attempt
from perdure.sites.state import fields, text
from perdure.store.protocol import Versions
from perdure_gcp.answers import answer
from perdure_gcp.door import door_runs
from perdure_gcp.ended import execution_of, record_end
from perdure_gcp.firestore import FirestoreStore, Send
from perdure_gcp.google import API, Callbacks, Executions, Session
from perdure_gcp.journal import note
from perdure_gcp.secret_values import use_secrets

__all__ = ["Service", "WrongPython", "serve"]

MOMENT = "X-CloudScheduler-ScheduleTime"
"""The header in which Cloud Scheduler says which moment was due
(https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs#HttpTarget)."""
BUNDLE = Path(__file__).parent.parent
ABOUT = BUNDLE / "perdure_bundle.json"


class WrongPython(RuntimeError):  # noqa: N818, it says what it is in the service's log
    """The service's runtime is not the Python that the bundle was compiled for."""


@final
class Service:
    """Answers the requests of workflows."""

    def __init__(self, send: Send, environment: Mapping[str, str]) -> None:
        about: dict[str, Json] = json.loads(ABOUT.read_text("utf-8"))
        _check_python(text(about["python"]))
        self._about = about
        self._send = send
        use_secrets(send, environment)
        database = environment.get("PERDURE_DATABASE", "(default)")
        self._store = FirestoreStore(send, environment["PERDURE_PROJECT"], database)
        self._workflows: dict[str, str] = json.loads(environment.get("PERDURE_WORKFLOWS", "{}"))
        self._bodies = Bodies()
        self._hosts = cache(self._host)

    def respond(self, body: bytes, moment: str | None = None) -> bytes:
        """The answer to one request; what it raises is a lost attempt to the workflow."""
        with masked_output():
            return self._responded(json.loads(body), moment)

    def due(self, schedule: Mapping[str, Json], moment: str) -> None:
        """A schedule is due; what is told twice starts one run. One of another release is none of
        ours: it starts nothing.
        """
        flow = flow_named(text(self._about["flow"]))
        runs = door_runs(self._about, self._send, self._store, self._workflows)
        named = (text(schedule["expression"]), text(schedule["tz"]))
        for run, outcome in start_due(flow, named, moment, runs):
            print(f"run {run} {outcome}")

    def _responded(self, asked: Mapping[str, Json], moment: str | None) -> bytes:
        if "message" in asked:
            self._ended(fields(asked["message"]))
            return b"{}"
        if "schedule" in asked and moment is not None:
            self.due(fields(asked["schedule"]), moment)
            return b"{}"
        host = self._hosts(text(fields(asked["ask"])["flow"]))
        return json.dumps(answer(host, asked, self), ensure_ascii=False).encode()

    def told(self, event: Mapping[str, Json], said: Mapping[str, Json]) -> None:
        """What a site reports goes to the log, one record a line: Cloud Logging takes it apart."""
        note(self._store, event, said, time.time())
        line: dict[str, Json] = {"message": "perdure", "site": event.get("site"), **said}
        line.pop("next", None)
        print(json.dumps(line), flush=True)

    def _ended(self, message: Mapping[str, Json]) -> None:
        """A log entry says that an execution has ended badly: pushed until this does not raise."""
        found = execution_of(message)
        flow = None if found is None else self._flow_of(found[0])
        if found is None or flow is None:
            return
        place = self._workflows[flow].rpartition("/")[0]
        url = f"{API}{place}/{found[0]}/executions/{found[1]}"
        status, execution = self._send("GET", url)
        if status != 200 or not isinstance(execution, Mapping):
            raise RuntimeError(f"Workflows answers {status} to a question about {found[1]}")
        record_end(self._hosts(flow), execution)

    def _flow_of(self, workflow: str) -> str | None:
        """The flow that a workflow runs, be it one of an earlier release."""
        for flow, path in self._workflows.items():
            if unversioned(path.rpartition("/")[2]) == unversioned(workflow):
                return flow
        return None

    def _host(self, flow: str) -> Host:
        """Everything of one flow that outlives a request."""
        about = self._about
        modules = {
            ref: importlib.import_module(f"perdure_sites.{sites}")
            for ref, sites in fields(about["flows"]).items()
        }
        codec = about["codec"]
        assert isinstance(codec, int), "versions are numbers"
        return Host(
            table=modules[flow].FLOW,
            store=self._store,
            steps=self._bodies,
            bell=Callbacks(self._send),
            executions=Executions(self._send, self._store, self._workflows),
            flow_named=flow_named,
            versions=Versions(
                text(about["perdure"]), text(about["python"]), codec, text(about["source"])
            ),
            target="gcp",
            now=time.time,
            sleep=time.sleep,
            functions=ModuleFunctions({module.__name__: module for module in modules.values()}),
            waiting_branches=100_000,
        )


def unversioned(workflow: str) -> str:
    """The name of a workflow without its release."""
    return re.sub(r"-r[0-9a-f]{10}(?=-\d+$|$)", "", workflow)


def _check_python(pinned: str) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != pinned:
        raise WrongPython(
            f"this bundle is compiled for Python {pinned}, and the service runs {running}: set its"
            f' base image to python{pinned}, or write `python = "{running}"` under'
            " `[tool.perdure]` in pyproject.toml and compile again"
        )


@final
class Bodies:
    """Runs the bodies of steps on one event loop for the whole process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="perdure steps", daemon=True).start()

    def attempt(self, attempt: Attempt) -> Attempted | None:
        """One attempt, ended at the step's timeout."""
        return asyncio.run_coroutine_threadsafe(timed_attempt(attempt), self._loop).result()


def serve() -> None:
    """Answer requests until the process is ended."""
    service = Service(Session(), os.environ)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            said = service.respond(body, self.headers.get(MOMENT))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()
