"""The tree of a run, drawn for a person: operations, branches, children, what the flow printed."""

import time
from collections.abc import Iterator, Mapping
from typing import final

import click

from perdure.cli.drive import error_text, legible
from perdure.cli.histories import History
from perdure.cli.plain import plain, plain_fields, shown
from perdure.local.history import children_of
from perdure.local.journal import Journal, OperationState
from perdure.render.width import visible
from perdure.runtime.engine import Completed, Failed, LogRecord
from perdure.runtime.usage import Usage, added, usage_json
from perdure.store.protocol import RunRecord, Status
from perdure.store.runs import find_run

__all__ = ["draw", "duration", "error_text", "log_line", "operation_line", "run_json"]

_MARKS = {
    Status.COMPLETED: ("✓", "green"),
    Status.FAILED: ("✗", "red"),
    Status.CANCELLED: ("⊘", "yellow"),
    Status.RUNNING: ("…", "cyan"),
}


@final
class _Node:
    """A scope or an operation, with what lies below it, in order of time."""

    def __init__(self, title: list[str], began: float) -> None:
        self.title = title
        self.began = began
        self.below: list[_Node] = []
        self.scopes: dict[str, _Node] = {}


def draw(history: History, record: RunRecord, now: float) -> Iterator[str]:
    """The lines of the tree of one run."""
    mark, color = _MARKS[record.status]
    took = duration((record.ended or now) - record.started)
    name = click.style(record.run, bold=True)
    yield f"{click.style(mark, fg=color)} {name}  {_head(record, took)}"
    journal = history.journal(record.run)
    if record.input:
        yield f"  input     {_arguments(plain_fields(record.input))}"
    if journal.progress:
        yield f"  progress  {shown(plain([*journal.progress.values()][-1]))}"
    yield from _lines(_tree(history, record.run, journal).below, "  ")
    for one in total_usage(history, record.run):
        yield f"  usage     {spent_text(one)}"
    if record.end is not None and record.end.status is Status.COMPLETED:
        yield f"  result    {shown(plain(record.end.value), 200)}"
    elif record.end is not None and record.end.error is not None:
        yield click.style(f"  error     {legible(error_text(record.end.error))}", fg="red")
        for line in legible(journal.raised).splitlines()[1:-1]:
            yield click.style(f"            {line.strip()}", dim=True)


def _head(record: RunRecord, took: str) -> str:
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(record.started))
    asked = ", asked to cancel" if record.cancel and record.end is None else ""
    return f"{record.flow}  {record.status.value}{asked}, {took}, started {started}"


def _tree(history: History, run: str, journal: Journal) -> _Node:
    top = _Node([], 0.0)
    over = find_run(history.store, run).end is not None
    for state in journal.operations.values():
        if state.kind == "timeout" and (state.outcome is None or state.interrupted):
            continue
        node = _Node(_operation(state, journal.deadline(state), over), state.began)
        for child in children_of(history.store, run, state):
            node.below += _tree(history, child, history.journal(child)).below
        _scope(top, state.scope, state.began).below.append(node)
    for began, record in journal.logs.values():
        _scope(top, record.scope, began).below.append(_Node([log_line(record)], began))
    _sort(top)
    return top


def _scope(top: _Node, path: str, began: float) -> _Node:
    """The node of a scope; branches hang below the scope their fork stands in."""
    node = top
    for segment in path.split("/") if path else ():
        if segment not in node.scopes:
            node.scopes[segment] = _Node([click.style(segment, bold=True)], began)
            node.below.append(node.scopes[segment])
        node = node.scopes[segment]
        node.began = min(node.began, began)
    return node


def _sort(node: _Node) -> None:
    node.below.sort(key=lambda below: below.began)
    for below in node.below:
        _sort(below)


def _lines(nodes: list[_Node], indent: str) -> Iterator[str]:
    for number, node in enumerate(nodes):
        last = number == len(nodes) - 1
        first, *more = node.title or [""]
        yield f"{indent}{'└─' if last else '├─'} {first}"
        below = indent + ("   " if last else "│  ")
        for line in more:
            yield f"{below}{'│ ' if node.below else '  '} {line}"
        yield from _lines(node.below, below)


def _operation(state: OperationState, due: float | None, over: bool) -> list[str]:
    lines = [operation_line(state, due, over=over)]
    for failure in state.failures:
        text = (
            "vanished without an outcome"
            if failure.error is None
            else _one_line(error_text(failure.error))
        )
        lines.append(click.style(f"attempt {failure.number}: {text}", fg="yellow"))
    if state.traceback:
        lines += [click.style(line, dim=True) for line in legible(state.traceback).splitlines()]
    return lines


def operation_line(state: OperationState, due: float | None = None, *, over: bool = False) -> str:
    """`✓ classify(issue={...}) → "bug"  step, 1.2 s, examples/triage.py:47`.

    `due`: until when it waits; `over`: the run has ended, so nothing waits any more.
    """
    took = "" if state.ended is None else f", {duration(state.ended - state.began)}"
    tries = f", {state.attempts + 1} attempts" if state.attempts else ""
    spent = "".join(f", {spent_text(one)}" for one in state.usage)
    place = f", {state.site.file}:{state.site.line}" if state.site else ""
    about = click.style(f"{state.kind}{tries}{took}{spent}{place}", dim=True)
    label = state.path.rpartition("/")[2]
    name = f" {state.name}" if state.name not in (state.kind, label.partition("#")[0]) else ""
    given, outcome = _arguments(plain_fields(state.arguments)), _outcome(state, due, over)
    return f"{_mark(state, over)} {label}{name}({given}){outcome}  {about}"


