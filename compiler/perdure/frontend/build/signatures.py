"""Whether a call surely fits the function it names: then binding its arguments cannot raise."""

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis, CallFact
    from perdure.ir import Ref

__all__ = ["fits", "signature_node"]


def signature_node(
    analysis: "Analysis", ref: "Ref"
) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The `def` of a step, flow or helper of the project."""
    step = analysis.steps.get(ref)
    if step is not None:
        return step.node
    info = analysis.functions.get(ref)
    if info is None or isinstance(info.node, ast.Lambda):
        return None
    return info.node


def fits(analysis: "Analysis", fact: "CallFact", call: ast.Call) -> bool:
    """Whether the one function a call may mean takes these arguments (there are no unpacked
    ones).
    """
    if len(fact.refs) != 1:
        return False
    node = signature_node(analysis, fact.refs[0])
    if node is None:
        return False
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    if len(call.args) > len(positional) and arguments.vararg is None:
        return False
    given = {argument.arg for argument in positional[: len(call.args)]}
    by_name = {argument.arg for argument in [*arguments.args, *arguments.kwonlyargs]}
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg in given:
            return False
        if keyword.arg not in by_name and arguments.kwarg is None:
            return False
        given.add(keyword.arg)
    return _required(arguments) <= given


def _required(arguments: ast.arguments) -> set[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    count = len(positional) - len(arguments.defaults)
    required = {argument.arg for argument in positional[:count]}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            required.add(argument.arg)
    return required
