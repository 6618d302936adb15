"""The door: an HTTP request in, what it does to a run, an answer out. No engine, no server.

    unknown path 404 · other method 405 · too large 413 · not genuine, late 401 · malformed 400
    input, payload or run id that does not fit 422 · run id with another input 409 · no such run 404
    nothing to do 204 · a run started, an event stored 202 · done before 200

A delivery is checked before anything looks into it, and an answer tells a stranger nothing. What
goes wrong on our side is 500, so that the sender repeats it.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from json import dumps
from typing import Any, Final, NamedTuple, Protocol, TypeGuard, final

from perdure.codec.text import Json
from perdure.errors import InvalidInput, LimitExceeded, RunConflict
from perdure.language import Flow
from perdure.run_ids import check_id, could_be, made_id
from perdure.secrets import MissingSecret, redacted
from perdure.triggers import Webhook
from perdure.webhooks.delivery import Answer, Delivery, Refused, UnknownRun
from perdure.webhooks.links import PATH, answer_link

__all__ = ["Door", "Runs", "routes"]

UNREADABLE: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What `start=`, `key=`, `run=` and `payload=` raise for a delivery that is not as they read it."""
SHOWN: Final = 300

type AnyFlow = Flow[..., Any]


class Runs(Protocol):
    """What the door does to runs of its environment. Values are encoded."""

    def start(self, flow: AnyFlow, arguments: Mapping[str, Json], run: str) -> bool:
        """Start a run of this id; whether it is new. RunConflict for another input or flow."""
        ...

    def send(self, run: str, event: str, payload: object, id: str) -> bool:
        """Store an event under an id; whether it is new. UnknownRun, InvalidInput."""
        ...


class _Route(NamedTuple):
    flow: AnyFlow
    webhook: Webhook


def routes(flows: Iterable[AnyFlow]) -> dict[str, _Route]:
    """The webhooks of flows by path; ValueError where two have the same one."""
    found: dict[str, _Route] = {}
    for flow in flows:
        for trigger in flow.on:
            if not isinstance(trigger, Webhook):
                continue
            if trigger.path in found:
                other = found[trigger.path].flow.name
                raise ValueError(f"{trigger.path} is a webhook of {other} and of {flow.name}")
            found[trigger.path] = _Route(flow, trigger)
    return found


