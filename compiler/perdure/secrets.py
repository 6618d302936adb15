"""Secrets by name: read where they are used, never part of a run.

`secret("OPENAI_API_KEY")` names a secret; `.value` reads it, in a step or at a webhook's door.
It is found in the process's environment, then at the resolver that a deployed site has put in
place (a cloud's secret store), then in the project's `.env.local` and `.env`, then in the
machine's keyring. The codec refuses a `Secret`, and `redacted` takes values that were read out of
what is about to be logged or recorded.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MissingSecret",
    "Pieces",
    "Secret",
    "read_from",
    "redacted",
    "reveals",
    "secret",
    "watch",
]

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
"""As environment variables are named: the form that every cloud's store can spell."""

DOTENV: Final = (".env.local", ".env")
MASK: Final = "***"
SHORTEST_MASKED: Final = 6
"""Shorter values are not masked: text that happens to hold them would be torn apart."""

LONG_LINE: Final = 16
SECRET_FIELD: Final = re.compile(r"(?i)key|pass|pwd|secret|token|credential|signature")

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)\Z")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}


class MissingSecret(LookupError):  # noqa: N818  # reads as what happened
    """No secret of this name is set where the code runs."""


@final
class Secret:
    """A secret by its name. It prints as its name; `value` reads it."""

    __slots__ = ("name",)

    name: str

    def __init__(self, name: str) -> None:
        if not NAME.match(name):
            raise ValueError(
                f"{name!r} is no name of a secret: write it like an environment variable,"
                " as in OPENAI_API_KEY"
            )
        self.name = name

    @property
    def value(self) -> str:
        """The secret itself; MissingSecret where none is set."""
        found = _find(self.name)
        if found is None:
            raise MissingSecret(_missing(self.name))
        _reveal(found)
        return found

    def __repr__(self) -> str:
        return f"secret({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.name == self.name

    def __hash__(self) -> int:
        return hash(("secret", self.name))


def secret(name: str) -> Secret:
    """Name a secret: `OpenAI(api_key=secret("OPENAI_API_KEY").value)` in a step."""
    return Secret(name)


class KeyRing(Protocol):
    """The part of the package `keyring` that is used: it may be missing."""

    def get_password(self, service: str, name: str) -> str | None:
        """A value, None if there is none."""
        ...

    def set_password(self, service: str, name: str, value: str) -> None:
        """Keep a value."""
        ...

    def delete_password(self, service: str, name: str) -> None:
        """Forget a value."""
        ...


_resolvers: Final[list[Callable[[str], str | None]]] = []
"""One at the most: where a deployed site reads secrets. Put in place once, when it starts."""
_revealed: Final[set[str]] = set()
"""Values that this process has read; they grow only, and are never shown."""
_parts: Final[set[str]] = set()
"""Parts of them: masked too, but not taken for the secret itself."""


def read_from(resolver: Callable[[str], str | None]) -> None:
    """Read secrets that the environment does not hold from `resolver` (None: not there)."""
    _resolvers[:] = [resolver]


def watch(names: Iterable[str]) -> None:
    """Mask also what these names stand for here, though this process has not read it.

    A run that is resumed prints what a step of an earlier process was given.
    """
    from pathlib import Path

    around = _dotenv(_project_folder(Path.cwd()))
    for name in names:
        found = os.environ.get(name, around.get(name))
        if found is not None:
            _reveal(found)


