"""What the result of a call outside the project may be, or hold, of what the call is given.

Of an operation it is a value of its own: it crossed. Functions of the standard library are known
to make new values, new containers of the same items, or to pick one; of all others the result may
be any part of any argument.
"""

import ast
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from perdure.frontend.analysis import CallKind
from perdure.frontend.known import words
from perdure.frontend.meanings import Class, External, GlobalValue, Instance, Meaning, Scope
from perdure.frontend.parts import Part, anything, down, held, operands, up
from perdure.frontend.state import FoundCall

if TYPE_CHECKING:
    from perdure.frontend.origins import Origins

__all__ = ["is_atom", "parts"]

_NEW_MODULES = words(
    "json re math cmath statistics string textwrap datetime decimal fractions uuid "
    "hashlib hmac base64 binascii struct zlib unicodedata urllib.parse html difflib "
    "calendar zoneinfo time pprint reprlib shlex fnmatch posixpath ntpath keyword "
    "ipaddress colorsys numbers csv io pathlib codecs tomllib html.entities email.utils "
    "quopri os.path"
)
"""Modules whose functions give values of their own."""
_NEW = words(
    "copy.deepcopy dataclasses.asdict dataclasses.astuple dataclasses.fields builtins.len "
    "builtins.str builtins.int builtins.float builtins.bool builtins.bytes builtins.bytearray "
    "builtins.range builtins.abs builtins.all builtins.any builtins.repr builtins.ascii "
    "builtins.format builtins.ord builtins.chr builtins.hex builtins.bin builtins.oct "
    "builtins.round builtins.divmod builtins.pow builtins.isinstance builtins.issubclass "
    "builtins.callable builtins.hasattr builtins.type builtins.print builtins.complex "
    "builtins.memoryview"
)
_ITEMS = words(
    "builtins.list builtins.tuple builtins.sorted builtins.set builtins.frozenset "
    "builtins.dict builtins.filter builtins.reversed builtins.iter collections.deque "
    "collections.Counter collections.OrderedDict collections.defaultdict copy.copy "
    "dataclasses.replace heapq.merge heapq.nlargest heapq.nsmallest random.sample "
    "random.choices itertools.chain itertools.islice itertools.cycle itertools.takewhile "
    "itertools.dropwhile itertools.filterfalse itertools.compress "
    "itertools.chain.from_iterable"
)
"""A new container of the items of what it is given (or an iterator over them)."""
_TUPLES = words(
    "builtins.enumerate builtins.zip itertools.zip_longest itertools.pairwise "
    "itertools.product itertools.combinations itertools.permutations itertools.batched"
)
"""An iterator over new tuples of the items."""
_ONE = words("builtins.max builtins.min builtins.next heapq.heappop random.choice")

_CONTAINERS = (list, dict, set, frozenset, tuple)
_TEXT = frozenset(
    name for kind in (str, bytes, int, float, datetime, timedelta, Decimal) for name in dir(kind)
) - frozenset(name for kind in _CONTAINERS for name in dir(kind))
"""Methods of values that nothing can change."""
_NEW_METHODS = _TEXT | words(
    "index count group groups groupdict search match fullmatch finditer findall sub "
    "append extend insert remove clear update sort reverse add discard appendleft "
    "extendleft rotate model_dump model_dump_json isdisjoint issubset issuperset"
)
_SAME_ITEMS = words(
    "copy values keys union intersection difference symmetric_difference _replace "
    "model_copy elements"
)
_ATOMS = frozenset(
    f"builtins.{name}" for name in ("str", "int", "float", "bool", "bytes", "NoneType", "range")
) | {"datetime.datetime", "datetime.date", "datetime.time", "datetime.timedelta", "uuid.UUID"}


