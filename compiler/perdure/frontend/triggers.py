"""What starts a flow from outside, read from its decorator: `@flow(on=Webhook(...))`.

The names, paths and times come out as data; the functions that look into a delivery stay where
they are, and run at the door.
"""

import ast
from typing import TYPE_CHECKING, Final, NamedTuple, final

from perdure import rules
from perdure.cron import parse
from perdure.frontend.meanings import External, Func, GlobalValue, Scope
from perdure.ir import CronTrigger, Trigger, WebhookTrigger
from perdure.triggers import LARGEST_BODY, check_path

if TYPE_CHECKING:
    from perdure.diagnostics import Report
    from perdure.frontend.resolver import Resolver

__all__ = ["read_triggers"]

_SCHEMES: Final = frozenset({"StandardWebhooks", "GitHub", "Stripe", "Slack", "Bearer", "Basic"})
_WEBHOOK_OPTIONS: Final = frozenset(
    {"path", "verify", "start", "key", "event", "run", "payload", "max_bytes"}
)
_EXAMPLE_WEBHOOK = 'Webhook("/github", verify=GitHub(secret("GITHUB_WEBHOOK_SECRET")))'
_EXAMPLE_CRON = 'Cron("0 9 * * MON-FRI", tz="Europe/Berlin")'


class _Wrong(Exception):  # noqa: N818  # reads as what happened
    """A trigger that cannot be read, and what to write instead."""

    def __init__(self, node: ast.expr | ast.keyword, problem: str, example: str) -> None:
        super().__init__(problem)
        self.node, self.problem, self.example = node, problem, example


def read_triggers(resolver: "Resolver", flow: Func, report: "Report") -> tuple[Trigger, ...]:
    """The triggers of a flow in source order; what cannot be read is reported."""
    if not isinstance(flow.policy, ast.Call):
        return ()
    given = next((key.value for key in flow.policy.keywords if key.arg == "on"), None)
    if given is None:
        return ()
    reader = _Reader(resolver, Scope(flow.module, None, {}), flow)
    found: list[Trigger] = []
    for node in given.elts if isinstance(given, ast.List | ast.Tuple) else [given]:
        try:
            found.append(reader.trigger(node))
        except _Wrong as wrong:
            span = flow.module.source.span(wrong.node)
            report.error(rules.BAD_TRIGGER, span, problem=wrong.problem, example=wrong.example)
    return tuple(found)


