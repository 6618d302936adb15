"""The command `perdure`, which is also `python -m perdure`."""

import os
import signal
from types import FrameType
from typing import Final

__all__ = ["main"]

_INTERRUPTED: Final = 130
"""As `perdure.cli.exits` has it, which is not loaded yet."""


def main() -> None:
    """Load the command line and run it; Ctrl-C while it loads leaves at once, without a word."""
    # Whoever began this with Ctrl-C ignored (a shell, in the background) means that.
    heeds = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeds:
        signal.signal(signal.SIGINT, _leave)
    from perdure.cli.main import main as run

    if heeds:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
