"""The site module of a flow: readable Python, one function for each node, and the table of them.

Comes in: a placed `Machine` and the sources of its program. Goes out: the text of
`sites_<flow>.py`, equal on every Python. The user's statements stand in it as they are; around
them, locals are loaded from slots and kept:

    def after_classify(s):
        # flows/triage.py:14
        issue = s["issue"]
        title = issue.title.strip()
        s["title"] = title
"""

import ast
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never, final

from perdure.ir import Ref
from perdure.machine import ir
from perdure.machine.emit_code import Body
from perdure.machine.emit_names import CodeNames
from perdure.machine.globals import ModuleNames
from perdure.machine.ir import Machine, Node, Scope
from perdure.machine.natives import runs_in_site, waits_in_site
from perdure.machine.trees import trees
from perdure.runtime.site import Site

__all__ = ["emit", "module_name", "scopes"]


def emit(
    machine: Machine,
    sources: Sequence[tuple[str, str]],
    call_sites: Sequence[tuple[str, tuple[Site, ...]]] = (),
) -> str:
    """The module's text. `call_sites`: of each module, for functions that call operations."""
    return _Module(machine, ModuleNames(sources), dict(call_sites)).text()


def module_name(ref: Ref) -> str:
    """`sites_flows_triage_triage` for `flows.triage:triage`."""
    return "sites_" + re.sub(r"\W+", "_", f"{ref.module}_{ref.qualname}")


def scopes(scope: Scope) -> Iterator[Scope]:
    """The scope and all inside it, in program order."""
    yield scope
    for node in scope.nodes.values():
        if isinstance(node, ir.ForkNode):
            for branch in node.branches:
                yield from scopes(branch)


