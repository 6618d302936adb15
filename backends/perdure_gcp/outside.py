"""What reaches a flow from outside, and what its code may read: data for `resources`."""

from collections.abc import Mapping
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.ir import CronTrigger, OpKind, Program, WebhookTrigger
from perdure.machine.graph import scopes
from perdure.machine.ir import Machines, Run
from perdure.webhooks.links import LINK_KEY
from perdure_gcp.lowering import Workflow

__all__ = ["Outside", "about_outside", "outside_of", "starts_executions"]


@final
class Outside(NamedTuple):
    """Triggers of the entry flow, and the secrets that its services read."""

    webhooks: tuple[str, ...] = ()
    """Their paths."""
    crons: tuple[CronTrigger, ...] = ()
    links: bool = False
    """Whether steps make approval links."""
    starts: bool = False
    """Whether some webhook starts runs."""
    read_by_sites: tuple[str, ...] = ()
    """Secrets that steps and schedules read."""
    read_by_door: tuple[str, ...] = ()

    @property
    def has_door(self) -> bool:
        """Whether strangers may send something: a service of its own answers them."""
        return bool(self.webhooks) or self.links

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that are read."""
        return tuple(sorted({*self.read_by_sites, *self.read_by_door}))


def outside_of(program: Program) -> Outside:
    """What reaches the entry flow of a program."""
    webhooks = [one for one in program.triggers if isinstance(one, WebhookTrigger)]
    links = {LINK_KEY.name} if program.links else set[str]()
    steps = {name for _, names in program.read_by_steps for name in names} | links
    door = {*program.read_by_door, *links} if webhooks or links else set[str]()
    return Outside(
        tuple(one.path for one in webhooks),
        tuple(one for one in program.triggers if isinstance(one, CronTrigger)),
        program.links,
        any(one.event is None for one in webhooks),
        tuple(sorted(steps)),
        tuple(sorted(door)),
    )


def about_outside(program: Program, outside: Outside) -> Mapping[str, Json]:
    """What the door and who deploys need to know."""
    about: dict[str, Json] = {}
    if program.secrets:
        about["secrets"] = [*program.secrets]
    if outside.has_door or outside.crons:
        about["events"] = [[one.name, one.module, one.type] for one in program.events]
    return about


def starts_executions(built: list[Workflow], machines: Machines) -> bool:
    """Whether sites start, stop or ring executions: branches, other flows, long runs, messages."""
    if len(built) > 1 or any(one.wins or one.ways_in for one in built):
        return True
    reaching = {OpKind.START, OpKind.SEND, OpKind.ASK, OpKind.CANCEL}
    return any(
        isinstance(state, Run) and state.op.kind in reaching
        for machine in machines.machines
        for scope in scopes(machine.root)
        for state in scope.states
    )
