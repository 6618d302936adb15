"""The passes over the Flow IR, in order. Each is `Program -> Program` and leaves what `verify`
asks for.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from perdure.passes.drop_unreachable import drop_unreachable
from perdure.passes.merge_pure import merge_pure

if TYPE_CHECKING:
    from perdure.ir import Program

__all__ = ["FLOW_PASSES"]

FLOW_PASSES: "tuple[tuple[str, Callable[[Program], Program]], ...]" = (
    ("drop_unreachable", drop_unreachable),
    ("merge_pure", merge_pure),
)
