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
    Block,
    Branch,
    Call,
    Deadline,
    Exit,
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
from perdure_azure.forms import (
    arguments_of,
    assign,
    both,
    exit_of,
    given,
    is_mark,
    kept,
    load,
    mark,
    store,
    target_of,
)
from perdure_azure.handover import Head, labels_in, loop_heads
from perdure_azure.places import at_site, site_at
from perdure_azure.tidy import merged_comprehension, without_temporaries

__all__ = ["Place", "body_of"]

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
    body = without_temporaries(printer.entered(function.body), is_mark)
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
        self._loops: dict[int, Head] = {}
        if function.kind == "flow" and not place.nested:
            self._loops = loop_heads(function)
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

    def entered(self, block: Block) -> list[ast.stmt]:
        """A block that a later generation of the run may enter at one of its loops."""
        found: list[ast.stmt] = []
        for statement in block:
            head = self._loops.get(id(statement))
            inside = labels_in(statement, self._loops)
            if head is not None:
                found = self._skipped(head, found)
            elif inside and found:
                elsewhere = self._plain("resumes", *map(ast.Constant, inside))
                found = [ast.If(ast.UnaryOp(ast.Not(), elsewhere), found, [])]
            found += self.block((statement,))
        return found

    def _skipped(self, head: Head, before: list[ast.stmt]) -> list[ast.stmt]:
        """`if (handed := durable.handed_over("while")) is None:` what stands before the loop."""
        handed = self._plain("handed_over", ast.Constant(head.label))
        if not head.live and not before:
            return [ast.Expr(handed)]
        if not head.live:
            return [ast.If(ast.Compare(handed, [ast.Is()], [ast.Constant(None)]), before, [])]
        name = "handed" if "handed" not in self._function.slots else self._fresh("_handed")
        test = ast.Compare(ast.NamedExpr(store(name), handed), [ast.Is()], [ast.Constant(None)])
        slots: list[ast.expr] = [store(slot) for slot in head.live]
        # `[total] = handed` for one, as `total, = handed` is easily misread.
        one = len(slots) == 1
        target = ast.List(slots, ast.Store()) if one else ast.Tuple(slots, ast.Store())
        restored: list[ast.stmt] = [ast.Assign([target], load(name))]
        if not before:
            test.ops[0] = ast.IsNot()
            return [ast.If(test, restored, [])]
        return [ast.If(test, before, restored)]

    def _plain(self, word: str, *arguments: Expr) -> Expr:
        called = ast.Attribute(load(self._place.durable), word, ast.Load())
        return ast.Call(called, [*arguments], [])

    def _turns(self, head: Head, iterable: Expr) -> Expr:
        live = ast.Tuple([load(slot) for slot in head.live], ast.Load())
        nothing = ast.arguments([], [], None, [], [], None, [])
        over, needed = (ast.Lambda(nothing, value) for value in (iterable, live))
        return self._plain("turns", ast.Constant(head.label), over, needed)

    def _turn(self, head: Head | None) -> Expr | None:
        if head is None:
            return None
        return ast.Await(self._plain("turn", ast.Constant(head.label), *map(load, head.live)))

    def _body(self, block: Block) -> list[ast.stmt]:
        return self.block(block) or [ast.Pass()]

    def _statement(self, statement: Stmt) -> list[ast.stmt]:
        match statement:
            case Pure(code=code):
                return [*code]
            case Op() | Call() | Fork():
                value = ast.Await(self._coroutine(statement))
                return [mark(statement.span), kept(statement.target, value)]
            case Task():
                return [mark(statement.span), self._task(statement)]
            case Group() | Deadline():
                return [mark(statement.span), *self._context(statement)]
            case Try():
                return [self._try(statement)]
            case If():
                return [self._if(statement)]
            case Match():
                return [self._match(statement)]
            case While():
                return self._while(statement)
            case For(target=target, iterable=iterable):
                inner, after = self._body(statement.body), self.block(statement.orelse)
                head = self._loops.get(id(statement))
                if head is None:
                    return [ast.For(target, iterable, inner, after)]
                return [ast.AsyncFor(target, self._turns(head, iterable), inner, after)]
            case Exit():
                return [exit_of(statement)]
            case With():
                return [self._with(statement)]
            case Unlowered(code=code):
                return [mark(statement.span), *map(self._place.whole, code)]
            case _:
                assert_never(statement)

    def _task(self, task: Task) -> ast.stmt:
        create = ast.Attribute(load(task.group), "create_task", ast.Load())
        named = [] if task.named is None else [ast.keyword("name", task.named)]
        return kept(task.target, ast.Call(create, [self._branch(task.branch)], named))

    def _context(self, node: Group | Deadline) -> list[ast.stmt]:
        if isinstance(node, Group):
            manager = self._form("task_group", node.label, node.span)
            name = None if node.name is None else ast.Name(node.name, ast.Store())
            return [ast.AsyncWith([ast.withitem(manager, name)], self._body(node.body))]
        if node.wait_for:
            target = target_of(node.body)
            return [kept(target, ast.Await(self._wait_for(node, target)))]
        word = "timeout_at" if node.absolute else "timeout"
        manager = self._form(word, node.label, node.span, node.delay)
        name = None if node.name is None else store(node.name)
        return [ast.AsyncWith([ast.withitem(manager, name)], self._body(node.body))]

    def _try(self, node: Try) -> ast.stmt:
        handlers = [
            ast.ExceptHandler(handler.type, handler.name, self._body(handler.body))
            for handler in node.handlers
        ]
        made = ast.TryStar if node.star else ast.Try
        return made(
            self.entered(node.body) or [ast.Pass()],
            handlers,
            self.block(node.orelse),
            self.block(node.final),
        )

    def _if(self, node: If) -> ast.stmt:
        """A generation that begins at a loop in it goes there, whatever the test would say now."""
        test = node.test
        elsewhere = labels_in(node._replace(then=()), self._loops)
        if elsewhere:
            resumed = self._plain("resumes", *map(ast.Constant, elsewhere))
            test = ast.BoolOp(ast.And(), [ast.UnaryOp(ast.Not(), resumed), test])
        here = labels_in(node._replace(orelse=()), self._loops)
        if here:
            test = ast.BoolOp(ast.Or(), [self._plain("resumes", *map(ast.Constant, here)), test])
        then = self.entered(node.then) or [ast.Pass()]
        return ast.If(test, then, self.entered(node.orelse))

    def _match(self, node: Match) -> ast.stmt:
        cases = [
            ast.match_case(case.pattern, case.guard, self._body(case.body)) for case in node.cases
        ]
        return ast.Match(node.subject, cases)

    def _while(self, node: While) -> list[ast.stmt]:
        """Operations of the test run before each test; `else` of such a loop needs a flag."""
        turn = self._turn(self._loops.get(id(node)))
        if not node.before:
            test = both(turn, node.test)
            return [ast.While(test, self._body(node.body), self.block(node.orelse))]
        before, body, orelse = map(self.block, (node.before, node.body, node.orelse))
        leave: list[ast.stmt] = [ast.Break()]
        after: list[ast.stmt] = []
        first: list[ast.stmt] = []
        if orelse:
            flag = self._fresh("_ended")
            first = [assign(flag, ast.Constant(False))]
            leave = [assign(flag, ast.Constant(True)), *leave]
            after = [ast.If(load(flag), orelse, [])]
        stop = ast.If(ast.UnaryOp(ast.Not(), node.test), leave, [])
        loop = ast.While(turn or ast.Constant(True), [*before, stop, *body], [])
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
                arguments, keywords = arguments_of(node.arguments)
                return ast.Call(self._name(helper), arguments, keywords)
            case Fork():
                return self._fork(node)
            case _:
                assert_never(node)

    def _operation(self, op: Op) -> Expr:
        match op.kind:
            case OpKind.VALUE:
                return given(op.callee, op.span)
            case OpKind.STEP | OpKind.FLOW | OpKind.TABLE:
                callee = self._name(op.candidates[0]) if op.callee is None else op.callee
                known = op.kind is not OpKind.TABLE or not self._in_fork
                if op.options:
                    chosen, named = arguments_of(op.options)
                    callee = ast.Call(ast.Attribute(callee, "options", ast.Load()), chosen, named)
                arguments, keywords = arguments_of(op.arguments)
                if known:
                    called = ast.Call(callee, arguments, keywords)
                    return at_site(called, self._place.sites.find(op.label, op.span))
                return self._form("call", op.label, op.span, callee, *arguments, keywords=keywords)
            case _:
                arguments, keywords = arguments_of(op.arguments, _OPERANDS[op.kind])
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
            pair = ast.Tuple([store(name) for name in branch.params], ast.Store())
            items = ast.comprehension(pair, over, [], 0)
            return ast.DictComp(load(branch.params[0]), element, [items])
        params = branch.params or (self._fresh("_item"),)
        if isinstance(element, ast.Name) and (element.id,) == params:
            return over
        target: Expr = store(params[0])
        if len(params) > 1:
            target = ast.Tuple([store(name) for name in params], ast.Store())
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
                called = ast.Attribute(load(self._place.durable), "branch", ast.Load())
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
        return ast.Call(load(name), [load(each) for each in given], [])

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
            site = ast.Subscript(load("__sites__"), ast.Constant(index), ast.Load())
            called = ast.Attribute(load("__perdure__"), word, ast.Load())
            return ast.Call(called, [site, *arguments], [*keywords])
        called = ast.Attribute(load(self._place.durable), word, ast.Load())
        return at_site(ast.Call(called, [*arguments], [*keywords]), index)

    def _name(self, ref: Ref) -> Expr:
        return self._place.name_of(ref, self._function)

    def _fresh(self, name: str) -> Slot:
        while True:
            self._count += 1
            slot = f"{name}_{self._count}"
            if slot not in self._function.slots | self._function.captures:
                return slot
