"""Prints the Flow IR back as Python: the structure, names and order that the author wrote.

A `Function` of the Flow IR comes in; the statements of an `async def` go out, in which each
operation is one call: of the step or flow itself, or of `durable` (`perdure.runtime.durable`), so
that the meaning of a fork or a deadline is the one that every engine shares. Each such call carries
the number of its site (`perdure_azure.places`). Trees of the IR are shared and never changed.

    Op STEP classify -> kind  kind = await classify(issue)
    Fork ALL over items       quotes = await durable.gather(*[quote(item) for item in items])
    Deadline in "5m"          async with durable.timeout('5m'):

A statement that begins with an operation follows a mark (`mark_of`), which the printer of modules
turns into a comment.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, assert_never, final

from perdure.diagnostics import InternalError
from perdure.ir import (
    Argument,
    Block,
    Branch,
    Call,
    Deadline,
    Exit,
    ExitKind,
    Expr,
    For,
    Fork,
    ForkKind,
    Function,
    Group,
    If,
    Match,
    Op,
    OpKind,
    Pure,
    Ref,
    Slot,
    Stmt,
    Task,
    Try,
    Unlowered,
    While,
    With,
)
from perdure.source import Span
from perdure.uses import uses
from perdure_azure.places import at_site, site_at
from perdure_azure.tidy import merged_comprehension, without_temporaries

__all__ = ["MARK", "Place", "body_of", "is_mark"]

MARK = "perdure.line "
"""How the string begins that stands before an operation, with its line after it."""

_OPERANDS: Mapping[OpKind, tuple[str, ...]] = {
    OpKind.EVENT: ("name", "type"),
    OpKind.SLEEP: ("duration",),
    OpKind.PROGRESS: ("value",),
    OpKind.REPLY: ("name", "value"),
    OpKind.START: ("flow",),
    OpKind.SEND: ("handle", "name", "payload"),
    OpKind.ASK: ("handle", "name", "payload"),
    OpKind.CANCEL: ("handle",),
    OpKind.RESULT: ("handle",),
}
"""Operands of natives that are printed by position."""

_FORKS = {ForkKind.ALL: "gather", ForkKind.RACE: "race", ForkKind.QUORUM: "quorum"}


class SiteFinder(Protocol):
    """Where the operations of a module stand in its `__sites__`."""

    def find(self, label: str, span: Span) -> int:
        """The index of the site of this label in (or at) this stretch."""
        ...

    def is_at(self, label: str, span: Span) -> bool:
        """Whether the site of this label is exactly this stretch."""
        ...


@final
class Place(NamedTuple):
    """What printing a function needs of the module it will stand in."""

    sites: SiteFinder
    name_of: Callable[[Ref, Function], Expr]
    """How a step, flow or helper is called in this module, inside that function."""
    nested: Mapping[str, ast.AsyncFunctionDef]
    """By bare name, the functions nested in this one that the IR took apart, printed."""
    whole: Callable[[ast.stmt], ast.stmt]
    """The instrumented form of a statement that the IR kept whole."""
    durable: str
    """The name that this module has for the durable operations."""


def body_of(function: Function, place: Place) -> list[ast.stmt]:
    """The statements of the function."""
    printer = _Printer(function, place)
    body = without_temporaries(printer.block(function.body), is_mark)
    found = uses(body)
    inner: list[ast.stmt] = [
        printed for name, printed in place.nested.items() if not _defines(body, name)
    ]
    head: list[ast.stmt] = []
    written = sorted(function.captures & found.writes)
    if written:
        head.append(ast.Nonlocal(written))
    lost = sorted((found.reads & function.slots) - found.writes - _parameters(function))
    lost = [name for name in lost if name not in place.nested]
    if lost:
        # What made these names local cannot be reached; they stay local all the same.
        targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in lost]
        head.append(ast.If(ast.Constant(False), [ast.Assign(targets, ast.Constant(None))], []))
    return [*head, *inner, *body] or [ast.Pass()]


def _parameters(function: Function) -> frozenset[str]:
    return frozenset(parameter.name for parameter in function.parameters)


def _defines(body: Sequence[ast.stmt], name: str) -> bool:
    """Whether a nested function is defined in code that the IR kept whole."""
    return any(
        isinstance(node, ast.AsyncFunctionDef) and node.name == name
        for statement in body
        for node in ast.walk(statement)
    )


@final
class _Printer:
    def __init__(self, function: Function, place: Place) -> None:
        self._function = function
        self._place = place
        self._count = 0
        self._before: list[ast.stmt] = []
        """Branch functions that the next statement needs."""
        self._in_fork = False
        """Whether what is printed is handed to a fork, which has to see what kind of call it is."""

    # Statements

    def block(self, block: Block) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in block:
            outer, self._before = self._before, []
            printed = self._statement(statement)
            found += [*self._before, *printed]
            self._before = outer
        return found

    def _body(self, block: Block) -> list[ast.stmt]:
        return self.block(block) or [ast.Pass()]

    def _statement(self, statement: Stmt) -> list[ast.stmt]:
        match statement:
            case Pure(code=code):
                return [*code]
            case Op() | Call() | Fork():
                value = ast.Await(self._coroutine(statement))
                return [_mark(statement.span), _kept(statement.target, value)]
            case Task():
                return [_mark(statement.span), self._task(statement)]
            case Group() | Deadline():
                return [_mark(statement.span), *self._context(statement)]
            case Try():
                return [self._try(statement)]
            case If(test=test, then=then, orelse=orelse):
                return [ast.If(test, self._body(then), self.block(orelse))]
            case Match():
                return [self._match(statement)]
            case While():
                return self._while(statement)
            case For(target=target, iterable=iterable):
                inner, after = self._body(statement.body), self.block(statement.orelse)
                return [ast.For(target, iterable, inner, after)]
            case Exit():
                return [_exit(statement)]
            case With():
                return [self._with(statement)]
            case Unlowered(code=code):
                return [_mark(statement.span), *map(self._place.whole, code)]
            case _:
                assert_never(statement)

    def _task(self, task: Task) -> ast.stmt:
        create = ast.Attribute(_load(task.group), "create_task", ast.Load())
        named = [] if task.named is None else [ast.keyword("name", task.named)]
        return _kept(task.target, ast.Call(create, [self._branch(task.branch)], named))

    def _context(self, node: Group | Deadline) -> list[ast.stmt]:
        if isinstance(node, Group):
            manager = self._form("task_group", node.label, node.span)
            name = None if node.name is None else ast.Name(node.name, ast.Store())
            return [ast.AsyncWith([ast.withitem(manager, name)], self._body(node.body))]
        if node.wait_for:
            target = _target_of(node.body)
            return [_kept(target, ast.Await(self._wait_for(node, target)))]
        word = "timeout_at" if node.absolute else "timeout"
        manager = self._form(word, node.label, node.span, node.delay)
        name = None if node.name is None else _store(node.name)
        return [ast.AsyncWith([ast.withitem(manager, name)], self._body(node.body))]

    def _try(self, node: Try) -> ast.stmt:
        handlers = [
            ast.ExceptHandler(handler.type, handler.name, self._body(handler.body))
            for handler in node.handlers
        ]
        made = ast.TryStar if node.star else ast.Try
        return made(
            self._body(node.body), handlers, self.block(node.orelse), self.block(node.final)
        )

    def _match(self, node: Match) -> ast.stmt:
        cases = [
            ast.match_case(case.pattern, case.guard, self._body(case.body)) for case in node.cases
        ]
        return ast.Match(node.subject, cases)

    def _while(self, node: While) -> list[ast.stmt]:
        """Operations of the test run before each test; `else` of such a loop needs a flag."""
        if not node.before:
            return [ast.While(node.test, self._body(node.body), self.block(node.orelse))]
        before, body, orelse = map(self.block, (node.before, node.body, node.orelse))
        leave: list[ast.stmt] = [ast.Break()]
        after: list[ast.stmt] = []
        first: list[ast.stmt] = []
        if orelse:
            flag = self._fresh("_ended")
            first = [_assign(flag, ast.Constant(False))]
            leave = [_assign(flag, ast.Constant(True)), *leave]
            after = [ast.If(_load(flag), orelse, [])]
        test = ast.If(ast.UnaryOp(ast.Not(), node.test), leave, [])
        loop = ast.While(ast.Constant(True), [*before, test, *body], [])
        return [*first, loop, *after]

    def _with(self, node: With) -> ast.stmt:
        items = [ast.withitem(node.manager, node.name)]
        made = ast.AsyncWith if node.is_async else ast.With
        return made(items, self._body(node.body))

    # Coroutine expressions

    def _coroutine(self, node: Op | Call | Fork) -> Expr:
        match node:
            case Op():
                return self._operation(node)
            case Call(helper=helper):
                arguments, keywords = _arguments(node.arguments)
                return ast.Call(self._name(helper), arguments, keywords)
            case Fork():
                return self._fork(node)
            case _:
                assert_never(node)

    def _operation(self, op: Op) -> Expr:
        match op.kind:
            case OpKind.VALUE:
                return _given(op.callee, op.span)
            case OpKind.STEP | OpKind.FLOW | OpKind.TABLE:
                callee = self._name(op.candidates[0]) if op.callee is None else op.callee
                known = op.kind is not OpKind.TABLE or not self._in_fork
                if op.options:
                    chosen, named = _arguments(op.options)
                    callee = ast.Call(ast.Attribute(callee, "options", ast.Load()), chosen, named)
                arguments, keywords = _arguments(op.arguments)
                if known:
                    called = ast.Call(callee, arguments, keywords)
                    return at_site(called, self._place.sites.find(op.label, op.span))
                return self._form("call", op.label, op.span, callee, *arguments, keywords=keywords)
            case _:
                arguments, keywords = _arguments(op.arguments, _OPERANDS[op.kind])
                if op.kind is OpKind.START and op.candidates:
                    arguments = [self._name(op.candidates[0]), *arguments]
                return self._form(op.kind.value, op.label, op.span, *arguments, keywords=keywords)

    def _fork(self, fork: Fork) -> Expr:
        keywords: list[ast.keyword] = []
        arguments: list[Expr] = [] if fork.quorum is None else [fork.quorum]
        if fork.over is not None:
            mapped = self._mapped(fork, fork.over, fork.branches[0])
            if fork.kind is ForkKind.RACE:
                keywords.append(ast.keyword(None, mapped))
            else:
                arguments.append(ast.Starred(mapped, ast.Load()))
        elif fork.kind is ForkKind.RACE:
            keywords += [ast.keyword(each.name, self._branch(each)) for each in fork.branches]
        else:
            arguments += [self._branch(each) for each in fork.branches]
        for name in ("limit", "return_exceptions", "fail_fast"):
            value: Expr | None = getattr(fork, name)
            if value is not None:
                keywords.append(ast.keyword(name, value))
        word = _FORKS[fork.kind]
        return self._form(word, fork.label, fork.span, *arguments, keywords=keywords)

    def _mapped(self, fork: Fork, over: Expr, branch: Branch) -> Expr:
        """`[quote(_1) for _1 in over]`; just `over` where it holds the coroutines."""
        element = self._branch(branch)
        if fork.kind is ForkKind.RACE:
            pair = ast.Tuple([_store(name) for name in branch.params], ast.Store())
            items = ast.comprehension(pair, over, [], 0)
            return ast.DictComp(_load(branch.params[0]), element, [items])
        params = branch.params or (self._fresh("_item"),)
        if isinstance(element, ast.Name) and (element.id,) == params:
            return over
        target: Expr = _store(params[0])
        if len(params) > 1:
            target = ast.Tuple([_store(name) for name in params], ast.Store())
        merged = merged_comprehension(element, params, over)
        return merged or ast.ListComp(element, [ast.comprehension(target, over, [], 0)])

    def _branch(self, branch: Branch) -> Expr:
        """The coroutine of a branch: one expression where its body is one operation."""
        value = branch.value.id if isinstance(branch.value, ast.Name) else None
        outer, self._in_fork = self._in_fork, True
        single = self._single(branch.body, value)
        self._in_fork = False
        element = self._entering(single or self._function_of(branch))
        self._in_fork = outer
        return element

    def _entering(self, element: Expr) -> Expr:
        """`durable.branch(helper, x)` of a helper's call: what it is given crosses by value."""
        match element:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="__perdure__"))):
                return element
            case ast.Call() if site_at(element) is not None:
                return element
            case ast.Call(func=func, args=args, keywords=keywords):
                called = ast.Attribute(_load(self._place.durable), "branch", ast.Load())
                return ast.Call(called, [func, *args], keywords)
            case _:
                return element

    def _single(self, block: Block, value: Slot | None) -> Expr | None:
        """The coroutine expression of a block that is one operation, whose result it keeps."""
        match block:
            case (Op() | Call() | Fork() as node,) if node.target == value:
                return self._coroutine(node)
            case (Deadline(wait_for=True) as node,):
                return self._wait_for(node, value)
            case _:
                return None

    def _wait_for(self, node: Deadline, target: Slot | None) -> Expr:
        inner = self._single(node.body, target)
        if inner is None:
            raise InternalError("wait_for of more than one coroutine", during="print for azure")
        inner = self._entering(inner)
        return self._form("wait_for", node.label, node.span, inner, node.delay)

    def _function_of(self, branch: Branch) -> Expr:
        """A branch of several statements: a function of what it captures, by value."""
        name = self._fresh("_branch")
        given = [*branch.params, *branch.captures]
        body = self._body(branch.body)
        if branch.value is not None:
            body.append(ast.Return(branch.value))
        args = ast.arguments([], [ast.arg(each) for each in given], None, [], [], None, [])
        self._before.append(ast.AsyncFunctionDef(name, args, body, [], type_params=[]))
        return ast.Call(_load(name), [_load(each) for each in given], [])

    # Parts

    def _form(
        self,
        word: str,
        label: str,
        span: Span,
        *arguments: Expr,
        keywords: Sequence[ast.keyword] = (),
    ) -> Expr:
        """`durable.word(...)`; what only run time knows to be an operation names its site."""
        index = self._place.sites.find(label, span)
        if word == "call":
            site = ast.Subscript(_load("__sites__"), ast.Constant(index), ast.Load())
            called = ast.Attribute(_load("__perdure__"), word, ast.Load())
            return ast.Call(called, [site, *arguments], [*keywords])
        called = ast.Attribute(_load(self._place.durable), word, ast.Load())
        return at_site(ast.Call(called, [*arguments], [*keywords]), index)

    def _name(self, ref: Ref) -> Expr:
        return self._place.name_of(ref, self._function)

    def _fresh(self, name: str) -> Slot:
        while True:
            self._count += 1
            slot = f"{name}_{self._count}"
            if slot not in self._function.slots | self._function.captures:
                return slot


