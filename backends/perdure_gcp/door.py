"""The door's service: webhooks and approval links, as anybody may send them.

`python -m perdure_gcp.door` serves on `$PORT`, configured as `perdure_gcp.handler` is. The door of
a release starts runs on that release. The rest is `perdure.webhooks`, as everywhere.
"""

import json
import os
import time
import traceback
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, final
from urllib.parse import parse_qsl, urlsplit

from perdure.codec import Json
from perdure.sites.bodies import flow_named
from perdure.sites.doors import DoorRuns, Payloads
from perdure.sites.executions import execution_name
from perdure.sites.masked import masked_output
from perdure.sites.state import text
from perdure.store.protocol import RunStore
from perdure.triggers import LARGEST_BODY
from perdure.webhooks.delivery import Answer, Delivery
from perdure.webhooks.door import Door
from perdure_gcp.firestore import FirestoreStore, Send
from perdure_gcp.google import Callbacks, Executions, Session
from perdure_gcp.secret_values import use_secrets

__all__ = ["DoorService", "door_runs"]

ABOUT: Final = Path(__file__).parent.parent / "perdure_bundle.json"


def door_runs(
    about: Mapping[str, Json], send: Send, store: RunStore, workflows: Mapping[str, str]
) -> DoorRuns:
    """Runs as what comes from outside starts them, and sends to them."""
    declared: list[tuple[str | None, str, str]] = json.loads(json.dumps(about["events"]))
    begins = Release(Executions(send, store, workflows), text(about["flow"]))
    return DoorRuns(store, begins, Callbacks(send), Payloads(text(about["source"]), declared))


@final
class Release:
    """`perdure.sites.doors.Begins`: executions of this very release."""

    def __init__(self, executions: Executions, flow: str) -> None:
        self._executions = executions
        self._flow = flow

    def check(self, given: Mapping[str, Json]) -> None:
        """Nothing: a long input lies in the store."""

    def begin(self, run: str, given: Mapping[str, Json]) -> None:
        """Start the execution, unless that was done."""
        self._executions.start(self._flow, execution_name(run), given)


@final
class DoorService:
    """Answers strangers."""

    def __init__(self, send: Send, environment: Mapping[str, str]) -> None:
        about: dict[str, Json] = json.loads(ABOUT.read_text("utf-8"))
        use_secrets(send, environment)
        database = environment.get("PERDURE_DATABASE", "(default)")
        store = FirestoreStore(send, environment["PERDURE_PROJECT"], database)
        workflows: dict[str, str] = json.loads(environment["PERDURE_WORKFLOWS"])
        runs = door_runs(about, send, store, workflows)
        self._door = Door([flow_named(text(about["flow"]))], runs)

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to one request; the raw bytes of its body are what is signed."""
        whole = urlsplit(target)
        query = dict(parse_qsl(whole.query, keep_blank_values=True))
        lower = {name.lower(): value for name, value in headers.items()}
        with masked_output():
            try:
                delivery = Delivery(method, whole.path, lower, body, query=query)
                return self._door.answer(delivery, time.time())
            except Exception:
                # For us, not for who sent it; what a secret was in it is masked on the way out.
                traceback.print_exc()
                return Answer(500, '{"error": "something went wrong here"}')


def serve() -> None:
    """Answer requests until the process is ended."""
    service = DoorService(Session(), os.environ)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            # One byte more than any webhook takes is enough to say that it is too much.
            length = min(int(self.headers.get("Content-Length") or "0"), LARGEST_BODY + 1)
            body = self.rfile.read(length)
            answer = service.respond(self.command, self.path, dict(self.headers), body)
            said = answer.body.encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.content_type, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _answer  # noqa: N815, pyright: ignore[reportUnannotatedClassAttribute]

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: who has an approval link may use it, so no path is written down."""

    ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler).serve_forever()


if __name__ == "__main__":
    serve()
