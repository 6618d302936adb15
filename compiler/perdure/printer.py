"""The Flow IR as text: one printer for people, tests and debugging.

Deterministic; programs that differ in more than places and labels of control print differently.
Grammar (blocks are indented by two; `E` is Python on one line, slots and refs are names):

    program   = "program" ref NL step* function*
    step      = "step" ref [name] signature ["group" text] ["by" E] NL
    function  = kind ref signature ["captures" slots] ":" block
    block     = statement* | "pass"
    statement = "| " Python               Pure, line by line; "|. " begins another one right after
              | [slot "="] "op" kind label [callee] [options] arguments ["of" refs]
              | [slot "="] "call" ref label arguments
              | [slot "="] "fork" kind label options ["over" E] ":" branch+
              | [slot "="] "task" group ":" branch
              | "group" label ["as" slot] ":" block
              | "deadline" label ("in" | "at") E ":" block
              | "try" ["star"] ":" block ("except" [E] ["as" slot] ":" block)*
                ["else:" block] ["finally:" block]
              | "if" E ":" block ["else:" block]
              | "match" E ":" ("case" pattern ["if" E] ":" block)+
              | "while" ":" ["before:" block] "test" E ":" block ["else:" block]
              | "for" target "in" E ":" block ["else:" block]
              | ("return" | "break" | "continue" | "raise") [E] ["from" E]
              | ["async"] "with" E ["as" target] ["by" ref] ":" block
              | "unlowered" text ":" Python
    branch    = "branch" (name | "*") slots ["captures" slots] ":" block "gives" E
"""

import ast
from collections.abc import Iterable, Sequence
from typing import assert_never, final

from perdure.ir import (
    Argument,
    Block,
    Branch,
    Call,
    Deadline,
    Exit,
    Expr,
    For,
    Fork,
    Function,
    Group,
    If,
    Match,
    Op,
    OpKind,
    Parameter,
    Program,
    Pure,
    StepInfo,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)

__all__ = ["format_block", "format_flow", "format_function", "format_program"]


def format_program(program: Program) -> str:
    """The whole program: steps, then functions."""
    head = [f"program {program.entry}", *map(_step, program.steps)]
    parts = ["\n".join(head), *map(format_function, program.functions)]
    return "\n\n".join(parts) + "\n"


format_flow = format_program


def format_function(function: Function) -> str:
    """One function, without a line end after it."""
    captures = _slots("captures", sorted(function.captures))
    head = f"{function.kind} {function.ref}{_signature(function.parameters, function.returns)}"
    return f"{head}{captures}:\n{format_block(function.body, 1)}"


def format_block(block: Block, depth: int = 0) -> str:
    """A block, for messages and tests."""
    text = _Text(depth)
    text.block(block)
    return "\n".join(text.lines)


