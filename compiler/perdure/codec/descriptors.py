"""Declared types as data."""

from typing import NamedTuple


class Descriptor(NamedTuple):
    """One declared type: what `conform` checks a value against."""

    kind: str
    name: str = ""
    args: "tuple[Descriptor, ...]" = ()
    values: tuple[object, ...] = ()


def descriptor(annotation: object) -> Descriptor:
    """The descriptor of a run-time type, as `typing.get_type_hints` gives it."""
    raise NotImplementedError
