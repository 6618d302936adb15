"""The functions of `text`. https://cloud.google.com/workflows/docs/reference/stdlib/text"""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus, unquote

from perdure_gcp.workflows.problems import Doubts, failure
from perdure_gcp.workflows.values import Value, type_name

__all__ = ["TEXT"]

_COMMON_REGEX: Final = re.compile(
    r"(?:[A-Za-z0-9 _\-,;:@#%&/=<>!~`'\"]|\.|\\[.*+?()\[\]{}|^$\\/\-]"
    r"|\[\^?[A-Za-z0-9 _,;:@#%&/=.+!\\\-]*\]|[*+?]|\{[0-9]+(?:,[0-9]*)?\}"
    r"|\||\(\?:|\((?!\?)|\)|\^|\$)*"
)
"""What Python and RE2 (which Workflows names) surely read alike."""


def _text(value: Value, what: str) -> str:
    if isinstance(value, str):
        return value
    raise failure("TypeError", f"{what} takes text, not {type_name(value)}")


def _texts(arguments: list[Value], what: str) -> list[str]:
    return [_text(argument, what) for argument in arguments]


def _plane(doubts: Doubts, *texts: str) -> None:
    """Doubts about positions in a text with characters that other counts take twice."""
    if any(ord(character) > 0xFFFF for text in texts for character in text):
        doubts.about("characters", repr(texts[0]))


def _decode(doubts: Doubts, arguments: list[Value]) -> Value:
    data, charset = arguments
    if not isinstance(data, bytes):
        raise failure("TypeError", f"text.decode takes bytes, not {type_name(data)}")
    _charset(charset, doubts)
    try:
        return data.decode()
    except UnicodeDecodeError:
        doubts.about("encoding", "bytes that are no UTF-8")
        raise failure("ValueError", "the bytes are no UTF-8") from None


def _charset(charset: Value, doubts: Doubts) -> None:
    if charset not in (None, "UTF-8"):
        doubts.about("encoding", f"the charset {charset!r}")


def _encode(doubts: Doubts, arguments: list[Value]) -> Value:
    text, charset = arguments
    _charset(charset, doubts)
    return _utf8(_text(text, "text.encode"), doubts)


def _utf8(text: str, doubts: Doubts) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        doubts.about("encoding", "half of a character")
        raise failure("ValueError", "the text is no UTF-8") from None


def _find_all(doubts: Doubts, arguments: list[Value]) -> Value:
    source, part = _texts(arguments, "text.find_all")
    _plane(doubts, source)
    if not part:
        doubts.about("find-overlap", "an empty text is looked for")
        return []
    found: list[Value] = []
    at = source.find(part)
    while at >= 0:
        found.append(at)
        overlapping = source.find(part, at + 1)
        at = source.find(part, at + len(part))
        if overlapping >= 0 and overlapping != at:
            doubts.about("find-overlap", f"{part!r} in {source!r}")
    return found


def _regex(pattern: str, doubts: Doubts) -> re.Pattern[str]:
    if not _COMMON_REGEX.fullmatch(pattern):
        doubts.about("regex", pattern)
    try:
        return re.compile(pattern)
    except re.error:
        raise failure("ValueError", f"no regular expression: {pattern!r}") from None


def _find_all_regex(doubts: Doubts, arguments: list[Value]) -> Value:
    source, pattern = _texts(arguments, "text.find_all_regex")
    _plane(doubts, source)
    found: list[Value] = []
    for match in _regex(pattern, doubts).finditer(source):
        if not match.group():
            doubts.about("find-overlap", "an empty match")
        found.append({"index": match.start(), "match": match.group()})
    return found


def _match_regex(doubts: Doubts, arguments: list[Value]) -> Value:
    source, pattern = _texts(arguments, "text.match_regex")
    if "$" in pattern and source.endswith("\n"):
        doubts.about("regex", "`$` before a newline at the end")
    return _regex(pattern, doubts).search(source) is not None


def _replace_all(doubts: Doubts, arguments: list[Value]) -> Value:
    source, part, instead = _texts(arguments, "text.replace_all")
    if not part:
        doubts.about("find-overlap", "an empty text is replaced")
    return source.replace(part, instead)


def _replace_all_regex(doubts: Doubts, arguments: list[Value]) -> Value:
    source, pattern, instead = _texts(arguments, "text.replace_all_regex")
    if "\\" in instead or "$" in instead:
        doubts.about("regex", f"the replacement {instead!r}")
    regex = _regex(pattern, doubts)
    if regex.search("") is not None and any(not m.group() for m in regex.finditer(source)):
        doubts.about("find-overlap", "an empty match is replaced")
    return regex.sub(lambda _match: instead, source)


def _split(doubts: Doubts, arguments: list[Value]) -> Value:
    source, separator = _texts(arguments, "text.split")
    if not source or not separator:
        doubts.about("split-empty", f"text.split({source!r}, {separator!r})")
    parts: list[Value] = list(source.split(separator) if separator else source)
    return parts


def _substring(doubts: Doubts, arguments: list[Value]) -> Value:
    source, start, end = arguments
    text = _text(source, "text.substring")
    _plane(doubts, text)
    if not isinstance(start, int) or not isinstance(end, int):
        raise failure("TypeError", "the ends of a text.substring are integers")
    if not 0 <= start <= end <= len(text):
        doubts.about("substring-range", f"text.substring({text!r}, {start}, {end})")
    return text[max(start, 0) : max(end, 0)]


def _cased(upper: bool) -> Callable[[Doubts, list[Value]], Value]:
    def cased(doubts: Doubts, arguments: list[Value]) -> Value:
        (text,) = _texts(arguments, "text.to_upper" if upper else "text.to_lower")
        if not text.isascii():
            doubts.about("case", repr(text))
        return text.upper() if upper else text.lower()

    return cased


def _url_decode(doubts: Doubts, arguments: list[Value]) -> Value:
    (text,) = _texts(arguments, "text.url_decode")
    if "+" in text:
        doubts.about("encoding", "text.url_decode of `+`")
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        doubts.about("encoding", f"text.url_decode of {text!r}")
        raise failure("ValueError", f"no URL encoding: {text!r}")
    return unquote(text)


def _url_encode(doubts: Doubts, arguments: list[Value]) -> Value:
    (text,) = _texts(arguments, "text.url_encode")
    if re.search(r"[!'()*~$,:;@=+]", text):
        doubts.about("encoding", f"text.url_encode of {text!r}")
    return quote(_utf8(text, doubts), safe="")


def _url_encode_plus(doubts: Doubts, arguments: list[Value]) -> Value:
    (text,) = _texts(arguments, "text.url_encode_plus")
    if re.search(r"[!'()*~$,:;@=]", text):
        doubts.about("encoding", f"text.url_encode_plus of {text!r}")
    return quote_plus(_utf8(text, doubts))


TEXT: Final[Mapping[str, Callable[[Doubts, list[Value]], Value]]] = {
    "text.decode": _decode,
    "text.encode": _encode,
    "text.find_all": _find_all,
    "text.find_all_regex": _find_all_regex,
    "text.match_regex": _match_regex,
    "text.replace_all": _replace_all,
    "text.replace_all_regex": _replace_all_regex,
    "text.split": _split,
    "text.substring": _substring,
    "text.to_lower": _cased(upper=False),
    "text.to_upper": _cased(upper=True),
    "text.url_decode": _url_decode,
    "text.url_encode": _url_encode,
    "text.url_encode_plus": _url_encode_plus,
}
