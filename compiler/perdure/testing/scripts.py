"""Scripted steps: what a test says a step answers, the same for every target.

An engine asks once per attempt: `scripts.answer(StepCall(...))`.
"""

from collections.abc import Mapping
from typing import NamedTuple

from perdure.runtime.engine import Json

__all__ = ["Answer", "Attempt", "Raises", "Returns", "RunsBody", "ScriptError", "Scripts"]


class ScriptError(AssertionError):
    """The test's script does not fit the flow."""


class Attempt(NamedTuple):
    """One attempt of a step: its name, structural path, number (from 1), decoded arguments."""

    name: str
    path: str
    attempt: int
    arguments: Mapping[str, object]


class Returns(NamedTuple):
    """The attempt ends after `after_seconds` of virtual time with `value` (live, not encoded)."""

    after_seconds: float
    value: object


class Raises(NamedTuple):
    """The attempt ends after `after_seconds` with this exception."""

    after_seconds: float
    error: BaseException


class RunsBody(NamedTuple):
    """The step's own body runs, in no virtual time."""


type Answer = Returns | Raises | RunsBody


class Scripts:
    """The script of one test run; it keeps which answers were used."""

    def answer(self, call: Attempt) -> Answer:
        """The answer to this attempt; ScriptError when the script has none."""
        raise NotImplementedError


type Payload = Json
