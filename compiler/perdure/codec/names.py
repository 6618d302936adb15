"""Classes and functions by name: `module:qualname`, the only way a class is written down."""

import sys
from collections.abc import Callable

from perdure.codec.faults import CorruptValue, UncodableError

type ClassResolver = Callable[[str], type]
"""Finds the class of a name; raises ImportError or AttributeError when there is none."""

_HOMES = {  # built-in types whose own module does not offer them
    "builtins:NoneType": "types:NoneType",
    "builtins:function": "types:FunctionType",
    "builtins:ellipsis": "types:EllipsisType",
    "builtins:builtin_function_or_method": "types:BuiltinFunctionType",
}


def class_name(cls: type) -> str:
    """`module:qualname` of a class that can be imported; TypeError for one made in a function."""
    if "<locals>" in cls.__qualname__:
        raise UncodableError(
            cls.__name__, "its class is defined inside a function; move it to the module"
        )
    return name_of(cls)


def name_of(cls: type) -> str:
    """`module:qualname` of any class."""
    name = f"{public_module(cls.__module__)}:{cls.__qualname__}"
    return _HOMES.get(name, name)


def known_name(cls: type) -> str:
    """`class_name` of a class that its module really offers under that name."""
    name = class_name(cls)
    module = sys.modules.get(cls.__module__)
    if module is not None:
        found: object = module
        for part in name.partition(":")[2].split("."):
            found = getattr(found, part, None)
        if not isinstance(found, type) and name not in _HOMES.values():
            raise UncodableError(cls.__qualname__, f"its module offers no class `{name}`")
    return name


def public_module(module: str) -> str:
    """The module people import it from: pathlib moved its classes between Python versions."""
    return "pathlib" if module.startswith("pathlib.") else module


def find(name: str) -> object:
    """What `module:qualname` names, its module imported if need be."""
    module_name, colon, qualname = name.partition(":")
    if not colon or not module_name or not qualname:
        raise CorruptValue(f"`{name}` is no `module:qualname`")
    if module_name not in sys.modules:
        __import__(module_name)
    found: object = sys.modules[module_name]
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def resolve(name: str) -> type:
    """The default `ClassResolver`: imports the module and takes the class."""
    found = find(name)
    if not isinstance(found, type):
        raise AttributeError(f"`{name}` is not a class")
    return found
