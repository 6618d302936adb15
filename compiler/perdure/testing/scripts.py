"""Scripted steps: what a test says a step answers, the same for every target.

An engine asks once per attempt, with the arguments decoded: `scripts.answer(Attempt(...))`.
It then lets `after_seconds` of virtual time pass (not rounded), or the step's timeout if that
is shorter, and ends the attempt with the value or the error.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple, final

from perdure.durations import seconds_of

__all__ = [
    "After",
    "Answer",
    "Attempt",
    "Raises",
    "Returns",
    "RunsBody",
    "Script",
    "ScriptError",
    "Scripts",
    "after",
    "are_parallel",
]


class ScriptError(AssertionError):
    """The test's script does not fit the flow."""


class After(NamedTuple):
    """An answer that takes virtual time; see `after`."""

    seconds: float
    answer: object


def after(duration: object, answer: object = None) -> After:
    """`after("2s", x)`: answer `x` (a value, or an exception to raise) two seconds later."""
    seconds = seconds_of(duration)
    if seconds < 0:
        raise ValueError(f"not a duration to wait: {duration!r}")
    if isinstance(answer, After):
        return After(seconds + answer.seconds, answer.answer)
    return After(seconds, answer)


class Attempt(NamedTuple):
    """One attempt of a step: its name, structural path, number (from 1), decoded arguments.

    `path` starts at the run under test: that of an operation in a child flow lies below the
    child's, as in a trace.
    """

    name: str
    path: str
    number: int
    arguments: Mapping[str, object]


class Returns(NamedTuple):
    """The attempt ends after `after_seconds` with `value` (live, not encoded)."""

    after_seconds: float
    value: object


class Raises(NamedTuple):
    """The attempt ends after `after_seconds` with this exception."""

    after_seconds: float
    error: BaseException


class RunsBody(NamedTuple):
    """The step's own body runs, in no virtual time."""


type Script = Callable[..., Any] | Sequence[Any]
"""What `steps=` has for a name: answers are values of any type, exceptions, or `after(...)`."""

type Answer = Returns | Raises | RunsBody


@final
class Scripts:
    """The script of one test run; it keeps which answers have been used."""

    def __init__(
        self,
        steps: Mapping[str, Script] | None = None,
        unscripted: Literal["refuse", "run"] = "refuse",
    ) -> None:
        if unscripted not in ("refuse", "run"):
            raise ValueError(f'unscripted is "refuse" or "run", not {unscripted!r}')
        self._steps = dict(steps or {})
        self._unscripted = unscripted
        self._used: dict[str, int] = {}
        self._asked: dict[str, list[str]] = {}
        for name, script in self._steps.items():
            if not callable(script) and not _is_list(script):
                raise ScriptError(
                    f"step {name!r}: a script is a function of the arguments or a list of "
                    f"answers, one per attempt, not {script!r}"
                )

    def check_names(self, known: Iterable[str]) -> None:
        """ScriptError for a script whose name no step has."""
        names = sorted(set(known))
        for name in self._steps:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                hint = f"; did you mean {near[0]!r}" if near else f"; steps: {', '.join(names)}"
                raise ScriptError(f"the flow has no step {name!r}{hint}")

    def answer(self, attempt: Attempt) -> Answer:
        """The answer to this attempt; ScriptError when the script has none."""
        if attempt.name not in self._steps:
            if self._unscripted == "run":
                return RunsBody()
            raise ScriptError(
                f"step {attempt.name!r} at {attempt.path} has no script: add it to steps=, or "
                'say unscripted="run"'
            )
        script = self._steps[attempt.name]
        if callable(script):
            return _of_function(script, attempt)
        return _ended(self._in_turn(attempt, script))

    def _in_turn(self, attempt: Attempt, answers: Sequence[object]) -> object:
        for path in self._asked.setdefault(attempt.name, []):
            if are_parallel(path, attempt.path):
                raise ScriptError(
                    f"step {attempt.name!r} answers in turn, but {path} and {attempt.path} run "
                    "in parallel: use a function of the arguments"
                )
        if attempt.path not in self._asked[attempt.name]:
            self._asked[attempt.name].append(attempt.path)
        used = self._used.get(attempt.name, 0)
        if used >= len(answers):
            raise ScriptError(
                f"step {attempt.name!r} at {attempt.path} has used up its {len(answers)} answers: "
                "add one, or use a function of the arguments"
            )
        self._used[attempt.name] = used + 1
        return answers[used]


def are_parallel(left: str, right: str) -> bool:
    """Whether two paths lie in different branches of one fork."""
    for ours, theirs in zip(left.split("/"), right.split("/"), strict=False):
        if ours != theirs:
            fork, bracket, _ = ours.partition("[")
            return bool(bracket) and theirs.partition("[")[:2] == (fork, bracket)
    return False


def _of_function(script: Callable[..., object], attempt: Attempt) -> Answer:
    arguments = _wanted(script, attempt)
    try:
        answer = script(**arguments)
    except BaseException as error:  # a step may raise any: what its script raises, it raised
        return Raises(0.0, error)
    return _ended(answer)


def _wanted(script: Callable[..., object], attempt: Attempt) -> dict[str, Any]:
    """The arguments that the function has parameters for, by name."""
    parameters = inspect.signature(script).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return dict(attempt.arguments)
    unknown = [
        name
        for name, parameter in parameters.items()
        if name not in attempt.arguments
        and parameter.default is inspect.Parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    ]
    if unknown:
        raise ScriptError(
            f"step {attempt.name!r} has no parameter {unknown[0]!r}: its script may ask for "
            f"{', '.join(attempt.arguments) or 'nothing'}"
        )
    return {name: attempt.arguments[name] for name in parameters if name in attempt.arguments}


def _ended(answer: object) -> Answer:
    seconds, answer = (
        (answer.seconds, answer.answer) if isinstance(answer, After) else (0.0, answer)
    )
    if isinstance(answer, BaseException):
        return Raises(seconds, answer)
    if isinstance(answer, type) and issubclass(answer, BaseException):
        return Raises(seconds, answer())
    return Returns(seconds, answer)


def _is_list(script: object) -> bool:
    return isinstance(script, (list, tuple)) and not isinstance(script, After)
