# pyright: reportUnknownVariableType=false
# (values of templates are of any shape)
"""ARM template expressions, as far as templates here use them: anything else is an error.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions
"""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

__all__ = ["Evaluator", "Unknown"]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_]\w*)|(?P<number>-?\d+)|(?P<sign>[(),.]))"
)
NAMESPACE = UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


class Unknown(Exception):  # noqa: N818
    """A reference to what is not there yet."""


class Evaluator:
    """Expressions of one deployment."""

    def __init__(
        self,
        *,
        subscription: str,
        tenant: str,
        group: Mapping[str, Any],
        parameters: Mapping[str, Any],
        variables: Mapping[str, Any],
        reference: Callable[[str], Any],
    ) -> None:
        self.subscription, self.tenant, self.group = subscription, tenant, group
        self.parameters, self.variables = parameters, variables
        self._reference = reference

    def value(self, given: Any) -> Any:
        """A value of a template, with the expressions in it evaluated."""
        if isinstance(given, dict):
            return {self.value(key): self.value(item) for key, item in given.items()}
        if isinstance(given, list):
            return [self.value(item) for item in given]
        if isinstance(given, str) and given.startswith("["):
            assert given.endswith("]"), f"no expression: {given}"
            return self._parsed(given[1:-1])
        return given

    def _parsed(self, text: str) -> Any:
        tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = TOKEN.match(text, at)
            assert found is not None, f"no expression: {text[at:]}"
            kind = str(found.lastgroup)
            tokens.append((kind, found[kind]))
            at = found.end()
        value, rest = self._term(tokens)
        assert not rest, f"more than an expression: {text}"
        return value

    def _term(self, tokens: list[tuple[str, str]]) -> tuple[Any, list[tuple[str, str]]]:
        (kind, text), *rest = tokens
        if kind == "text":
            return text[1:-1].replace("''", "'"), rest
        if kind == "number":
            return int(text), rest
        assert kind == "word", text
        arguments: list[Any] = []
        assert rest.pop(0) == ("sign", "("), text
        while rest[0] != ("sign", ")"):
            value, rest = self._term(rest)
            arguments.append(value)
            if rest[0] == ("sign", ","):
                rest = rest[1:]
        value, rest = self._call(text, arguments), rest[1:]
        while rest and rest[0] == ("sign", "."):
            value, rest = value[rest[1][1]], rest[2:]
        return value, rest

    def _call(self, name: str, given: list[Any]) -> Any:
        match name, given:
            case "parameters", [str(key)]:
                return self.parameters[key]
            case "variables", [str(key)]:
                return self.value(self.variables[key])
            case "concat", [*texts]:
                return "".join(map(str, texts))
            case "uniqueString", [*texts]:
                return _letters("\n".join(texts))
            case "guid", [*texts]:
                return str(uuid5(NAMESPACE, "-".join(texts)))
            case "empty", [value]:
                return not value
            case "not", [bool(value)]:
                return not value
            case "resourceGroup", []:
                return self.group
            case "subscription", []:
                return {"tenantId": self.tenant, "subscriptionId": self.subscription}
            case "resourceId", [str(kind), *names]:
                return f"{self.group['id']}/providers/{_path(kind, names)}"
            case "subscriptionResourceId", [str(kind), *names]:
                return f"/subscriptions/{self.subscription}/providers/{_path(kind, names)}"
            case "reference", [str(resource), *_]:
                return self._reference(resource)
            case _:
                raise AssertionError(f"no function of templates here: {name}({given})")


def _path(kind: str, names: list[str]) -> str:
    provider, *types = kind.split("/")
    assert len(types) == len(names), f"{kind} has {len(types)} names, not {names}"
    pairs = [f"{one}/{name}" for one, name in zip(types, names, strict=True)]
    return "/".join([provider, *pairs])


def _letters(text: str) -> str:
    """13 letters and digits, as uniqueString has them."""
    number = int.from_bytes(sha256(text.encode()).digest()[:9])
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    return "".join(letters[number >> (5 * place) & 31] for place in range(13))
