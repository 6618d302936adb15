"""HTTP inside a project: requests of workflows go to Python callables.

https://cloud.google.com/workflows/docs/http-requests
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, final
from urllib.parse import parse_qsl, urlencode, urlsplit

from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import Doubts, Limited, failure
from perdure_gcp.workflows.values import Value, from_json, is_number, to_json, type_name

__all__ = [
    "Failure",
    "Handler",
    "Later",
    "NoRoute",
    "Request",
    "Response",
    "Router",
    "made",
    "outcome",
]


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What a workflow sends."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    audience: str | None = None
    """Of the OIDC token that goes with it; None without one."""
    scopes: tuple[str, ...] = ()
    """Of the OAuth2 token that goes with it."""

    @property
    def path(self) -> str:
        """The path of the URL."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the URL."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))


@final
@dataclass(frozen=True, slots=True)
class Response:
    """What comes back; `after` is how many seconds it takes."""

    code: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"Content-Type": "application/json; charset=utf-8"}
    )
    after: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """No response: `tag` is ConnectionError (it broke) or ConnectionFailedError (none at all)."""

    tag: str
    after: float = 0.0


@final
class Later:
    """A response that is not there yet: whoever makes it calls `arrive`, once."""

    def __init__(self) -> None:
        self._waiting: Callable[[Response | Failure], None] | None = None
        self._answer: Response | Failure | None = None

    def arrive(self, answer: Response | Failure) -> None:
        """The response is there now."""
        self._answer = answer
        if self._waiting is not None:
            self._waiting(answer)

    def then(self, waiting: Callable[[Response | Failure], None]) -> None:
        """Tell this one when it is there."""
        self._waiting = waiting
        if self._answer is not None:
            waiting(self._answer)


type Handler = Callable[[Request], Response | Failure | Later]


@final
class NoRoute(Exception):  # noqa: N818, it says what there is not
    """A workflow sends a request to an address that nothing answers for."""


@final
class Router:
    """Which callable answers for which addresses: the longest prefix wins."""

    def __init__(self) -> None:
        self._routes: dict[str, Handler] = {}
        self.requests: list[Request] = []

    def add(self, prefix: str, handler: Handler) -> None:
        """Requests to URLs that begin like this go to `handler`."""
        self._routes[prefix] = handler

    def send(self, request: Request) -> Response | Failure | Later:
        """The answer to a request."""
        self.requests.append(request)
        for prefix in sorted(self._routes, key=len, reverse=True):
            if request.url.startswith(prefix):
                return self._routes[prefix](request)
        raise NoRoute(f"nothing answers for {request.method} {request.url}")


def made(function: str, arguments: Mapping[str, Value], doubts: Doubts) -> tuple[Request, float]:
    """The request of a call of `http.*`, and its timeout."""
    method = function.removeprefix("http.").upper()
    if method == "REQUEST":
        method = _text(arguments.get("method"), "method").upper()
    url = _text(arguments.get("url"), "url")
    if not url.startswith(("https://", "http://")):
        raise failure("ValueError", f"no address: {url}")
    query = arguments.get("query")
    if isinstance(query, dict) and query:
        pairs = [(name, _query_text(value, doubts)) for name, value in query.items()]
        url += ("&" if "?" in url else "?") + urlencode(pairs)
    elif query not in (None, {}):
        raise failure("TypeError", "the query is a map")
    headers = _headers(arguments.get("headers"), doubts)
    body, kind = _body(arguments.get("body"), doubts)
    if kind is not None and "content-type" not in {name.lower() for name in headers}:
        headers["Content-Type"] = kind
    audience, scopes = _auth(arguments.get("auth"), url)
    return Request(method, url, headers, body, audience, scopes), _timeout(arguments, doubts)


def _text(value: Value, what: str) -> str:
    if isinstance(value, str):
        return value
    raise failure("TypeError", f"`{what}` is text, not {type_name(value)}")


def _query_text(value: Value, doubts: Doubts) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int)):
        return str(value).lower()
    doubts.about("http-form", f"{type_name(value)} in a query")
    return to_json(value, doubts)


def _headers(value: Value, doubts: Doubts) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise failure("TypeError", "the headers are a map")
    headers: dict[str, str] = {}
    for name, content in value.items():
        if not isinstance(content, str):
            doubts.about("http-form", f"{type_name(content)} as a header")
        headers[name] = content if isinstance(content, str) else to_json(content, doubts)
    return headers


def _body(value: Value, doubts: Doubts) -> tuple[bytes, str | None]:
    match value:
        case None:
            return b"", None
        case bytes():
            return value, "application/octet-stream"
        case str():
            return value.encode("utf-8", "replace"), "text/plain; charset=utf-8"
        case dict() | list():
            return to_json(value, doubts).encode("utf-8", "replace"), _JSON
        case _:
            doubts.about("http-form", f"{type_name(value)} as a body")
            return to_json(value, doubts).encode(), _JSON


_JSON: Final = "application/json; charset=utf-8"


def _auth(value: Value, url: str) -> tuple[str | None, tuple[str, ...]]:
    if value is None:
        return None, ()
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in ("OIDC", "OAuth2"):
        raise failure("ValueError", "`auth` has the type OIDC or OAuth2")
    if kind == "OIDC":
        audience = value.get("audience", url)
        return _text(audience, "audience"), ()
    scopes = value.get(
        "scopes", value.get("scope", "https://www.googleapis.com/auth/cloud-platform")
    )
    names = scopes if isinstance(scopes, list) else [scopes]
    return None, tuple(_text(name, "scopes") for name in names)


def _timeout(arguments: Mapping[str, Value], doubts: Doubts) -> float:
    timeout = arguments.get("timeout")
    if timeout is None:
        return value_of("http_default_seconds")
    if not isinstance(timeout, int | float) or not is_number(timeout):
        raise failure("TypeError", "`timeout` is a number of seconds")
    if not 0 < timeout <= value_of("http_seconds"):
        doubts.about("http-form", f"a timeout of {timeout} seconds")
        raise failure("ValueError", f"a timeout is at most {value_of('http_seconds')} seconds")
    return timeout


def outcome(response: Response, doubts: Doubts) -> Value:
    """What a call of `http.*` returns; an error from status 400 on."""
    if len(response.body) > value_of("response_bytes"):
        raise Limited("ResourceLimitError", "the response has more than 2 MB")
    content = {name.lower(): text for name, text in response.headers.items()}
    kind = content.get("content-type", "")
    body: Value = response.body
    if kind.startswith("application/json"):
        body = from_json(response.body, doubts) if response.body else None
    elif kind.startswith("text/"):
        body = response.body.decode("utf-8", "replace")
    headers: dict[str, Value] = dict(response.headers)
    fields: dict[str, Value] = {"code": response.code, "headers": headers, "body": body}
    if response.code >= 400:
        message = f"HTTP server responded with error code {response.code}"
        raise failure("HttpError", message, **fields)
    return fields
