"""What may be the id of a run: one rule for command lines, code, webhooks and flows.

An id is typed on command lines, `/` leads to children, and an execution of Step Functions is
called after it.
"""

import re
from hashlib import sha256
from typing import Final

__all__ = ["LAST", "LONGEST", "check_id", "could_be", "made_id"]

LAST: Final = "last"
"""On the command line: the newest run."""
LONGEST: Final = 80
"""What the name of an execution of Step Functions may have, the shortest of all targets."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]*\Z")
_SHOWN: Final = 100
_LONGEST_PATH: Final = 1_500
"""Of a child, with the ids above it: keys of run stores have 2,048 bytes."""


def check_id(run: object) -> str:
    """The id itself; TypeError, ValueError for what is none."""
    if not isinstance(run, str):
        raise TypeError(f"the id of a run is text, not {_short(repr(run))}")
    if run == LAST:
        raise ValueError("`last` is no run id: on the command line it means the newest run")
    if len(run) > LONGEST:
        raise ValueError(f"a run id has at most {LONGEST} characters, this one {len(run)}")
    if not _ID.match(run):
        raise ValueError(
            f"`{run}` is no run id: begin with a letter or digit, then also `.`, `_`, `:`, `@`"
            " and `-`"
        )
    return run


def could_be(run: str) -> bool:
    """Whether a store may be asked for a run of this id, be it a child's or an older one's."""
    return run.isascii() and run.isprintable() and 0 < len(run) <= _LONGEST_PATH


def made_id(flow: str, rest: str) -> str:
    """An id for a run of this flow that nobody has named: the flow's name, then `rest`.

    A name that is no part of an id as it stands (too long, other letters) is told apart from
    others that come to the same by a digest of it.
    """
    plain = flow.replace("_", "-")
    room = LONGEST - len(rest) - 1
    if _ID.match(plain) and len(plain) <= room:
        return f"{plain}-{rest}"
    near = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")
    digest = sha256(flow.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{near[: room - 9].strip('-') or 'run'}-{digest}-{rest}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
