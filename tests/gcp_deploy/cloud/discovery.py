"""What Google's APIs take, by their own discovery documents: every request is held to them.

Comes in: method, URL, body. Goes out: the id of the API's method and its parameters; Malformed
where the API has no such method, no such parameter, no such field, or another type.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, final
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["Asked", "Malformed", "asked"]

PACKAGE = find_spec("googleapiclient")
assert PACKAGE is not None, "its discovery documents are in the development group"
assert PACKAGE.origin is not None
DOCUMENTS = Path(PACKAGE.origin).parent / "discovery_cache" / "documents"
APIS = (
    "cloudresourcemanager.v3",
    "cloudscheduler.v1",
    "firestore.v1",
    "iam.v1",
    "logging.v2",
    "pubsub.v1",
    "run.v2",
    "secretmanager.v1",
    "serviceusage.v1",
    "storage.v1",
    "workflowexecutions.v1",
    "workflows.v1",
)


class Malformed(AssertionError):  # noqa: N818  (it says what is so)
    """The API does not know a request of this form."""


@final
class Asked(NamedTuple):
    """A request as the API understands it."""

    id: str
    """Of the method: `run.projects.locations.services.create`."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any


@final
class Method(NamedTuple):
    """One method of an API."""

    id: str
    verb: str
    url: re.Pattern[str]
    names: tuple[str, ...]
    document: Mapping[str, Any]
    about: Mapping[str, Any]


def asked(verb: str, url: str, content: bytes | None) -> Asked:
    """What a request is."""
    whole = urlsplit(url)
    host, path = f"{whole.scheme}://{whole.netloc}/", whole.path.removeprefix("/")
    upload = path.startswith("upload/")
    for method in _methods().get(host, ()):
        found = method.url.fullmatch(path.removeprefix("upload/"))
        if found is None or method.verb != verb:
            continue
        query = (
            dict(parse_qsl(whole.query, keep_blank_values=True, strict_parsing=True))
            if (whole.query)
            else {}
        )
        _check_query(method, query)
        given = {
            name: unquote(value) for name, value in zip(method.names, found.groups(), strict=True)
        }
        if upload:
            return Asked(method.id, given, query, content)
        body = json.loads(content) if content else None
        schema = method.about.get("request")
        if schema is not None and body is not None:
            _check(body, schema, method, "body")
        elif body is not None:
            raise Malformed(f"{method.id} takes no body: {body}")
        return Asked(method.id, given, query, body)
    raise Malformed(f"no API has {verb} {url}")


@cache
def _methods() -> Mapping[str, tuple[Method, ...]]:
    found: dict[str, list[Method]] = {}
    for api in APIS:
        document = json.loads((DOCUMENTS / f"{api}.json").read_text("utf-8"))
        found.setdefault(document["rootUrl"], []).extend(_of(document, document))
    # What stands behind a colon would fit into a name, too: the plainest pattern is meant.
    return {host: tuple(sorted(methods, key=_plainness)) for host, methods in found.items()}


def _plainness(method: Method) -> tuple[bool, int]:
    literal = re.sub(r"\{[^}]+\}", "", method.about["path"])
    return ":" not in literal, -len(literal)


def _of(document: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[Method]:
    for about in part.get("methods", {}).values():
        if about["id"].startswith("firestore") and "documents.list" in about["id"]:
            continue  # a collection is called as a document would be
        names: list[str] = []

        def pattern(found: re.Match[str], about: Any = about, names: list[str] = names) -> str:
            name = found[1].removeprefix("+")
            names.append(name)
            given = about["parameters"][name].get("pattern", "^[^/]+$")
            return f"({given.removeprefix('^').removesuffix('$')})"

        written = re.split(r"(\{[^}]+\})", document["servicePath"] + about["path"])
        url = "".join(
            re.sub(r"\{([^}]+)\}", pattern, one) if one.startswith("{") else re.escape(one)
            for one in written
        )
        yield Method(
            about["id"], about["httpMethod"], re.compile(url), tuple(names), document, about
        )
    for inner in part.get("resources", {}).values():
        yield from _of(document, inner)


def _check_query(method: Method, query: Mapping[str, str]) -> None:
    known = {**method.document["parameters"], **method.about["parameters"]}
    for name in query:
        if name not in known and name != "uploadType":
            raise Malformed(f"{method.id} has no parameter {name}")


def _check(value: Any, schema: Mapping[str, Any], method: Method, where: str) -> None:
    """Fields, types and enums, as the document has them."""
    if "$ref" in schema:
        schema = method.document["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    fitting: Any = {
        "string": str,
        "boolean": bool,
        "integer": int,
        "number": (int, float),
        "array": list,
        "object": dict,
        "any": object,
    }[kind]
    if not isinstance(value, fitting) or (kind in ("integer", "number") and value is True):
        raise Malformed(f"{method.id}: {where} is {kind}, not {value!r}")
    if "enum" in schema and value not in schema["enum"]:
        raise Malformed(f"{method.id}: {where} is one of {schema['enum']}, not {value!r}")
    if kind == "array":
        for number, one in enumerate(value):
            _check(one, schema["items"], method, f"{where}[{number}]")
    if kind == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, one in value.items():
            inner = known.get(name, others)
            if inner is None:
                raise Malformed(f"{method.id}: {where} has no field {name}")
            if inner.get("readOnly"):
                raise Malformed(f"{method.id}: {where}.{name} is what the API gives out")
            _check(one, inner, method, f"{where}.{name}")
