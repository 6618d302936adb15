"""The standard library's functions: names, parameters, and which of them block.

https://cloud.google.com/workflows/docs/reference/stdlib/overview lists them; a page for each is
below it, under `reference/stdlib/MODULE/FUNCTION`. Blocking functions cannot be in expressions.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

__all__ = ["CONSTANTS", "FUNCTIONS", "PREDICATES", "Signature", "known_connector"]

PAGES: Final = "https://cloud.google.com/workflows/docs/reference/stdlib/"


@final
class Signature(NamedTuple):
    """What a function takes; a call by position has at most all of them, in this order."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    blocking: bool = False
    named: bool = True
    """Whether a call step can call it: the helpers' parameters have no documented names."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """All parameters, in order."""
        return (*self.required, *self.optional)


def _helper(*names: str) -> Signature:
    return Signature(names, named=False)


_SENT: Final = ("headers", "query", "auth", "private_service_name", "ca_certificate")


def _http(*required: str, body: bool = True) -> Signature:
    more = ("timeout", "body", *_SENT) if body else ("timeout", *_SENT)
    return Signature(required, more, blocking=True)


FUNCTIONS: Final[Mapping[str, Signature]] = {
    "double": _helper("value"),
    "int": _helper("value"),
    "string": _helper("value"),
    "keys": _helper("map"),
    "len": _helper("value"),
    "default": _helper("value", "default"),
    "if": _helper("condition", "if_true", "if_false"),
    "get_type": _helper("value"),
    "base64.decode": Signature(("data",), ("padding",)),
    "base64.encode": Signature(("data",), ("padding",)),
    "events.await_callback": Signature(("callback",), ("timeout",), blocking=True),
    "events.create_callback_endpoint": Signature((), ("http_callback_method",), blocking=True),
    "experimental.executions.map": Signature(
        ("workflow_id", "arguments"), ("location", "project_id"), blocking=True
    ),
    "experimental.executions.run": Signature(
        ("workflow_id",), ("argument", "location", "project_id"), blocking=True
    ),
    "hash.compute_checksum": Signature(("data", "algorithm")),
    "hash.compute_hmac": Signature(("key", "data", "algorithm")),
    "http.delete": _http("url"),
    "http.get": _http("url", body=False),
    "http.patch": _http("url"),
    "http.post": _http("url"),
    "http.put": _http("url"),
    "http.request": _http("method", "url"),
    "json.decode": Signature(("data",)),
    "json.encode": Signature(("data",), ("indent",)),
    "json.encode_to_string": Signature(("data",), ("indent",)),
    "list.concat": Signature(("objs", "val")),
    "list.prepend": Signature(("objs", "val")),
    "map.delete": Signature(("map", "key")),
    "map.get": Signature(("map", "keys")),
    "map.merge": Signature(("first", "second")),
    "map.merge_nested": Signature(("first", "second")),
    "math.abs": Signature(("x",)),
    "math.floor": Signature(("x",)),
    "math.max": Signature(("x", "y")),
    "math.min": Signature(("x", "y")),
    "sys.get_env": Signature(("name",), ("default",)),
    "sys.log": Signature((), ("data", "severity", "text", "json", "timeout"), blocking=True),
    "sys.now": Signature(()),
    "sys.sleep": Signature(("seconds",), blocking=True),
    "sys.sleep_until": Signature(("time",), blocking=True),
    "text.decode": Signature(("data",), ("charset",)),
    "text.encode": Signature(("text",), ("charset",)),
    "text.find_all": Signature(("source", "substr")),
    "text.find_all_regex": Signature(("source", "regexp")),
    "text.match_regex": Signature(("source", "regexp")),
    "text.replace_all": Signature(("source", "substr", "repl")),
    "text.replace_all_regex": Signature(("source", "regexp", "repl")),
    "text.split": Signature(("source", "separator")),
    "text.substring": Signature(("source", "start", "end")),
    "text.to_lower": Signature(("source",)),
    "text.to_upper": Signature(("source",)),
    "text.url_decode": Signature(("source",)),
    "text.url_encode": Signature(("source",)),
    "text.url_encode_plus": Signature(("source",)),
    "time.format": Signature(("seconds",), ("timezone",)),
    "time.parse": Signature(("value",)),
    "uuid.generate": Signature(()),
}

PREDICATES: Final = (
    "http.default_retry_predicate",
    "http.default_retry_predicate_non_idempotent",
    "retry.always",
    "retry.never",
)
"""Functions of an error, for `predicate:`. https://cloud.google.com/workflows/docs/reference/stdlib/retry"""

CONSTANTS: Final = (
    "http.default_retry",
    "http.default_retry_non_idempotent",
    "retry.default_backoff",
)
"""Values of the library that are maps."""

_API_NAMES: Final = """
    aiplatform apigateway artifactregistry batch bigquery bigquerydatatransfer cloudbuild
    cloudfunctions cloudresourcemanager cloudscheduler cloudtasks compute container dataflow
    documentai firestore forms integrations language ml pubsub run secretmanager sheets spanner
    sqladmin storage storagetransfer transcoder translate workflowexecutions workflows
"""
_APIS: Final = frozenset(_API_NAMES.split())
"""https://cloud.google.com/workflows/docs/connectors"""


def known_connector(name: str) -> bool:
    """Whether it names a connector's method: googleapis.API.VERSION.RESOURCES.METHOD, or gke's."""
    parts = name.split(".")
    if parts[0] == "gke":
        return len(parts) == 2
    return parts[0] == "googleapis" and len(parts) >= 4 and parts[1] in _APIS
