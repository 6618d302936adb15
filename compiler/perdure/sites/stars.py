"""`except*` across operations: what each clause takes, and what is raised at the end.

As CPython does it (Python/ceval.c `exception_group_match`, Objects/exceptions.c
`_PyExc_PrepReraiseStar`, 3.13): a naked exception that matches is wrapped; what clauses raise is
collected; parts of the group that are raised again, or that nobody took, keep its shape.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeGuard, final

__all__ = [
    "Star",
    "again_star",
    "begin_star",
    "end_star",
    "kind_of_error",
    "match_of_star",
    "match_star",
    "raised_star",
]


@final
class Star:
    """One exception on its way through the clauses of a `try`."""

    __slots__ = ("again", "ended", "match", "original", "rest")

    def __init__(
        self,
        original: BaseException,
        rest: BaseException | None,
        ended: list[tuple[bool, BaseException]] | None = None,
        match: BaseException | None = None,
        again: bool = False,
    ) -> None:
        self.original = original
        self.rest = rest
        """What no clause has taken yet."""
        self.ended = [] if ended is None else ended
        """What clauses raised, and whether that was what they were given, raised again."""
        self.match = match
        self.again = again

    def __perdure_encode__(self) -> object:
        return [self.original, self.rest, self.ended, self.match, self.again]

    @classmethod
    def __perdure_decode__(cls, state: Any) -> Self:
        return cls(*state)


def begin_star(slots: Mapping[str, object], error: BaseException) -> Star:
    """An exception arrives at the first clause."""
    return Star(error, error)


def match_star(slots: Mapping[str, object], star: Star, types: Any) -> str:
    """Whether the next clause takes a part ("yes"), which is `star.match` then."""
    _check(types)
    rest, star.match, star.again = star.rest, None, False
    if rest is None:
        return "no"
    if isinstance(rest, types):
        star.match = star.rest if _is_group(rest) else BaseExceptionGroup("", (rest,))
        star.rest = None
    elif _is_group(rest):
        star.match, star.rest = _split(rest, types)
    return "no" if star.match is None else "yes"


def _split(
    group: BaseExceptionGroup[BaseException], types: Any
) -> tuple[BaseException | None, BaseException | None]:
    def is_caught(error: BaseException) -> bool:
        return isinstance(error, types)

    return group.split(is_caught)


def _is_several(types: object) -> TypeGuard[tuple[object, ...]]:
    return isinstance(types, tuple)


def _check(types: Any) -> None:
    for one in types if _is_several(types) else (types,):
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(
                "catching classes that do not inherit from BaseException is not allowed"
            )
        if issubclass(one, BaseExceptionGroup):
            raise TypeError(
                "catching ExceptionGroup with except* is not allowed. Use except instead."
            )


def match_of_star(slots: Mapping[str, object], star: Star) -> BaseException:
    """What the clause that matched is given."""
    assert star.match is not None, "it has matched"
    return star.match


def kind_of_error(slots: Mapping[str, object], error: BaseException | None) -> str:
    """Whether there is something to raise."""
    return "end" if error is None else "raise"


def again_star(slots: Mapping[str, object], star: Star, again: bool) -> None:
    """A bare `raise` follows in the clause (or has not been reached after all)."""
    star.again = again


def raised_star(slots: Mapping[str, object], star: Star, error: BaseException) -> None:
    """A clause ended with an exception; the next ones have their turn all the same."""
    star.ended.append((star.again and error is star.match, error))


def end_star(slots: Mapping[str, object], star: Star) -> BaseException | None:
    """What leaves the `try`, None for nothing."""
    original = star.original
    if not _is_group(original):
        left = [error for _, error in star.ended]
        left += [] if star.rest is None else [star.rest]
        return left[0] if left else None
    raised = [error for again, error in star.ended if not again]
    kept = [error for again, error in star.ended if again]
    kept += [] if star.rest is None else [star.rest]
    leaves = {id(leaf) for error in kept for leaf in _leaves(error)}
    same = original.subgroup(lambda error: id(error) in leaves) if leaves else None
    if same is not None:
        raised.append(same)
    if len(raised) > 1:
        return BaseExceptionGroup("", raised)
    return raised[0] if raised else None


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if _is_group(error):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
