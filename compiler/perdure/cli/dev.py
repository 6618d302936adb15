"""`perdure dev`: a worker, and an HTTP server on this machine to start, wake and read runs."""

import hmac
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer
from typing import TYPE_CHECKING, Final, final, override
from urllib.parse import parse_qsl, urlsplit

import click

from perdure.cli import exits
from perdure.cli.store import Place, open_store
from perdure.cli.streams import say

if TYPE_CHECKING:
    from perdure.driver import FlowName
    from perdure.local.api import Api
    from perdure.local.follow import Follower
    from perdure.local.triggers import Doors, Schedules
    from perdure.webhooks.delivery import Answer

__all__ = ["command"]

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1", "[::1]")
_LOOK: Final = 0.1
_SIGN_OF_LIFE: Final = 15.0
"""Seconds of silence after which a stream says that it is there."""
_LINGERS: Final = 1.0
"""Seconds of silence after which a connection that is over is closed."""
_DROPPED_READS: Final = 32
_NOWHERE: Final = '{"error": "this address is for this machine"}'


@click.command("dev")
@click.argument("files", nargs=-1, metavar="[FILE[:FLOW]]...")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7340,
    show_default=True,
    help="0: any that is free.",
)
@click.option(
    "--token",
    envvar="PERDURE_TOKEN",
    help="What requests to /api have to bring; made up where others can reach it.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    help="Seconds for steps to end in.",
)
def command(files: tuple[str, ...], host: str, port: int, token: str | None, grace: float) -> int:
    """Work on this project: drive its runs, and serve HTTP to start, wake and read them.

    Without FILE, the flows of the project. Webhooks and schedules of the flows are live too.
    """
    from perdure.cli.worker import serve, supervisor

    names = _flow_names(files)
    if names is None:
        return exits.REFUSED
    place = open_store(Path.cwd(), make=True)
    if token is None and host not in LOOPBACK:
        token = secrets.token_urlsafe(24)
        say(f"requests have to bring the header `Authorization: Bearer {token}`")
    site = _Site(place, token)
    server = _listen(host, port, site)
    address = f"http://{host}:{server.server_address[1]}"
    _prepare_links(place, address)
    if not _load(site, names):
        server.server_close()
        return exits.REFUSED
    chief = supervisor(place.store, place.project.root, ["--grace", str(grace)])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    say(f"{address}/api   flows: {', '.join(site.api.programs.names)}; Ctrl-C stops")
    try:
        return serve(chief, grace, each=site.look)
    finally:
        server.shutdown()
        server.server_close()


def _flow_names(files: tuple[str, ...]) -> "list[FlowName] | None":
    from perdure.cli.flows import choose
    from perdure.cli.output import emit_report
    from perdure.diagnostics import Report
    from perdure.driver import FlowName, find_flows

    report = Report()
    chosen = choose(files, report)
    names = [
        FlowName(name.path.absolute(), flow.ref.qualname)
        for name in chosen.names
        for flow in find_flows(chosen.workspace, name)
    ]
    if not report.ok:
        emit_report(report, "text", chosen.workspace.project.root)
        return None
    return names


def _listen(host: str, port: int, site: "_Site") -> ThreadingHTTPServer:
    try:
        server = ThreadingHTTPServer((host, port), partial(_Handler, site))
    except OSError as error:
        raise click.UsageError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; name another --port"
        ) from None
    server.daemon_threads = True
    return server


def _prepare_links(place: Place, address: str) -> None:
    """Approval links lead here, signed with a key of this store's folder."""
    os.environ.setdefault("PERDURE_URL", address)
    if "PERDURE_LINK_KEY" in os.environ:
        return
    path = Path(place.store.path).parent / "link-key"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(32))
    os.environ["PERDURE_LINK_KEY"] = path.read_text("utf-8")


def _load(site: "_Site", names: "list[FlowName]") -> bool:
    """Load the flows and open their doors; False after their problems are written."""
    from perdure.cli.output import emit_report
    from perdure.frontend.loader import UserImportError
    from perdure.local.program import Refused, WrongPython

    try:
        site.open(names)
    except Refused as refused:
        emit_report(refused.report, "text", refused.root)
        return False
    except (WrongPython, ValueError) as error:
        raise click.UsageError(str(error)) from None
    except UserImportError as error:
        say(f"error: the file cannot be imported: {error}")
        return False
    for path in site.doors.paths:
        say(f"webhook {path}")
    return True