@final
class Door:
    """Answers deliveries for the webhooks of some flows."""

    def __init__(self, flows: Iterable[AnyFlow], runs: Runs) -> None:
        self._routes = routes(flows)
        self._runs = runs

    @property
    def paths(self) -> tuple[str, ...]:
        """Where there is a webhook, sorted."""
        return tuple(sorted(self._routes))

    def largest(self, path: str) -> int:
        """Bytes that a delivery to a path may have; no more of it need be read."""
        route = self._routes.get(path)
        return route.webhook.max_bytes if route else 0

    def answer(self, delivery: Delivery, now: float) -> Answer:
        """What a delivery does, and what its sender is told. `now` is seconds of wall time."""
        try:
            return self._answer(delivery, now)
        except Refused as refused:
            headers = {"allow": "POST"} if refused.status == 405 else {}
            return _text(refused.status, {"error": refused.reason}, headers)
        except MissingSecret:
            return _text(500, {"error": "this webhook is not set up"})

    def _answer(self, delivery: Delivery, now: float) -> Answer:
        token = delivery.path.removeprefix(PATH)
        if delivery.path.startswith(PATH) and token and "/" not in token:
            return answer_link(delivery, self._runs, now)
        route = self._routes.get(delivery.path)
        if route is None:
            raise Refused(404, "no webhook has this path")
        if delivery.method != "POST":
            raise Refused(405, "a webhook takes POST")
        if len(delivery.body) > route.webhook.max_bytes:
            raise Refused(413, f"more than {route.webhook.max_bytes} bytes")
        delivery = delivery.named(route.webhook.verify.check(delivery, now))
        challenge = _challenge(delivery)
        if challenge is not None:
            return Answer(200, challenge, "text/plain; charset=utf-8")
        if route.webhook.event is not None:
            return self._send(route.webhook, route.webhook.event, delivery)
        return self._start(route, delivery)

    def _start(self, route: _Route, delivery: Delivery) -> Answer:
        from perdure.runtime.values import encode_input

        flow, webhook = route
        reads = webhook.start or _object
        arguments = _read("start=", reads, delivery)
        if arguments is None:
            return Answer(204)
        if not _is_mapping(arguments):
            raise Refused(422, f"start= gives the flow's input by name, not {_kind(arguments)}")
        run = _key(webhook.key, delivery) if webhook.key else _run_of(flow, delivery)
        try:
            new = self._runs.start(flow, encode_input(flow, arguments), run)
        except InvalidInput as error:
            raise Refused(422, str(error)) from None
        except LimitExceeded as error:
            raise Refused(413, str(error)) from None
        except RunConflict:
            raise Refused(409, f"run {run} was started with another input") from None
        return _text(202 if new else 200, {"run": run})

    def _send(self, webhook: Webhook, event: str, delivery: Delivery) -> Answer:
        assert webhook.run is not None, "a webhook that sends an event has run="
        run = _read("run=", webhook.run, delivery)
        if run is None:
            return Answer(204)
        if not isinstance(run, str):
            raise Refused(422, f"run= gives the id of a run as text, not {_kind(run)}")
        if not could_be(run):
            raise Refused(404, "no run waits for this")
        payload = _read("payload=", webhook.payload, delivery) if webhook.payload else delivery.json
        try:
            new = self._runs.send(run, event, payload, _identity(delivery))
        except InvalidInput as error:
            raise Refused(422, str(error)) from None
        except UnknownRun:
            raise Refused(404, "no run waits for this") from None
        return _text(202 if new else 200, {"run": run})


def _read(option: str, reads: Callable[[Delivery], object], delivery: Delivery) -> object:
    """What the flow's own function makes of a delivery; 422 for one that it cannot read."""
    try:
        return reads(delivery)
    except MissingSecret:
        raise
    except UNREADABLE as error:
        said = redacted(f"{type(error).__name__}: {error}")[:SHOWN]
        raise Refused(422, f"{option} cannot read this delivery: {said}") from error


def _key(reads: Callable[[Delivery], object], delivery: Delivery) -> str:
    """The run's id that `key=` gives; 422 for what is none."""
    key = _read("key=", reads, delivery)
    try:
        return check_id(key)
    except (TypeError, ValueError) as error:
        raise Refused(422, f"key= gives no run id: {redacted(str(error))[:SHOWN]}") from None


def _is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping)


def _kind(value: object) -> str:
    return type(value).__name__


def _challenge(delivery: Delivery) -> str | None:
    """Slack asks a new address to answer with what it sent, signed like everything else."""
    if "x-slack-signature" not in delivery.headers:
        return None
    try:
        body = delivery.json
    except Refused:
        return None
    if not isinstance(body, dict) or body.get("type") != "url_verification":
        return None
    return str(body.get("challenge", ""))


def _object(delivery: Delivery) -> Mapping[str, object]:
    body = delivery.json
    if not isinstance(body, dict):
        raise Refused(422, "the body is not a JSON object of the flow's parameters")
    return body


def _identity(delivery: Delivery) -> str:
    """What is the same for a repeated delivery, and short enough for every store.

    A sender that names nothing means every delivery for itself.
    """
    from os import urandom

    named = delivery.id or urandom(16).hex()
    return sha256(f"{delivery.path}\n{named}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _run_of(flow: AnyFlow, delivery: Delivery) -> str:
    return made_id(flow.name, _identity(delivery))


def _text(status: int, body: Json, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, dumps(body), headers=headers or {})
