"""Faults planted in the compiler on purpose, and how many programs it takes to find each.

A fault is a patch of one function, applied in process while the program is compiled for aws and run
on moto; the reference runs without it. It counts as found by the first program that then does
something else than the reference, and does the same without the patch.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Final, NamedTuple, final

from perdure.testing import Result
from perdure_aws.engine.patches import Patches
from tests.differential.harness import Program, Verdict
from tests.proof import quick
from tests.proof.generate import program
from tests.proof.planted_front import FRONT, Patch
from tests.proof.planted_sites import SITES

__all__ = ["NEEDED", "PLANTED", "Found", "hunt"]

PLANTED: Final[dict[str, Patch]] = {**FRONT, **SITES}
WITHIN: Final = 2_000
NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "a `for` loses its else": (r"walks|else:",),
    "a `while` loses its else": (r"\bwhile ", "else:"),
    "handlers in the wrong order": (r"except .*\n(.*\n)+? *except ",),
    "no finally": ("finally:",),
    "a finally cut short": ("finally:",),
    "a return evaluated after its finally": (r"ends\(",),
    "the else of a try inside it": ("except", "else:"),
    "continue that breaks": ("continue",),
    "break that continues": ("break",),
    "augmented items read late": (r"count \+= await it.grow",),
    "`and` that evaluates both sides": (r" (and|or) ",),
    "a lost conversion in an f-string": ("!r",),
    "guards ignored": (r"case .* if .*:",),
    "cases in the wrong order": ("match ",),
    "the test of a comprehension ignored": (r"for .* in .* if .*await",),
    "defaults lost": (r"\b(deferred|kid|chat)\(",),
    "names of handlers unbound": ("as e:",),
    "a quorum in order of index": (r"quorum\(",),
    "fail_fast ignored": ("fail_fast=",),
    "a group that waits for all": ("TaskGroup",),
    "the wrong name of a winner": (r"race\(",),
    "return_exceptions ignored": ("return_exceptions",),
    "gather in reverse": (r"gather\(",),
    "the last error of a gather": (r"gather\(",),
    "a parameter's reassignment lost": (r"\bx (\+)?= ",),
    "a lost nonlocal": (r"kept\(",),
    "retries counted from two": (r"\b(flaky|picky|again)\(",),
    "randomness that repeats": (r"(random|uuid4|waits)\b",),
    "ordinals of log records that repeat": (r"(print|log\.\w+)\(",),
    "a deadline that stays armed": (r"(timeout|wait_for)\(",),
    "an event at the deadline is too late": (r"event\(",),
    "events last in, first out": (r"event\(",),
    "-0.0 that becomes 0.0": (r"-0\.0",),
}
"""Patterns of what a program must have to show a fault at all."""


@final
class Found(NamedTuple):
    """The seed of the program that found it and its number from 1; what differs."""

    programs: int
    seed: int
    how: str


def hunt(name: str, first: int = 0, within: int = WITHIN) -> Found | None:
    """Programs from that seed on until one shows the planted fault."""
    for number, seed in enumerate(range(first, first + within), start=1):
        if not _can_show(name, program(seed)):
            continue
        verdict = _judged(seed, PLANTED[name])
        if verdict is not None and verdict.kind == "differs" and _is_clean(seed):
            return Found(number, seed, verdict.detail.split("\n")[0])
    return None


def _can_show(name: str, drawn: Program) -> bool:
    """Whether the program has at all what the fault is about: the others need not be run."""
    words = NEEDED.get(name, ())
    if name == "a cancel that is not delivered":
        return drawn.cancel is not None
    return all(re.search(word, drawn.text) for word in words)


@contextmanager
def planted(patch: Patch) -> Generator[None]:
    """The fault is there while the block runs."""
    patches = Patches()
    try:
        patch(patches)
        yield
    finally:
        patches.restore()


def _judged(seed: int, patch: Patch) -> Verdict | None:
    meant = _meant(seed)
    if meant is None:
        return None
    made, whole = meant
    try:
        usual = _emitted(seed)
        with planted(patch):
            if patch in FRONT.values() and made.again().emitted() == usual:
                return None  # the fault is nowhere in this program
            return quick.against(whole, Verdict("same", "", made.again().aws()))
    except Exception:  # the fault makes it crash, or refuse: another program has to show it
        return None


@lru_cache(maxsize=120)
def _meant(seed: int) -> tuple[quick.Compiled, Result] | None:
    """The program as the front end took it, and what the reference makes of it."""
    try:
        made = quick.compiled(program(seed))
        return made, made.reference()
    except Exception:
        return None


@lru_cache(maxsize=2_000)
def _emitted(seed: int) -> tuple[object, ...]:
    """What is emitted for it without any fault."""
    meant = _meant(seed)
    assert meant is not None, "it was run before"
    return meant[0].again().emitted()


@cache
def _is_clean(seed: int) -> bool:
    """Whether it is the same without any fault."""
    meant = _meant(seed)
    if meant is None:
        return False
    try:
        made, whole = meant
        return quick.against(whole, Verdict("same", "", made.again().aws())).kind == "same"
    except Exception:
        return False
