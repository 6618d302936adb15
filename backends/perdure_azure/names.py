"""Names in an Azure app: of functions (letters, digits and `_`) and of instances."""

import re
from hashlib import sha256
from typing import Final

__all__ = ["FIND", "MESSAGE", "START", "TELL", "function_name", "instance_id"]

START: Final = "perdure_start"
"""The activity that starts a run, once."""
FIND: Final = "perdure_find"
"""The activity that says where a run is."""
TELL: Final = "perdure_tell"
"""The activity that writes to a run, where an orchestrator cannot."""
MESSAGE: Final = "perdure.message"
"""The event by which runs, and clients, write to a run; no event of a flow has this name."""
LONGEST = 100
"""Characters of an instance id (DOCS durable-functions-instance-management)."""


def function_name(ref: object) -> str:
    """`examples.triage:classify` -> `examples_triage__classify`."""
    module, _, qualname = str(ref).partition(":")
    return f"{_plain(module)}__{_plain(qualname)}"


def instance_id(run: str) -> str:
    """The id of a run's orchestration: the run id where Azure takes that, else as near to it."""
    plain = re.sub(r"[/\\#?\x00-\x1f\x7f-\x9f]|^@", "-", run)
    if plain == run and len(run) <= LONGEST:
        return run
    return f"{plain[: LONGEST - 17]}-{sha256(run.encode()).hexdigest()[:16]}"


def _plain(name: str) -> str:
    def spelt(found: re.Match[str]) -> str:
        return "_" if found[0] == "." else f"_{ord(found[0]):x}_"

    return re.sub(r"\W", spelt, name, flags=re.ASCII)
