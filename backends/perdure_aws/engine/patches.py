"""Replace attributes of moto's classes and modules for the time of a run, and put them back.

The corrections are process-wide while any simulation runs (nested and parallel ones share them),
and gone when the last one has ended: other users of moto in the process are left alone.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import final

__all__ = ["Patches", "patched"]

_LOCK = threading.Lock()
_MISSING = object()


@final
class Patches:
    """What has been replaced, in order."""

    def __init__(self) -> None:
        self._saved: list[tuple[object, str, object]] = []
        self.users = 0

    def replace(self, owner: object, name: str, value: object) -> None:
        """`owner.name` is `value` until `restore`. The name must exist: moto may have changed."""
        if not hasattr(owner, name):
            raise AttributeError(f"{owner!r} has no {name!r}: this moto is not the one we know")
        self._saved.append((owner, name, vars(owner).get(name, _MISSING)))
        setattr(owner, name, value)

    def restore(self) -> None:
        """Everything as it was."""
        while self._saved:
            owner, name, value = self._saved.pop()
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


_ACTIVE = Patches()


@contextmanager
def patched(corrections: Sequence[Callable[[Patches], None]]) -> Generator[None]:
    """Apply `corrections` while the block runs."""
    with _LOCK:
        if _ACTIVE.users == 0:
            for correct in corrections:
                correct(_ACTIVE)
        _ACTIVE.users += 1
    try:
        yield
    finally:
        with _LOCK:
            _ACTIVE.users -= 1
            if _ACTIVE.users == 0:
                _ACTIVE.restore()
