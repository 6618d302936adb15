"""What a drawing of a flow shows: Flow IR in, a small tree of boxes out.

Only what is durable, and the control around it, is there; pure Python is not. A helper's body
stands where it is called, in a frame of its name (a recursive call is an action).
"""

import ast
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, assert_never, final

from perdure.ir import (
    Argument,
    Block,
    Call,
    Deadline,
    Exit,
    For,
    Fork,
    ForkKind,
    Function,
    Group,
    If,
    Match,
    Op,
    OpKind,
    Program,
    Pure,
    Ref,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)

__all__ = ["Action", "Arm", "Box", "End", "Frame", "Guard", "Loop", "Outline", "Split", "outline"]

LONGEST: Final = 44
"""Characters of a title; the rest is cut."""

_WAITS: Final = frozenset({OpKind.EVENT, OpKind.SLEEP, OpKind.ASK, OpKind.RESULT})


@final
class Action(NamedTuple):
    """One operation. `kind` is step, flow, wait or send."""

    kind: str
    title: str
    line: int


@final
class Arm(NamedTuple):
    """One way, under its label."""

    label: str
    body: "Boxes"


@final
class Split(NamedTuple):
    """A decision: exactly one arm is taken."""

    title: str
    arms: tuple[Arm, ...]
    line: int


@final
class Loop(NamedTuple):
    """A body that is run again and again."""

    title: str
    body: "Boxes"
    orelse: "Boxes"
    line: int


@final
class Frame(NamedTuple):
    """Arms side by side (a fork: all are taken), or one body in a frame with a title."""

    title: str
    arms: tuple[Arm, ...]
    parallel: bool
    line: int


@final
class Guard(NamedTuple):
    """A body, what is done about its errors, and what is done in any case."""

    body: "Boxes"
    handlers: tuple[Arm, ...]
    final: "Boxes"
    line: int


@final
class End(NamedTuple):
    """A way that ends here. `kind` is return, raise, break or continue."""

    kind: str
    title: str
    line: int


type Box = Action | Split | Loop | Frame | Guard | End
type Boxes = tuple[Box, ...]


@final
class Outline(NamedTuple):
    """A flow as it is drawn."""

    name: str
    file: str
    parameters: str
    body: Boxes


def outline(program: Program) -> Outline:
    """The outline of the entry flow."""
    entry = program.functions[0]
    functions = {function.ref: function for function in program.functions}
    names = ", ".join(parameter.name for parameter in entry.parameters)
    body = _Reader(functions, (entry.ref,)).boxes(entry.body)
    return Outline(entry.ref.qualname, entry.span.file, names, body)


