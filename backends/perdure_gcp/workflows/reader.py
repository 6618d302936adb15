"""From a workflow's text to its steps.

`read_program` reports every wrong shape with its place and goes on; what the steps mean (names,
scopes, jumps) is the checker's. https://cloud.google.com/workflows/docs/reference/syntax
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, final

from perdure_gcp.workflows.document import Entries, Items, Node, Scalar, read
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import Position, Problem
from perdure_gcp.workflows.syntax import (
    Action,
    Assign,
    Branch,
    CallStep,
    Computed,
    Condition,
    Except,
    For,
    Group,
    Literal,
    Next,
    Parallel,
    Parameter,
    Program,
    Raise,
    Retry,
    Return,
    Routine,
    Step,
    Switch,
    Template,
    Try,
)
from perdure_gcp.workflows.templates import Templates

__all__ = ["read_program"]

_WITH: Final[Mapping[str, tuple[str, ...]]] = {
    "assign": ("next",),
    "call": ("args", "result", "next"),
    "switch": ("next",),
    "for": ("next",),
    "parallel": ("next",),
    "try": ("retry", "except", "next"),
    "raise": (),
    "return": (),
    "steps": ("next",),
}
"""The actions, and the keys that may stand beside each."""


def read_program(source: str, problems: list[Problem]) -> Program:
    """The routines of a file; what is wrong with it goes to `problems`."""
    if len(source.encode()) > value_of("source_bytes"):
        message = f"a source has at most {value_of('source_bytes'):,} bytes"
        problems.append(Problem("error", Position(1, 1), message, "split the workflow"))
    root = read(source, problems)
    reader = _Reader(problems)
    if isinstance(root, Items):
        main = Routine("main", (), reader.steps(root), root.position)
        return Program({"main": main}, source)
    if not isinstance(root, Entries):
        reader.wrong(root, "a workflow is a map or a list of steps", "write `main:`")
        return Program({}, source)
    routines = {str(key.value): reader.routine(key, body) for key, body in root}
    if "main" not in routines:
        reader.wrong(root, "there is no workflow `main`", "name the first workflow `main`")
    return Program(routines, source)


@final
class _Reader:
    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._templates = Templates(problems)
        self._actions: Mapping[str, Callable[[Node, Mapping[str, Node]], Action]] = {
            "assign": self._assign,
            "call": self._call,
            "switch": self._switch,
            "for": lambda node, _beside: self._for(node) or Next(),
            "parallel": self._parallel,
            "try": self._try,
            "raise": lambda node, _beside: Raise(self._templates.read(node)),
            "return": lambda node, _beside: Return(self._templates.read(node)),
            "steps": lambda node, _beside: Group(self.steps(node)),
        }

    def wrong(self, node: Node | Position, message: str, help: str) -> None:
        """Report an error at a node."""
        place = node if isinstance(node, Position) else node.position
        self._problems.append(Problem("error", place, message, help))

    def _unverified(self, node: Node, message: str, help: str) -> None:
        self._problems.append(Problem("unverified", node.position, message, help))

    def routine(self, key: Scalar, body: Node) -> Routine:
        """One workflow of the file."""
        name = str(key.value)
        parts = self._map(body, f"the workflow `{name}`", ("params", "steps"))
        if "steps" not in parts:
            self.wrong(key, f"the workflow `{name}` has no steps", "add `steps:`")
        steps = self.steps(parts["steps"]) if "steps" in parts else ()
        parameters = tuple(self._parameters(name, parts["params"])) if "params" in parts else ()
        return Routine(name, parameters, steps, key.position)

    def _parameters(self, name: str, node: Node) -> Iterator[Parameter]:
        if not isinstance(node, Items):
            self.wrong(node, "`params` is a list of names", "write `params: [a, b]`")
            return
        most = value_of("main_parameters" if name == "main" else "parameters")
        if len(node.items) > most:
            self.wrong(node, f"`{name}` has more than {most} parameters", "pass one map")
        for item in node.items:
            if isinstance(item, Scalar) and isinstance(item.value, str):
                yield Parameter(item.value, None)
            elif isinstance(item, Entries) and len(item.entries) == 1:
                key, value = item.entries[0]
                default = self._templates.read(value)
                if isinstance(default, Literal):
                    yield Parameter(str(key.value), default)
                else:
                    self.wrong(value, "a default is no expression", "write a plain value")
            else:
                self.wrong(item, "a parameter is a name or `name: default`", "write a name")

    def _map(self, node: Node, what: str, keys: tuple[str, ...]) -> dict[str, Node]:
        """The entries of a map that has no other keys."""
        if not isinstance(node, Entries):
            self.wrong(node, f"{what} is a map", f"write {', '.join(f'`{key}:`' for key in keys)}")
            return {}
        for key, _ in node:
            if key.value not in keys:
                known = ", ".join(f"`{name}`" for name in keys)
                self.wrong(key, f"{what} has no key `{key.value}`", f"the keys are {known}")
        return {str(key.value): value for key, value in node if key.value in keys}

    def steps(self, node: Node) -> tuple[Step, ...]:
        """A list of named steps."""
        if not isinstance(node, Items):
            self.wrong(node, "`steps` is a list", "begin each step with `- name:`")
            return ()
        if not node.items:
            self.wrong(node, "there are no steps", "add a step")
        found: list[Step] = []
        for item in node.items:
            if not isinstance(item, Entries) or len(item.entries) != 1:
                help = "write `- name:` and what the step does below it, further to the right"
                self.wrong(item, "a step is a map with its name as the only key", help)
                continue
            key, body = item.entries[0]
            found.append(self._step(str(key.value), key.position, body))
        return tuple(found)

    def _step(self, name: str | None, place: Position, body: Node) -> Step:
        """One step; a condition's `condition` key is taken away before."""
        shown = f"the step `{name}`" if name is not None else "this step"
        if not isinstance(body, Entries):
            self.wrong(body, f"{shown} does nothing", "write `assign:`, `call:`, `return:`, ...")
            return Step(name, Next(), None, place)
        parts = {str(key.value): (key, value) for key, value in body}
        actions = [key for key in parts if key in _WITH]
        if len(actions) > 1:
            message = f"{shown} has more than one action: {', '.join(actions)}"
            self.wrong(parts[actions[1]][0], message, "make a step of its own of each")
        if not actions and set(parts) != {"next"}:
            self.wrong(place, f"{shown} has no action", "write `assign:`, `call:`, `return:`, ...")
        allowed = (*actions, *_WITH[actions[0]]) if actions else ("next",)
        for key, (node, _) in parts.items():
            if key not in allowed:
                beside = f" beside `{actions[0]}`" if actions else ""
                self.wrong(node, f"a step has no `{key}`{beside}", "remove it")
        nodes = {key: value for key, (_, value) in parts.items() if key in allowed}
        action = self._actions[actions[0]](nodes[actions[0]], nodes) if actions else Next()
        return Step(name, action, self._text(nodes, "next"), place)

    def _text(self, parts: Mapping[str, Node], key: str) -> str | None:
        node = parts.get(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and isinstance(node.value, str | int):
            return str(node.value)
        self.wrong(node, f"`{key}` is a name", "write a name")
        return None

    def _assign(self, node: Node, _beside: Mapping[str, Node]) -> Action:
        if not isinstance(node, Items):
            self.wrong(node, "`assign` is a list", "write `- name: value`")
            return Assign(())
        if len(node.items) > value_of("assignments"):
            message = f"a step has at most {value_of('assignments')} assignments"
            self.wrong(node, message, "make two steps of it")
        found = [self._templates.assignment(item) for item in node.items]
        return Assign(tuple(item for item in found if item is not None))

    def _call(self, node: Node, beside: Mapping[str, Node]) -> Action:
        function = self._text({"call": node}, "call") or ""
        arguments: dict[str, Template] = {}
        args = beside.get("args")
        if isinstance(args, Entries):
            arguments = {str(key.value): self._templates.read(value) for key, value in args}
        elif args is not None:
            self.wrong(args, "`args` is a map of names to values", "write `name: value`")
        result = self._text(beside, "result")
        if result is not None and not result.replace("_", "a").isalnum():
            message = f"`result: {result}` is no variable"
            self.wrong(beside["result"], message, "assign the part in a step of its own")
            result = None
        return CallStep(function, arguments, result, node.position)

    def _switch(self, node: Node, _beside: Mapping[str, Node]) -> Action:
        if not isinstance(node, Items):
            self.wrong(node, "`switch` is a list of conditions", "write `- condition: ${...}`")
            return Switch(())
        if len(node.items) > value_of("conditions"):
            message = f"a switch has at most {value_of('conditions')} conditions"
            self.wrong(node, message, "let the last one lead to another switch")
        return Switch(tuple(filter(None, map(self._condition, node.items))))

    def _condition(self, node: Node) -> Condition | None:
        if not isinstance(node, Entries) or "condition" not in {key.value for key, _ in node}:
            self.wrong(node, "a case of a switch has a `condition`", "write `condition: ${...}`")
            return None
        test = next(value for key, value in node if key.value == "condition")
        rest = Entries(tuple(e for e in node.entries if e[0].value != "condition"), node.position)
        if not rest.entries:
            self.wrong(node, "this condition leads nowhere", "add `next:` or `steps:`")
            return Condition(self._templates.read(test), Step(None, Next(), None, node.position))
        body = self._step(None, node.position, rest)
        return Condition(self._templates.read(test), body)

    def _for(self, node: Node, parallel: bool = False) -> For | None:
        keys = ("value", "index", "in", "range", "steps")
        parts = self._map(node, "`for`", keys)
        value = self._text(parts, "value")
        if value is None or "steps" not in parts:
            missing = "value" if value is None else "steps"
            self.wrong(node, f"a loop has no `{missing}`", f"add `{missing}:`")
            return None
        if ("in" in parts) == ("range" in parts):
            self.wrong(node, "a loop has either `in` or `range`", "write one of them")
        if parallel and "index" in parts and "range" in parts:
            self._unverified(node, "an index of a range", "use the value")
        items = self._templates.read(parts["in"]) if "in" in parts else None
        bounds = self._range(parts["range"]) if "range" in parts else None
        index = self._text(parts, "index")
        return For(value, index, items, bounds, self.steps(parts["steps"]), node.position)

    def _range(self, node: Node) -> Template:
        template = self._templates.read(node)
        whole = isinstance(node, Items) and len(node.items) == 2
        if not whole and not isinstance(template, Computed):
            self.wrong(node, "a range has a begin and an end", "write `range: [1, 9]`")
        return template

    def _parallel(self, node: Node, _beside: Mapping[str, Node]) -> Action:
        keys = ("shared", "concurrency_limit", "exception_policy", "branches", "for")
        parts = self._map(node, "`parallel`", keys)
        if ("branches" in parts) == ("for" in parts):
            self.wrong(node, "a parallel step has either `branches` or `for`", "write one of them")
        policy = self._text(parts, "exception_policy")
        if policy not in (None, "continueAll"):
            message = f"there is no exception policy `{policy}`"
            self.wrong(parts["exception_policy"], message, "remove it: continueAll is the only one")
        limit = parts.get("concurrency_limit")
        return Parallel(
            tuple(self._names(parts["shared"])) if "shared" in parts else (),
            self._templates.read(limit) if limit is not None else None,
            tuple(self._branches(parts["branches"])) if "branches" in parts else (),
            self._for(parts["for"], parallel=True) if "for" in parts else None,
            node.position,
        )

    def _names(self, node: Node) -> Iterator[str]:
        if not isinstance(node, Items):
            self.wrong(node, "`shared` is a list of variables", "write `shared: [a, b]`")
            return
        for item in node.items:
            name = self._text({"shared": item}, "shared")
            if name is not None:
                yield name

    def _branches(self, node: Node) -> Iterator[Branch]:
        if not isinstance(node, Items):
            self.wrong(node, "`branches` is a list", "write `- name: {steps: [...]}`")
            return
        most = value_of("branches")
        if len(node.items) > most:
            message = f"a parallel step has at most {most} branches"
            self.wrong(node, message, "use `for` over a list")
        if len(node.items) < 2:
            self.wrong(node, "a parallel step has two branches or more", "write plain steps")
        for item in node.items:
            if not isinstance(item, Entries) or len(item.entries) != 1:
                self.wrong(item, "a branch is a map with its name as the only key", "name it")
                continue
            key, body = item.entries[0]
            parts = self._map(body, f"the branch `{key.value}`", ("steps",))
            if "steps" in parts:
                yield Branch(str(key.value), self.steps(parts["steps"]), key.position)

    def _try(self, node: Node, beside: Mapping[str, Node]) -> Action:
        body = self._step(None, node.position, node)
        if isinstance(body.action, For):
            message = "loop step name should not be empty: a `for` right below `try`"
            self.wrong(node, message, "write `try: {steps: [{name: {for: ...}}]}`")
        retry = Retry(self._templates.read(beside["retry"])) if "retry" in beside else None
        handler = self._except(beside["except"]) if "except" in beside else None
        if retry is None and handler is None:
            self.wrong(node, "a `try` has `retry` or `except`", "add one of them")
        return Try(body, retry, handler)

    def _except(self, node: Node) -> Except:
        parts = self._map(node, "`except`", ("as", "steps"))
        steps = self.steps(parts["steps"]) if "steps" in parts else ()
        if "steps" not in parts:
            self.wrong(node, "an `except` has `steps`", "add `steps:`")
        return Except(self._text(parts, "as"), steps, node.position)
