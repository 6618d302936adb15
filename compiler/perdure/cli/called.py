"""How this command line was called, so that the commands it prints can be typed as they stand."""

import os
import shutil
import sys
from pathlib import Path

__all__ = ["typed"]


def typed() -> str:
    """`perdure`, or what has to be written where the shell finds no command of that name."""
    path = os.environ.get("PATH", os.defpath)
    if "UV_RUN_RECURSION_DEPTH" in os.environ:
        # `uv run` puts the folder of our script in front, which the shell it was typed in lacks.
        first, _, rest = path.partition(os.pathsep)
        if Path(first) == Path(sys.executable).parent and not shutil.which("perdure", path=rest):
            return "uv run perdure"
    if shutil.which("perdure", path=path):
        return "perdure"
    return f"{Path(sys.executable).name} -m perdure"
