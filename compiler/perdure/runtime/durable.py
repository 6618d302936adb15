"""The durable operations as compiled modules write them: `await durable.event("approval")`."""

from perdure.runtime import calls
from perdure.runtime.calls import branch
from perdure.runtime.generations import handed_over, resumes, turn, turns
from perdure.runtime.here import operation, placed

__all__ = [
    "ask",
    "branch",
    "cancel",
    "event",
    "gather",
    "handed_over",
    "placed",
    "progress",
    "quorum",
    "race",
    "reply",
    "result",
    "resumes",
    "send",
    "sleep",
    "start",
    "task_group",
    "timeout",
    "timeout_at",
    "turn",
    "turns",
    "wait_for",
]

ask = operation(calls.ask)
cancel = operation(calls.cancel)
event = operation(calls.event)
gather = operation(calls.gather)
progress = operation(calls.progress)
quorum = operation(calls.quorum)
race = operation(calls.race)
reply = operation(calls.reply)
result = operation(calls.result)
send = operation(calls.send)
sleep = operation(calls.sleep)
start = operation(calls.start)
task_group = operation(calls.task_group)
timeout = operation(calls.timeout)
timeout_at = operation(calls.timeout_at)
wait_for = operation(calls.wait_for)
