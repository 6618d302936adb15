"""What the codec refuses, as exceptions whose texts are the same on every engine."""


class UncodableError(TypeError):
    """A value has no codec; the text names the path inside the value, the type and the way out."""

    def __init__(self, type_name: str, reason: str, path: str = "") -> None:
        self.type_name = type_name
        self.reason = reason
        self.path = path
        super().__init__(self._text())

    def _text(self) -> str:
        return f"{self.path or 'value'}: `{self.type_name}` cannot cross: {self.reason}"

    def below(self, segment: str) -> None:
        """Put the part of the path that leads to the holder in front, as the error travels up."""
        self.path = segment + self.path
        self.args = (self._text(),)

    def forget_slot(self) -> None:
        """Name no slot: what a branch's own are called differs between engines."""
        self.path = "value" + self.path[len(self.path.partition(".")[0].partition("[")[0]) :]
        self.args = (self._text(),)

    def drop_dot(self) -> None:
        """Start the path with a slot's own name."""
        self.path = self.path.removeprefix(".")
        self.args = (self._text(),)


class CorruptValue(ValueError):  # noqa: N818, the name says what is wrong with the value
    """JSON that no codec of this version wrote: an unknown tag or a missing part."""


class NewerVersion(ValueError):  # noqa: N818
    """JSON of a later codec version than this reader knows."""


class InvalidValue(ValueError):  # noqa: N818
    """A value does not fit its declared type."""

    def __init__(self, field_path: str, expected: str, got: str) -> None:
        self.field_path = field_path
        self.expected = expected
        self.got = got
        super().__init__(f"`{field_path}`: expected {expected}, got {got}")
