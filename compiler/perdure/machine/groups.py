"""`asyncio.TaskGroup`: its tasks begin where its body ends, or where the body first waits.

    async with TaskGroup() as tg:         group = begin_group()
        a = tg.create_task(f(1))          a = create_task(group, ...)
        b = tg.create_task(g(2))          b = create_task(group, ...)
                                          fork of a branch for each task; end_group
    return a.result()                     return a.result()

Tasks that are surely created, each once, are branches as they stand; all others are the items of
one branch, which begins with the decision which task it is. Where a body goes on waiting with a
task under way, branches are executions of their own, begun by the sites of the body
(`perdure.sites.open_groups`); its fork stands twice: at its end, and where it has raised.
"""

import ast
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, NamedTuple, final

from perdure.ir import Branch, Exit, Facts, Fork, ForkKind, Group, Pure, Slot, Stmt, Task
from perdure.machine import ir
from perdure.machine.context import NO_FACTS, Context
from perdure.machine.fork_branches import ForkBranches
from perdure.machine.graph import edges
from perdure.machine.group_bodies import looks_at_tasks, waits_after_tasks
from perdure.machine.tries import Final
from perdure.passes.blocks import children

if TYPE_CHECKING:
    from perdure.machine.ir import Pc
    from perdure.machine.lower import Lowering

__all__ = ["OpenGroup", "lower_group", "lower_task"]

_NONE = ast.Constant(None)


@final
class OpenGroup(NamedTuple):
    """A group whose body is being lowered: its slot, its tasks so far."""

    node: Group
    slot: Slot
    which: Slot | None
    """What tells the tasks apart in their one branch; None: each is a branch of its own."""
    tasks: list[Branch]
    created: "list[Pc]"


def lower_task(low: "Lowering", task: Task, entry: "Pc", next: "Pc", context: Context) -> None:
    """`target = group.create_task(...)`."""
    found = [group for group in context.groups if group.node.name == task.group]
    if not found:
        low.draft.refuse("a task of a group elsewhere", entry, next, context, task.span)
        return
    group = found[-1]
    row: dict[Slot, ast.expr] = {}
    captured = [n for n in low.frames.captured(task.branch) if n in context.frame.names]
    if group.which is not None:
        row[group.which] = ast.Constant(str(len(group.tasks)))
        for name in captured:
            row[context.frame.slot(name)] = ast.Name(name, ast.Load())
    group.tasks.append(task.branch)
    group.created.append(entry)
    target = None if task.target is None else context.frame.slot(task.target)
    given = ast.Dict([ast.Constant(slot) for slot in row], list(row.values()))
    reads = frozenset(captured) if row else frozenset[str]()
    if task.named is not None:
        reads |= {n.id for n in ast.walk(task.named) if isinstance(n, ast.Name)}
    facts = Facts(reads=reads)
    values: tuple[ast.expr | Slot, ...] = (
        group.slot,
        task.named or _NONE,
        given,
        ast.Constant(target is not None),
    )
    use = ir.Use(target, "create_task", values, facts)
    low.draft.block(entry, (use,), next, context, task.span)


def lower_group(low: "Lowering", node: Group, entry: "Pc", next: "Pc", context: Context) -> None:
    """`async with TaskGroup() as name:`, with its tasks."""
    draft, span = low.draft, node.span
    slot = draft.slot("group")
    functions = context.frame.functions.keys()
    may_wait = waits_after_tasks(node.body)
    which = None
    if may_wait or not _is_static(low, node.body, functions):
        which = low.forks.which(context.frame, node.label, span, draft.slot("task"))
    group = OpenGroup(node, slot, which, [], [])
    body = draft.fresh()
    _begin(low, group, entry, body, context)
    final = Final(low, context, span)
    inside = final.inside(context)._replace(groups=(*context.groups, group))
    # Who fails ends the body as a deadline does.
    low.block(node.body, body, final.normal, inside._replace(timed=inside.timed or may_wait))
    is_open = _waits(low, group, final)
    around = _branches(low, group, context, forked=is_open) if group.tasks else None
    if around is not None and is_open:
        _begin(low, group, entry, body, context, around.places[0].id)

    def join(pc: "Pc", after: "Pc", context: Context) -> None:
        if around is None:
            draft.block(pc, (), after, context, span)
        else:
            _join(low, group, pc, after, context, around)

    def fail(pc: "Pc", after: "Pc", context: Context) -> None:
        if around is not None and is_open:
            _cancel(low, group, pc, after, context, final.error, around)
            return
        code = (ir.Use(final.error, "fail_group", (slot, final.error), NO_FACTS),)
        draft.block(pc, code, after, context, span)

    if final.ways:
        # One fork for all ways out: the normal one is one of them then.
        draft.block(final.normal, (), final.leave("end", lambda: next)(), context, span)
    else:
        join(final.normal, next, context)
    final.finish(join, fail)


def _branches(low: "Lowering", group: OpenGroup, context: Context, *, forked: bool) -> ForkBranches:
    """The tasks; of a body that goes on waiting, executions, of whom it may not ask anything."""
    node = group.node
    if forked:
        for what, where in looks_at_tasks(node.body, node.span.file):
            low.refusals.append(ir.Refusal(what, where))
    named = tuple((str(number), branch) for number, branch in enumerate(group.tasks))
    return ForkBranches(low, context, node.label, node.span, named, group.which, forked=forked)