def parts(
    origins: "Origins", node: ast.Call, call: FoundCall | None, scope: Scope, depth: int
) -> Iterable[Part]:
    """The expressions whose values the objects at a depth of the result may be part of."""
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    kind = call.kind if call is not None else None
    if kind in (CallKind.STEP, CallKind.FLOW, CallKind.LOG):
        return []
    if call is not None and kind is CallKind.NATIVE:
        waited = call.native == "wait_for"
        return [(value, scope, depth) for value in node.args[:1]] if waited else []
    resolver = origins.walk.resolver
    meaning = resolver.expression(node.func, scope)
    if isinstance(meaning, Class):
        return _made(origins, meaning, arguments, scope, depth)
    if isinstance(meaning, External):
        return _library(meaning.dotted, arguments, scope, depth)
    func = node.func
    known = None
    if isinstance(func, ast.Attribute):
        base = resolver.expression(func.value, scope)
        outside = isinstance(base, Instance) and isinstance(base.type, External)
        if outside or not origins.walk.all_methods(func.attr):
            known = _method(func, arguments, scope, depth)
    if kind is CallKind.READ:
        return _library(f"random.{_last(func)}", arguments, scope, depth)
    return _any(origins, node, scope) if known is None else known


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def is_atom(meaning: Meaning | None) -> bool:
    """Whether a value is known to be one that nothing can change."""
    if isinstance(meaning, GlobalValue):
        meaning = meaning.instance
    if not isinstance(meaning, Instance) or not isinstance(meaning.type, External):
        return False
    return meaning.type.dotted in _ATOMS


def _any(origins: "Origins", node: ast.Call, scope: Scope) -> list[Part]:
    resolver = origins.walk.resolver
    taken = [part for part in operands(node) if not is_atom(resolver.expression(part, scope))]
    return anything(taken, scope)


def _made(
    origins: "Origins", cls: Class, arguments: list[ast.expr], scope: Scope, depth: int
) -> list[Part]:
    """An object of a class of the project; a plain one holds what it is given."""
    own = ("__new__", "__init__", "__post_init__")
    if any(origins.walk.resolver.method(cls, name) for name in own):
        return anything(arguments, scope) if depth else []
    return held(arguments, scope, depth)


def _library(dotted: str, arguments: list[ast.expr], scope: Scope, depth: int) -> Iterable[Part]:
    module = dotted.rpartition(".")[0]
    dotted = dotted.replace("random.Random.", "random.")
    if dotted in _NEW or module in _NEW_MODULES:
        return []
    if dotted in _ITEMS:
        return [(value, scope, depth) for value in arguments] if depth else []
    if dotted in _TUPLES:
        return [(value, scope, level) for value in arguments for level in _inside(depth)]
    if dotted in _ONE:
        values = [value for value in arguments if not isinstance(value, ast.Lambda)]
        own = [(value, scope, depth) for value in values] if len(values) > 1 else []
        return [*own, *((value, scope, up(depth)) for value in arguments)]
    if dotted == "typing.cast":
        return [(value, scope, depth) for value in arguments[1:]]
    if module == "random" or (dotted == "builtins.sum" and len(arguments) == 1 and not depth):
        return []
    return anything(arguments, scope)


def _inside(depth: int) -> tuple[int, ...]:
    """Where the items of what is given lie in an iterator over tuples of them."""
    return tuple(level for level in down(depth) if level)


def _method(
    func: ast.Attribute, arguments: list[ast.expr], scope: Scope, depth: int
) -> Iterable[Part] | None:
    """A method that no class of the project has; None for one that is not known."""
    value, name = func.value, func.attr
    if name in _NEW_METHODS:
        return ()
    if name in _SAME_ITEMS:
        return [(part, scope, depth) for part in (value, *arguments)] if depth else ()
    if name in ("items", "most_common"):
        return [(value, scope, level) for level in _inside(depth)]
    if name in ("get", "pop", "setdefault", "popleft"):
        rest = [(part, scope, depth) for part in arguments]
        return [(value, scope, up(depth)), *rest]
    if name == "popitem":
        return [(value, scope, up(level)) for level in down(depth)]
    return None
