"""The HTTP API on a local store: requests in, answers out; no server, no sockets.

`ROUTES` is the whole of it: a method, a path with places in braces, who answers, and a line for
people. Values are plain JSON; errors are `{"error": ...}`. What is answered has been committed.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeGuard, final
from urllib.parse import unquote

from perdure.codec.text import Json
from perdure.codec.written import read_json
from perdure.diagnostics import nearest
from perdure.errors import InvalidInput, RunConflict
from perdure.local.payloads import fitting_payload
from perdure.local.program import Program
from perdure.local.programs import Programs
from perdure.local.writes import ask_to_cancel, claim, deliver
from perdure.run_ids import check_id, made_id
from perdure.runtime.values import encode_input
from perdure.store.protocol import RunRecord
from perdure.store.runs import digest_of, find_run, get_run, list_runs
from perdure.store.sqlite import SqliteStore
from perdure.webhooks.delivery import Answer

__all__ = ["ROUTES", "Api", "Request", "Route", "start_run"]

LONGEST_WAIT: Final = 60.0
EVENT_STREAM: Final = "text/event-stream"
LARGEST: Final = 1_048_576
"""Bytes of a body."""


class Request(NamedTuple):
    """A request to a route: what stands in the places of its path, the query, the body."""

    places: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes

    def json(self) -> object:
        """Return the body as JSON, None if there is none; _Wrong (400) if it is not JSON."""
        if not self.body:
            return None
        try:
            value = read_json(self.body)
        except (ValueError, RecursionError):
            raise _Wrong(400, "the body is not JSON") from None
        return value

    def fields(self) -> dict[str, object]:
        """Return the body as a JSON object, empty if there is none."""
        value = self.json()
        if value is None:
            return {}
        if not _is_object(value):
            raise _Wrong(400, "the body is a JSON object, keyed by parameter name")
        return value


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


class Route(NamedTuple):
    """One thing that can be asked."""

    method: str
    path: str
    answer: "Callable[[Api, Request], Answer]"
    about: str

    def places(self, method: str, path: str) -> Mapping[str, str] | None:
        """Return what stands in the places of the path, None if this is another request."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return None if found is None else {k: unquote(v) for k, v in found.groupdict().items()}


class _Wrong(Exception):  # noqa: N818  # it is an answer
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


def start_run(
    store: SqliteStore, program: Program, arguments: Mapping[str, Json], run: str
) -> bool:
    """Claim a run, for a worker to drive; whether it is new. RunConflict."""
    flow = program.flow
    record = RunRecord(
        run=run,
        flow=flow.__perdure_ref__,
        input_digest=digest_of(dict(arguments)),
        input=dict(arguments),
        versions=program.versions(store),
        seed=os.urandom(16).hex(),
        started=time.time(),
    )
    with store.transaction():
        return claim(store, record).seed == record.seed


