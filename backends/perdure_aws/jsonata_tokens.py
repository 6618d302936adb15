"""The tokens of JSONata 2.0.6: text in, one token after the other out."""

from typing import Final, NamedTuple, final

__all__ = ["JsonataSyntaxError", "Scanner", "Token"]


class JsonataSyntaxError(ValueError):
    """The text is no JSONata 2.0.6; `position` is a 0-based index into it."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at {position}")
        self.position = position


@final
class Token(NamedTuple):
    """One token: its kind, its text (the value of a string or quoted name), its span."""

    kind: str
    text: str
    start: int
    end: int


_TWO: Final = ("..", ":=", "!=", ">=", "<=", "**", "~>")
_ONE: Final = ".[]{}(),@#;:?+-*/%|=<>^&!~"
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}


@final
class Scanner:
    """Tokens of `source`; whether `/` begins a regular expression depends on what is expected."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.index = 0

    def next(self, *, operand: bool) -> Token:
        """The next token; `operand`: one that begins an operand is expected."""
        self._skip()
        source, start = self.source, self.index
        if start >= len(source):
            return Token("end", "(end)", start, start)
        char = source[start]
        if operand and char == "/":
            return self._regex(start)
        if source[start : start + 2] in _TWO:
            return self._token("operator", start, start + 2)
        if char in _ONE:
            return self._token("operator", start, start + 1)
        if char in "\"'":
            return self._string(start, char)
        if char.isdigit():
            return self._number(start)
        if char == "`":
            close = source.find("`", start + 1)
            if close < 0:
                raise JsonataSyntaxError("a quoted name without its end", start)
            self.index = close + 1
            return Token("name", source[start + 1 : close], start, close + 1)
        return self._name(start)

    def _token(self, kind: str, start: int, end: int) -> Token:
        self.index = end
        return Token(kind, self.source[start:end], start, end)

    def _skip(self) -> None:
        source = self.source
        while self.index < len(source):
            if source[self.index] in " \t\n\r\v":
                self.index += 1
            elif source.startswith("/*", self.index):
                close = source.find("*/", self.index + 2)
                if close < 0:
                    raise JsonataSyntaxError("a comment without its end", self.index)
                self.index = close + 2
            else:
                return

    def _string(self, start: int, quote: str) -> Token:
        source, index, value = self.source, start + 1, list[str]()
        while index < len(source):
            char = source[index]
            if char == quote:
                self.index = index + 1
                return Token("string", "".join(value), start, index + 1)
            if char == "\\":
                index += 1
                code = source[index : index + 1]
                if code in _ESCAPES and code:
                    value.append(_ESCAPES[code])
                elif code == "u":
                    value.append(self._code_unit(index))
                    index += 4
                else:
                    raise JsonataSyntaxError("an unknown escape", index)
            else:
                value.append(char)
            index += 1
        raise JsonataSyntaxError("a string without its end", start)

    def _code_unit(self, index: int) -> str:
        digits = self.source[index + 1 : index + 5]
        if len(digits) != 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise JsonataSyntaxError("\\u wants four hexadecimal digits", index)
        return chr(int(digits, 16))

    def _number(self, start: int) -> Token:
        source, index = self.source, start
        while index < len(source) and source[index].isdigit():
            index += 1
        if source[index : index + 1] == "." and source[index + 1 : index + 2].isdigit():
            index += 1
            while index < len(source) and source[index].isdigit():
                index += 1
        if source[index : index + 1] in ("e", "E") and source[index:]:
            power = index + 1 + (source[index + 1 : index + 2] in ("+", "-"))
            if source[power : power + 1].isdigit():
                index = power
                while index < len(source) and source[index].isdigit():
                    index += 1
        return self._token("number", start, index)

    def _name(self, start: int) -> Token:
        source, index = self.source, start
        while index < len(source) and source[index] not in _ONE + " \t\n\r\v\"'`":
            index += 1
        if index == start:
            raise JsonataSyntaxError(f"unexpected {source[start]!r}", start)
        text = source[start:index]
        if text.startswith("$"):
            return self._token("variable", start, index)
        kind = (
            "word"
            if text in ("and", "or", "in")
            else "value"
            if text in ("true", "false", "null")
            else "name"
        )
        return self._token(kind, start, index)

    def _regex(self, start: int) -> Token:
        source, index, depth = self.source, start + 1, 0
        while index < len(source):
            char = source[index]
            if char == "/" and source[index - 1] != "\\" and depth == 0:
                if index == start + 1:
                    raise JsonataSyntaxError("an empty regular expression", start)
                index += 1
                while source[index : index + 1] in ("i", "m") and source[index:]:
                    index += 1
                return self._token("regex", start, index)
            if char in "([{" and source[index - 1] != "\\":
                depth += 1
            if char in ")]}" and source[index - 1] != "\\":
                depth -= 1
            index += 1
        raise JsonataSyntaxError("a regular expression without its end", start)
