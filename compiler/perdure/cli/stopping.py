"""Which signals ask a command to stop: Ctrl-C, SIGTERM, and that its terminal was closed."""

import signal

__all__ = ["CLOSED", "stop_signals"]

CLOSED: "int | None" = getattr(signal, "SIGHUP", None)
"""What a terminal that is closed sends; Windows has none."""


def stop_signals() -> list[int]:
    """Return the signals to stop at; under `nohup` a closed terminal is none."""
    numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
    if CLOSED is not None and signal.getsignal(CLOSED) is not signal.SIG_IGN:
        numbers.append(CLOSED)
    return numbers
