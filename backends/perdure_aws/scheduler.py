"""Cron expressions as EventBridge Scheduler writes them.

Its cron has six fields and knows no "or": one of the two fields for days is `?`. Where a flow
names days of the month and of the week, it has two schedules; the door starts one run for a
moment, whichever of them tells of it. Days of the week are 1 (Sunday) to 7. A local time that a
clock change leaves out is not due, one that comes twice is due once, there as in `perdure.cron`
(scheduler/latest/UserGuide/schedule-types.html, 2026-11-23).
"""

from collections.abc import Sequence
from typing import Final

from perdure.cron import parse

__all__ = ["expressions"]

ALL: Final = "*"
ANY: Final = "?"


def expressions(expression: str, tz: str) -> tuple[str, ...]:
    """One expression for Scheduler, or two that are due at either time."""
    due = parse(expression, tz)
    time = f"{_listed(due.minutes, 0, 59)} {_listed(due.hours, 0, 23)}"
    days = _listed(due.days, 1, 31)
    weekdays = _listed([number + 1 for number in due.weekdays], 1, 7)
    months = _listed(due.months, 1, 12)
    if due.any_weekday:
        return (f"cron({time} {days} {months} {ANY} *)",)
    on_weekdays = f"cron({time} {ANY} {months} {weekdays} *)"
    if due.any_day:
        return (on_weekdays,)
    return (f"cron({time} {days} {months} {ANY} *)", on_weekdays)


def _listed(numbers: Sequence[int], low: int, high: int) -> str:
    """Numbers in order as `*`, or as numbers and ranges."""
    if len(numbers) == high - low + 1:
        return ALL
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
