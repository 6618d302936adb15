"""Broken programs are found, and the message names the pass."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.diagnostics import InternalError
from perdure.ir import Block, Exit, ExitKind, Facts, Fork, Op, Program, Pure, Task
from perdure.source import Span
from perdure.verify import verify
from tests.ir.forms import FORMS
from tests.ir.sources import HEAD, built

NONE = Facts(may_raise=False)


def _program(name: str, root: Path) -> Program:
    return built(HEAD + FORMS[name], root).program


def _with_body(program: Program, change: Callable[[Block], Block]) -> Program:
    first, *rest = program.functions
    return program._replace(functions=(first._replace(body=change(first.body)), *rest))


def _code(text: str) -> tuple[ast.stmt, ...]:
    return tuple(ast.parse(text).body)


def _awaits(body: Block) -> Block:
    return (Pure(_code("async def f(): await x"), NONE, body[0].span), *body)


def _no_span(body: Block) -> Block:
    return (body[0]._replace(span=Span("", 0, 0, 0, 0)), *body[1:])


def _twice(body: Block) -> Block:
    return (*body[:2], body[1], *body[2:])


def _break(body: Block) -> Block:
    return (Exit(ExitKind.BREAK, None, None, NONE, body[0].span), *body)


def _forgotten_reads(body: Block) -> Block:
    return tuple(each._replace(facts=NONE) if isinstance(each, Op) else each for each in body)


def _unbound_temporary(body: Block) -> Block:
    return tuple(each for each in body if not isinstance(each, Pure))


def _open_branch(body: Block) -> Block:
    def opened(fork: Fork) -> Fork:
        return fork._replace(branches=tuple(b._replace(captures=()) for b in fork.branches))

    return tuple(opened(each) if isinstance(each, Fork) else each for each in body)


def _task_alone(body: Block) -> Block:
    group = body[0]
    inner: Block = getattr(group, "body", ())
    return (*(each for each in inner if isinstance(each, Pure | Task)), *body[1:])


BROKEN: dict[str, tuple[str, Callable[[Block], Block], str]] = {
    "an await in pure code": ("straight", _awaits, "`Await` left"),
    "no place": ("straight", _no_span, "without a place"),
    "a label twice": ("straight", _twice, "twice"),
    "a break without a loop": ("straight", _break, "outside a loop"),
    "facts that miss a read": ("straight", _forgotten_reads, "facts miss reads"),
    "a temporary that nothing binds": ("gather", _unbound_temporary, "captures what is not bound"),
    "a branch that is not closed": ("gather", _open_branch, "before they are bound"),
    "a task without a group": ("task_group", _task_alone, "no group"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_program_is_found(name: str, tmp_path: Path) -> None:
    form, change, problem = BROKEN[name]
    program = _program(form, tmp_path)
    verify(program, after="build")
    with pytest.raises(InternalError) as found:
        verify(_with_body(program, change), after="some_pass")
    assert problem in str(found.value)
    assert found.value.during == "some_pass"
    assert "flow case:main" in found.value.printed


@pytest.mark.parametrize("name", sorted(FORMS))
def test_every_form_holds_after_every_pass(name: str, tmp_path: Path) -> None:
    built(HEAD + FORMS[name], tmp_path)
