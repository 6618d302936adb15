"""A workflow as its steps: what the reader makes, the checker looks through and the engine runs.

https://cloud.google.com/workflows/docs/reference/syntax
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from perdure_gcp.workflows.expression import Expression
from perdure_gcp.workflows.problems import Position

if TYPE_CHECKING:
    from perdure_gcp.workflows.values import Value

__all__ = [
    "Assign",
    "Assignment",
    "Branch",
    "CallStep",
    "Computed",
    "Condition",
    "Except",
    "For",
    "Group",
    "Literal",
    "Next",
    "Parallel",
    "Parameter",
    "Program",
    "Raise",
    "Retry",
    "Return",
    "Routine",
    "Step",
    "Switch",
    "TemplateList",
    "TemplateMap",
    "Try",
    "blocks",
    "expressions",
    "steps_within",
    "templates",
]


@final
@dataclass(frozen=True, slots=True)
class Literal:
    """A value without expressions."""

    value: "Value"
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Computed:
    """`${...}`."""

    expression: Expression
    text: str
    position: Position


@final
@dataclass(frozen=True, slots=True)
class TemplateList:
    """A list with expressions somewhere inside."""

    items: tuple["Template", ...]
    position: Position


@final
@dataclass(frozen=True, slots=True)
class TemplateMap:
    """A map with expressions somewhere inside, also as keys."""

    entries: tuple[tuple["Template", "Template"], ...]
    position: Position


type Template = Literal | Computed | TemplateList | TemplateMap


@final
@dataclass(frozen=True, slots=True)
class Assignment:
    """`name[path]: value`; each part of the path is an expression."""

    variable: str
    path: tuple[Expression, ...]
    value: Template
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Assign:
    """`assign:`."""

    assignments: tuple[Assignment, ...]


@final
@dataclass(frozen=True, slots=True)
class CallStep:
    """`call:` with `args:` and `result:`."""

    function: str
    arguments: Mapping[str, Template]
    result: str | None
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Condition:
    """One case of a switch: what it does (or nothing), and where it goes then."""

    test: Template
    body: "Step"


@final
@dataclass(frozen=True, slots=True)
class Switch:
    """`switch:`."""

    conditions: tuple[Condition, ...]


@final
@dataclass(frozen=True, slots=True)
class For:
    """`for:` over a list, or over a range with both ends inclusive."""

    value: str
    index: str | None
    items: Template | None
    range: Template | None
    steps: tuple["Step", ...]
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Branch:
    """A named branch of a parallel step."""

    name: str
    steps: tuple["Step", ...]
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Parallel:
    """`parallel:` with branches, or with a loop."""

    shared: tuple[str, ...]
    limit: Template | None
    branches: tuple[Branch, ...]
    loop: For | None
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Retry:
    """`retry:` as one expression, or as a map of its parts."""

    policy: Template


@final
@dataclass(frozen=True, slots=True)
class Except:
    """`except:`."""

    name: str | None
    steps: tuple["Step", ...]
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Try:
    """`try:`; the body is one step without a name, often a group."""

    body: "Step"
    retry: Retry | None
    handler: Except | None


@final
@dataclass(frozen=True, slots=True)
class Raise:
    """`raise:`."""

    value: Template


@final
@dataclass(frozen=True, slots=True)
class Return:
    """`return:`."""

    value: Template


@final
@dataclass(frozen=True, slots=True)
class Group:
    """`steps:`."""

    steps: tuple["Step", ...]


@final
@dataclass(frozen=True, slots=True)
class Next:
    """A step that only goes on elsewhere, or does nothing at all."""


type Action = Assign | CallStep | Switch | For | Parallel | Try | Raise | Return | Group | Next


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One step; the single one under `try:` or `condition:` has no name."""

    name: str | None
    action: Action
    next: str | None
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a workflow; `default` is None when it has to be given."""

    name: str
    default: Literal | None


@final
@dataclass(frozen=True, slots=True)
class Routine:
    """`main` or a subworkflow."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    position: Position


@final
@dataclass(frozen=True, slots=True)
class Program:
    """A whole file."""

    routines: Mapping[str, Routine]
    source: str = field(repr=False, default="")


def blocks(action: Action) -> Iterator[tuple[Step, ...]]:
    """The lists of steps right inside; a nameless single step is a list of one."""
    match action:
        case Switch(conditions=conditions):
            yield from ((condition.body,) for condition in conditions)
        case For(steps=steps) | Group(steps=steps):
            yield steps
        case Parallel(branches=branches, loop=loop):
            yield from (branch.steps for branch in branches)
            if loop is not None:
                yield loop.steps
        case Try(body=body, handler=handler):
            yield (body,)
            if handler is not None:
                yield handler.steps
        case _:
            pass


def steps_within(steps: tuple[Step, ...]) -> Iterator[Step]:
    """Every step, the nested ones too, in source order."""
    for step in steps:
        yield step
        for block in blocks(step.action):
            yield from steps_within(block)


def templates(action: Action) -> Iterator[Template]:
    """The values and expressions of an action, without those of nested steps."""
    match action:
        case Assign(assignments=assignments):
            yield from (assignment.value for assignment in assignments)
        case CallStep(arguments=arguments):
            yield from arguments.values()
        case Switch(conditions=conditions):
            yield from (condition.test for condition in conditions)
        case For(items=items, range=bounds):
            yield from (part for part in (items, bounds) if part is not None)
        case Parallel(limit=limit, loop=loop):
            yield from (part for part in (limit,) if part is not None)
            if loop is not None:
                yield from templates(loop)
        case Try(retry=Retry(policy=policy)):
            yield policy
        case Raise(value=value) | Return(value=value):
            yield value
        case _:
            pass


def expressions(template: Template) -> Iterator[Computed]:
    """Every expression in a template."""
    match template:
        case Computed():
            yield template
        case TemplateList(items=items):
            for item in items:
                yield from expressions(item)
        case TemplateMap(entries=entries):
            for key, value in entries:
                yield from expressions(key)
                yield from expressions(value)
        case Literal():
            pass