class _Reader(NamedTuple):
    """Reads blocks; `inside` are the functions whose bodies are open."""

    functions: Mapping[Ref, Function]
    inside: tuple[Ref, ...]

    def boxes(self, block: Block) -> Boxes:
        """What of a block is drawn."""
        return tuple(box for stmt in block for box in self.of(stmt))

    def of(self, stmt: Stmt) -> Iterable[Box]:
        """The boxes of one statement."""
        match stmt:
            case Pure():
                return ()
            case Op():
                return (_action(stmt),)
            case Call():
                return (self.helper(stmt),)
            case Fork():
                return (self.fork(stmt),)
            case Task():
                arm = Arm("", self.boxes(stmt.branch.body))
                return (Frame("task", (arm,), True, stmt.span.line),)
            case Group():
                return (Frame("group", (Arm("", self.boxes(stmt.body)),), False, stmt.span.line),)
            case Deadline():
                title = _cut(f"timeout {_word(stmt.delay)}")
                return (Frame(title, (Arm("", self.boxes(stmt.body)),), False, stmt.span.line),)
            case With():
                title = _cut(f"with {_text(stmt.manager)}")
                return (Frame(title, (Arm("", self.boxes(stmt.body)),), False, stmt.span.line),)
            case Try():
                return (self.guard(stmt),)
            case If() | Match():
                return (self.split(stmt),)
            case While() | For():
                return (self.loop(stmt),)
            case Exit():
                return (_end(stmt),)
            case Unlowered():
                return (Action("step", _cut(stmt.what), stmt.span.line),)
            case _:
                assert_never(stmt)

    def helper(self, call: Call) -> Box:
        """A helper's body in a frame; an action where it is open already."""
        function = self.functions.get(call.helper)
        name = call.helper.qualname
        if function is None or call.helper in self.inside:
            return Action("flow", _cut(f"{name}({_arguments(call.arguments)})"), call.span.line)
        inner = _Reader(self.functions, (*self.inside, call.helper))
        arm = Arm("", inner.boxes(function.body))
        return Frame(name, (arm,), False, call.span.line)

    def fork(self, fork: Fork) -> Box:
        """All branches; of a map its one, under what it goes over."""
        title = {ForkKind.ALL: "gather", ForkKind.RACE: "race", ForkKind.QUORUM: "quorum"}[
            fork.kind
        ]
        if fork.quorum is not None:
            title += f" {_text(fork.quorum)}"
        if fork.limit is not None:
            title += f", limit {_text(fork.limit)}"
        arms = tuple(
            Arm(branch.name if fork.kind is ForkKind.RACE else "", self.boxes(branch.body))
            for branch in fork.branches
        )
        if fork.over is not None:
            title += " of each"
        return Frame(_cut(title), arms, True, fork.span.line)

    def guard(self, stmt: Try) -> Box:
        """`try` with all its parts."""
        star = "*" if stmt.star else ""
        handlers = tuple(
            Arm(
                _cut(f"except{star} {_text(handler.type)}" if handler.type else "except"),
                self.boxes(handler.body),
            )
            for handler in stmt.handlers
        )
        body = (*self.boxes(stmt.body), *self.boxes(stmt.orelse))
        return Guard(body, handlers, self.boxes(stmt.final), stmt.span.line)

    def split(self, stmt: If | Match) -> Box:
        """A decision with named ways."""
        if isinstance(stmt, If):
            arms = (Arm("yes", self.boxes(stmt.then)), Arm("no", self.boxes(stmt.orelse)))
            return Split(_cut(_question(stmt.label)), arms, stmt.span.line)
        cases = [Arm(_cut(case.label), self.boxes(case.body)) for case in stmt.cases]
        return Split(_cut(f"match {_text(stmt.subject)}"), tuple(cases), stmt.span.line)

    def loop(self, stmt: While | For) -> Box:
        """A loop; what its test needs is done in every round."""
        before = self.boxes(stmt.before) if isinstance(stmt, While) else ()
        body = (*before, *self.boxes(stmt.body))
        title = stmt.label
        if isinstance(stmt, For):
            title = f"for {_text(stmt.target)} in {_text(stmt.iterable)}"
        return Loop(_cut(title), body, self.boxes(stmt.orelse), stmt.span.line)


def _action(op: Op) -> Action:
    values = {argument.name: argument.value for argument in op.arguments if argument.name}
    match op.kind:
        case OpKind.STEP | OpKind.FLOW | OpKind.TABLE | OpKind.VALUE:
            called = _text(op.callee) if op.callee is not None else op.candidates[0].qualname
            title = f"{called}({_arguments(op.arguments)})" if op.arguments else f"{called}()"
            kind = "flow" if op.kind is OpKind.FLOW else "step"
        case OpKind.EVENT:
            title = f"event {_word(values.get('name'))}"
            limit = values.get("timeout")
            if limit is not None and not (isinstance(limit, ast.Constant) and limit.value is None):
                title += f", timeout {_word(limit)}"
            kind = "wait"
        case _:
            title = (
                f"{op.kind.value} {', '.join(_word(argument.value) for argument in op.arguments)}"
            )
            kind = "wait" if op.kind in _WAITS else "send"
    return Action(kind, _cut(title), op.span.line)


def _end(stmt: Exit) -> End:
    title = stmt.kind.value
    if stmt.value is not None and not _is_temporary(stmt.value):
        title += f" {_text(stmt.value)}"
    return End(stmt.kind.value, _cut(title), stmt.span.line)


def _is_temporary(node: ast.expr) -> bool:
    """`_1`: what the operation before has given; the source has no name for it."""
    return isinstance(node, ast.Name) and node.id[0] == "_" and node.id[1:].isdigit()


def _question(label: str) -> str:
    return label.removeprefix("if ") + "?"


def _arguments(arguments: tuple[Argument, ...]) -> str:
    return ", ".join((argument.star or "") + _text(argument.value) for argument in arguments)


def _text(node: ast.expr | None) -> str:
    """An expression as it was written."""
    text = "" if node is None else ast.unparse(node).replace("__perdure__.", "")
    return text if '"' in text else text.replace("'", '"')


def _word(node: ast.expr | None) -> str:
    """A text without its quotes, anything else as it was written."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return _text(node)


def _cut(text: str) -> str:
    from perdure.render.width import visible

    flat = visible(" ".join(text.split()))
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"
