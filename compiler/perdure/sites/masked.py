"""What a deployed function prints and logs, without the secrets that it has read.

A cloud keeps whatever a process writes. Steps may print anything: the values of secrets are
masked on the way out, as they are in what perdure records.
"""

import io
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO, final, override

from perdure.secrets import Pieces, redacted

__all__ = ["mask_logging", "masked_output"]


@contextmanager
def masked_output() -> Generator[None]:
    """While this holds, standard output and error show `***` where a secret stood."""
    out, err = _Masked(sys.stdout), _Masked(sys.stderr)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        out.end()
        err.end()


def mask_logging() -> None:
    """Mask what the handlers of the root logger write: a cloud's own keep a stream of theirs."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(_mask)


def _mask(record: logging.LogRecord) -> logging.LogRecord:
    said = record.getMessage()
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    if record.exc_text:  # a handler before this one may have written it already
        record.exc_text = redacted(record.exc_text)
    record.msg, record.args = redacted(said), ()
    return record


@final
class _Masked(io.TextIOBase):
    """A stream that hands everything on, masked."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pieces = Pieces()

    @override
    def write(self, text: str, /) -> int:
        self._stream.write(self._pieces.take(text))
        return len(text)

    def end(self) -> None:
        """Nothing follows what was written."""
        self._stream.write(self._pieces.rest())

    @override
    def flush(self) -> None:
        self._stream.flush()

    @override
    def writable(self) -> bool:
        return True

    @override
    def fileno(self) -> int:
        return self._stream.fileno()

    @override
    def isatty(self) -> bool:
        return False