def _arguments(
    arguments: Sequence[Argument], by_position: Sequence[str] = ()
) -> tuple[list[Expr], list[ast.keyword]]:
    """Positional and keyword arguments; operands of natives are named in the IR."""
    positional: list[Expr] = []
    keywords: list[ast.keyword] = []
    for argument in arguments:
        at = len(positional)
        if argument.star == "*":
            positional.append(ast.Starred(argument.value, ast.Load()))
        elif (argument.name is None and argument.star is None) or (
            not keywords and by_position[at : at + 1] == (argument.name,)
        ):
            positional.append(argument.value)
        else:
            keywords.append(ast.keyword(argument.name, argument.value))
    return positional, keywords


def _exit(node: Exit) -> ast.stmt:
    match node.kind:
        case ExitKind.RETURN:
            return ast.Return(node.value)
        case ExitKind.BREAK:
            return ast.Break()
        case ExitKind.CONTINUE:
            return ast.Continue()
        case ExitKind.RAISE:
            return ast.Raise(node.value, node.cause)
        case _:
            assert_never(node.kind)


def _target_of(block: Block) -> Slot | None:
    match block:
        case (Op() | Call() | Fork() as node,):
            return node.target
        case (Deadline() as node,):
            return _target_of(node.body)
        case _:
            return None


def _given(callee: Expr | None, span: Span) -> Expr:
    if callee is None:
        raise InternalError(f"a value awaited at line {span.line} is missing", during="print")
    return callee


def _mark(span: Span) -> ast.stmt:
    return ast.Expr(ast.Constant(f"{MARK}{span.line}"))


def is_mark(statement: ast.AST) -> bool:
    """Whether the statement only says where the next one comes from."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text.startswith(MARK)
        case _:
            return False


def _kept(target: Slot | None, value: Expr) -> ast.stmt:
    return ast.Expr(value) if target is None else _assign(target, value)


def _assign(target: Slot, value: Expr) -> ast.stmt:
    return ast.Assign([_store(target)], value)


def _load(name: Slot) -> ast.Name:
    return ast.Name(name, ast.Load())


def _store(name: Slot) -> ast.Name:
    return ast.Name(name, ast.Store())
