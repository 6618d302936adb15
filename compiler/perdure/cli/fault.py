"""What to say when perdure itself is at fault: enough to report it, and no traceback."""

import platform
import shlex
import traceback
from collections.abc import Sequence

from perdure import __version__
from perdure.diagnostics import InternalError
from perdure.render.width import visible

__all__ = ["describe"]


def describe(error: Exception, arguments: Sequence[str]) -> str:
    """The text to print, and to paste into a report."""
    if isinstance(error, InternalError):
        problem, during, printed = error.problem, error.during, error.printed
        at = error.__cause__ or error
    else:
        problem, during, printed, at = f"{type(error).__name__}: {error}", "cli", "", error
    lines = [
        "error: this is a fault of perdure, not of your program",
        f"  what      {visible(problem)}",
        f"  during    {during}{_place(at)}",
        f"  version   perdure {__version__}, Python {platform.python_version()}, "
        f"{platform.system()}",
        f"  command   perdure {shlex.join(arguments)}",
        "",
        "Please report these lines with the flow that caused them; PERDURE_DEBUG=1 adds the "
        "traceback.",
    ]
    return "\n".join([*lines, *(["", printed] if printed else [])])


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    name = last.filename.replace("\\", "/").rpartition("/perdure")[2]
    return f", at perdure{name}:{last.lineno}"
