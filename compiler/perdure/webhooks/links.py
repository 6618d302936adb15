"""Approval links: signed addresses that send one event to one run, once, until they expire.

    https://HOST/approve/<what it does>.<signature>

Opening a link shows a page, and only its button decides: programs that look at the links of a
mail before its reader does must not approve anything. All links that one step makes for one event
are one decision: the first that is used counts, whichever it is.
"""

import base64
import binascii
import hmac
import os
from hashlib import sha256
from json import dumps, loads
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from perdure.durations import seconds_of
from perdure.secrets import Secret
from perdure.webhooks.delivery import Answer, Delivery, Refused, UnknownRun

if TYPE_CHECKING:
    from perdure.codec.text import Json
    from perdure.durations import Duration

__all__ = ["LINK_KEY", "PATH", "Link", "answer_link", "approval_link", "read_link", "sign"]

PATH: Final = "/approve/"
LINK_KEY: Final = Secret("PERDURE_LINK_KEY")
"""What links are signed with; `perdure dev` makes one, a deployment has its own."""

URL_SETTING: Final = "PERDURE_URL"
"""Where the door is reached: `https://HOST` without a path."""

FORMAT: Final = 1

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title>
<style>body{{font:1.1rem system-ui;max-width:34rem;margin:15vh auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1.4rem}}pre{{white-space:pre-wrap}}</style>
<h1>{title}</h1>{body}
"""


class Link(NamedTuple):
    """What a link does: `payload` (encoded) goes to `run` as `event`; `id` is the decision."""

    run: str
    event: str
    payload: "Json"
    expires: int
    """Seconds of wall time."""
    id: str


class Sends(Protocol):
    """What a link needs of its environment's runs; see `perdure.webhooks.door.Runs`."""

    def send(self, run: str, event: str, payload: object, id: str) -> bool:
        """Store an event under an id; whether it is new."""
        ...


def approval_link(event: str, payload: object = None, *, expires: "Duration" = "3d") -> str:
    """In a step: an address that sends `payload` as `event` to this run when a person agrees.

    RuntimeError where no door is set up (`PERDURE_URL`) or no step runs.
    """
    import time

    from perdure.codec import encode
    from perdure.operations import this_step

    url = os.environ.get(URL_SETTING)
    if not url:
        raise RuntimeError(
            f"approval_link() needs {URL_SETTING}: `perdure dev` and a deployed webhook set it"
        )
    step = this_step()
    lasts = int(time.time() + seconds_of(expires))
    decision = sha256(f"{step.key}\n{event}".encode()).hexdigest()[:32]
    link = Link(step.run_id, event, encode(payload), lasts, decision)
    return url.rstrip("/") + PATH + sign(link, LINK_KEY.value)


def sign(link: Link, key: str) -> str:
    """The token of a link."""
    text = dumps([FORMAT, *link], separators=(",", ":"), ensure_ascii=False)
    body = _to_text(text.encode("utf-8", "surrogatepass"))
    return f"{body}.{_signature(body, key)}"


def read_link(token: str, key: str, now: float) -> Link:
    """What a token stands for; Refused: 401 if it was not made with `key`, 410 if it is late."""
    body, _, given = token.partition(".")
    if not hmac.compare_digest(
        _signature(body, key).encode(), given.encode("utf-8", "surrogatepass")
    ):
        raise Refused(401, "this link is not one of ours")
    made = _fields(body)
    if made[0] != FORMAT:
        raise Refused(401, f"this link has format {made[0]}, which is newer than this door")
    link = Link(*made[1:])
    if now > link.expires:
        raise Refused(410, "this link has expired")
    return link


def answer_link(delivery: Delivery, runs: Sends, now: float) -> Answer:
    """GET shows what the link does, POST does it."""
    from perdure.codec import decode

    try:
        token = delivery.path.removeprefix(PATH)
        link = read_link(token, LINK_KEY.value, now)
        if delivery.method in ("GET", "HEAD"):
            return _question(link)
        if delivery.method != "POST":
            raise Refused(405, "a link takes GET and POST")
        new = runs.send(link.run, link.event, decode(link.payload), link.id)
    except Refused as refused:
        return _page(refused.status, "This link does nothing", refused.reason)
    except UnknownRun:
        return _page(410, "This link does nothing", "what it was for has ended")
    if not new:
        return _page(410, "Already decided", "a link like this one has been used before")
    return _page(200, "Thank you", "your decision has been recorded")


def _question(link: Link) -> Answer:
    from html import escape  # here: a compiler imports this module too

    shown = dumps(link.payload, indent=2, ensure_ascii=False)
    form = (
        f"<p>This sends <b>{escape(link.event)}</b> to {escape(link.run)}:</p>"
        f"<pre>{escape(shown)}</pre><form method=post><button>Confirm</button></form>"
    )
    return _html(200, f"Confirm: {escape(link.event)}", form)


def _page(status: int, title: str, text: str) -> Answer:
    from html import escape

    return _html(status, escape(title), f"<p>{escape(text)}</p>")


def _html(status: int, title: str, body: str) -> Answer:
    headers = {
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline';"
        " form-action 'self'; frame-ancestors 'none'",
    }
    text = _PAGE.format(title=title, body=body)
    return Answer(status, text, "text/html; charset=utf-8", headers)


def _signature(body: str, key: str) -> str:
    if not key:
        raise Refused(500, "links are not set up")
    digest = hmac.digest(key.encode(), body.encode("utf-8", "surrogatepass"), "sha256")
    return _to_text(digest)


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _fields(body: str) -> list[Any]:
    """The fields of a token whose signature is right: JSON of ours, so of the types of `Link`."""
    try:
        data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        fields: list[Any] = loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, binascii.Error):
        raise Refused(401, "this link is not one of ours") from None
    return fields
