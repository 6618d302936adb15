# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownLambdaType=false, reportUnknownVariableType=false
# (faults are planted in the inside of the compiler)
"""Faults of the compiler's front and middle, each as one small patch: lowering goes wrong there."""

import ast
from collections.abc import Callable
from typing import Any

from perdure.frontend.build import assignments, comprehensions, expressions, matches, program
from perdure.frontend.build import statements as written
from perdure.frontend.build.lowering import located
from perdure.ir import ExitKind
from perdure.machine import deadlines, lower, managers, tries
from perdure.machine import helpers as machine_helpers
from perdure_aws.engine.patches import Patches

__all__ = ["FRONT"]

# Any: a patch takes whatever the function takes that it stands for.
type Patch = Callable[[Patches], None]


def _made(owner: Any, name: str, change: Callable[[Any], Any]) -> Patch:
    """What `owner.name` makes is changed."""

    def patch(patches: Patches) -> None:
        original = getattr(owner, name)
        patches.replace(owner, name, lambda *args, **named: change(original(*args, **named)))

    return patch


def _instead(owner: Any, name: str, make: Callable[[Any], Any]) -> Patch:
    """`owner.name` is `make(what it was)`."""
    return lambda patches: patches.replace(owner, name, make(getattr(owner, name)))


def _else_in_try(node: Any) -> Any:
    return node._replace(body=(*node.body, *node.orelse), orelse=())


def _continue_breaks(node: Any) -> Any:
    return node._replace(kind=ExitKind.BREAK) if node.kind is ExitKind.CONTINUE else node


def _augment_late(_: Any) -> Any:
    def augment(low: Any, node: ast.AugAssign) -> None:
        expressions.take_out(low, node.value)
        expressions.take_out(low, node.target)
        low.code(located(ast.AugAssign(node.target, node.op, node.value), node))

    return augment


def _both_sides(_: Any) -> Any:
    def bool_op(low: Any, node: Any, values: Any, target: str) -> None:
        expressions.in_order(low, values)
        low.keep(target, expressions._joined(node.op, values), node)

    return bool_op


def _without_conversion(original: Any) -> Any:
    def format_now(low: Any, node: ast.FormattedValue) -> None:
        original(low, ast.copy_location(ast.FormattedValue(node.value, -1, node.format_spec), node))
        low.replaced[id(node)] = located(ast.FormattedValue(node.value, -1, None), node)

    return format_now


def _first_of_finally(original: Any) -> Any:
    """Only the first statement of a `finally` is there."""

    def with_final(low: Any, statement: Any, *rest: Any) -> None:
        original(low, statement._replace(final=statement.final[:1]), *rest)

    return with_final


def _return_late(_: Any) -> Any:
    """The value of a `return` is evaluated after `finally`, if it is a name."""
    original = tries.Final.ret

    def ret(self: Any, entry: Any, value: Any, *rest: Any) -> None:
        facts, context, span = rest
        if not isinstance(value, ast.Name):
            original(self, entry, value, facts, context, span)
            return

        def returned() -> Any:
            pc = self.low.draft.fresh()
            self.context.ret(pc, value, facts, self.context, self.span)
            return pc

        pc = self.leave("return", returned)()
        self.low.draft.block(entry, (), pc, context, span)

    return ret


def _break_one_loop_further(_: Any) -> Any:
    """`break` in a `while` goes to the head of the loop, as `continue` does."""

    def in_loop(context: Any, head: Any, after: Any) -> Any:
        return context._replace(brk=lambda: head, cont=lambda: head)

    return in_loop


def _defaults_lost(parameter: Any) -> Any:
    if isinstance(parameter.default, ast.Constant) and parameter.default.value is not None:
        none = ast.copy_location(ast.Constant(None), parameter.default)
        return parameter._replace(default=none)
    return parameter


def _only_true(original: Any) -> Any:
    def choose(low: Any, condition: Any, then: Any, orelse: Any, at: Any) -> None:
        original(low, condition, then, (lambda: None) if isinstance(at, ast.If) else orelse, at)

    return choose


def _every_item(_: Any) -> Any:
    def conditions(low: Any, node: Any, generators: Any, tests: Any, result: Any) -> None:
        for test in tests:
            expressions.take_out(low, test)
        comprehensions._loops(low, node, generators[1:], result)

    return conditions


def _keeps_name(original: Any) -> Any:
    def handler(low: Any, handler: Any, entry: Any, next: Any, context: Any) -> None:
        if handler.name is None:
            original(low, handler, entry, next, context)
        else:
            low.block(handler.body, entry, next, context)

    return handler


def _pure_twice(original: Any) -> Any:
    """A statement before a retried step runs again: `n += 1` counts twice."""

    def pure(self: Any, node: Any, entry: Any, next: Any, context: Any) -> None:
        code = node.code
        if code and isinstance(code[-1], ast.AugAssign):
            node = node._replace(code=(*code, code[-1]))
        original(self, node, entry, next, context)

    return pure


FRONT: dict[str, Patch] = {
    "a `for` loses its else": _made(written, "For", lambda node: node._replace(orelse=())),
    "a `while` loses its else": _made(written, "While", lambda node: node._replace(orelse=())),
    "an `if` loses its else": _instead(expressions, "choose", _only_true),
    "handlers in the wrong order": _made(
        written, "Try", lambda node: node._replace(handlers=node.handlers[::-1])
    ),
    "no finally": _made(written, "Try", lambda node: node._replace(final=())),
    "a finally cut short": _instead(tries, "_with_final", _first_of_finally),
    "a return evaluated after its finally": _instead(tries.Final, "ret", _return_late),
    "the else of a try inside it": _made(written, "Try", _else_in_try),
    "continue that breaks": _made(written, "Exit", _continue_breaks),
    "break that continues": _instead(lower, "_in_loop", _break_one_loop_further),
    "operands read after the operation": _instead(
        expressions, "settle", lambda _: expressions.take_out
    ),
    "receivers read after the arguments": _instead(
        expressions,
        "_bind_method",
        lambda _: lambda low, node, receiver, method: expressions.take_out(low, receiver),
    ),
    "augmented items read late": _instead(assignments, "_augment", _augment_late),
    "`and` that evaluates both sides": _instead(expressions, "_bool_op", _both_sides),
    "a lost conversion in an f-string": _instead(expressions, "_format", _without_conversion),
    "guards ignored": _made(matches, "Case", lambda node: node._replace(guard=None)),
    "cases in the wrong order": _made(
        matches, "Match", lambda node: node._replace(cases=node.cases[::-1])
    ),
    "the test of a comprehension ignored": _instead(comprehensions, "_conditions", _every_item),
    "defaults lost": _made(program, "Parameter", _defaults_lost),
    "names of handlers unbound": _instead(tries, "_handler", _keeps_name),
    "a prologue that runs twice": _instead(lower.Lowering, "_pure", _pure_twice),
}
_ = deadlines, machine_helpers, managers
