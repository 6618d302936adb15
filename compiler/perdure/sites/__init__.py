"""What emitted code calls and the driver that runs it: the standard library and `perdure` only.

A site module (`sites_<flow>.py`, made by `perdure.machine.emit`) holds one function for each node
of a flow and the table `FLOW`; it imports this package as `sites`.
"""

import builtins

from perdure.runtime.site import Site as CallSite
from perdure.sites.cursor import Cursor, cursor, enumerated, from_the_end, zipped
from perdure.sites.deadlines import (
    DEADLINES,
    Deadline,
    Deadlines,
    begin_deadline,
    deadlines_of,
    end_deadline,
    fail_deadline,
)
from perdure.sites.driver import Site, Stop
from perdure.sites.functions import Functions
from perdure.sites.table import (
    Block,
    Call,
    Catch,
    Decision,
    Flow,
    Operation,
    Raise,
    Return,
    Scope,
    Slots,
    branch_name,
    call,
    function,
    named,
)

__all__ = [
    "DEADLINES",
    "Block",
    "Call",
    "CallSite",
    "Catch",
    "Cursor",
    "Deadline",
    "Deadlines",
    "Decision",
    "Flow",
    "Functions",
    "Operation",
    "Raise",
    "Return",
    "Scope",
    "Site",
    "Slots",
    "Stop",
    "begin_deadline",
    "branch_name",
    "builtins",
    "call",
    "cursor",
    "deadlines_of",
    "end_deadline",
    "enumerated",
    "fail_deadline",
    "from_the_end",
    "function",
    "named",
    "zipped",
]
