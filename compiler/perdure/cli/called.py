"""How this command line was called, so that the commands it prints can be typed as they stand."""

import os
import shlex
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
    found = shutil.which("perdure", path=path)
    script = Path(sys.argv[0])
    named = script.name == "perdure" and script.is_file() and len(script.parts) > 1
    if named and (found is None or not script.samefile(found)):
        # By its path, from an environment that is not activated: another one may be found.
        return shlex.quote(str(script))
    if found:
        return "perdure"
    return f"{Path(sys.executable).name} -m perdure"
