"""What starts a flow from outside: `@flow(on=Webhook(...))`, `@flow(on=Cron(...))`.

These are declarations. The compiler reads them from the source (paths, names of secrets, times);
at a webhook's door they are live, with the functions that look into a delivery.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from perdure.cron import Schedule
    from perdure.webhooks.delivery import Delivery
    from perdure.webhooks.schemes import Scheme

__all__ = ["LARGEST_BODY", "Cron", "Trigger", "Webhook"]

LARGEST_BODY: Final = 262_144
"""Bytes of a delivery: as much as the smallest engine takes as input of a run (256 KiB)."""

type Trigger = Webhook | Cron


@final
class Webhook:
    """Deliveries to `path`, checked by `verify`, start a run or send an event to one.

    A start: `start` gives the arguments of the run from the delivery (None: nothing to do;
    without it the body is a JSON object of them), `key` its run id (without it the run is named
    after the delivery's id, so that a repeated delivery starts nothing).
    An event: `event` names it, `run` gives the run id (None: nothing to do), `payload` what is
    sent (without it the JSON body).
    """

    __slots__ = ("event", "key", "max_bytes", "path", "payload", "run", "start", "verify")

    def __init__(
        self,
        path: str,
        *,
        verify: "Scheme",
        start: "Callable[[Delivery], Mapping[str, object] | None] | None" = None,
        key: "Callable[[Delivery], str] | None" = None,
        event: str | None = None,
        run: "Callable[[Delivery], str | None] | None" = None,
        payload: "Callable[[Delivery], object] | None" = None,
        max_bytes: int = LARGEST_BODY,
    ) -> None:
        check_path(path)
        if event is None and (run is not None or payload is not None):
            raise TypeError("run= and payload= go with event=")
        if event is not None and (start is not None or key is not None):
            raise TypeError("start= and key= start a run; a webhook with event= sends to one")
        if event is not None and run is None:
            raise TypeError("a webhook with event= needs run=, which gives the run id")
        if max_bytes < 1:
            raise ValueError("max_bytes is at least 1")
        self.path: Final = path
        self.verify: Final = verify
        self.start: Final = start
        self.key: Final = key
        self.event: Final = event
        self.run: Final = run
        self.payload: Final = payload
        self.max_bytes: Final = max_bytes


@final
class Cron:
    """The flow is started whenever the expression is due: `Cron("0 9 * * MON-FRI", tz=...)`.

    `input` are the run's arguments. Each moment starts one run, whatever is repeated.
    """

    __slots__ = ("expression", "input", "schedule")

    def __init__(
        self,
        expression: str,
        *,
        tz: str = "UTC",
        input: Mapping[str, Any] | None = None,
    ) -> None:
        from perdure.cron import parse

        self.expression: Final = expression
        self.schedule: Final[Schedule] = parse(expression, tz)
        self.input: Final[Mapping[str, Any]] = dict(input or {})


def check_path(path: str) -> None:
    """ValueError for what no HTTP front door can serve as a fixed path."""
    import re

    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]", path) or "//" in path:
        raise ValueError(
            f"{path!r} is no path of a webhook: write one like /github or /hooks/stripe"
        )
