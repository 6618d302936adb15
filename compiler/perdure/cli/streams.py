"""What the command line writes: results to standard output, the rest to standard error.

Both work whatever they are: closed, full, without a reader, or in an encoding that lacks our
signs. Writing to standard error never fails; writing to standard output raises `OutputLost`, and
neither ever disturbs a run.
"""

import codecs
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import TextIOBase, TextIOWrapper
from typing import TYPE_CHECKING, Final, TextIO, final, override

if TYPE_CHECKING:
    from perdure.secrets import Pieces

__all__ = [
    "OutputLost",
    "busy",
    "can_encode",
    "colored",
    "drawn",
    "flush",
    "json_text",
    "lost",
    "many",
    "out",
    "prepare",
    "results_apart",
    "say",
]

ESCAPE: Final = "perdure.escape"
"""The name of the error handler: what an encoding lacks is written as JSON writes it."""
_DRAWN: Final = str.maketrans(
    {
        "✓": "+", "✗": "x", "⊘": "-", "…": "~", "»": ">", "→": "->",
        "├": "|", "└": "`", "│": "|", "─": "-",
    }
)  # fmt: skip
PATIENCE: Final = 1.0
_SIGNS: Final = "".join(map(chr, _DRAWN))


class OutputLost(Exception):  # noqa: N818  (it says what happened)
    """Standard output cannot be written; `quiet` when that is nobody's business (`| head`)."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output cannot be written: {error.strerror or error}")
        self.quiet = isinstance(error, BrokenPipeError)


def prepare() -> None:
    """Make the three streams usable; to be called once, before anything is written."""
    # A closed stream's number would go to the next file that is opened, and be written to.
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115  (for the process)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
    codecs.register_error(ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ESCAPE)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = range(0, len(units), 2)
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in pairs), error.end


def out(text: str, *, end: str = "\n") -> None:
    """Write to standard output; OutputLost if that cannot be."""
    stream = _results()
    try:
        stream.write(_for(stream, text) + end)
        stream.flush()
    except OSError as error:
        raise lost(error) from None


def lost(error: OSError) -> OutputLost:
    """What to raise when standard output cannot be written; nothing more goes there."""
    _close(_results())
    return OutputLost(error)


def say(text: str, *, end: str = "\n") -> None:
    """Write for people, to standard error; what cannot be written is lost."""
    try:
        sys.stderr.write(_for(sys.stderr, text) + end)
        sys.stderr.flush()
    except OSError:
        _close(sys.stderr)


def flush() -> None:
    """Bring out what other code has written; OutputLost if that cannot be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise lost(error) from None
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _close(sys.stderr)


@contextmanager
def results_apart() -> Generator[None]:
    """While this holds, what others print (a step, its processes) goes to standard error.

    That never fails them, whoever stopped reading; `out` writes to standard output all the same.
    """
    before = sys.stdout, sys.stderr
    before[0].flush()
    try:
        results = _moved(before[0])
    except (OSError, ValueError):
        results = None
    aside = _Aside(before[1], results or before[0]), _Aside(before[1], None)
    sys.stdout, sys.stderr = aside
    try:
        yield
    finally:
        for one in aside:
            one.end()
        sys.stdout, sys.stderr = before
        if results is not None:
            os.dup2(results.fileno(), 1)
            results.close()


def _moved(stdout: TextIO) -> TextIO | None:
    """Standard output under another number, while 1 is standard error, for processes of steps."""
    if stdout.fileno() != 1:
        return None
    results = open(os.dup(1), "w", encoding=stdout.encoding, errors=stdout.errors)  # noqa: SIM115
    os.dup2(2, 1)
    return results


@final
class _Aside(TextIOBase):
    """Text goes to a stream as long as that takes it, without the secrets that were read."""

    def __init__(self, stream: TextIO, results: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self.results = results
        """Where results go instead."""
        self._pieces: Pieces | None = None

    @property
    def buffer(self) -> object:
        return self._stream.buffer

    @property
    @override
    def encoding(self) -> str:  # type: ignore[override]  # an attribute in the base class
        return self._stream.encoding

    @override
    def write(self, text: str, /) -> int:
        self._hand_on(self._masked(text))
        return len(text)

    def end(self) -> None:
        """Nothing follows what was written."""
        if self._pieces is not None:
            self._hand_on(self._pieces.rest())

    def _masked(self, text: str) -> str:
        """A process that never imported `perdure.secrets` has read none, and pays nothing."""
        if "perdure.secrets" not in sys.modules:
            return text
        if self._pieces is None:
            from perdure.secrets import Pieces

            self._pieces = Pieces()
        return self._pieces.take(text)

    def _hand_on(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            _close(self._stream)

    @override
    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            _close(self._stream)

    @override
    def fileno(self) -> int:
        return self._stream.fileno()

    @override
    def isatty(self) -> bool:
        return self._stream.isatty()

    @override
    def writable(self) -> bool:
        return True


def _results() -> TextIO:
    stream: object = sys.stdout
    return (isinstance(stream, _Aside) and stream.results) or sys.stdout


@contextmanager
def busy(what: str) -> Generator[None]:
    """Say on a terminal what is being done, once it takes more than a second."""
    if not sys.stderr.isatty():
        yield
        return
    from threading import Timer

    shown: list[str] = []

    def show() -> None:
        shown.append(what)
        say(f"{what} ...", end="")

    timer = Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if shown:
            say(f"\r{' ' * (len(what) + 4)}\r", end="")


def many(count: int, what: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {what}{'s' if count != 1 else ''}"


def colored(stream: TextIO) -> bool:
    """Whether to use colors: NO_COLOR, then FORCE_COLOR, else on terminals."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def can_encode(stream: TextIO, signs: str) -> bool:
    """Whether a stream can write these signs as they are."""
    try:
        signs.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def drawn(text: str, stream: TextIO) -> str:
    """A drawing as a stream can show it: in ASCII where it lacks the signs."""
    return text if can_encode(stream, _SIGNS) else text.translate(_DRAWN)


def json_text(value: object) -> str:
    """JSON for standard output: as readable as its encoding allows."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if can_encode(_results(), text) else json.dumps(value, indent=2)


def _for(stream: TextIO, text: str) -> str:
    if "\x1b" not in text or colored(stream):
        return text
    from click import unstyle

    return unstyle(text)


def _close(stream: TextIO) -> None:
    """Let what is still in the buffer, and all that follows, go nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
