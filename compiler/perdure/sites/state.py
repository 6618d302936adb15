"""What travels between the states of a machine: one JSON object, written by the sites.

    run        {"id", "seed"}
    at         the pc where the next site begins
    scope      {"path", "counts", "reads", "clocks", "logs"}: where operations, recorded reads
               and log records get their keys from
    slots      the live values, one heap
    fresh      of a branch that has not begun
    cancelled  the CancelledError was delivered
    raised     the handler an exception led to, where a Choice must know
    decisions  the ways taken, for the Choices that follow
    operands   what the native state that follows needs
    value, error, won   how the scope ends
    along      what a native state sends to the next site: {"bind": slot, one of
               "error" "received" "slept" "paused" "outcomes" "won"}
    again      of a step to be tried again: {"attempt", "until", "seconds", "entered", "path"},
               with "usage" what its attempts have spent
    events     an estimate of the history's length, and the generation: see `handover`
    share      of a branch: the bytes that its end may have
    fork       of a branch that is an execution of its own: {"path", "index"}, see `forked`
    kept       instead of all that only sites read: the digest of a blob in the run store

The input of a run is {"run", "input"}; the input of a branch is a whole state, made by the site
before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, final

from perdure.codec import Json

__all__ = ["VERSION", "State", "VersionTooNew", "fields", "text"]

VERSION = 1


class VersionTooNew(Exception):  # noqa: N818
    """The state was written by a newer perdure."""


@final
@dataclass(slots=True)
class State:
    """The part of the state that a site reads and writes; the rest it makes anew."""

    run: str
    seed: str
    at: str
    slots: Json
    path: str = ""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    reads: int = 0
    clocks: int = 0
    logs: int = 0
    fresh: bool = False
    """A branch that has not begun."""
    cancelled: bool = False
    """The CancelledError was delivered; cleanup is not cancelled again."""
    along: Mapping[str, Json] | None = None
    again: Mapping[str, Json] | None = None
    operands: Mapping[str, Json] | None = None
    events: int = 0
    """What the history of the execution may have, where nobody has looked."""
    generation: int = 1
    """Which execution of the run this is."""
    chunk: Mapping[str, Json] | None = None
    """Of a chunk of a wide gather: see `wide`."""
    share: int = 0
    """Of a branch: bytes that its end may have; what is larger goes by reference."""
    branch: Mapping[str, Json] | None = None
    """Of a branch whose end may end its fork: its name and index, and what decides."""
    fork: Mapping[str, Json] | None = None
    """Of a branch that is an execution of its own: the path of its fork, its index."""

    @classmethod
    def read(cls, data: Mapping[str, Json]) -> Self:
        """The state as it arrived."""
        version = data.get("v", VERSION)
        if isinstance(version, int) and version > VERSION:
            raise VersionTooNew(f"state version {version}; this bundle reads up to {VERSION}")
        run, scope = fields(data["run"]), fields(data["scope"])
        return cls(
            run=text(run["id"]),
            seed=text(run["seed"]),
            at=text(data["at"]),
            slots=data["slots"],
            path=text(scope["path"]),
            counts={name: _integer(n) for name, n in fields(scope["counts"]).items()},
            reads=_integer(scope["reads"]),
            clocks=_integer(scope["clocks"]),
            logs=_integer(scope.get("logs", 0)),
            fresh=bool(data.get("fresh", False)),
            cancelled=bool(data.get("cancelled", False)),
            along=_optional(data.get("along")),
            again=_optional(data.get("again")),
            operands=_optional(data.get("operands")),
            events=_integer(data.get("events", 0)),
            generation=_integer(data.get("generation", 1)),
            chunk=_optional(data.get("chunk")),
            share=_integer(data.get("share", 0)),
            branch=_optional(data.get("branch")),
            fork=_optional(data.get("fork")),
        )

    def write(self, **more: Json) -> dict[str, Json]:
        """The state for what comes next; `more` are the members only some successors read."""
        return {
            "v": VERSION,
            "run": {"id": self.run, "seed": self.seed},
            "at": self.at,
            "scope": {
                "path": self.path,
                "counts": dict(self.counts),
                "reads": self.reads,
                "clocks": self.clocks,
                "logs": self.logs,
            },
            "slots": self.slots,
            **({"cancelled": True} if self.cancelled else {}),
            **({"events": self.events} if self.events else {}),
            **({"generation": self.generation} if self.generation > 1 else {}),
            **({"share": self.share} if self.share else {}),
            **({} if self.branch is None else {"branch": dict(self.branch)}),
            **({} if self.fork is None else {"fork": dict(self.fork)}),
            **more,
        }


def fields(value: Json) -> Mapping[str, Json]:
    """An object of the state."""
    if not isinstance(value, Mapping):
        raise TypeError(f"an object belongs here, not {value!r}")
    return value


def text(value: Json) -> str:
    """A text of the state."""
    if not isinstance(value, str):
        raise TypeError(f"a text belongs here, not {value!r}")
    return value


def _integer(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number belongs here, not {value!r}")
    return int(value)


def _optional(value: Json) -> Mapping[str, Json] | None:
    return None if value is None else fields(value)
