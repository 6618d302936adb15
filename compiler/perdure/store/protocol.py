"""What a run store must offer, and the records that are kept in it.

A *form* of the store (SQLite here, DynamoDB in the AWS package) implements `RunStore`: items under
a partition and a sort key, written only by two conditional writes, read strongly consistent, plus
content-addressed blobs. Every rule of runs, inbox and waiters is a function over this Protocol in
`perdure.store.runs`, `.inbox` and `.match`: a form decides nothing.

Layout (the formats page `docs/formats/run-store.md` has the fields):

    partition        sort key                     record
    run/<run>        record                       RunRecord
    run/<run>        start                        who asked for the run from outside: the seed
    run/<run>        event/<event id>             where the event of this id lies (deduplication)
    run/<run>        inbox/<name>/<sequence>      Event, in order
    run/<run>        mark/<name>                  all events up to this sequence are taken
    run/<run>        waiter/<path>                Waiter
    run/<run>        line/<name>                  paths of the waiters to look at
    run/<run>        reply/<event id>             Reply
    run/<run>        result-waiter/<id>           ResultWaiter
    runs             <started>/<run>              the index that lists runs by start
    starts           <noted>/<run>                likewise of starts from outside
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from perdure.codec.text import Json

__all__ = [
    "FORMAT",
    "Doorbell",
    "End",
    "Event",
    "EventState",
    "Item",
    "Json",
    "Key",
    "NotAStore",
    "Reply",
    "ResultWaiter",
    "RunRecord",
    "RunStore",
    "Status",
    "StoreTooNew",
    "Taken",
    "UnknownRun",
    "Versions",
    "Waiter",
    "WaiterState",
]

FORMAT = 1
"""Version of the records; a store of a newer one is refused by name."""


class Key(NamedTuple):
    """Where an item lies. Sort keys order as their UTF-8 bytes do."""

    partition: str
    sort: str


class Item(NamedTuple):
    """One stored record: the first version is 1, each replacement adds one."""

    key: Key
    version: int
    body: Mapping[str, Json]


class RunStore(Protocol):
    """One form of the store. All reads see every write that was acknowledged before."""

    def get(self, key: Key) -> Item | None:
        """Return the item under this key."""
        ...

    def put_if_absent(self, key: Key, body: Mapping[str, Json]) -> bool:
        """Write version 1 unless an item is there; say whether it was written."""
        ...

    def replace(self, key: Key, version: int, body: Mapping[str, Json]) -> bool:
        """Write version + 1 if the item has this version now; say whether it was written."""
        ...

    def query(
        self,
        partition: str,
        prefix: str,
        *,
        after: str = "",
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Sequence[Item]:
        """Return the items whose sort key starts with `prefix` and is past `after`, in order.

        `newest_first` turns the order round (`after` is ignored then); `limit` keeps the first.
        """
        ...

    def put_blob(self, content: bytes) -> str:
        """Keep bytes under their SHA-256 (hex, returned); keeping them again changes nothing."""
        ...

    def get_blob(self, digest: str) -> bytes | None:
        """Return the bytes kept under this digest."""
        ...


class Status(StrEnum):
    """Where a run is. All but RUNNING are ends, and the first end stays."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Versions(NamedTuple):
    """What a run was started with; children, events and generations stay on it."""

    compiler: str
    python: str
    """Minor version: "3.13"."""
    codec: int
    source: str
    """Digest of the source copy; `get_blob` returns the copy."""


class End(NamedTuple):
    """How a run ended: an encoded value, or an encoded error."""

    status: Status
    value: Json = None
    error: Json = None


class RunRecord(NamedTuple):
    """Who a run is. `run`, `flow`, `input`, `seed` never change after the claim, and `versions`
    only when somebody lets the run go over to another source."""

    run: str
    flow: str
    """`module:qualname`."""
    input_digest: str
    input: Json
    """The encoded input object, keyed by parameter name."""
    versions: Versions
    seed: str
    """128 random bits in hex, from which the run's own randomness derives."""
    started: float
    """Seconds since 1970, of the engine's clock; likewise everywhere below."""
    target: str = "local"
    parent: str | None = None
    """`run id/path` of the operation that started this run as a child."""
    engine: str | None = None
    """The engine's handle of the execution under way (an ARN, an instance id)."""
    cancel: str | None = None
    """"cleanup" or "now", once somebody asked for it."""
    progress: Json = None
    end: End | None = None
    ended: float | None = None

    @property
    def status(self) -> Status:
        """Where the run is."""
        return Status.RUNNING if self.end is None else self.end.status


class EventState(StrEnum):
    """An event is OFFERED only between the writes of one `match`; any later `match` settles it."""

    FREE = "free"
    OFFERED = "offered"
    TAKEN = "taken"


class Event(NamedTuple):
    """One event in a run's inbox."""

    run: str
    name: str
    sequence: int
    """From 1, without gaps, per run and name."""
    id: str
    """The sender's; a second event with the same id is the same event."""
    payload: Json
    stored: float
    asks: bool = False
    """Its sender waits for a reply."""
    state: EventState = EventState.FREE
    waiter: str | None = None
    """Path of the waiter it is offered to or taken by."""


class WaiterState(StrEnum):
    """LIVE until one conditional write on the waiter decides; that write is the whole decision."""

    LIVE = "live"
    WON = "won"
    """An event was paired: `Waiter.won` says which."""
    EXPIRED = "expired"
    CLOSED = "closed"
    """The wait lost a race, or its run was cancelled; it holds no event."""


class Taken(NamedTuple):
    """The event a waiter won."""

    name: str
    sequence: int


class Waiter(NamedTuple):
    """One wait of a run: for one name, or a race of several events for several."""

    run: str
    path: str
    names: tuple[str, ...]
    """Lower index first where several events are already there."""
    since: float
    deadline: float | None = None
    """An event stored at or before it wins over the timeout, one stored later never does."""
    token: str | None = None
    """The doorbell (a task token, say). It may be lost: whoever rings it repeats until `rung`."""
    state: WaiterState = WaiterState.LIVE
    won: Taken | None = None
    rung: bool = False


class Reply(NamedTuple):
    """The answer to one event that asks."""

    event: str
    value: Json


class ResultWaiter(NamedTuple):
    """Somebody outside waits for the run's end."""

    run: str
    id: str
    token: str
    rung: bool = False


class Doorbell(NamedTuple):
    """A decided waiter (or result waiter) whose token was not acknowledged as rung yet."""

    token: str
    key: Key


class UnknownRun(LookupError):  # noqa: N818
    """No run has this id."""


class NotAStore(Exception):  # noqa: N818
    """The file is a database of something else."""


class StoreTooNew(Exception):  # noqa: N818
    """The store was written by a newer perdure: its format has a higher number."""
