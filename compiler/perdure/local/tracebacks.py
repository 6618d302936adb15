"""Where something was raised, as text to keep with it: the user's own frames, without ours."""

import asyncio
import traceback
from pathlib import Path
from typing import Final

import perdure
from perdure.runtime.masking import masked_text

__all__ = ["traceback_of"]

_LONGEST: Final = 8_000
"""Characters that are kept: the end, where the error is."""


def traceback_of(error: BaseException) -> str:
    """Return the traceback as Python prints it, from the user's first line on; "" if none is."""
    whole = traceback.TracebackException.from_exception(error, limit=-100)
    if not _strip(whole, set()):
        return ""
    text = masked_text("".join(whole.format()).rstrip())
    return text if len(text) <= _LONGEST else "…" + text[1 - _LONGEST :]


def _strip(whole: traceback.TracebackException, seen: set[int]) -> bool:
    """Drop our frames, also of what led to the error; whether any is left."""
    seen.add(id(whole))
    kept = [frame for frame in whole.stack if not _is_ours(frame.filename)]
    whole.stack = traceback.StackSummary.from_list(kept)
    for other in (whole.__cause__, whole.__context__):
        if other is not None and id(other) not in seen:
            _strip(other, seen)
    return bool(kept)


def _is_ours(file: str) -> bool:
    ours = (str(Path(perdure.__file__).parent), str(Path(asyncio.__file__).parent))
    return file.startswith(ours) or file.startswith("<frozen ")
