"""What can be told only when all functions are read: loops with operations, recursion, branches."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis
    from perdure.frontend.walk import Walk

__all__ = ["check"]


def check(walk: "Walk", analysis: "Analysis") -> None:
    """Refuse what depends on which functions hold operations."""