def _begin(  # noqa: PLR0917
    low: "Lowering",
    group: OpenGroup,
    entry: "Pc",
    body: "Pc",
    context: Context,
    scope: str | None = None,
) -> None:
    """The group itself; `scope`: its body goes on waiting, with tasks of that scope under way."""
    values: tuple[ast.expr, ...] = ()
    if scope is not None:
        values = (ast.Constant(group.node.label), ast.Constant(scope))
    begin: list[ir.Code] = [ir.Use(group.slot, "begin_group", values, NO_FACTS)]
    if group.node.name is not None:
        begin.append(ir.Bind(context.frame.slot(group.node.name), group.slot, NO_FACTS))
    low.draft.block(entry, tuple(begin), body, context, group.node.span)


def _is_static(low: "Lowering", body: Sequence[Stmt], functions: Set[str]) -> bool:
    """Whether each task is created exactly once where the body ends, of values that stay."""
    captured: set[str] = set()
    targets: set[str] = set()
    for statement in body:
        match statement:
            case Task(branch=branch, target=target):
                captured |= set(low.frames.captured(branch))
                targets |= set() if target is None else {target}
            case Pure(facts=facts):
                # Who looks at a task may cancel it before it has begun.
                if facts.writes & captured or facts.reads & (targets | functions):
                    return False
            case Exit():
                return False
            case _:
                if captured or _creates(children(statement)):
                    return False
    return True


def _creates(blocks: Sequence[Sequence[Stmt]]) -> bool:
    """Whether tasks may be created in there."""
    stack = [*blocks]
    while stack:
        for statement in stack.pop():
            if isinstance(statement, Task):
                return True
            stack.extend(children(statement))
    return False


def _waits(low: "Lowering", group: OpenGroup, final: Final) -> bool:
    """Whether an operation may follow the creation of a task inside of the body."""
    around = {final.normal, final.catch, final.copy, *final.keeps.values()}
    seen: set[Pc] = set()
    stack = [*group.created]
    while stack:
        pc = stack.pop()
        node = low.draft.nodes.get(pc)
        if pc in seen or pc in around or node is None:
            continue
        seen.add(pc)
        if isinstance(node, ir.Operation | ir.ForkNode):
            return True
        stack.extend(edges(node))
    return False


def _join(  # noqa: PLR0917
    low: "Lowering",
    group: OpenGroup,
    entry: "Pc",
    next: "Pc",
    context: Context,
    around: ForkBranches,
) -> None:
    """The fork, then what became of its tasks."""
    draft, span, label = low.draft, group.node.span, group.node.label
    catch, left, again, done = (draft.fresh() for _ in range(4))
    error, ended = draft.slot("error"), draft.slot("ended")
    # Of an open one, the fork that cancels has the scopes: only that is always reached.
    forked = _fork(group, context, around, apart=around.forked)
    draft.add(forked._replace(pc=entry, target=ended, ok=done, handler=catch), label)
    end = ir.Use(None, "end_group", (group.slot, ended), NO_FACTS)
    draft.block(done, (end,), next, context, span)
    draft.add(ir.Catch(catch, error, left, span), f"error in {label}")
    leave = ir.Use(error, "leave_group", (group.slot, error), NO_FACTS)
    draft.block(left, (leave,), again, context, span)
    draft.add(ir.Reraise(again, error, context.handler, span), "raise again")


def _cancel(  # noqa: PLR0917
    low: "Lowering",
    group: OpenGroup,
    entry: "Pc",
    next: "Pc",
    context: Context,
    error: Slot,
    around: ForkBranches,
) -> None:
    """The body of an open group has raised `error`: its tasks end, and it goes on as theirs."""
    draft, span, label = low.draft, group.node.span, group.node.label
    fork, catch, left, done = (draft.fresh() for _ in range(4))
    failed, ended = draft.slot("error"), draft.slot("ended")
    begin = ir.Use(error, "cancel_group", (group.slot, error), NO_FACTS)
    draft.block(entry, (begin,), fork, context, span)
    forked = _fork(group, context, around)
    forked = forked._replace(pc=fork, target=ended, ok=done, handler=catch)
    draft.add(forked, f"cancel {label}")
    end = ir.Use(error, "fail_group", (group.slot, error, ended), NO_FACTS)
    draft.block(done, (end,), next, context, span)
    draft.add(ir.Catch(catch, failed, left, span), f"error in {label}")
    leave = ir.Use(error, "leave_group", (group.slot, failed), NO_FACTS)
    draft.block(left, (leave,), next, context, span)


def _fork(
    group: OpenGroup, context: Context, around: ForkBranches, *, apart: bool = False
) -> ir.ForkNode:
    """The fork of the tasks, not placed yet; `apart`: its scopes stand at another one."""
    label, span = group.node.label, group.node.span
    over = None if group.which is None else ast.List([], ast.Load())
    return ir.ForkNode(
        "",
        Fork(ForkKind.GROUP, label, None, (), over, None, None, None, None, NO_FACTS, span),
        () if apart else around.scopes(),
        (),
        None,
        "",
        None,
        context.frame,
        span,
        context.timed,
        group.slot,
        around.places if apart else around.again,
        around.recursive or around.forked,
    )
