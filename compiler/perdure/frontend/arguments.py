"""Arguments of steps, flows and operations, as far as they are written out: names, counts,
literals."""

import ast
import re
import sys
from math import inf
from typing import TYPE_CHECKING, Final

from perdure import rules
from perdure.durations import LONGEST_DAYS, seconds_of
from perdure.frontend import fixed
from perdure.frontend.analysis import FunctionNode
from perdure.frontend.meanings import External, Func

if TYPE_CHECKING:
    from perdure.frontend.reader import Reader

__all__ = ["check", "check_native", "check_options", "check_policy", "problem_of"]

_EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_STEP_OPTIONS = frozenset({"retry", "timeout", "name", "group"})
_FLOW_OPTIONS = frozenset({"retry", "name", "on"})
_START_OPTIONS = frozenset({"id", "on"})
TINY: Final = sys.float_info.min


def check(reader: "Reader", node: ast.Call, func: Func, *, start: bool = False) -> None:
    """Refuse a call of a step or flow that its signature cannot take."""
    if func.node is None or isinstance(func.node, ast.Lambda):
        return
    problem = problem_of(node, func.node, _START_OPTIONS if start else frozenset())
    if problem is not None:
        name = func.ref.qualname
        signature = f"{name}({ast.unparse(_bare(func.node.args))})"
        reader.problem(rules.WRONG_ARGUMENTS, node, name=name, problem=problem, signature=signature)


def problem_of(node: ast.Call, function: FunctionNode, extra: frozenset[str]) -> str | None:
    """Why a call does not fit a signature, None if it does; `extra` keywords are taken, too."""
    args = function.args
    positional = [*args.posonlyargs, *args.args]
    spread = any(isinstance(argument, ast.Starred) for argument in node.args)
    keywords = {keyword.arg for keyword in node.keywords if keyword.arg} - extra
    if not spread and len(node.args) > len(positional) and args.vararg is None:
        return f"{_count(len(node.args), 'argument')} for {_count(len(positional), 'parameter')}"
    by_keyword = {parameter.arg for parameter in (*args.args, *args.kwonlyargs)}
    if args.kwarg is None:
        for name in sorted(keywords - by_keyword):
            return f"it has no parameter `{name}`"
    given = {parameter.arg for parameter in positional[: len(node.args)]}
    for name in sorted(given & keywords):
        if not spread:
            return f"`{name}` is given twice"
    if spread or any(keyword.arg is None for keyword in node.keywords):
        return None
    required = positional[: len(positional) - len(args.defaults)]
    required += [
        parameter
        for parameter, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if default is None
    ]
    for parameter in required:
        if parameter.arg not in given | keywords:
            return f"`{parameter.arg}` is missing"
    return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _bare(args: ast.arguments) -> ast.arguments:
    def plain(parameter: ast.arg) -> ast.arg:
        return ast.arg(parameter.arg)

    return ast.arguments(
        posonlyargs=[plain(item) for item in args.posonlyargs],
        args=[plain(item) for item in args.args],
        vararg=plain(args.vararg) if args.vararg else None,
        kwonlyargs=[plain(item) for item in args.kwonlyargs],
        kw_defaults=args.kw_defaults,
        kwarg=plain(args.kwarg) if args.kwarg else None,
        defaults=args.defaults,
    )


# Operations


def check_native(reader: "Reader", node: ast.Call, native: str) -> None:
    """Refuse literals that an operation cannot take."""
    given = {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    first = node.args[0] if node.args else None
    match native:
        case "event":
            _event_name(reader, given.get("name", first))
            _duration(reader, given.get("timeout"))
        case "reply":
            _event_name(reader, given.get("name", first))
        case "gather":
            _coroutines(reader, node, node.args)
        case "quorum":
            _coroutines(reader, node, node.args[1:])
        case "sleep" | "timeout":
            _duration(reader, given.get("delay", first))
        case "wait_for":
            _duration(reader, given.get("timeout", node.args[1] if len(node.args) > 1 else None))
        case _:
            pass


_NO_COROUTINES: Final = (
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp),
    *(ast.GeneratorExp, ast.Constant, ast.JoinedStr),
)


def _coroutines(reader: "Reader", call: ast.Call, given: list[ast.expr]) -> None:
    """A list or generator is no coroutine: it is to be spread."""
    for node in given:
        if isinstance(node, _NO_COROUTINES):
            name = ast.unparse(call.func)
            before = "k, " if given is not call.args else ""
            reader.problem(
                rules.WRONG_ARGUMENTS,
                node,
                name=name,
                problem="this is no coroutine",
                signature=f"{name}({before}{_listed(node)})",
            )


def _listed(node: ast.expr) -> str:
    """How the argument is written instead."""
    text = ast.unparse(node)
    match node:
        case ast.GeneratorExp():
            return f"*[{text[1:-1]}]"
        case ast.Constant() | ast.JoinedStr():
            return "*coroutines"
        case _:
            return f"*{text}"


def _event_name(reader: "Reader", node: ast.expr | None) -> None:
    if isinstance(node, ast.JoinedStr):
        _computed_event_name(reader, node)
        return
    name = _constant(node)
    if node is not None and isinstance(name, str) and not _EVENT_NAME.match(name):
        suggestion = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "event"
        if not suggestion[0].isalpha():
            suggestion = f"event_{suggestion}"
        reader.problem(rules.BAD_EVENT_NAME, node, name=name, suggestion=suggestion)


