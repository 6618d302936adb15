"""A run as its sites see it: claimed by the first, ended by the last, read in between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

from perdure.codec import encode_slots
from perdure.codec import VERSION as CODEC_VERSION
from perdure.language import Flow as UserFlow
from perdure.runtime.engine import Json, LogRecord
from perdure.runtime.values import decode_arguments, encode_input
from perdure.store.protocol import RunRecord, RunStore, Versions
from perdure.store.runs import claim_run, digest_of

from perdure_aws.state import State, fields, text

if TYPE_CHECKING:
    from perdure.codec.functions import FunctionTable

__all__ = ["SiteRun", "begin"]


@final
@dataclass(slots=True)
class SiteRun:
    """The part of `perdure.runtime.engine.Run` that pure code needs: clock, seed, logs."""

    id: str
    seed: str
    time: float
    """What the clock says: at the entry of the state before the operation, then as it is."""
    functions: "FunctionTable | None" = None
    logs: list[LogRecord] = field(default_factory=list[LogRecord])

    def now(self, scope: str, ordinal: int) -> float:
        """Engine time; every attempt of an operation sees the same before it."""
        return self.time

    def log(self, record: LogRecord) -> None:
        """Into the reply of the site."""
        self.logs.append(record)


def begin(
    store: RunStore,
    flow: UserFlow[..., object],
    data: Mapping[str, Json],
    *,
    entry: str,
    versions: Versions,
    now: float,
) -> State:
    """The first state of a run: claim its id, take its input apart."""
    run = fields(data["run"])
    record = RunRecord(
        run=text(run["id"]),
        flow=flow.__perdure_ref__,
        input_digest=digest_of(_mutable(data["input"])),
        input=_mutable(data["input"]),
        versions=versions,
        seed=text(run["seed"]),
        started=now,
        target="aws",
    )
    claimed, _ = claim_run(store, record)
    bound = decode_arguments(flow, fields(data["input"]))
    return State(claimed.run, claimed.seed, entry, encode_slots(dict(bound.arguments)))


def _mutable(value: Json) -> Json:
    return value
