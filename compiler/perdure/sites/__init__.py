"""What emitted code calls and the driver that runs it: the standard library and `perdure` only.

A site module (`sites_<flow>.py`, made by `perdure.machine.emit`) holds one function for each node
of a flow and the table `FLOW`; it imports this package as `sites`.
"""

import builtins

from perdure.runtime.site import Site as CallSite
from perdure.sites.awaited import ask, awaitables, kind_of, left_coroutine, value_of
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
from perdure.sites.groups import (
    Group,
    GroupTask,
    begin_group,
    create_task,
    end_group,
    fail_group,
    group_of,
    leave_group,
)
from perdure.sites.stars import (
    Star,
    again_star,
    begin_star,
    end_star,
    kind_of_error,
    match_of_star,
    match_star,
    raised_star,
)
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
    "Group",
    "GroupTask",
    "Operation",
    "Raise",
    "Return",
    "Scope",
    "Site",
    "Slots",
    "Star",
    "Stop",
    "again_star",
    "ask",
    "awaitables",
    "begin_deadline",
    "begin_group",
    "begin_star",
    "branch_name",
    "builtins",
    "call",
    "create_task",
    "cursor",
    "deadlines_of",
    "end_deadline",
    "end_group",
    "end_star",
    "enumerated",
    "fail_deadline",
    "fail_group",
    "from_the_end",
    "function",
    "group_of",
    "kind_of",
    "kind_of_error",
    "leave_group",
    "left_coroutine",
    "match_of_star",
    "match_star",
    "named",
    "raised_star",
    "value_of",
    "zipped",
]
