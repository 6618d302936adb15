"""Names of functions in an Azure app: letters, digits and `_`, one for each step."""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.ir import Ref
    from perdure.language import Step

__all__ = ["activity_name", "function_name"]


def function_name(ref: "Ref | str") -> str:
    """`examples.triage:classify` -> `examples_triage__classify`."""
    module, _, qualname = str(ref).partition(":")
    return f"{_plain(module)}__{_plain(qualname)}"


def activity_name(step: "Step[..., Any]") -> str:
    """The function of a step."""
    return function_name(step.__perdure_ref__)


def _plain(name: str) -> str:
    return re.sub(
        r"\W",
        lambda found: "_" if found[0] == "." else f"_{ord(found[0]):x}_",
        name,
        flags=re.ASCII,
    )