def redacted(text: str) -> str:
    """The text with every secret that this process has read replaced by `***`, and the telling
    parts of one."""
    for value in sorted(_maskable({*_revealed, *_parts}), key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


@final
class Pieces:
    """A text that comes in pieces, masked as a whole: the end of one that may be the beginning of
    a secret waits for the next."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, text: str) -> str:
        """What of it can be shown now, masked."""
        whole = redacted(self._held + text)
        self._held = _begun(whole)
        return whole[: len(whole) - len(self._held)]

    def rest(self) -> str:
        """What waits still: nothing follows it."""
        held, self._held = self._held, ""
        return held


def _begun(text: str) -> str:
    """The longest end of a text that is the beginning of a secret."""
    longest = ""
    for value in _maskable({*_revealed, *_parts}):
        at = text.find(value[0], max(0, len(text) - len(value) + 1))
        while at >= 0:
            if value.startswith(text[at:]):
                longest = max(longest, text[at:], key=len)
                break
            at = text.find(value[0], at + 1)
    return longest


def reveals(text: str) -> bool:
    """Whether a text holds a secret that this process has read."""
    return any(value in text for value in _maskable(_revealed))


def _forms(value: str) -> set[str]:
    """A value as it is, and as `repr` and JSON write it: other text where it has quotes, line
    ends, backslashes or letters that are not ASCII."""
    from base64 import b64encode, urlsafe_b64encode
    from json import dumps
    from urllib.parse import quote, quote_plus

    twice = dumps(dumps(value)[1:-1])
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    written = (repr(value), dumps(value), dumps(value, ensure_ascii=False), twice)
    data = value.encode("utf-8", "surrogatepass")
    return {
        value,
        quoted,
        *(text[1:-1] for text in written),
        repr(data)[2:-1],
        quote(data, safe=""),
        quote_plus(data),
        b64encode(data).decode().rstrip("="),
        urlsafe_b64encode(data).decode().rstrip("="),
    }


def _reveal(value: str) -> None:
    """From now on a value is masked, and what of it tells as much."""
    if value in _revealed:
        return
    _revealed.update(_forms(value))
    for part in _telling(value):
        _parts.update(_forms(part))


def _telling(value: str) -> Iterator[str]:
    """The long lines of a value that has several (a key), and the fields of one that is a JSON
    object (credentials) whose names say that they are secret."""
    for line in value.splitlines() if "\n" in value else ():
        if len(line.strip()) >= LONG_LINE and not line.startswith("-----"):
            yield line.strip()
    if value.lstrip().startswith("{"):
        from json import loads

        try:
            yield from _secret_fields(loads(value))
        except (ValueError, RecursionError):
            return


def _secret_fields(fields: "Mapping[str, Any]") -> Iterator[str]:
    for name, field in fields.items():
        if isinstance(field, str) and SECRET_FIELD.search(name):
            yield field
            yield from _telling(field)
        elif not isinstance(field, str) and hasattr(field, "items"):  # an object
            yield from _secret_fields(field)


def _maskable(values: Iterable[str]) -> list[str]:
    return [value for value in values if len(value) >= SHORTEST_MASKED]


def _missing(name: str) -> str:
    environment = os.environ.get("PERDURE_ENVIRONMENT")
    if environment is not None:
        return (
            f"the secret {name} is not set in {environment}: `perdure secrets set {environment}"
            f" {name}` sets it"
        )
    return (
        f"the secret {name} is not set here: `perdure secrets set local {name}` puts it into .env,"
        f" `perdure secrets set <environment> {name}` into a deployed one"
    )


def _find(name: str) -> str | None:
    if name in os.environ:
        return os.environ[name]
    for resolver in _resolvers:
        found = resolver(name)
        if found is not None:
            return found
    from pathlib import Path

    folder = _project_folder(Path.cwd())
    found = _dotenv(folder).get(name)
    return _from_keyring(name, folder) if found is None else found


def find_here(name: str, folder: "Path") -> str | None:
    """What a process of this project finds on this machine, None if nothing."""
    found = os.environ.get(name, _dotenv(folder).get(name))
    return _from_keyring(name, folder) if found is None else found


def keyring_service(folder: "Path") -> str:
    """What a project's secrets are filed under in the keyring."""
    return f"perdure {folder.name}"


def _from_keyring(name: str, folder: "Path") -> str | None:
    """What the machine's keyring holds, where the package `keyring` is installed; not in a cloud,
    whose own store has been asked by then."""
    if _resolvers:
        return None
    try:
        from importlib import import_module

        found: Any = import_module("keyring")  # Any: its functions are the Protocol's
        keyring: KeyRing = found
        return keyring.get_password(keyring_service(folder), name)
    except Exception:
        # Not installed, or no keyring answers here (a machine without a desktop): it holds nothing.
        return None


def _dotenv(folder: "Path") -> dict[str, str]:
    """What the project's `.env` files say, `.env.local` first. Read anew: they are small."""
    values: dict[str, str] = {}
    for file in reversed(DOTENV):
        try:
            text = (folder / file).read_text(encoding="utf-8-sig")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        values.update(parse_dotenv(text))
    return values


def _project_folder(start: "Path") -> "Path":
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").is_file():
            return folder
    return start


def parse_dotenv(text: str) -> Mapping[str, str]:
    """`NAME=value` lines as dotenv files have them; a line that is none is left out.

    Single quotes keep everything, double quotes know `\\n`, `\\t`, `\\r`, `\\"`, `\\\\` and `\\$`;
    without quotes a value ends at ` #`. Quoted values may go over several lines.
    """
    return {name: value for _, name, value in assignments(text) if name}


def assignments(text: str) -> Iterator[tuple[str, str, str]]:
    """Each assignment as it stands there, its name and value; other lines have no name."""
    lines = iter(text.splitlines(keepends=True))
    for line in lines:
        match = _ASSIGNMENT.match(line.strip())
        if match is None:
            yield line, "", ""
            continue
        name, rest = match.groups()
        quote, raw = rest[:1], line
        if quote not in ("'", '"'):
            yield raw, name, re.split(r"(?:^|\s)#", rest, maxsplit=1)[0].strip()
            continue
        while not _closed(rest, quote):
            following = next(lines, None)
            if following is None:
                break
            raw += following
            rest += "\n" + following.rstrip("\r\n")
        yield raw, name, _unquoted(rest, quote)


def _closed(rest: str, quote: str) -> bool:
    return _end(rest, quote) is not None


def _end(rest: str, quote: str) -> int | None:
    """Where the quoted text that `rest` begins with ends."""
    at = 1
    while at < len(rest):
        if rest[at] == "\\" and quote == '"':
            at += 1
        elif rest[at] == quote:
            return at
        at += 1
    return None


def _unquoted(rest: str, quote: str) -> str:
    inside = rest[1 : _end(rest, quote)]
    if quote == "'":
        return inside
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[0]), inside, flags=re.DOTALL)
