"""Which calls may give a value of which only run time knows whether a codec carries it.

A call and its scope come in. What the source shows to be data, or to have no codec, is not told
here (`uncodable` has the latter): it is what tables, variables and methods of unknown values give.
Where an operation may have to carry such a value, the code asks the codec when it is bound
(`__perdure__.carried`), so that every engine raises the same TypeError at the same place.
"""

import ast
import datetime
import decimal
import fractions
import pathlib
import re
import uuid
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from perdure.frontend.meanings import Class, External, Func, Meaning, Scope, Table
from perdure.frontend.uncodable import made_by

if TYPE_CHECKING:
    from perdure.frontend.walk import Walk
    from perdure.ir import Ref

__all__ = ["Sources"]

_DATA = (
    *(str, bytes, int, float, complex, list, tuple, dict, set, frozenset, BaseException),
    *(datetime.datetime, datetime.timedelta, decimal.Decimal, fractions.Fraction, uuid.UUID),
    *(pathlib.PurePath, re.Match, re.Pattern, Counter, OrderedDict, defaultdict, deque),
)
_ODD = frozenset({"keys", "items", "values", "finditer", "scanner"})
_PLAIN_METHODS = frozenset(name for one in _DATA for name in dir(one)) - _ODD
"""What they give has a codec, if what they are asked of has one."""
_ASKS = frozenset({"builtins.getattr", "operator.attrgetter", "operator.methodcaller"})


@final
class Sources:
    """The calls of one program, asked one by one."""

    def __init__(self, walk: "Walk") -> None:
        self._walk = walk
        self._resolver = walk.resolver
        self._methods = frozenset[str]().union(*(one.methods for one in walk.modules.values()))
        self._functions: dict[Ref, bool] = {}

    def gives(self, node: ast.Call, scope: Scope) -> bool:
        """Whether only run time knows what the call gives."""
        return self._gives(node.func, self._resolver.expression(node.func, scope))

    def _gives(self, func: ast.expr, meaning: Meaning | None) -> bool:
        match meaning:
            case External(dotted=dotted):
                return dotted in _ASKS
            case Func():
                return self._function(meaning)
            case Class():
                return bool(self._resolver.external_bases(meaning)) and not meaning.node.keywords
            case Table(keys=keys):
                return any(self._function(member) for _, member in keys)
            case _ if isinstance(func, ast.Attribute):
                return func.attr not in _PLAIN_METHODS or func.attr in self._methods
            case _:
                return True

    def _function(self, func: Func) -> bool:
        """Whether a function makes such a value, for itself or for who calls it."""
        if func.ref not in self._functions:
            self._functions[func.ref] = False  # a call of itself adds nothing
            self._functions[func.ref] = self._makes(func)
        return self._functions[func.ref]

    def _makes(self, func: Func) -> bool:
        if func.node is None or func.policy is not None:
            return False
        state = self._walk.states.get(func.ref)
        if state is None:
            return True
        return any(
            self.gives(call, state.scope) or made_by(self._resolver, call, state.scope) is not None
            for call in _calls(func.node)
        )


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Call))
