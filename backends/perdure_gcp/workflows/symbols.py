"""Names in expressions and calls: what each stands for, and whether the call fits."""

from collections.abc import Iterator
from typing import final

from perdure_gcp.workflows.expression import (
    Call,
    Expression,
    Field,
    Name,
    children,
    dotted,
)
from perdure_gcp.workflows.problems import Position, Problem
from perdure_gcp.workflows.scopes import Scope
from perdure_gcp.workflows.signatures import (
    CONSTANTS,
    FUNCTIONS,
    PREDICATES,
    known_connector,
)
from perdure_gcp.workflows.syntax import (
    Action,
    Assign,
    CallStep,
    Program,
    expressions,
    templates,
)

__all__ = ["Symbols"]

_MODULES = frozenset(name.partition(".")[0] for name in FUNCTIONS if "." in name)


@final
class Symbols:
    """Looks at every name that the expressions of an action use."""

    def __init__(self, program: Program, problems: list[Problem]) -> None:
        self._routines = program.routines
        self._problems = problems

    def _error(self, place: Position, message: str, help: str) -> None:
        self._problems.append(Problem("error", place, message, help))

    def action(self, action: Action, scope: Scope) -> None:
        """The expressions and the call of one action, without those of nested steps."""
        for template in templates(action):
            for found in expressions(template):
                self._expression(found.expression, scope, found.position)
        if isinstance(action, Assign):
            for item in action.assignments:
                for part in item.path:
                    self._expression(part, scope, item.position)
        if isinstance(action, CallStep):
            self._call_step(action)

    def _expression(self, tree: Expression, scope: Scope, place: Position) -> None:
        for part in _parts(tree, scope):
            if isinstance(part, Call):
                self._call(part, place)
            elif isinstance(part, Name):
                self._value(part.name, scope, place)

    def _value(self, name: str, scope: Scope, place: Position) -> None:
        known = (*CONSTANTS, *PREDICATES)
        if name in known or name in self._routines or scope.owner(name) is not None:
            return
        first = name.partition(".")[0]
        message = f"symbol '{name}' is neither a variable nor a sub-workflow name"
        if name in FUNCTIONS or first in _MODULES:
            self._error(place, message, f"call it: {name}(...)")
        else:
            self._error(place, message, f"assign `{first}` in a step before")

    def _call(self, call: Call, place: Position) -> None:
        count = len(call.arguments)
        signature = FUNCTIONS.get(call.function)
        if signature is not None:
            if signature.blocking:
                message = f"`{call.function}` blocks and cannot be called in an expression"
                self._error(place, message, f"make it a step: `call: {call.function}`")
            elif not len(signature.required) <= count <= len(signature.parameters):
                takes = ", ".join(signature.parameters)
                message = f"`{call.function}` takes ({takes}), not {count} arguments"
                self._error(place, message, "add or remove arguments")
        elif call.function in self._routines:
            parameters = self._routines[call.function].parameters
            least = sum(parameter.default is None for parameter in parameters)
            if not least <= count <= len(parameters):
                takes = ", ".join(parameter.name for parameter in parameters)
                message = f"`{call.function}` takes ({takes}), not {count} arguments"
                self._error(place, message, "add or remove arguments")
        elif call.function not in PREDICATES and not known_connector(call.function):
            message = f"there is no function `{call.function}`"
            self._error(place, message, "take one of the library, or a subworkflow")

    def _call_step(self, call: CallStep) -> None:
        signature = FUNCTIONS.get(call.function)
        if signature is not None and not signature.named:
            message = f"`{call.function}` as a step: its parameters have no documented names"
            problem = Problem("unverified", call.position, message, "call it in an expression")
            self._problems.append(problem)
        elif signature is not None:
            self._arguments(call, signature.required, signature.parameters)
        elif call.function in self._routines:
            parameters = self._routines[call.function].parameters
            required = tuple(item.name for item in parameters if item.default is None)
            self._arguments(call, required, tuple(item.name for item in parameters))
        elif not known_connector(call.function):
            message = f"there is no function or connector `{call.function}`"
            self._error(call.position, message, "take one of the library, or a subworkflow")

    def _arguments(self, call: CallStep, required: tuple[str, ...], known: tuple[str, ...]) -> None:
        for name in required:
            if name not in call.arguments:
                message = f"`{call.function}` needs the argument `{name}`"
                self._error(call.position, message, f"add `{name}:` to `args`")
        for name in call.arguments:
            if name not in known:
                message = f"`{call.function}` has no argument `{name}`"
                help = f"its arguments are {', '.join(known)}" if known else "remove `args`"
                self._error(call.position, message, help)


def _parts(tree: Expression, scope: Scope) -> Iterator[Expression]:
    """Every call and name; a dotted name of the library counts as one name."""
    name = dotted(tree) if isinstance(tree, Field) else None
    if name is not None and scope.owner(name.partition(".")[0]) is None:
        constants = [
            known for known in (*CONSTANTS, *PREDICATES) if f"{name}.".startswith(f"{known}.")
        ]
        yield Name(constants[0] if constants else name)
        return
    yield tree
    for child in children(tree):
        yield from _parts(child, scope)
