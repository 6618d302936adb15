"""An interpreter of the Flow IR on asyncio: what the nodes mean, said once more and simply.

Pure code is executed by CPython with the slots of a call as its globals; an operation calls the
function of the module outside of any run, so the same bodies run as when CPython executes the
source. Scheduling is asyncio's.
"""

import ast
import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, assert_never

from perdure.ir import (
    Argument,
    Block,
    Branch,
    Call,
    Case,
    Deadline,
    Exit,
    ExitKind,
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
from perdure.runtime import calls

type Module = Mapping[str, Any]


class _ReturnError(Exception):
    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


class _BreakError(Exception):
    pass


class _ContinueError(Exception):
    pass


_EXITS = (_ReturnError, _BreakError, _ContinueError)


class Slots(dict[str, Any]):
    """The slots of one call; names of other scopes are found where Python would find them."""

    def __init__(self, function: Function, module: Module, outer: "Slots | None") -> None:
        super().__init__()
        self.function = function
        self.module = module
        self.outer = outer
        self.known = function.slots

    def __getitem__(self, name: str) -> Any:
        if name in self:
            return super().__getitem__(name)
        if name in self.known:
            raise UnboundLocalError(
                f"cannot access local variable '{name}' where it is not associated with a value"
            )
        if self.outer is not None and name in self.function.captures:
            return self.outer[name]
        return self.module[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if self.outer is not None and name in self.function.captures:
            self.outer[name] = value
        else:
            super().__setitem__(name, value)

    def branch(self) -> "Slots":
        """A branch's own slots: captures are copied when it starts."""
        copied = Slots(self.function, self.module, self.outer)
        copied.update(self)
        return copied


class _GlobalsForCells(ast.NodeTransformer):
    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.Global:
        return ast.copy_location(ast.Global(node.names), node)


class Interpreter:
    """One program with the module it was made from."""

    def __init__(self, program: Program, module: Module) -> None:
        self.program = program
        self.module: dict[str, Any] = {
            **module,
            "__perdure__": calls,
            "__sites__": _Sites(),
        }
        self.functions = {function.ref: function for function in program.functions}

    async def run(self, *args: object) -> object:
        """Run the entry flow."""
        return await self.call(self.functions[self.program.entry], args, {}, None)

    async def call(
        self,
        function: Function,
        args: Sequence[object],
        named: Mapping[str, object],
        outer: Slots | None,
    ) -> object:
        slots = Slots(function, self.module, outer)
        slots.update(self._bind(function, args, named))
        try:
            await self.block(function.body, slots)
        except _ReturnError as result:
            return result.value
        return None

    def _bind(
        self, function: Function, args: Sequence[object], named: Mapping[str, object]
    ) -> dict[str, Any]:
        """By a function of the same signature, so that binding is CPython's own."""
        parts: list[str] = []
        star = False
        for at, parameter in enumerate(function.parameters):
            text = parameter.name
            match parameter.kind:
                case "var_positional":
                    text, star = f"*{text}", True
                case "var_keyword":
                    text = f"**{text}"
                case "keyword" if not star:
                    parts.append("*")
                    star = True
                case _:
                    pass
            parts.append(text if parameter.default is None else f"{text}=_default_{at}")
        defaults = {
            f"_default_{at}": self.value(parameter.default, Slots(function, self.module, None))
            for at, parameter in enumerate(function.parameters)
            if parameter.default is not None
        }
        space: dict[str, Any] = dict(defaults)
        exec(
            f"def {function.ref.qualname.rpartition('.')[2]}({', '.join(parts)}): return locals()",
            space,
        )
        bound: dict[str, Any] = space[function.ref.qualname.rpartition(".")[2]](*args, **named)
        return bound

    def value(self, node: ast.expr, slots: Slots) -> Any:
        tree = ast.Expression(_GlobalsForCells().visit(node))
        return eval(compile(tree, "case.py", "eval"), slots)

    def truth(self, node: ast.expr, slots: Slots) -> bool:
        """As a condition: CPython asks the parts of `a and b` once there."""
        chosen = ast.IfExp(node, ast.Constant(True), ast.Constant(False))
        return bool(self.value(ast.fix_missing_locations(chosen), slots))

    def execute(self, code: Sequence[ast.stmt], slots: Slots) -> None:
        copies = [ast.parse(ast.unparse(node)).body[0] for node in code]
        tree = ast.Module([_GlobalsForCells().visit(node) for node in copies], [])
        exec(compile(ast.fix_missing_locations(tree), "case.py", "exec"), slots)

    def assign(self, target: ast.expr, value: object, slots: Slots) -> None:
        slots["__value__"] = value
        tree = ast.Module([ast.Assign([target], ast.Name("__value__", ast.Load()))], [])
        try:
            exec(compile(ast.fix_missing_locations(tree), "case.py", "exec"), slots)
        finally:
            del slots["__value__"]

    async def block(self, block: Block, slots: Slots) -> None:
        for statement in block:
            await self.statement(statement, slots)

    async def statement(self, statement: Stmt, slots: Slots) -> None:
        match statement:
            case Pure(code=code):
                self.execute(code, slots)
            case Op():
                self._keep(statement.target, await self.operation(statement, slots), slots)
            case Call():
                awaited = self.helper(statement, slots)
                self._keep(statement.target, await awaited, slots)
            case Fork():
                self._keep(statement.target, await self.fork(statement, slots), slots)
            case Task():
                group: asyncio.TaskGroup = slots[statement.group]
                named = None if statement.named is None else self.value(statement.named, slots)
                branch = self.branch(statement.branch, slots.branch())
                task = group.create_task(branch, name=named)
                self._keep(statement.target, task, slots)
            case Exit():
                self.exit(statement, slots)
            case Unlowered(what=what):
                raise NotImplementedError(what)
            case _:
                await self.control(statement, slots)

    def _keep(self, target: str | None, value: object, slots: Slots) -> None:
        if target is not None:
            slots[target] = value

    def arguments(
        self, arguments: Sequence[Argument], slots: Slots
    ) -> tuple[list[Any], dict[str, Any]]:
        args: list[Any] = []
        named: dict[str, Any] = {}
        for argument in arguments:
            value = self.value(argument.value, slots)
            match argument.star:
                case "*":
                    args.extend(value)
                case "**":
                    named.update(value)
                case _ if argument.name is None:
                    args.append(value)
                case _:
                    named[argument.name or ""] = value
        return args, named

    def find(self, ref: Ref) -> Any:
        found: Any = self.module
        first, *rest = ref.qualname.split(".")
        found = found[first]
        for name in rest:
            found = getattr(found, name)
        return found

    async def operation(self, op: Op, slots: Slots) -> object:
        callee: Any = None if op.callee is None else self.value(op.callee, slots)
        options, named_options = self.arguments(op.options, slots)
        if op.kind is OpKind.VALUE:
            awaited: Awaitable[object] = callee
            return await awaited
        args, named = self.arguments(op.arguments, slots)
        match op.kind:
            case OpKind.STEP | OpKind.FLOW:
                function: Any = self.find(op.candidates[0])
            case OpKind.TABLE:
                function = callee
            case OpKind.EVENT | OpKind.SLEEP | OpKind.PROGRESS | OpKind.REPLY:
                # Natives are the module's own, under their plain names.
                function = self.module[op.kind.value]
                given = named.pop("name", named.pop("duration", named.pop("value", None)))
                args = [given]
            case _:
                raise NotImplementedError(op.kind)
        if op.options:
            function = function.options(*options, **named_options)
        return await function(*args, **named)

    async def helper(self, call: Call, slots: Slots) -> object:
        args, named = self.arguments(call.arguments, slots)
        function = self.functions[call.helper]
        outer = slots
        while outer.outer is not None and not function.captures <= outer.known:
            outer = outer.outer
        return await self.call(function, args, named, outer if function.captures else None)

    async def branch(self, branch: Branch, slots: Slots) -> object:
        await self.block(branch.body, slots)
        return None if branch.value is None else self.value(branch.value, slots)

    async def fork(self, fork: Fork, slots: Slots) -> object:
        over = None if fork.over is None else self.value(fork.over, slots)
        options = {
            name: self.value(node, slots)
            for name, node in (
                ("limit", fork.limit),
                ("return_exceptions", fork.return_exceptions),
                ("fail_fast", fork.fail_fast),
            )
            if node is not None
        }
        branches: dict[str, Awaitable[object]] = {}
        if over is None:
            for each in fork.branches:
                branches[each.name] = self.branch(each, slots.branch())
        else:
            for at, item in enumerate(over):
                name, awaited = self.mapped(fork, item, slots)
                branches[name or str(at)] = awaited
        match fork.kind:
            case ForkKind.ALL:
                return await calls.gather(None, *branches.values(), **options)  # type: ignore[arg-type]
            case ForkKind.RACE:
                return await calls.race(None, **branches)  # type: ignore[arg-type]
            case ForkKind.QUORUM:
                assert fork.quorum is not None
                count = self.value(fork.quorum, slots)
                return await calls.quorum(None, count, *branches.values())  # type: ignore[arg-type]
            case ForkKind.GROUP:
                raise AssertionError("only machines have forks of tasks")
            case _:
                assert_never(fork.kind)

    def mapped(self, fork: Fork, item: Any, slots: Slots) -> tuple[str, Awaitable[object]]:
        branch = fork.branches[0]
        inside = slots.branch()
        if len(branch.params) == 1:
            inside[branch.params[0]] = item
        elif branch.params:
            inside.update(zip(branch.params, item, strict=True))
        name = inside[branch.params[0]] if fork.kind is ForkKind.RACE else ""
        return name, self.branch(branch, inside)

    def exit(self, statement: Exit, slots: Slots) -> None:
        value: Any = None if statement.value is None else self.value(statement.value, slots)
        match statement.kind:
            case ExitKind.RETURN:
                raise _ReturnError(value)
            case ExitKind.BREAK:
                raise _BreakError
            case ExitKind.CONTINUE:
                raise _ContinueError
            case ExitKind.RAISE if statement.value is None:
                self.execute([ast.Raise()], slots)
            case ExitKind.RAISE if statement.cause is not None:
                raise value from self.value(statement.cause, slots)
            case ExitKind.RAISE:
                raise value
            case _:
                assert_never(statement.kind)

    async def control(
        self,
        node: Group | Deadline | Try | If | Match | While | For | With,
        slots: Slots,
    ) -> None:
        match node:
            case If():
                chosen = node.then if self.truth(node.test, slots) else node.orelse
                await self.block(chosen, slots)
            case Match():
                await self.match(node.cases, self.value(node.subject, slots), slots)
            case While() | For():
                await self.loop(node, slots)
            case Try():
                await (self.try_star(node, slots) if node.star else self.try_(node, slots))
            case Deadline():
                delay = self.value(node.delay, slots)
                make = asyncio.timeout_at if node.absolute else asyncio.timeout
                async with make(delay):
                    await self.block(node.body, slots)
            case Group():
                await self.group(node, slots)
            case With():
                with ExitStack() as stack:
                    entered = stack.enter_context(self.value(node.manager, slots))
                    if node.name is not None:
                        self.assign(node.name, entered, slots)
                    await self.hidden(self.block(node.body, slots), stack)
            case _:
                assert_never(node)

    async def hidden(self, awaited: Awaitable[None], stack: ExitStack) -> None:
        """Exits are no errors to a manager."""
        try:
            await awaited
        except _EXITS:
            stack.close()
            raise

    async def group(self, node: Group, slots: Slots) -> None:
        leaving: BaseException | None = None
        async with asyncio.TaskGroup() as group:
            if node.name is not None:
                slots[node.name] = group
            try:
                await self.block(node.body, slots)
            except _EXITS as exits:
                leaving = exits
        if leaving is not None:
            raise leaving

    async def loop(self, node: While | For, slots: Slots) -> None:
        turns = self.turns(node, slots)
        while await turns():
            try:
                await self.block(node.body, slots)
            except _BreakError:
                return
            except _ContinueError:
                continue
        await self.block(node.orelse, slots)

    def turns(self, node: While | For, slots: Slots) -> Callable[[], Awaitable[bool]]:
        if isinstance(node, For):
            items: Iterator[object] = iter(self.value(node.iterable, slots))

            async def turn() -> bool:
                for item in items:
                    self.assign(node.target, item, slots)
                    return True
                return False

            return turn

        async def tested() -> bool:
            await self.block(node.before, slots)
            return self.truth(node.test, slots)

        return tested

    async def match(self, cases: Sequence[Case], subject: object, slots: Slots) -> None:
        for case in cases:
            slots["__subject__"], slots["__found__"] = subject, False
            found = ast.parse("__found__ = True").body
            tree = ast.Match(
                ast.Name("__subject__", ast.Load()),
                [ast.match_case(case.pattern, case.guard, list(found))],
            )
            self.execute([ast.fix_missing_locations(tree)], slots)
            del slots["__subject__"]
            if slots.pop("__found__"):
                await self.block(case.body, slots)
                return

    async def try_(self, node: Try, slots: Slots) -> None:
        try:
            try:
                await self.block(node.body, slots)
            except _EXITS:
                raise
            except BaseException as error:
                if not await self.handled(node, error, slots):
                    raise
            else:
                await self.block(node.orelse, slots)
        finally:
            await self.block(node.final, slots)

    async def handled(self, node: Try, error: BaseException, slots: Slots) -> bool:
        for handler in node.handlers:
            if handler.type is not None:
                kind = self.value(handler.type, slots)
                try:
                    raise error
                except kind:
                    pass
                except BaseException as other:
                    if other is not error:
                        raise
                    continue
            if handler.name is not None:
                slots[handler.name] = error
            try:
                await self.block(handler.body, slots)
            finally:
                if handler.name is not None:
                    slots.pop(handler.name, None)
            return True
        return False

    async def try_star(self, node: Try, slots: Slots) -> None:
        raise NotImplementedError("except*")


class _Sites(Sequence[None]):
    """Without a run nobody looks at a site."""

    def __getitem__(self, at: Any) -> Any:
        return None

    def __len__(self) -> int:
        return 0
