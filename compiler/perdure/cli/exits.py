"""How the process ends: the same numbers for every command."""

from typing import Final

DONE: Final = 0
REFUSED: Final = 1
"""The flow source is refused, a run failed, or `--frozen` found a difference."""
WRONG_CALL: Final = 2
OUR_FAULT: Final = 3
WAITING: Final = 4
"""A run was left waiting, for an event or a time."""
ENVIRONMENT: Final = 5
"""This machine or the cloud refuses: a file, the store, standard output, credentials, a role."""
INTERRUPTED: Final = 130
"""By Ctrl-C, as shells count it."""