@final
class _Reader(NamedTuple):
    """Reads written-out values of a module."""

    resolver: "Resolver"
    scope: Scope
    flow: Func

    def trigger(self, node: ast.expr) -> Trigger:
        """One `Webhook(...)` or `Cron(...)`, also by the name of a module's constant."""
        node = self.behind(node)
        match self.perdure_name(node):
            case "Webhook":
                return self.webhook(node)
            case "Cron":
                return self.cron(node)
            case _:
                raise _Wrong(node, "it is neither a Webhook nor a Cron", _EXAMPLE_WEBHOOK)

    def webhook(self, node: ast.expr) -> WebhookTrigger:
        """The data of `Webhook(path, verify=..., event=...)`."""
        given = self.arguments(node, ("path",), _WEBHOOK_OPTIONS, _EXAMPLE_WEBHOOK)
        path = self.text(given.get("path"), node, "its path", _EXAMPLE_WEBHOOK)
        try:
            check_path(path)
        except ValueError as error:
            raise _Wrong(given["path"], str(error), _EXAMPLE_WEBHOOK) from None
        if "verify" not in given:
            raise _Wrong(node, "it does not say who may send to it", _EXAMPLE_WEBHOOK)
        scheme, secrets = self.verified(given["verify"])
        event = given.get("event")
        self.shape(node, given)
        return WebhookTrigger(
            path=path,
            scheme=scheme,
            secrets=secrets,
            event=self.text(event, node, "its event", _EXAMPLE_WEBHOOK) if event else None,
            max_bytes=self.whole(given["max_bytes"]) if "max_bytes" in given else LARGEST_BODY,
            span=self.flow.module.source.span(node),
        )

    def shape(self, node: ast.expr, given: dict[str, ast.expr]) -> None:
        """Which options go together: as the constructor says it at run time."""
        starts = [name for name in ("start", "key") if name in given]
        sends = [name for name in ("run", "payload") if name in given]
        if "event" in given and starts:
            raise _Wrong(node, f"`{starts[0]}=` starts a run, `event=` sends to one", "one of them")
        if "event" not in given and sends:
            raise _Wrong(node, f"`{sends[0]}=` goes with `event=`", 'event="paid"')
        if "event" in given and "run" not in given:
            example = "run=lambda delivery: ..., which gives the run id"
            raise _Wrong(node, "it does not say which run gets its event", example)

    def verified(self, node: ast.expr) -> tuple[str, tuple[str, ...]]:
        """The scheme of `verify=` and the names of its secrets."""
        node = self.behind(node)
        scheme = self.perdure_name(node)
        if scheme not in _SCHEMES or not isinstance(node, ast.Call):
            raise _Wrong(node, "`verify=` is none of perdure's schemes", _EXAMPLE_WEBHOOK)
        arguments = node.args[1:] if scheme == "Basic" else node.args
        if not arguments or node.keywords:
            raise _Wrong(node, f"{scheme} has no secret", _EXAMPLE_WEBHOOK)
        return scheme, tuple(self.secret(argument) for argument in arguments)

    def secret(self, node: ast.expr) -> str:
        """The name in `secret("NAME")`."""
        node = self.behind(node)
        example = 'secret("GITHUB_WEBHOOK_SECRET")'
        if self.perdure_name(node) not in ("secret", "Secret") or not isinstance(node, ast.Call):
            raise _Wrong(node, "a scheme is given secrets by name", example)
        # Whether it is a name at all, `perdure.frontend.secret_names` says for all secrets.
        return self.text(node.args[0] if node.args else None, node, "the name", example)

    def cron(self, node: ast.expr) -> CronTrigger:
        """The data of `Cron(expression, tz=..., input=...)`."""
        given = self.arguments(
            node, ("expression",), frozenset({"expression", "tz", "input"}), _EXAMPLE_CRON
        )
        expression = self.text(given.get("expression"), node, "its expression", _EXAMPLE_CRON)
        tz = self.text(given["tz"], node, "its zone", _EXAMPLE_CRON) if "tz" in given else "UTC"
        try:
            parse(expression, tz)
        except ValueError as error:
            raise _Wrong(node, str(error), _EXAMPLE_CRON) from None
        return CronTrigger(
            expression=expression,
            tz=tz,
            input=self.literal(given["input"]) if "input" in given else {},
            span=self.flow.module.source.span(node),
        )

    def arguments(
        self, node: ast.expr, positional: tuple[str, ...], known: frozenset[str], example: str
    ) -> dict[str, ast.expr]:
        """The arguments of a call by name."""
        assert isinstance(node, ast.Call), "a name of perdure was called"
        if len(node.args) > len(positional) or any(isinstance(a, ast.Starred) for a in node.args):
            raise _Wrong(node, "it has too many arguments", example)
        given = dict(zip(positional, node.args, strict=False))
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in known:
                problem = f"it has no option `{keyword.arg or '**'}`"
                raise _Wrong(keyword, problem, example)
            given[keyword.arg] = keyword.value
        return given

    def perdure_name(self, node: ast.expr) -> str:
        """Which of perdure's names is called; "" if none is."""
        if not isinstance(node, ast.Call):
            return ""
        meaning = self.resolver.expression(node.func, self.scope)
        if isinstance(meaning, External) and meaning.dotted.split(".")[0] == "perdure":
            return meaning.dotted.rpartition(".")[2]
        return ""

    def behind(self, node: ast.expr) -> ast.expr:
        """What a constant of the module is bound to."""
        meaning = self.resolver.expression(node, self.scope) if _is_name(node) else None
        if isinstance(meaning, GlobalValue) and len(meaning.bindings) == 1:
            return meaning.bindings[0].value or node
        return node

    def literal(self, node: ast.expr) -> object:
        """A value that is written out."""
        node = self.behind(node)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise _Wrong(node, "this value is not written out", "a literal") from None

    def text(self, node: ast.expr | None, whole: ast.expr, what: str, example: str) -> str:
        """A text that is written out."""
        value = self.literal(node) if node is not None else None
        if not isinstance(value, str):
            raise _Wrong(node or whole, f"{what} is not written out as a text", example)
        return value

    def whole(self, node: ast.expr) -> int:
        """A number above 0 that is written out."""
        value = self.literal(node)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise _Wrong(node, "`max_bytes` is a number of bytes", "max_bytes=100_000")
        return value


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Attribute)
