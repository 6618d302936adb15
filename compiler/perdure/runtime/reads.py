"""Clock, uuid and randomness in a flow: recorded reads, equal when the run is repeated.

Randomness derives from the run's seed, the scope's path and the ordinal of the read in its
scope. The clock is the engine's; its zone is UTC.
"""

import datetime as _datetime
import random as _random
import time as _time
import uuid as _uuid
from collections.abc import Callable
from typing import Any

from perdure.runtime.scope import Scope, current

__all__ = [
    "asctime",
    "child_seed",
    "ctime",
    "date_today",
    "gmtime",
    "localtime",
    "monotonic",
    "monotonic_ns",
    "now",
    "perf_counter",
    "perf_counter_ns",
    "random",
    "rng",
    "rng_method",
    "strftime",
    "time",
    "time_ns",
    "today",
    "utcnow",
    "uuid1",
    "uuid4",
]

type _Moment = _time.struct_time | tuple[int, int, int, int, int, int, int, int, int]

_UUID_EPOCH_NS = 0x01B21DD213814000 * 100
"""Nanoseconds from 1582-10-15, where the time of a uuid1 starts, to 1970-01-01."""


def seeded(seed: str, scope: str, ordinal: int) -> _random.Random:
    """The generator of one read; the same on every engine."""
    return _random.Random(f"{seed}/{scope}/{ordinal}")


def child_seed(seed: str, path: str) -> str:
    """The seed of the child flow at `path` of the run with this seed."""
    from hashlib import sha256

    return sha256(f"{seed}/{path}".encode()).hexdigest()[:32]


def rng() -> Any:  # a Random, or the module that has its methods
    """A generator for one read: `random.choice(xs)` is `rng().choice(xs)`."""
    scope = current.get()
    if scope is None:
        return _random
    return _next(scope)


def rng_method(name: str) -> Callable[..., Any]:
    """`random.choice` as a value: each call is one read."""

    def read(*args: Any, **kwargs: Any) -> Any:
        return getattr(rng(), name)(*args, **kwargs)

    read.__name__ = read.__qualname__ = name
    return read


def random() -> float:
    """`random.random()`."""
    value: float = rng().random()
    return value


def uuid4() -> _uuid.UUID:
    """`uuid.uuid4()`."""
    scope = current.get()
    if scope is None:
        return _uuid.uuid4()
    return _uuid.UUID(int=_next(scope).getrandbits(128), version=4)


def uuid1() -> _uuid.UUID:
    """`uuid.uuid1()`: engine time, and a node and clock sequence drawn from the seed."""
    scope = current.get()
    if scope is None:
        return _uuid.uuid1()
    bits = _next(scope)
    stamp = (time_ns() + _UUID_EPOCH_NS) // 100
    # The multicast bit marks a node that is no hardware address (RFC 9562, 6.10).
    node = bits.getrandbits(48) | (1 << 40)
    sequence = bits.getrandbits(14)
    return _uuid.UUID(
        fields=(
            stamp & 0xFFFFFFFF,
            (stamp >> 32) & 0xFFFF,
            (stamp >> 48) & 0x0FFF,
            sequence >> 8,
            sequence & 0xFF,
            node,
        ),
        version=1,
    )


def time() -> float:
    """`time.time()`."""
    scope = current.get()
    if scope is None:
        return _time.time()
    ordinal, scope.clocks = scope.clocks, scope.clocks + 1
    return scope.run.now(scope.path, ordinal)


def time_ns() -> int:
    """`time.time_ns()`, exact to the microsecond that a float of seconds can hold."""
    return _time.time_ns() if current.get() is None else round(time() * 1_000_000) * 1000


def monotonic() -> float:
    """`time.monotonic()`: engine time, which never goes back."""
    return _time.monotonic() if current.get() is None else time()


def perf_counter() -> float:
    """`time.perf_counter()`: engine time."""
    return _time.perf_counter() if current.get() is None else time()


def monotonic_ns() -> int:
    """`time.monotonic_ns()`: engine time."""
    return _time.monotonic_ns() if current.get() is None else time_ns()


def perf_counter_ns() -> int:
    """`time.perf_counter_ns()`: engine time."""
    return _time.perf_counter_ns() if current.get() is None else time_ns()


def now(tz: _datetime.tzinfo | None = None) -> _datetime.datetime:
    """`datetime.now(tz)`; without a zone it is UTC's, naive."""
    if current.get() is None:
        return _datetime.datetime.now(tz)
    moment = _datetime.datetime.fromtimestamp(time(), _datetime.UTC)
    return moment.replace(tzinfo=None) if tz is None else moment.astimezone(tz)


def utcnow() -> _datetime.datetime:
    """`datetime.utcnow()`."""
    if current.get() is None:
        return _datetime.datetime.now(_datetime.UTC).replace(tzinfo=None)
    return now()


def today() -> _datetime.datetime:
    """`datetime.today()`."""
    return now()


def date_today() -> _datetime.date:
    """`date.today()`."""
    return now().date()


def gmtime(seconds: float | None = None, /) -> _time.struct_time:
    """`time.gmtime()`."""
    return _time.gmtime(time() if seconds is None else seconds)


def localtime(seconds: float | None = None, /) -> _time.struct_time:
    """`time.localtime()`: the zone of a run is UTC."""
    if current.get() is None:
        return _time.localtime(seconds)
    return gmtime(seconds)


def asctime(moment: _Moment | None = None, /) -> str:
    """`time.asctime()`."""
    return _time.asctime(localtime() if moment is None else moment)


def ctime(seconds: float | None = None, /) -> str:
    """`time.ctime()`."""
    return _time.asctime(localtime(seconds))


def strftime(form: str, moment: _Moment | None = None, /) -> str:
    """`time.strftime(form)`."""
    return _time.strftime(form, localtime() if moment is None else moment)


def _next(scope: Scope) -> _random.Random:
    ordinal, scope.reads = scope.reads, scope.reads + 1
    return seeded(scope.run.seed, scope.path, ordinal)
