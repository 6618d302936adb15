"""Static checks of a definition."""

from collections.abc import Mapping


def check(definition: Mapping[str, object]) -> list[str]:
    return []
