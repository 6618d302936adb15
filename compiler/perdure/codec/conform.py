"""Values against their declared types."""

from perdure.codec.descriptors import Descriptor


def conform(value: object, declared: Descriptor, path: str = "value") -> object:
    """A Python value checked: int becomes a declared float, text keys declared int keys."""
    raise NotImplementedError


def conform_json(value: object, declared: Descriptor, path: str = "value") -> object:
    """Plain JSON from outside, converted to the declared type; `InvalidValue` names the field."""
    raise NotImplementedError
