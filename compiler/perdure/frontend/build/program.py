"""From an analysis without problems to a `Program`: every function with operations, steps and
sources.
"""

import ast
import hashlib
from typing import TYPE_CHECKING

from perdure.frontend import instrument
from perdure.frontend.analysis import CallKind, FunctionKind
from perdure.frontend.build import statements
from perdure.frontend.build.effects import Effects
from perdure.frontend.build.event_types import event_types
from perdure.frontend.build.kept_values import KeptValues, kept_values
from perdure.frontend.build.lowering import Lowering, load, located
from perdure.frontend.build.methods import methods_called
from perdure.frontend.build.recorded import recorded_sources
from perdure.ir import Function, Parameter, Program, StepInfo, Unlowered

if TYPE_CHECKING:
    from perdure.frontend.analysis import Analysis, FunctionInfo, StepFact
    from perdure.ir import Expr, Ref

__all__ = ["build"]

_CALLED = (CallKind.STEP, CallKind.FLOW, CallKind.HELPER, CallKind.TABLE)


def build(analysis: "Analysis") -> Program:
    """The Flow IR of the entry flow and everything it reaches."""
    effects = Effects(analysis)
    refs = _candidates(analysis)
    candidates = kept_values(analysis, refs)
    functions = [
        _function(analysis, info, effects, candidates)
        for info in analysis.functions.values()
        if info.kind in (FunctionKind.FLOW, FunctionKind.HELPER)
        and isinstance(info.node, ast.AsyncFunctionDef)
    ]
    sources = tuple((module.source.path, module.source.text) for module in analysis.closure)
    return Program(
        entry=analysis.entry,
        functions=tuple(functions),
        steps=tuple(_step(analysis, fact) for fact in analysis.steps.values()),
        sources=sources,
        digest=_digest(sources),
        sites=tuple(sorted(analysis.sites.items())),
        managers=tuple(
            _function(analysis, info, effects, candidates)
            for info in analysis.functions.values()
            if info.kind is FunctionKind.MANAGER
        ),
        recorded=recorded_sources(analysis),
        triggers=analysis.triggers,
        secrets=analysis.secrets,
        read_by_steps=analysis.readers.steps,
        read_by_door=analysis.readers.door,
        links=analysis.links,
        events=event_types(analysis) if analysis.triggers or analysis.links else (),
    )


def _digest(sources: tuple[tuple[str, str], ...]) -> str:
    digest = hashlib.sha256()
    for path, text in sources:
        for part in (path, text):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def _candidates(analysis: "Analysis") -> "tuple[Ref, ...]":
    """What a coroutine value kept somewhere may be: whatever is called without being awaited, or
    named as a value.
    """
    found: dict[Ref, None] = {}
    called: set[int] = set()
    for info in analysis.functions.values():
        for node in ast.walk(info.node):
            if isinstance(node, ast.Call):
                fact = analysis.calls.get(id(node))
                if fact is not None and not fact.awaited:
                    found.update(dict.fromkeys(methods_called(analysis, node)))
                if fact is not None and fact.kind in _CALLED:
                    called.add(id(node.func))
                    if not fact.awaited:
                        found.update(dict.fromkeys(fact.refs))
    functions = {
        ref
        for ref, info in analysis.functions.items()
        if info.kind in (FunctionKind.FLOW, FunctionKind.HELPER)
    }
    for key, ref in analysis.names.items():
        if key not in called and not isinstance(ref, str):
            if ref in analysis.steps or ref in functions:
                found[ref] = None
            table = analysis.tables.get(ref)
            if table is not None:
                found.update(dict.fromkeys(table.members))
    return tuple(sorted(found, key=str))


def _function(
    analysis: "Analysis",
    info: "FunctionInfo",
    effects: Effects,
    candidates: KeptValues,
) -> Function:
    assert isinstance(info.node, ast.AsyncFunctionDef | ast.FunctionDef)
    low = Lowering(analysis, info, effects, candidates)
    _name_supers(low, info)
    if (elsewhere := _task_elsewhere(analysis, info)) is not None:
        what = "`create_task` of a group that is not opened in this function"
        low.add(Unlowered(what, (), low.span(elsewhere)))
    statements.block(low, info.node.body)
    return Function(
        ref=info.ref,
        kind=info.kind.value,
        parameters=_parameters(analysis, info.node.args),
        returns=_expression(analysis, info.node.returns),
        body=tuple(low.out),
        slots=frozenset(info.locals | low.temporaries),
        span=low.source.header_span(info.node),
        captures=frozenset(info.free),
        retried=any(map(_names_retry, info.node.decorator_list)),
    )


def _task_elsewhere(analysis: "Analysis", info: "FunctionInfo") -> ast.Call | None:
    """A task of what may be a group, which the function was given."""
    for node in ast.walk(info.node):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=group), attr="create_task")):
                fact = analysis.calls.get(id(node))
                if fact is None or fact.native != "create_task" or group in info.parameters:
                    return node
            case _:
                pass
    return None


def _name_supers(low: Lowering, info: "FunctionInfo") -> None:
    """`super()` names its class and object: the code stands outside of its class then."""
    arguments = info.node.args
    given = [*arguments.posonlyargs, *arguments.args]
    if info.owner is None or not given:
        return
    for node in ast.walk(info.node):
        match node:
            case ast.Call(func=ast.Name(id="super") as func, args=[], keywords=[]):
                home = ast.parse(info.qualname.rpartition(".")[0], mode="eval").body
                for part in ast.walk(home):
                    if isinstance(part, ast.expr):
                        located(part, node)
                first = load(given[0].arg, node)
                low.replaced[id(node)] = located(ast.Call(func, [home, first], []), node)
            case _:
                pass


def _names_retry(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(keywords=[*keywords]):
            return any(keyword.arg in (None, "retry") for keyword in keywords)
        case _:
            return False


def _expression(analysis: "Analysis", node: ast.expr | None) -> "Expr | None":
    return None if node is None else instrument.expression(node, analysis, {})


def _parameters(analysis: "Analysis", arguments: ast.arguments) -> tuple[Parameter, ...]:
    found: list[Parameter] = []
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults))
    defaults += arguments.defaults
    for argument, default in zip(plain, defaults, strict=True):
        found.append(_parameter(analysis, argument, default, "positional"))
    if arguments.vararg is not None:
        found.append(_parameter(analysis, arguments.vararg, None, "var_positional"))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(_parameter(analysis, argument, default, "keyword"))
    if arguments.kwarg is not None:
        found.append(_parameter(analysis, arguments.kwarg, None, "var_keyword"))
    return tuple(found)


def _parameter(
    analysis: "Analysis", argument: ast.arg, default: ast.expr | None, kind: str
) -> Parameter:
    annotation = _expression(analysis, argument.annotation)
    return Parameter(argument.arg, annotation, _expression(analysis, default), kind)


def _step(analysis: "Analysis", fact: "StepFact") -> StepInfo:
    node = fact.node
    return StepInfo(
        ref=fact.ref,
        name=fact.name,
        parameters=() if node is None else _parameters(analysis, node.args),
        returns=None if node is None else _expression(analysis, node.returns),
        decorator=_expression(analysis, fact.decorator),
        group=fact.group,
        span=fact.module.source.span(fact.decorator)
        if node is None
        else fact.module.source.header_span(node),
    )