@final
class _Site:
    """What is served: the API, webhooks and schedules. One request at a time uses the store."""

    api: "Api"
    doors: "Doors"
    schedules: "Schedules"

    def __init__(self, place: Place, token: str | None) -> None:
        self.place = place
        self.token = token
        self.lock = threading.Lock()

    def open(self, names: "list[FlowName]") -> None:
        """Load the flows."""
        from perdure.cli.histories import LocalHistory
        from perdure.cli.tree import run_json
        from perdure.local.api import Api
        from perdure.local.programs import Programs
        from perdure.local.triggers import Doors, Schedules

        store = self.place.store
        programs = Programs(self.place.project, names)
        self.doors = Doors(store, programs)
        self.schedules = Schedules(store, programs, say, time.time())
        self.api = Api(store, programs, lambda at, run: run_json(LocalHistory(at), run), self._wait)

    def look(self) -> None:
        """Start what is due by a schedule."""
        with self.lock:
            self.schedules.look(time.time())

    def _wait(self, seconds: float) -> None:
        self.lock.release()
        try:
            time.sleep(seconds)
        finally:
            self.lock.acquire()


@final
class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = 75.0

    def __init__(
        self, site: _Site, connection: socket.socket, address: object, server: BaseServer
    ) -> None:
        self._site = site
        super().__init__(connection, address, server)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Of the server's protocol: `do_GET` and the like."""
        if not name.startswith("do_"):
            raise AttributeError(name)
        return self._respond

    def _respond(self) -> None:
        from perdure.local.api import EVENT_STREAM
        from perdure.webhooks.delivery import Answer

        try:
            answer = self._answer()
        except Exception as error:
            say(f"error: {self.command} {self.path}: {type(error).__name__}: {error}")
            answer = Answer(500, '{"error": "this went wrong here; the server says what"}\n')
        if answer.content_type == EVENT_STREAM:
            self._stream(answer.body)
            return
        body = answer.body.encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", answer.content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, run: str) -> None:
        """Server-sent events: an entry of the log each, of children too; `end` is the last."""
        from perdure.local.follow import Follower

        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-store")
        self.end_headers()
        if self.command == "HEAD":
            return
        follower = Follower(self._site.place.store, run, past=True)
        quiet = time.monotonic()
        with suppress(ConnectionError, TimeoutError):
            ended = False
            while not ended:
                text, ended = self._news(run, follower)
                if not text and time.monotonic() - quiet > _SIGN_OF_LIFE:
                    text = ": still here\n\n"
                if text:
                    quiet = time.monotonic()
                    self.wfile.write(text.encode())
                if not ended:
                    time.sleep(_LOOK)

    def _news(self, run: str, follower: "Follower") -> tuple[str, bool]:
        """What is new of a run, and whether it has ended; then also how."""
        from perdure.cli.histories import LocalHistory
        from perdure.cli.show import entry_line
        from perdure.cli.tree import run_json
        from perdure.store.runs import find_run

        store = self._site.place.store
        with self._site.lock:
            ended = find_run(store, run).end is not None
            said = [f"data: {entry_line(name, entry)}\n\n" for name, entry, _ in follower.news()]
            if ended:
                whole = run_json(LocalHistory(store), run)
                kept = {name: whole[name] for name in ("run", "status", "result", "error")}
                said.append(f"event: end\ndata: {json.dumps(kept)}\n\n")
        return "".join(said), ended

    def _answer(self) -> "Answer":
        from perdure.local.api import LARGEST
        from perdure.webhooks.delivery import Answer, Delivery

        place = urlsplit(self.path)
        query = dict(parse_qsl(place.query, keep_blank_values=True))
        is_hook = self._site.doors.takes(place.path)
        refused = None if is_hook else self._refused()
        if "transfer-encoding" in self.headers:
            self.close_connection = True
            return Answer(411, '{"error": "send the body whole, with its content-length"}\n')
        most = self._site.doors.largest(place.path) if is_hook else LARGEST
        body = self._body(most)
        if refused is not None:
            return refused
        if len(body) > most and not is_hook:
            return Answer(413, '{"error": "the body is too large"}\n')
        with self._site.lock:
            if is_hook:
                headers = dict(self.headers.items())
                delivery = Delivery(self.command, place.path, headers, body, query=query)
                return self._site.doors.answer(delivery)
            return self._site.api.answer(self.command, place.path, query, body)

    def _body(self, most: int) -> bytes:
        length = self.headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        if size > most:
            self.close_connection = True
        return self.rfile.read(min(size, most + 1))

    @override
    def finish(self) -> None:
        """Before a connection is closed, what the client still sends is read and dropped.

        Closing on unread bytes resets the connection, and who is still sending a body that is
        refused would never see the answer.
        """
        super().finish()
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGERS)
            for _ in range(_DROPPED_READS):
                if not self.connection.recv(65536):
                    break

    def _refused(self) -> "Answer | None":
        """Whoever has no token must be on this machine, and no page of another site."""
        from perdure.webhooks.delivery import Answer

        token = self._site.token
        if token is not None:
            given = self.headers.get("authorization", "")
            if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                return None
            return Answer(401, '{"error": "the header `Authorization: Bearer TOKEN` is missing"}\n')
        host = urlsplit(f"//{self.headers.get('host', '')}").hostname
        origin = self.headers.get("origin")
        if host not in LOOPBACK or (origin and urlsplit(origin).hostname not in LOOPBACK):
            return Answer(403, _NOWHERE + "\n")
        return None

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what happens to runs is said by the worker."""
