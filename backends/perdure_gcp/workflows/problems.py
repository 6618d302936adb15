"""What is wrong with a workflow, and what nobody documented.

`Problem` is one finding of the loader or the checker, with its place and what to write instead;
`DeployError` holds them all, in source order. `WorkflowError` is an error inside a run: a value
(text or a map with `tags`) that `except` may catch. `Unverified` is neither: the workflow did
something whose outcome Google's documentation leaves open, so no honest engine can go on.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, final

if TYPE_CHECKING:
    from perdure_gcp.workflows.values import Value

__all__ = [
    "OPEN_QUESTIONS",
    "DeployError",
    "Doubts",
    "Limited",
    "Position",
    "Problem",
    "Unverified",
    "WorkflowError",
    "failure",
]


@final
class Position(NamedTuple):
    """A place in a workflow's source; both count from 1."""

    line: int
    column: int


@final
class Problem(NamedTuple):
    """One finding: `error` is what Google refuses, `unverified` what it does not document."""

    kind: Literal["error", "unverified"]
    position: Position
    message: str
    help: str

    def __str__(self) -> str:
        return f"{self.position.line}:{self.position.column}: {self.kind}: {self.message}"


@final
class DeployError(Exception):
    """A workflow that would not deploy, or (strict) whose deployment nobody documented."""

    def __init__(self, problems: Iterable[Problem], source: str = "") -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position))
        super().__init__("\n".join(_drawn(problem, source) for problem in self.problems))


def _drawn(problem: Problem, source: str) -> str:
    """The problem with its line and a caret."""
    lines = source.splitlines()
    text = [str(problem)]
    if 0 < problem.position.line <= len(lines):
        text.append(f"    {lines[problem.position.line - 1]}")
        text.append(" " * (problem.position.column + 3) + "^")
    text.append(f"    help: {problem.help}")
    return "\n".join(text)


@final
class WorkflowError(Exception):
    """An error of a run, as `except` sees it."""

    def __init__(self, value: "Value") -> None:
        self.value = value
        super().__init__(value)


@final
class Limited(Exception):  # noqa: N818, it says what the execution is
    """A limit of the engine was passed: the execution fails, and no `except` can catch it."""

    def __init__(self, tag: str, message: str) -> None:
        self.tag = tag
        self.message = message
        super().__init__(message)


def failure(tag: str, message: str, **more: "Value") -> WorkflowError:
    """An error map as the engine makes them."""
    return WorkflowError({"tags": [tag], "message": message, **more})


@final
class Unverified(Exception):  # noqa: N818, it says what the outcome is
    """The run's outcome depends on something that is not documented."""

    def __init__(self, question: str, detail: str) -> None:
        self.question = question
        super().__init__(f"{question}: {OPEN_QUESTIONS[question]} ({detail})")


OPEN_QUESTIONS: Final[Mapping[str, str]] = {
    "short-circuit": "is the right side of `and`, `or` evaluated when the left side decides?",
    "eager-if": "are both values of `if()` evaluated?",
    "division": "what do `//` and `%` give for negative or double operands?",
    "overflow": "what happens when an integer passes 64 bits, or a double its range?",
    "order": "do `<`, `<=`, `>`, `>=` take other operands than numbers?",
    "equality": "what is `==` of values of different types?",
    "deep-equality": "what is `==` of lists and maps?",
    "double-text": "how is a double written as text?",
    "json-double": "how does JSON write and read a double without fraction?",
    "json-number": "how is a JSON number read that is no 64-bit integer and no plain decimal?",
    "json-text": "what text does JSON have beyond compact ASCII, as with `indent` or `<`?",
    "json-duplicate": "which value wins when a JSON object has a key twice?",
    "negative-index": "what does a negative index give?",
    "index-type": "what does an index that is no integer, or a key that is no text, give?",
    "text-index": "can text be indexed?",
    "characters": "does `len` count characters beyond the basic plane once?",
    "substring-range": "what does text.substring give outside of the text?",
    "split-empty": "what does text.split give for an empty separator or text?",
    "find-overlap": "does text.find_all find matches that overlap, or empty ones?",
    "regex": "how does a regular expression beyond plain classes match?",
    "case": "how are other letters than ASCII's turned to upper or lower case?",
    "conversion": "which texts and doubles do `int()` and `double()` take?",
    "helper-type": "what does a helper do with a type that its page does not name?",
    "empty-range": "does a range that ends before it begins run at all?",
    "range-numbers": "which numbers does a range of doubles give?",
    "nested-create": "does an assignment create the maps on its way?",
    "partial": "is `${}` inside a longer text replaced?",
    "map-keys": "which keys other than text can a map have?",
    "unassigned": "what is a variable that no step has assigned yet?",
    "late-scope": "where does a name live that an outer scope assigns only later?",
    "shadow": "may a local name be that of an outer variable?",
    "jump-into": "can `next` jump into steps nested in another step?",
    "branch-next": "which `next` may a step of a parallel branch have?",
    "error-fields": "what do the fields of this error hold?",
    "callback-early": "is a callback kept that comes before it is awaited?",
    "callback-again": "can a callback be awaited a second time?",
    "predicate": "what happens when a retry's predicate fails or gives no boolean?",
    "retry-numbers": "what does a retry with these numbers do?",
    "concurrency": "what does this concurrency limit do?",
    "yaml": "how is this scalar read: as YAML 1.1 or as YAML 1.2?",
    "yaml-feature": "are anchors, tags and merges of YAML read?",
    "lexeme": "is this a token of the expression language?",
    "call-form": "can this function be called this way?",
    "time-text": "which texts are times?",
    "hash": "which algorithms are there?",
    "encoding": "which bytes and characters can be converted?",
    "http-form": "what does a request of this form send?",
    "connector": "what does this connector do with these arguments?",
    "raise-type": "what can be raised?",
    "end-in-subworkflow": "does `next: end` in a subworkflow end the execution or the call?",
    "switch-next": "where does a case without `next` lead when its switch has one?",
}
"""What is not documented; a row goes only together with a link to the page that says it."""


@final
class Doubts:
    """What to do at an open question: refuse it (strict), or go on with the likely answer."""

    __slots__ = ("strict",)

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def about(self, question: str, detail: str) -> None:
        """The run comes to `question`; returns only when it may go on."""
        if self.strict:
            raise Unverified(question, detail)
        assert question in OPEN_QUESTIONS
