"""What Google refuses when a workflow is deployed, and what its pages leave open.

In: a program. Out: problems. Shapes and expressions are the reader's; here are names, jumps,
branches and calls. https://cloud.google.com/workflows/docs/troubleshooting has the texts of the
real messages that are known.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal, final

from perdure_gcp.workflows.problems import DeployError, Position, Problem
from perdure_gcp.workflows.reader import read_program
from perdure_gcp.workflows.scopes import Scope, scopes_of
from perdure_gcp.workflows.signatures import FUNCTIONS
from perdure_gcp.workflows.symbols import Symbols
from perdure_gcp.workflows.syntax import (
    Action,
    Assign,
    CallStep,
    For,
    Group,
    Parallel,
    Program,
    Return,
    Routine,
    Step,
    Switch,
    Try,
    blocks,
    steps_within,
)
from perdure_gcp.workflows.syntax import (
    Literal as Constant,
)

__all__ = ["check", "load", "problems_of"]

_RESERVED_WORDS: Final = """
    args assign branches break call condition continue end except for main next parallel params
    raise result retry return steps switch try
"""
RESERVED: Final = frozenset(_RESERVED_WORDS.split())
"""https://cloud.google.com/workflows/docs/reference/syntax#reserved-words"""

_TAKEN: Final = {"variable": ("args", "result"), "parameter": ("args",), "step": ("return",)}
"""Reserved words that Google's own samples use as names (github.com/GoogleCloudPlatform/
workflows-samples: args, step_iterate, connector_documentai), so they deploy."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP: Final = re.compile(r"[A-Za-z0-9_]+")

type _Frame = tuple[Literal["steps", "loop", "branch"], frozenset[str]]
"""A list of steps around a step: what it is the body of, and the names in it."""


def load(source: str, *, strict: bool = True) -> Program:
    """The program of a file that deploys; else `DeployError` with everything that is wrong."""
    problems: list[Problem] = []
    program = read_program(source, problems)
    problems += check(program)
    if not strict:
        problems = [problem for problem in problems if problem.kind == "error"]
    if problems:
        raise DeployError(problems, source)
    return program


def problems_of(source: str) -> tuple[Problem, ...]:
    """Everything that is wrong with a file, in source order."""
    try:
        load(source)
    except DeployError as error:
        return error.problems
    return ()


def check(program: Program) -> list[Problem]:
    """What is wrong with a program whose shape is right."""
    problems: list[Problem] = []
    for routine in program.routines.values():
        _Checker(program, routine, problems).check()
    return problems


@final
class _Checker:
    def __init__(self, program: Program, routine: Routine, problems: list[Problem]) -> None:
        self._routine = routine
        self._problems = problems
        self._scopes = scopes_of(routine)
        self._symbols = Symbols(program, problems)
        self._all = frozenset(step.name for step in steps_within(routine.steps) if step.name)

    def _error(self, place: Position, message: str, help: str) -> None:
        self._problems.append(Problem("error", place, message, help))

    def _open(self, place: Position, message: str, help: str) -> None:
        self._problems.append(Problem("unverified", place, message, help))

    def check(self) -> None:
        routine = self._routine
        if routine.name != "main":
            self._name(routine.name, routine.position, "workflow")
            if routine.name in FUNCTIONS:
                message = f"`{routine.name}` is a function of the library"
                self._error(routine.position, message, "take another name")
        names = [parameter.name for parameter in routine.parameters]
        for name in names:
            self._name(name, routine.position, "parameter")
            if names.count(name) > 1:
                self._error(routine.position, f"two parameters `{name}`", "rename one")
        self._duplicates()
        self._scoped_names()
        self._steps(routine.steps, ())

    def _name(self, name: str, place: Position, what: str) -> None:
        if name in RESERVED:
            if name not in _TAKEN.get(what, ()):
                message = f"`{name}` is a reserved word and no name of a {what}"
                self._error(place, message, f"write `{name}_`")
        elif not _NAME.fullmatch(name):
            message = f"`{name}` is no name of a {what}"
            self._error(place, message, "use letters, digits and `_`")

    def _duplicates(self) -> None:
        seen: set[str] = set()
        for step in steps_within(self._routine.steps):
            if step.name is None:
                continue
            if step.name in seen:
                message = f"there are two steps `{step.name}` in `{self._routine.name}`"
                self._error(step.position, message, "rename one of them")
            seen.add(step.name)
            if step.name in _TAKEN["step"]:
                continue
            if step.name in RESERVED:
                message = f"`{step.name}` is a reserved word and no name of a step"
                self._error(step.position, message, f"write `{step.name}_`")
            elif not _STEP.fullmatch(step.name):
                message = f"a name of a step like `{step.name}` is not documented"
                self._open(step.position, message, "use letters, digits and `_`")

    def _scoped_names(self) -> None:
        done: set[int] = set()
        for scope in self._scopes.values():
            if id(scope) in done:
                continue
            done.add(id(scope))
            for name, place in {**scope.assigned, **scope.bound}.items():
                self._name(name, place, "variable")
            self._shadows(scope)

    def _shadows(self, scope: Scope) -> None:
        outer = scope.outer
        for name, place in scope.bound.items():
            owner = outer.owner(name) if outer is not None else None
            if owner is None:
                continue
            if scope.kind == "loop" or owner.kind == "loop":
                message = f"`{name}` is a loop's variable and also one outside of it"
                self._error(place, message, "rename one of them")
            else:
                message = f"`{name}` is also a variable outside"
                self._open(place, message, "rename one of them")
        for name, place in scope.assigned.items():
            owner = scope.owner(name)
            if owner is None or owner is scope or name in owner.bound:
                continue
            if owner.assigned.get(name, place) > place:
                message = f"`{name}` is assigned here before the scope around assigns it"
                self._open(place, message, "assign it before this step")

    def _steps(self, steps: tuple[Step, ...], around: tuple[_Frame, ...]) -> None:
        names = frozenset(step.name for step in steps if step.name)
        inside: tuple[_Frame, ...] = (*around, ("steps", names))
        for step in steps:
            self._step(step, inside)

    def _step(self, step: Step, around: tuple[_Frame, ...]) -> None:
        scope = self._scopes[id(step)]
        if step.next is not None:
            self._next(step.next, step.position, around)
        self._symbols.action(step.action, scope)
        match step.action:
            case Assign(assignments=assignments):
                for item in assignments:
                    self._written(item.variable, item.position, scope)
            case CallStep(result=str(name), position=place):
                self._written(name, place, scope)
            case Return() if any(kind == "branch" for kind, _ in around):
                message = "a step of a parallel branch cannot return"
                self._error(step.position, message, "assign to a shared variable")
            case Parallel():
                self._parallel(step.action, scope)
            case _:
                pass
        self._blocks(step.action, around)

    def _blocks(self, action: Action, around: tuple[_Frame, ...]) -> None:
        none: frozenset[str] = frozenset()
        match action:
            case For(steps=steps):
                self._steps(steps, (*around, ("loop", none)))
            case Parallel():
                for block in blocks(action):
                    self._steps(block, (*around, ("branch", none)))
            case Group(steps=steps):
                self._steps(steps, around)
            case Switch() | Try():
                for block in blocks(action):
                    self._steps(block, around)
            case _:
                pass

    def _written(self, name: str, place: Position, scope: Scope) -> None:
        """An assignment may leave a parallel branch only for a shared variable."""
        owner = scope.owner(name)
        inner: Scope | None = scope
        while inner is not None and inner is not owner:
            if inner.shared is not None and name not in inner.shared:
                message = f"`{name}` belongs to the workflow around this branch and is not shared"
                self._error(place, message, f"write `shared: [{name}]`, or rename it")
                return
            inner = inner.outer
        if owner is not None and owner.kind == "loop" and name in owner.bound:
            message = f"the loop's variable `{name}` is assigned"
            self._open(place, message, "assign to another variable")

    def _parallel(self, action: Parallel, scope: Scope) -> None:
        for name in action.shared:
            owner = scope.owner(name)
            if owner is None:
                message = f"the shared variable `{name}` is not a variable here"
                self._error(action.position, message, f"assign `{name}` before this step")
            elif owner.assigned.get(name, Position(0, 0)) > action.position:
                message = f"the shared variable `{name}` is assigned only after this step"
                self._error(action.position, message, f"assign `{name}` before this step")
            else:
                self._written(name, action.position, scope)
        limit = action.limit
        if isinstance(limit, Constant) and not (
            isinstance(limit.value, int) and not isinstance(limit.value, bool) and limit.value > 0
        ):
            message = "a concurrency limit is a positive integer"
            self._error(limit.position, message, "write a number from 1 on")
        names = [branch.name for branch in action.branches]
        for branch in action.branches:
            if names.count(branch.name) > 1:
                message = f"there are two branches `{branch.name}`"
                self._error(branch.position, message, "rename one of them")

    def _next(self, target: str, place: Position, around: tuple[_Frame, ...]) -> None:
        kinds = [kind for kind, _ in reversed(around)]
        if target in ("break", "continue"):
            nearest = next((kind for kind in kinds if kind != "steps"), None)
            if nearest is None:
                message = f"`{target}` is not in a loop"
                self._error(place, message, "write the name of a step, or `end`")
            elif nearest == "branch" and target == "break":
                message = "`break` in a parallel step"
                self._open(place, message, "write `continue`")
            return
        if target == "end":
            if "branch" in kinds:
                message = "`end` in a parallel branch"
                self._open(place, message, "write `continue` to end the branch")
            return
        for kind, names in reversed(around):
            if target in names:
                return
            if kind == "branch":
                break
        self._unreachable(target, place, around)

    def _unreachable(self, target: str, place: Position, around: tuple[_Frame, ...]) -> None:
        if target not in self._all:
            message = f"there is no step `{target}` in `{self._routine.name}`"
            self._error(place, message, "write the name of a step, or `end`")
        elif any(target in names for _, names in around):
            message = f"`next: {target}` leaves a parallel branch"
            self._error(place, message, "end the branch with `continue`")
        elif target in set(_open(self._routine.steps)):
            message = f"`next: {target}` goes into the steps of another step"
            self._open(place, message, "go to the step that holds them")
        else:
            message = f"`next: {target}` goes into a loop, a branch or a `try`"
            self._error(place, message, "go to the step that holds it")


def _open(steps: tuple[Step, ...]) -> Iterator[str]:
    """Names of steps that only groups and switches are around."""
    for step in steps:
        if step.name is not None:
            yield step.name
        if isinstance(step.action, Group | Switch):
            for block in blocks(step.action):
                yield from _open(block)
