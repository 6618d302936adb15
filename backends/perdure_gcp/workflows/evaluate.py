"""Values of expressions and templates.

Calls of subworkflows (and connectors) inside an expression take time: `evaluated` is a generator
that runs those first, from left to right and from the inside, and puts their results in place.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import assert_never

from perdure_gcp.workflows.environment import Environment
from perdure_gcp.workflows.expression import (
    Binary,
    Call,
    Constant,
    Expression,
    Field,
    Index,
    ListOf,
    Name,
    Unary,
    children,
    dotted,
    with_children,
)
from perdure_gcp.workflows.library import LIBRARY, World, library_constant
from perdure_gcp.workflows.operators import binary, index, negative
from perdure_gcp.workflows.problems import WorkflowError, failure
from perdure_gcp.workflows.signatures import CONSTANTS, FUNCTIONS, PREDICATES
from perdure_gcp.workflows.syntax import (
    Computed,
    Literal,
    Template,
    TemplateList,
    TemplateMap,
    expressions,
)
from perdure_gcp.workflows.values import Function, Value, type_name

__all__ = ["calls_routines", "evaluate", "fill", "results_first"]


def evaluate(tree: Expression, names: Environment, world: World) -> Value:
    """The value of an expression that calls no subworkflow."""
    match tree:
        case Constant(value=value):
            return value
        case Name(name=name):
            return _named(name, names, world)
        case Field(base=base, name=name):
            return _field(tree, base, name, names, world)
        case Index(base=base, key=key):
            holder = evaluate(base, names, world)
            return index(holder, evaluate(key, names, world), world.doubts)
        case ListOf(items=items):
            return [evaluate(item, names, world) for item in items]
        case Unary(operator="-", operand=operand):
            return negative(evaluate(operand, names, world), world.doubts)
        case Unary(operand=operand):
            return not _boolean(evaluate(operand, names, world), "not")
        case Binary(operator="and" | "or" as operator, left=left, right=right):
            return _logical(operator, left, right, names, world)
        case Binary(operator=operator, left=left, right=right):
            first = evaluate(left, names, world)
            return binary(operator, first, evaluate(right, names, world), world.doubts)
        case Call(function="if"):
            return _if(tree, names, world)
        case Call(function=function, arguments=arguments):
            return _library(function, [evaluate(item, names, world) for item in arguments], world)
        case _:
            assert_never(tree)


def _named(name: str, names: Environment, world: World) -> Value:
    if names.scope.owner(name) is not None:
        return names.read(name, world.doubts)
    return Function(name)


def _field(tree: Field, base: Expression, name: str, names: Environment, world: World) -> Value:
    whole = dotted(tree)
    if whole in CONSTANTS or whole in PREDICATES:
        first = whole.partition(".")[0]
        if names.scope.owner(first) is None:
            return library_constant(whole)
    return index(evaluate(base, names, world), name, world.doubts)


def _boolean(value: Value, operator: str) -> bool:
    if isinstance(value, bool):
        return value
    raise failure("TypeError", f"`{operator}` takes booleans, not {type_name(value)}")


def _logical(
    operator: str, left: Expression, right: Expression, names: Environment, world: World
) -> Value:
    """Whether the right side is evaluated when the left one decides is open: it must not matter."""
    first = _boolean(evaluate(left, names, world), operator)
    if first is (operator == "or"):
        try:
            _boolean(evaluate(right, names, world), operator)
        except WorkflowError:
            world.doubts.about("short-circuit", f"the right side of `{operator}` fails")
        return first
    return _boolean(evaluate(right, names, world), operator)


def _if(tree: Call, names: Environment, world: World) -> Value:
    """Both values are evaluated; where one fails that is not chosen, it is open what happens."""
    condition, *branches = tree.arguments
    test = evaluate(condition, names, world)
    chosen = 0 if test is True else 1
    values: list[Value] = []
    for number, branch in enumerate(branches):
        try:
            values.append(evaluate(branch, names, world))
        except WorkflowError:
            if number != chosen:
                world.doubts.about("eager-if", "the value that is not chosen fails")
            raise
    return LIBRARY["if"](world, [test, *values])


def _library(function: str, arguments: list[Value], world: World) -> Value:
    signature = FUNCTIONS[function]
    missing = len(signature.parameters) - len(arguments)
    return LIBRARY[function](world, [*arguments, *[None] * missing])


def fill(template: Template, names: Environment, world: World) -> Value:
    """The value of a template that calls no subworkflow."""
    match template:
        case Literal(value=value):
            return value
        case Computed(expression=tree):
            return evaluate(tree, names, world)
        case TemplateList(items=items):
            return [fill(item, names, world) for item in items]
        case TemplateMap(entries=entries):
            filled: dict[str, Value] = {}
            for key, item in entries:
                name = fill(key, names, world)
                if not isinstance(name, str):
                    world.doubts.about("map-keys", f"a key that is {type_name(name)}")
                    name = str(name)
                filled[name] = fill(item, names, world)
            return filled
        case _:
            assert_never(template)


def calls_routines(template: Template) -> bool:
    """Whether something in it calls a subworkflow or a connector."""
    return any(_calls(computed.expression) for computed in expressions(template))


def _calls(tree: Expression) -> bool:
    if isinstance(tree, Call) and tree.function not in LIBRARY:
        return True
    return any(map(_calls, children(tree)))


def results_first[Wait](
    template: Template,
    names: Environment,
    world: World,
    call: Callable[[str, list[Value]], Generator[Wait, Value, Value]],
) -> Generator[Wait, Value, Template]:
    """The template with every call of a subworkflow replaced by its result."""
    match template:
        case Computed(expression=tree) if _calls(tree):
            rest = yield from _without_calls(tree, names, world, call)
            return replace(template, expression=rest)
        case TemplateList(items=items):
            done: list[Template] = []
            for item in items:
                done.append((yield from results_first(item, names, world, call)))  # noqa: PERF401 - a comprehension cannot yield
            return replace(template, items=tuple(done))
        case TemplateMap(entries=entries):
            pairs: list[tuple[Template, Template]] = []
            for key, value in entries:
                pairs.append((key, (yield from results_first(value, names, world, call))))
            return replace(template, entries=tuple(pairs))
        case _:
            return template


def _without_calls[Wait](
    tree: Expression,
    names: Environment,
    world: World,
    call: Callable[[str, list[Value]], Generator[Wait, Value, Value]],
) -> Generator[Wait, Value, Expression]:
    if not _calls(tree):
        return tree
    if isinstance(tree, Binary) and tree.operator in ("and", "or") and _calls(tree.right):
        world.doubts.about("short-circuit", f"a subworkflow right of `{tree.operator}`")
    if isinstance(tree, Call) and tree.function == "if":
        world.doubts.about("eager-if", "a subworkflow in `if()`")
    parts: list[Expression] = []
    for child in children(tree):
        parts.append((yield from _without_calls(child, names, world, call)))  # noqa: PERF401 - a comprehension cannot yield
    if isinstance(tree, Call) and tree.function not in LIBRARY:
        values = [evaluate(part, names, world) for part in parts]
        return Constant((yield from call(tree.function, values)), tree.at)
    return with_children(tree, parts)