def _mark(state: OperationState, over: bool) -> str:
    if state.returned or ((state.interrupted or over) and state.outcome is None):
        return click.style("⊘", fg="yellow")
    if state.outcome is None:
        return click.style("…", fg="cyan")
    if isinstance(state.outcome, Failed):
        return click.style("✗", fg="red")
    return click.style("✓", fg="green")


def _outcome(state: OperationState, due: float | None, over: bool) -> str:
    if state.returned:
        return " → given back"
    if isinstance(state.outcome, Completed):
        return "" if state.outcome.value is None else f" → {shown(plain(state.outcome.value))}"
    if isinstance(state.outcome, Failed):
        return click.style(f" → {_one_line(error_text(state.outcome.error))}", fg="red")
    if state.interrupted:
        return " → cancelled"
    if over:
        return " → stopped"
    if due is not None and state.kind in ("event", "sleep", "ask"):
        moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(due))
        return f" waits until {moment}"
    return " waits" if state.kind in ("event", "ask") else " under way"


def _arguments(arguments: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={shown(value, 40)}" for name, value in arguments.items())


def log_line(record: LogRecord) -> str:
    """`» drafted 77`: what the flow printed or logged."""
    name = f"{record.level} {record.logger}: " if record.logger else ""
    return click.style(f"» {name}{_one_line(record.text)}", dim=True)


def _one_line(text: str, length: int = 200) -> str:
    """The first line of a text, cut where it gets long; `--json` has the whole."""
    first, newline, _ = text.strip().partition("\n")
    first = visible(first)
    return first[:length] + ("…" if newline or len(first) > length else "")


def spent_text(usage: Usage) -> str:
    """`opus: 1,200 + 340 tokens, cost 0.0125`."""
    parts: list[str] = []
    if usage.input_tokens or usage.output_tokens:
        parts.append(f"{usage.input_tokens:,} + {usage.output_tokens:,} tokens")
    if usage.cost:
        parts.append(f"cost {usage.cost:.6f}".rstrip("0"))
    text = ", ".join(parts) or "no tokens"
    return f"{visible(usage.model)}: {text}" if usage.model else text


def total_usage(history: History, run: str) -> tuple[Usage, ...]:
    """What a run and its children spent, one sum for each model."""
    states = [*history.journal(run).operations.values()]
    below = [child for state in states for child in children_of(history.store, run, state)]
    own = [one for state in states for one in state.usage]
    return added([*own, *(one for child in below for one in total_usage(history, child))])


def duration(seconds: float) -> str:
    """`120 ms`, `3.4 s`, `2 m 5 s`, `3 h 0 m`, `2 d 4 h`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, big, small_size, small in ((60, "m", 1, "s"), (3600, "h", 60, "m")):
        if whole < size * (60 if big == "m" else 24):
            return f"{whole // size} {big} {whole % size // small_size} {small}"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def run_json(history: History, run: str) -> dict[str, object]:
    """A run as JSON, its children inside the operations that started them."""
    record = find_run(history.store, run)
    journal = history.journal(run)
    end = record.end
    return {
        "run": record.run,
        "flow": record.flow,
        "status": record.status.value,
        "started": record.started,
        "ended": record.ended,
        "input": plain_fields(record.input),
        "result": None if end is None else plain(end.value),
        "error": None if end is None or end.error is None else error_text(end.error),
        "progress": [plain(value) for value in journal.progress.values()],
        "usage": usage_json(total_usage(history, run)),
        "operations": [_operation_json(history, run, s) for s in journal.operations.values()],
        "logs": [{"time": when, **entry._asdict()} for when, entry in journal.logs.values()],
    }


def _operation_json(history: History, run: str, state: OperationState) -> dict[str, object]:
    outcome: dict[str, object] = {}
    if isinstance(state.outcome, Completed):
        outcome = {"value": plain(state.outcome.value)}
    elif isinstance(state.outcome, Failed):
        outcome = {"error": error_text(state.outcome.error)}
        if state.traceback:
            outcome["traceback"] = state.traceback
    return {
        "path": state.path,
        "kind": state.kind,
        "name": state.name,
        "arguments": plain_fields(state.arguments),
        "attempts": state.attempts + 1,
        "began": state.began,
        "ended": state.ended,
        "due": state.due,
        "cancelled": state.returned or (state.interrupted and state.outcome is None),
        **outcome,
        "usage": usage_json(state.usage),
        "at": f"{state.site.file}:{state.site.line}" if state.site else None,
        "failures": [
            {
                "attempt": f.number,
                "error": None if f.error is None else error_text(f.error),
                **({"traceback": f.traceback} if f.traceback else {}),
            }
            for f in state.failures
        ],
        "children": [run_json(history, child) for child in children_of(history.store, run, state)],
    }