@final
class _Module:
    def __init__(
        self, machine: Machine, modules: ModuleNames, call_sites: Mapping[str, tuple[Site, ...]]
    ) -> None:
        self.machine = machine
        self.call_sites = call_sites
        used = set(_identifiers(machine.root))
        self.sites = _free("sites", used)
        self.s = _free("s", used)
        self.names = CodeNames(modules, used, self.sites, self.s)
        self.functions: list[str] = []
        self.taken = {*used, self.sites, self.s, "FLOW", *keyword.kwlist}

    def text(self) -> str:
        """Header, imports, functions, table."""
        forked = {
            branch.id
            for scope in scopes(self.machine.root)
            for node in scope.nodes.values()
            if isinstance(node, ir.ForkNode) and node.forked
            for branch in node.scopes
        }
        every = scopes(self.machine.root)
        tables = [self._scope(scope, is_forked=scope.id in forked) for scope in every]
        parts = [self._header(), "\n".join(self._imports()), *self._call_sites()]
        parts += [*self.names.binders, *self.functions, self._flow(tables)]
        return "\n\n\n".join(parts) + "\n"

    def _header(self) -> str:
        ref = self.machine.ref
        return f'"""Sites of the flow `{ref}`, made by perdure. Regenerate it, do not edit it."""'

    def _imports(self) -> list[str]:
        lines = ["from perdure import sites" + _alias("sites", self.sites)]
        return sorted([*lines, *self.names.imported()])

    def _call_sites(self) -> Iterator[str]:
        """Call sites that code here names: no module of the user's has them."""
        for (module, alias), used in self.names.call_sites.items():
            known = self.call_sites[module]
            rows = "".join(
                f"    {n}: {self.sites}.CallSite{tuple(known[n])!r},\n" for n in sorted(used)
            )
            yield f"{alias} = {{\n{rows}}}"

    def _flow(self, tables: list[str]) -> str:
        ref, digest = self.machine.ref, self.machine.digest
        inside = "\n".join(tables)
        return (
            f"FLOW = {self.sites}.Flow(\n    {str(ref)!r},\n    {digest!r},\n"
            f"    {{\n{inside}\n    }},\n)"
        )

    def _scope(self, scope: Scope, *, is_forked: bool) -> str:
        rows = [f"                {pc!r}: {self._node(scope, n)}," for pc, n in scope.nodes.items()]
        settled = [f"                {pc!r}: {to!r}," for pc, to in scope.settled.items()]
        live = [f"                {pc!r}: {_tuple(sorted(s))}," for pc, s in scope.live.items()]
        repeating = ", ".join(map(repr, sorted(scope.repeating)))
        return "\n".join(
            [
                f"        {scope.id!r}: {self.sites}.Scope(",
                f"            {scope.entry!r},",
                f"            {_tuple(scope.params)},",
                f"            {_tuple(scope.captures)},",
                f"            frozenset({{{repeating}}}),"
                if repeating
                else "            frozenset(),",
                *_mapping(rows),
                *_mapping(settled),
                *_mapping(live),
                *([f"            {scope.start.to!r},"] if is_forked and scope.start else []),
                "        ),",
            ]
        )

    def _node(self, scope: Scope, node: Node) -> str:
        sites = self.sites
        match node:
            case ir.Block():
                code = self._function(scope, node)
                return f"{sites}.Block({_row(code, repr(node.next), handler=node.handler)})"
            case ir.Decision():
                return self._decision(scope, node)
            case ir.Catch():
                return f"{sites}.Catch({node.slot!r}, {node.next!r})"
            case ir.Operation() | ir.ForkNode():
                code = self._function(scope, node)
                label = node.op.label if isinstance(node, ir.Operation) else node.fork.label
                cells = (repr(_kind(node)), repr(label), repr(node.target), repr(node.ok))
                row = _row(code, *cells, handler=node.handler)
                if isinstance(node, ir.ForkNode) and node.scopes:
                    row += f", branches={_tuple([branch.id for branch in node.scopes])}"
                    row += f", fork={str(node.fork.kind)!r}"
                    row += ", forked=True" if node.forked else ""
                return f"{sites}.Operation({row})"
            case ir.Return():
                return f"{sites}.Return({_row(self._function(scope, node), handler=node.handler)})"
            case ir.Raise() | ir.Reraise():
                return f"{sites}.Raise({_row(self._function(scope, node), handler=node.handler)})"
            case _:
                assert_never(node)

    def _decision(self, scope: Scope, node: ir.Decision) -> str:
        exits = "{" + ", ".join(f"{e.name!r}: {e.to!r}" for e in node.exits) + "}"
        cells = [self._function(scope, node), exits, repr(node.handler or "")]
        recorded = scope.decisions.get(node.pc)
        if recorded is not None:
            name, records = recorded
            known = ", ".join(f"{exit!r}: {record!r}" for exit, record in records.items())
            cells += [repr(name), f"{{{known}}}"]
        return f"{self.sites}.Decision({', '.join(cells)})"

    def _function(self, scope: Scope, node: Node) -> str:
        operands = isinstance(node, ir.Operation | ir.ForkNode)
        name = self._function_name(scope, f"{node.pc} operands" if operands else node.pc)
        lines = Body(scope, node, self.names).lines()
        span = node.span
        where = f"    # {span.file}:{span.line}" if span.file else None
        head = [f"def {name}({self.s}):", *([where] if where else [])]
        self.functions.append(
            "\n".join([*head, *(f"    {line}" if line else "" for line in lines)])
        )
        return name

    def _function_name(self, scope: Scope, pc: str) -> str:
        plain = re.sub(r"\W+", "_", f"{scope.id} {pc}", flags=re.ASCII).strip("_").lower()
        plain = plain if plain and not plain[0].isdigit() else f"at_{plain}"
        return _take(plain, self.taken)


def _kind(node: ir.Operation | ir.ForkNode) -> str:
    if runs_in_site(node):
        return "run"
    return "wait" if waits_in_site(node) else "native"


def _row(*cells: str, handler: str | None) -> str:
    return ", ".join([*cells, *([] if handler is None else [repr(handler)])])


def _mapping(rows: list[str]) -> list[str]:
    return ["            {", *rows, "            },"] if rows else ["            {},"]


def _tuple(names: Sequence[str]) -> str:
    inside = ", ".join(map(repr, names))
    return f"({inside},)" if len(names) == 1 else f"({inside})"


def _alias(name: str, alias: str) -> str:
    return "" if name == alias else f" as {alias}"


def _free(name: str, used: set[str]) -> str:
    while name in used:
        name += "_"
    return name


def _take(name: str, taken: set[str]) -> str:
    count, found = 1, name
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    taken.add(found)
    return found


def _identifiers(root: Scope) -> Iterator[str]:
    """Every identifier that the emitted code may mention."""
    for scope in scopes(root):
        for node in scope.nodes.values():
            if isinstance(node, ir.Operation):
                yield from (ref.qualname.partition(".")[0] for ref in node.op.candidates)
            for tree in trees(node):
                for inner in ast.walk(tree):
                    match inner:
                        case ast.Name(id=name) | ast.arg(arg=name):
                            yield name
                        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                            yield name
                        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                            yield name
                        case ast.ExceptHandler(name=str(name)) | ast.MatchMapping(rest=str(name)):
                            yield name
                        case ast.alias(name=name, asname=other):
                            yield other or name.partition(".")[0]
                        case _:
                            pass