def _computed_event_name(reader: "Reader", node: ast.JoinedStr) -> None:
    """What an f-string has between its braces is known: `f"ok:{n}"` is never a name."""
    texts = [_constant(part) for part in node.values]
    sample = "".join(text if isinstance(text, str) else "x" for text in texts)
    if not _EVENT_NAME.match(sample):
        written = "".join(
            re.sub(r"[^a-z0-9]+", "_", text.lower())
            if isinstance(text, str)
            else f"{{{_inner(p)}}}"
            for p, text in zip(node.values, texts, strict=True)
        )
        name = ast.unparse(node)[2:-1]
        suggestion = written if re.match(r"[a-z{]", written) else f"event_{written}".rstrip("_")
        reader.problem(rules.BAD_EVENT_NAME, node, name=name, suggestion=suggestion)


def _inner(part: ast.expr) -> str:
    return ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""


def _duration(reader: "Reader", node: ast.expr | None, least: float = -inf) -> None:
    """A literal duration, of at least so many seconds; `TINY` is more than none."""
    if node is None:
        return
    value = _constant(node)
    if not isinstance(value, str | int | float):
        return
    try:
        if seconds_of(value) >= least:
            return
        bound = f" {'above' if least else 'of at least'} 0"
    except ValueError as error:
        bound = f" of at most {LONGEST_DAYS} days" if str(LONGEST_DAYS) in str(error) else ""
    reader.problem(rules.BAD_DURATION, node, text=value, bound=bound)


def _constant(node: ast.expr | None) -> object:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _constant(node.operand)
        return -value if isinstance(value, int | float) else None
    return node.value if isinstance(node, ast.Constant) else None


# Policies


def check_policy(reader: "Reader", func: Func) -> None:
    """The options of `@step(...)` and `@flow(...)`, where they are literals."""
    policy = func.policy
    if not isinstance(policy, ast.Call):
        return
    options = _FLOW_OPTIONS if func.kind.value == "flow" else _STEP_OPTIONS
    for keyword in policy.keywords:
        if keyword.arg is None:
            continue
        if keyword.arg not in options:
            _unknown_option(reader, keyword, func, options)
        elif keyword.arg == "on":
            pass  # read by perdure.frontend.triggers
        elif not fixed.is_fixed_expression(reader.walk, keyword.value, reader.outer):
            function = func.ref.qualname
            reader.problem(
                rules.OPTION_NOT_FIXED, keyword.value, option=keyword.arg, function=function
            )
        elif keyword.arg == "timeout":
            _duration(reader, keyword.value, TINY)
        elif keyword.arg == "retry":
            _retry(reader, keyword.value)


def check_options(reader: "Reader", options: ast.Call) -> None:
    """What `f.options(...)` is given, where it is a literal: judged like the decorator's."""
    for keyword in options.keywords:
        if keyword.arg == "timeout":
            _duration(reader, keyword.value, TINY)
        elif keyword.arg == "retry":
            _retry(reader, keyword.value)


def _unknown_option(
    reader: "Reader", keyword: ast.keyword, func: Func, options: frozenset[str]
) -> None:
    from perdure.diagnostics import nearest

    close = nearest(keyword.arg or "", options)
    suggestion = f"`{close}=...`" if close else "one of " + ", ".join(sorted(options))
    reader.problem(
        rules.UNKNOWN_OPTION,
        keyword,
        function=f"@{func.kind.value}",
        option=keyword.arg,
        suggestion=suggestion,
    )


def _retry(reader: "Reader", node: ast.expr) -> None:
    _attempts(reader, node)
    if isinstance(node, ast.Call) and reader.resolver.expression(node.func, reader.outer) in (
        External("perdure.Retry"),
        External("perdure.language.Retry"),
    ):
        _retry_call(reader, node)


def _retry_call(reader: "Reader", node: ast.Call) -> None:
    known = ("attempts", "delay", "backoff", "max_delay", "jitter", "on", "not_on")
    given = dict(zip(known, node.args, strict=False))
    for keyword in node.keywords:
        if keyword.arg is not None and keyword.arg not in known:
            reader.problem(rules.BAD_RETRY, keyword, problem=f"it has no option `{keyword.arg}`")
        elif keyword.arg is not None:
            given[keyword.arg] = keyword.value
    if given.get("attempts") is not None:
        _attempts(reader, given["attempts"])
    backoff = given.get("backoff")
    if backoff is not None and _is_wrong_factor(backoff):
        reader.problem(rules.BAD_RETRY, backoff, problem="`backoff` is a factor above 0")
    for name in ("delay", "max_delay"):
        _duration(reader, given.get(name), 0.0)


def _attempts(reader: "Reader", node: ast.expr) -> None:
    count = _constant(node)
    if isinstance(count, int) and not isinstance(count, bool):
        if count < 1:
            reader.problem(rules.BAD_RETRY, node, problem=f"{count} attempts never run the step")
    elif isinstance(count, str | float | bool):
        reader.problem(rules.BAD_RETRY, node, problem=f"`{count!r}` is no number of attempts")


def _is_wrong_factor(node: ast.expr) -> bool:
    factor = _constant(node)
    if isinstance(factor, int | float) and not isinstance(factor, bool):
        return not 0 < factor < inf
    return isinstance(node, ast.Constant)
