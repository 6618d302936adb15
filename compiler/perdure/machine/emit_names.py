"""Names of an emitted module: what it imports, where, and what binds the arguments of helpers."""

import ast
from collections.abc import Collection, Iterable, Sequence
from typing import final

from perdure.ir import Parameter
from perdure.machine import ir
from perdure.machine.globals import ModuleNames, loaded_names
from perdure.machine.ir import Frame
from perdure.machine.text import expression

__all__ = ["SITES", "CodeNames"]

SITES = "__sites__"


@final
class CodeNames:
    """Names at the top of the emitted module: imports, and what binds helpers' arguments."""

    def __init__(self, modules: ModuleNames, used: set[str], sites: str, s: str) -> None:
        self.modules = modules
        self.used = used
        self.sites = sites
        self.s = s
        self.binders: list[str] = []
        self.call_sites: dict[tuple[str, str], set[int]] = {}
        """Indices of `__sites__` that are used, by module and the name they have here."""
        self._binders: dict[Frame, str] = {}
        self._imports: dict[str, tuple[str, str]] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._here: dict[str, None] = {}
        """Aliases that were asked for since the last function began."""
        self._at_top: set[str] = set()

    def imported(self) -> list[str]:
        """The imports at the top: perdure's, and what is needed before a site runs."""
        return [
            _import(module, name, alias)
            for alias, (module, name) in self._imports.items()
            if name != SITES and alias in self._at_top
        ]

    def begin(self) -> None:
        """What is asked for so far belongs to the top of the module, what comes to a function."""
        self._at_top |= self._here.keys()
        self._here = {}

    def imports_here(self, inside: Collection[str]) -> list[str]:
        """The imports of the function that ends.

        A site that needs nothing of a module of the user's does not import it: it may be heavy.
        Names that a function inside of it reads (`inside`) stay globals, so that they are no
        cells of a function that crosses.
        """
        lines: list[str] = []
        for alias in self._here:
            module, name = self._imports[alias]
            if alias in inside or name == SITES or module.partition(".")[0] == "perdure":
                self._at_top.add(alias)
            else:
                lines.append(_import(module, name, alias))
        self._here = {}
        return sorted(lines)

    def name(self, module: str, name: str) -> str:
        """The alias under which a module's name is imported here; mostly the name itself."""
        home = ("perdure.runtime", "calls") if name == "__perdure__" else (module, name)
        known = self._aliases.get(home)
        if known is None:
            known = name
            while (
                known == "FLOW" or known in self._imports or (known != name and known in self.used)
            ):
                known += "_"
            self._imports[known] = home
            self._aliases[home] = known
        self._here[known] = None
        return known

    def use_sites(self, module: str, nodes: Iterable[ast.AST]) -> None:
        """Note the call sites that code of a module names: `__sites__[3]`."""
        for root in nodes:
            for node in ast.walk(root):
                match node:
                    case ast.Subscript(ast.Name(id="__sites__"), ast.Constant(int(index))):
                        home = (module, self.name(module, SITES))
                        self.call_sites.setdefault(home, set()).add(index)
                    case _:
                        pass

    def builtin(self, name: str) -> str:
        """A builtin, also where the user's code means something else by its name."""
        return f"{self.sites}.builtins.{name}" if name in self.used else name

    def binder(self, enter: ir.Enter) -> str:
        """The function that takes a helper's arguments and gives its first slots."""
        ref = enter.callee.ref
        if enter.callee not in self._binders:
            name = f"enter_{ref.qualname.replace('.', '_')}"
            while name in self.used:
                name += "_"
            self.used.add(name)
            self._binders[enter.callee] = name
            here, self._here = self._here, {}
            self.binders.append(self._binder(enter, name))
            self.begin()  # defaults are evaluated where a binder is defined
            self._here = here
        return self._binders[enter.callee]

    def _binder(self, enter: ir.Enter, name: str) -> str:
        ref = enter.callee.ref
        signature = ", ".join(self._parameters(enter.parameters, ref.module))
        slots = ", ".join(f"{enter.callee.slot(p.name)!r}: {p.name}" for p in enter.parameters)
        parts = ref.qualname.split(".")
        qualname = ".<locals>.".join(parts)
        return (
            f"@{self.sites}.named({qualname!r})\ndef {name}({signature}):\n    return {{{slots}}}"
        )

    def _parameters(self, parameters: Sequence[object], module: str) -> list[str]:
        texts: list[str] = []
        keyword_only = False
        for parameter in parameters:
            assert isinstance(parameter, Parameter)
            default = ""
            if parameter.default is not None:
                self.use_sites(module, [parameter.default])
                for free in loaded_names([parameter.default]):
                    if self.modules.binds(module, free):
                        self.name(module, free)
                default = f"={expression(parameter.default)}"
            match parameter.kind:
                case "var_positional":
                    texts.append(f"*{parameter.name}")
                    keyword_only = True
                case "var_keyword":
                    texts.append(f"**{parameter.name}")
                case "keyword":
                    if not keyword_only:
                        texts.append("*")
                        keyword_only = True
                    texts.append(f"{parameter.name}{default}")
                case _:
                    texts.append(f"{parameter.name}{default}")
        return texts


def _import(module: str, name: str, alias: str) -> str:
    return f"from {module} import {name}" + ("" if alias == name else f" as {alias}")
