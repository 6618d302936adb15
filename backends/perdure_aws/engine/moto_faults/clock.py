# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Time: every wait of moto's interpreter on the virtual clock."""

import re
from datetime import UTC, datetime
from typing import Final

from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.retry.jitter_strategy_decl import (
    JitterStrategyDecl,
)
from moto.stepfunctions.parser.asl.component.state import state as state_module
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import job
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
    WaitFunction,
)
from moto.stepfunctions.parser.asl.eval import environment
from moto.stepfunctions.parser.asl.eval.callback import callback
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

from perdure_aws.engine.moto_faults.failures import query_failed
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.primitives import DatetimeModule, ThreadingModule, TimeModule, now
from perdure_aws.engine.run import active

__all__ = ["jitter_is_off", "time_is_virtual", "waits_read_what_aws_reads"]

_MOMENT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2})(:\d{2})?(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})"
)


def time_is_virtual(patches: Patches) -> None:
    """Waits, retry delays, timeouts and the times in the history go by the simulation's clock.

    moto 5.2.5: real time, real threads. AWS: the same durations; nothing else may pass in a test.
    """
    for module in (environment, branches_decl, job):
        patches.replace(module, "threading", ThreadingModule)
    patches.replace(callback, "Event", ThreadingModule.Event)
    patches.replace(retrier_decl, "time", TimeModule)
    patches.replace(state_task_service_callback, "time", TimeModule)
    patches.replace(state_task_service_callback, "threading", ThreadingModule)
    patches.replace(state_module, "datetime", DatetimeModule)
    patches.replace(EventManager, "_get_current_timestamp", staticmethod(now))

    def wait(self: WaitFunction, env: Environment, wait_seconds: float) -> None:
        active().scheduler.sleep(wait_seconds)

    patches.replace(WaitFunction, "_wait_interval", wait)


def jitter_is_off(patches: Patches) -> None:
    """JitterStrategy FULL waits the whole interval.

    moto 5.2.5: a random part of it. AWS: random too; the contract of the simulation is that
    jitter is off.
    """

    def evaluate(self: JitterStrategyDecl, env: Environment) -> None:
        """The interval stays as it is on the stack."""

    patches.replace(JitterStrategyDecl, "_eval_body", evaluate)


def waits_read_what_aws_reads(patches: Patches) -> None:
    """What Seconds and Timestamp may evaluate to.

    moto 5.2.5: `int()` of anything for Seconds; a Timestamp only with `Z`, in whole seconds,
    compared with local time.
    AWS: Seconds 0.0 is fine, 1.5, negative, text and null fail; a Timestamp may have an offset,
    lower-case t and z, up to nine digits, not a space or no offset (sfnx docs/design.md,
    measured).
    """

    def seconds(self: SecondsJSONata, env: Environment) -> float:
        self.string_jsonata.eval(env=env)
        value = env.stack.pop()
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or value < 0 or value != int(value):
            raise query_failed(env, f"Seconds must be a whole number of 0 or more, got {value!r}")
        return float(value)

    def timestamp(self: Timestamp, env: Environment) -> float:
        self.string.eval(env=env)
        text = env.stack.pop()
        moment = parse_moment(text) if isinstance(text, str) else None
        if moment is None:
            raise query_failed(env, f"Timestamp is no ISO-8601 date-time with offset: {text!r}")
        return (moment - now()).total_seconds()

    def literal(value: str) -> datetime | None:
        return parse_moment(value)

    patches.replace(SecondsJSONata, "_get_wait_seconds", seconds)
    patches.replace(Timestamp, "_get_wait_seconds", timestamp)
    patches.replace(Timestamp, "_from_timestamp_string", staticmethod(literal))


def parse_moment(text: str) -> datetime | None:
    """An instant as AWS reads it, None when it is none."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, minute, second, fraction, offset = found.groups()
    micro = (fraction or "")[:6].ljust(6, "0")
    zone = "+00:00" if offset in "Zz" else offset
    try:
        return datetime.fromisoformat(f"{day}T{minute}{second or ':00'}.{micro}{zone}").astimezone(
            UTC
        )
    except ValueError:
        return None