@final
class Api:
    """Answers requests. One at a time: whoever serves several holds a lock, but while it `waits`.

    `show` gives a run as JSON; `wait` is called between looks at a run that has not ended.
    """

    def __init__(
        self,
        store: SqliteStore,
        programs: Programs,
        show: Callable[[SqliteStore, str], dict[str, object]],
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.store = store
        self.programs = programs
        self.show = show
        self.wait = wait

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> Answer:
        """Answer a request."""
        allowed: list[str] = []
        try:
            for route in ROUTES:
                places = route.places(method, path)
                if places is not None:
                    return route.answer(self, Request(places, query, body))
                if route.places(route.method, path) is not None:
                    allowed.append(route.method)
        except _Wrong as wrong:
            return _json(wrong.status, {"error": str(wrong)})
        except InvalidInput as error:
            return _json(422, {"error": str(error)})
        if allowed:
            headers = {"allow": ", ".join(allowed)}
            return _json(405, {"error": f"this takes {headers['allow']}"}, headers)
        return _json(404, {"error": "there is nothing here; GET /api lists what there is"})

    def program(self, name: str) -> Program:
        """Return a flow by name."""
        try:
            return self.programs.get(name)
        except KeyError:
            meant = nearest(name, self.programs.names)
            hint = f"; the nearest is `{meant}`" if meant else ""
            raise _Wrong(404, f"there is no flow `{name}`{hint}") from None

    def record(self, run: str) -> RunRecord:
        """Return a run's record."""
        record = get_run(self.store, run)
        if record is None:
            raise _Wrong(404, f"no run has the id `{run}`")
        return record


def _list_routes(api: Api, request: Request) -> Answer:
    return _json(200, [{"method": r.method, "path": r.path, "about": r.about} for r in ROUTES])


def _list_flows(api: Api, request: Request) -> Answer:
    return _json(200, list(api.programs.names))


def _start(api: Api, request: Request) -> Answer:
    program = api.program(request.places["flow"])
    values = request.fields()
    run = request.query.get("id") or made_id(program.flow.name, os.urandom(4).hex())
    try:
        check_id(run)
        with program.active():
            arguments = encode_input(program.flow, values)
        new = start_run(api.store, program, arguments, run)
    except RunConflict as conflict:
        raise _Wrong(409, str(conflict)) from None
    except ValueError as error:
        raise _Wrong(422, str(error)) from None
    return _json(201 if new else 200, {"run": run}, {"location": f"/api/runs/{run}"})


def _list_runs(api: Api, request: Request) -> Answer:
    try:
        limit = int(request.query.get("limit", "50"))
    except ValueError:
        limit = -1
    if limit < 0:
        raise _Wrong(400, "`limit` is a whole number, 0 or more")
    rows = [
        {
            "run": record.run,
            "flow": record.flow,
            "status": record.status.value,
            "started": record.started,
            "ended": record.ended,
        }
        for record in list_runs(api.store, limit)
        if record.parent is None
    ]
    return _json(200, rows)


def _show(api: Api, request: Request) -> Answer:
    record = api.record(request.places["run"])
    return _json(200, api.show(api.store, record.run))


def _result(api: Api, request: Request) -> Answer:
    """Wait for the end, for `wait` seconds at most."""
    try:
        left = min(float(request.query.get("wait", "0")), LONGEST_WAIT)
    except ValueError:
        raise _Wrong(400, "`wait` is a number of seconds") from None
    record = api.record(request.places["run"])
    until = time.monotonic() + left
    while record.end is None and time.monotonic() < until:
        api.wait(0.05)
        record = find_run(api.store, record.run)
    whole = api.show(api.store, record.run)
    kept = {name: whole[name] for name in ("run", "status", "result", "error")}
    return _json(200 if record.end is not None else 202, kept)


def _follow(api: Api, request: Request) -> Answer:
    """Which run is to be followed: whoever serves writes the stream."""
    return Answer(200, api.record(request.places["run"]).run, EVENT_STREAM)


def _send(api: Api, request: Request) -> Answer:
    record = api.record(request.places["run"])
    if record.end is not None:
        raise _Wrong(409, f"run {record.run} has ended: {record.end.status.value}")
    name, payload = request.places["event"], request.json()
    program = api.programs.of_run(api.store, record)
    with program.active():
        encoded = fitting_payload(program, name, lambda _: payload)
    identity = request.query.get("id") or os.urandom(16).hex()
    with api.store.transaction():
        event = deliver(api.store, record.run, name, encoded, id=identity, now=time.time())
    return _json(202, {"run": record.run, "event": name, "id": event.id})


def _cancel(api: Api, request: Request) -> Answer:
    record = api.record(request.places["run"])
    with api.store.transaction():
        ask_to_cancel(api.store, record.run, at_once=request.query.get("now") in ("1", "true"))
    return _json(202, {"run": record.run})


ROUTES: Final = (
    Route("GET", "/api", _list_routes, "this list"),
    Route("GET", "/api/flows", _list_flows, "the flows of the project"),
    Route("POST", "/api/flows/{flow}/runs", _start, "start a run; body: its input; ?id="),
    Route("GET", "/api/runs", _list_runs, "the runs, newest first; ?limit="),
    Route("GET", "/api/runs/{run}", _show, "what a run did"),
    Route("GET", "/api/runs/{run}/result", _result, "how a run ended; ?wait=SECONDS"),
    Route("GET", "/api/runs/{run}/follow", _follow, "what happens, as server-sent events"),
    Route("POST", "/api/runs/{run}/events/{event}", _send, "send an event; body: payload; ?id="),
    Route("POST", "/api/runs/{run}/cancel", _cancel, "cancel a run; ?now=1 without cleanup"),
)


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    text = json.dumps(body, ensure_ascii=True)
    return Answer(status, text + "\n", headers=headers or {})