@final
class _Text:
    def __init__(self, depth: int) -> None:
        self.lines: list[str] = []
        self._depth = depth

    def line(self, text: str) -> None:
        self.lines.append("  " * self._depth + text)

    def inner(self, block: Block) -> None:
        self._depth += 1
        self.block(block)
        self._depth -= 1

    def block(self, block: Block) -> None:
        if not block:
            self.line("pass")
        after_pure = False
        for statement in block:
            if isinstance(statement, Pure):
                self._pure(statement.code, "|. " if after_pure else "| ")
            else:
                self._statement(statement)
            after_pure = isinstance(statement, Pure)

    def _pure(self, code: Sequence[ast.stmt], first: str) -> None:
        mark = first
        for node in code:
            for line in ast.unparse(node).split("\n"):
                self.line(mark + line)
                mark = "| "

    def _statement(self, statement: Stmt) -> None:
        match statement:
            case Pure(code=code):
                self._pure(code, "| ")
            case Op():
                self._op(statement)
            case Call():
                head = f"{_to(statement.target)}call {statement.helper} {statement.label}"
                self.line(head + _arguments(statement.arguments))
            case Fork():
                self._fork(statement)
            case Task():
                named = f" named {_one(statement.named)}" if statement.named is not None else ""
                self.line(f"{_to(statement.target)}task {statement.group}{named}:")
                self._branches([statement.branch])
            case Exit():
                value = f" {_one(statement.value)}" if statement.value is not None else ""
                cause = f" from {_one(statement.cause)}" if statement.cause is not None else ""
                self.line(f"{statement.kind.value}{value}{cause}")
            case Unlowered(what=what, code=code):
                self.line(f"unlowered {what}:")
                self._depth += 1
                self._pure(code, "| ")
                self._depth -= 1
            case _:
                self._control(statement)

    def _op(self, op: Op) -> None:
        callee = f" {_one(op.callee)}" if op.callee is not None else ""
        options = f" options{_arguments(op.options)}" if op.options else ""
        label = op.label or "?"
        refs = f" of {' '.join(map(str, op.candidates))}" if op.candidates else ""
        arguments = "" if op.kind is OpKind.VALUE else _arguments(op.arguments)
        self.line(f"{_to(op.target)}op {op.kind.value} {label}{callee}{options}{arguments}{refs}")

    def _fork(self, fork: Fork) -> None:
        options = (
            ("limit", fork.limit),
            ("return_exceptions", fork.return_exceptions),
            ("fail_fast", fork.fail_fast),
            ("k", fork.quorum),
            ("over", fork.over),
        )
        chosen = "".join(f" {name} {_one(value)}" for name, value in options if value is not None)
        self.line(f"{_to(fork.target)}fork {fork.kind.value} {fork.label}{chosen}:")
        self._branches(fork.branches)

    def _branches(self, branches: Sequence[Branch]) -> None:
        self._depth += 1
        for branch in branches:
            head = f"branch {branch.name or '*'}({', '.join(branch.params)})"
            self.line(f"{head}{_slots('captures', branch.captures)}:")
            self.inner(branch.body)
            if branch.value is not None:
                self.line(f"gives {_one(branch.value)}")
        self._depth -= 1

    def _control(self, node: Group | Deadline | Try | If | Match | While | For | With) -> None:
        match node:
            case Group(label=label, name=name, body=body):
                self.line(f"group {label}{_as(name)}:")
                self.inner(body)
            case Deadline():
                self.line(_deadline(node))
                self.inner(node.body)
            case Try():
                self._try(node)
            case If():
                self.line(f"if {_one(node.test)}:")
                self.inner(node.then)
                self._optional("else", node.orelse)
            case Match():
                self.line(f"match {_one(node.subject)}:")
                self._depth += 1
                for case in node.cases:
                    guard = f" if {_one(case.guard)}" if case.guard is not None else ""
                    self.line(f"case {ast.unparse(case.pattern)}{guard}:")
                    self.inner(case.body)
                self._depth -= 1
            case While():
                self.line("while:")
                self._optional("before", node.before)
                self.line(f"test {_one(node.test)}:")
                self.inner(node.body)
                self._optional("else", node.orelse)
            case For():
                self.line(f"for {_one(node.target)} in {_one(node.iterable)}:")
                self.inner(node.body)
                self._optional("else", node.orelse)
            case With():
                word = "async with" if node.is_async else "with"
                name = None if node.name is None else _one(node.name)
                by = f" by {node.helper}" if node.helper is not None else ""
                self.line(f"{word} {_one(node.manager)}{_as(name)}{by}:")
                self.inner(node.body)
            case _:
                assert_never(node)

    def _try(self, node: Try) -> None:
        self.line("try star:" if node.star else "try:")
        self.inner(node.body)
        for handler in node.handlers:
            kind = f" {_one(handler.type)}" if handler.type is not None else ""
            self.line(f"except{kind}{_as(handler.name)}:")
            self.inner(handler.body)
        self._optional("else", node.orelse)
        self._optional("finally", node.final)

    def _optional(self, word: str, block: Block) -> None:
        if block:
            self.line(f"{word}:")
            self.inner(block)


def _one(node: Expr) -> str:
    """An expression on one line."""
    text = ast.unparse(node)
    return text if "\n" not in text else " ".join(part.strip() for part in text.split("\n"))


def _to(target: str | None) -> str:
    return "" if target is None else f"{target} = "


def _deadline(node: Deadline) -> str:
    word = "at" if node.absolute else "in"
    return f"deadline {node.label or '?'} {word} {_one(node.delay)}{_as(node.name)}:"


def _as(name: str | None) -> str:
    return "" if name is None else f" as {name}"


def _slots(word: str, slots: Iterable[str]) -> str:
    text = ", ".join(slots)
    return f" {word} {text}" if text else ""


def _arguments(arguments: Sequence[Argument]) -> str:
    parts: list[str] = []
    for argument in arguments:
        name = "" if argument.name is None else f"{argument.name}="
        parts.append(f"{argument.star or ''}{name}{_one(argument.value)}")
    return f"({', '.join(parts)})"


def _step(step: StepInfo) -> str:
    name = f" {step.name}" if step.name != step.ref.qualname else ""
    group = f" group {step.group}" if step.group is not None else ""
    decorator = f" by {_one(step.decorator)}" if isinstance(step.decorator, ast.Call) else ""
    return f"step {step.ref}{name}{_signature(step.parameters, step.returns)}{group}{decorator}"


def _signature(parameters: Sequence[Parameter], returns: Expr | None) -> str:
    parts: list[str] = []
    for parameter in parameters:
        star = {"var_positional": "*", "var_keyword": "**", "keyword": "keyword "}.get(
            parameter.kind, ""
        )
        annotation = f": {_one(parameter.annotation)}" if parameter.annotation is not None else ""
        default = f" = {_one(parameter.default)}" if parameter.default is not None else ""
        parts.append(f"{star}{parameter.name}{annotation}{default}")
    result = f" -> {_one(returns)}" if returns is not None else ""
    return f"({', '.join(parts)}){result}"
