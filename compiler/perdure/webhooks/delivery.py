"""One HTTP request at a webhook's door, and the answer to it; the same on every engine."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, final

if TYPE_CHECKING:
    from perdure.codec.text import Json

__all__ = ["Answer", "Delivery", "Refused", "UnknownRun"]


class Refused(Exception):  # noqa: N818  # reads as what happened
    """A delivery that does nothing: the HTTP status and what its sender may know."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status: Final = status
        self.reason: Final = reason


class UnknownRun(LookupError):  # noqa: N818  # reads as what happened
    """No run of this id can take an event: there is none, or it has ended."""


class Answer(NamedTuple):
    """An HTTP response: `body` is text of `content_type`."""

    status: int
    body: str = ""
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


@final
class Delivery:
    """A request as it came: header names in lower case, `body` the raw bytes that are signed.

    `id` is what the sender calls this delivery; it is there once the signature has been checked.
    """

    def __init__(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        query: Mapping[str, str] | None = None,
        id: str = "",
    ) -> None:
        self.method: Final = method.upper()
        self.path: Final = path
        self.headers: Final = {name.lower(): value for name, value in headers.items()}
        self.body: Final = body
        self.query: Final = dict(query or {})
        self.id: Final = id

    def named(self, id: str) -> "Delivery":
        """The same delivery under its sender's id for it."""
        return Delivery(self.method, self.path, self.headers, self.body, query=self.query, id=id)

    @cached_property
    def text(self) -> str:
        """The body as UTF-8; Refused (400) when it is none."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(400, "the body is not UTF-8") from None

    @cached_property
    def json(self) -> "Json":
        """The body as plain JSON; Refused (400) when it is none."""
        from json import loads

        from perdure.codec.written import Written

        try:
            body: Json = loads(self.text, parse_constant=_no_constant, parse_float=Written)
            return body
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not JSON") from None

    @cached_property
    def form(self) -> dict[str, str]:
        """The body as form fields, the last of a name; Refused (400) when it is none."""
        from urllib.parse import parse_qsl

        try:
            return dict(
                parse_qsl(self.text, keep_blank_values=True, strict_parsing=bool(self.text))
            )
        except ValueError:
            raise Refused(400, "the body is no form") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
