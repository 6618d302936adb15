"""An explanation as text for people, beside the source, and as JSON for programs.

45      async def triage(issue: Issue) -> str:
46   1      kind = await classify(issue)
            └ Task `classify`: the body of a step is Python
47   1      if kind == "spam":
            ├ Choice `if kind == "spam"`: a site has decided; the history shows it
            └ in `classify`: needs Python to evaluate `kind == 'spam'`
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, final

from perdure.codec.text import Json
from perdure.explain.counting import dollars, plus
from perdure.explain.model import Counts, Explanation, FlowExplained, Note, Price, Row
from perdure.explain.rows import LONGEST
from perdure.ir import Program
from perdure.render.width import cells, visible

__all__ = ["VERSION", "explanation_json", "explanation_text"]

VERSION = 1
"""Of the JSON form."""
WIDTH = 100
RUNS = 1_000
"""What is priced: so many runs."""
LONGEST_NAME = 46


@final
class _Style(NamedTuple):
    """Escape sequences, all empty where the output is no terminal."""

    strong: str = ""
    faint: str = ""
    number: str = ""
    off: str = ""


_PLAIN = _Style()
_COLOR = _Style("\x1b[1m", "\x1b[2m", "\x1b[1;34m", "\x1b[0m")


def explanation_text(explanation: Explanation, program: Program, *, color: bool = False) -> str:
    """The listing, what ways cost, at which prices, and what else holds."""
    style = _COLOR if color else _PLAIN
    unit = explanation.units[0].name
    entry = explanation.flows[0]
    head = f"{entry.span.file}:{entry.flow} on {explanation.target}"
    lines = [f"{style.strong}{head}: line, {unit}, source{style.off}", ""]
    notes: list[Note] = []
    for note in (note for flow in explanation.flows for note in flow.notes):
        if note not in notes:  # a helper of two flows is shown once
            notes.append(note)
    lines += _listing(notes, program, unit, style)
    for flow in explanation.flows:
        lines += ["", *_table(flow, explanation, style)]
    lines += ["", *_footer(explanation, style)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


# --- the listing --------------------------------------------------------------------------------


def _listing(notes: Sequence[Note], program: Program, unit: str, style: _Style) -> Iterator[str]:
    """The functions of the flow, as they stand in their files, with notes below their lines."""
    texts = {path: text.split("\n") for path, text in program.sources}
    shown = _shown(program, notes)
    width = len(str(max((line for _, line in shown), default=0)))
    before: tuple[str, int] | None = None
    for file, line in shown:
        if before is None or before[0] != file:
            if before is not None:
                yield ""
            if file != program.functions[0].span.file:
                yield f"{style.faint}{visible(file)}{style.off}"
        elif line > before[1] + 1:
            yield f"{style.faint}{'…':>{width + 2}}{style.off}"
        before = file, line
        source = texts[file][line - 1] if line <= len(texts.get(file, [])) else ""
        yield from _line((line, source), [*_of(notes, file, line)], unit, width, style)


def _shown(program: Program, notes: Sequence[Note]) -> list[tuple[str, int]]:
    """The lines of all functions that run as part of the flow, the entry's first."""
    ends = {path: _ends(text) for path, text in program.sources}
    found: dict[tuple[str, int], None] = {}
    for function in program.functions:
        span = function.span
        last = ends.get(span.file, {}).get(span.line, span.end_line)
        found.update(dict.fromkeys((span.file, line) for line in range(span.line, last + 1)))
    for note in notes:
        found.setdefault((note.file, note.line), None)
    files = list(dict.fromkeys(file for file, _ in found))
    return sorted(found, key=lambda place: (files.index(place[0]), place[1]))


def _ends(text: str) -> Mapping[int, int]:
    """The last line of each function of a file, by its first."""
    nodes = ast.walk(ast.parse(text))
    functions = (one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
    return {one.lineno: one.end_lineno or one.lineno for one in functions}


def _of(notes: Sequence[Note], file: str, line: int) -> Iterator[Note]:
    return (note for note in notes if (note.file, note.line) == (file, line))


def _line(
    at: tuple[int, str], notes: list[Note], unit: str, width: int, style: _Style
) -> Iterator[str]:
    line, source = at
    body = "".join(cell.text for cell in cells(source))
    count = plus(*(note.counts for note in notes)).get(unit, 0)
    number = f"{count or '':>3}"
    gutter = f"{style.faint}{line:>{width + 2}}{style.off} {style.number}{number}{style.off}  "
    yield f"{gutter}{body}"
    indent = " " * (width + 8 + len(body) - len(body.lstrip()))
    for position, note in enumerate(notes):
        last = position == len(notes) - 1
        first, *more = _wrapped(f"{note.where}: {note.why}", WIDTH - len(indent) - 2)
        yield f"{indent}{style.faint}{'└' if last else '├'} {visible(first)}{style.off}"
        for text in more:
            yield f"{indent}{style.faint}{' ' if last else '│'} {visible(text)}{style.off}"


def _wrapped(text: str, width: int) -> list[str]:
    """Words in lines; a line is never shorter than a long word."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > max(width, 40):
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


# --- the table ----------------------------------------------------------------------------------


_TITLES: Mapping[str, str] = {
    "path": "ways through",
    "turn": "more, for each turn of a loop",
    "branch": "more, for each branch",
    "retry": "more, for each further attempt",
}


def _table(flow: FlowExplained, explanation: Explanation, style: _Style) -> Iterator[str]:
    units = [unit.name for unit in explanation.units]
    head = "".join(f"{unit:>13}" for unit in units)
    yield (
        f"{style.strong}{visible(flow.flow):<{LONGEST_NAME + 2}}{head}"
        f"{f'${RUNS:,} runs'.replace('$', '$/'):>14}{style.off}"
    )
    kind = ""
    for row in flow.rows:
        if row.kind != kind:
            kind = row.kind
            yield f"{style.faint}{_TITLES[kind]}{style.off}"
        yield from _row(row, units, explanation.prices, style)


def _row(row: Row, units: Sequence[str], prices: Sequence[Price], style: _Style) -> Iterator[str]:
    name = visible(row.name)
    if row.name != LONGEST:
        name = f"{name}, line {row.span.line}"
    counts = "".join(f"{row.counts.get(unit, 0):>13}" for unit in units)
    open_ = any(price.dollars is None and row.counts.get(price.unit) for price in prices)
    cost = money(dollars(row.counts, prices) * RUNS) + ("+?" if open_ else "")
    if row.kind == "retry":
        name = f"of {', '.join(row.through)}"
    if len(name) > LONGEST_NAME - 2:
        yield f"  {name}"
        name = ""
    yield f"  {name:<{LONGEST_NAME}}{counts}{style.number}{cost:>14}{style.off}"
    if row.through and row.kind != "retry":
        for text in _wrapped(", ".join(map(visible, row.through)), WIDTH - 6):
            yield f"    {style.faint}{text}{style.off}"


def money(amount: Decimal) -> str:
    """Dollars with as many digits as say something."""
    digits = 2 if amount >= 1 else 4
    text = f"{amount:.{digits}f}"
    return f"${text}"


# --- what else holds ----------------------------------------------------------------------------


def _footer(explanation: Explanation, style: _Style) -> Iterator[str]:
    yield f"{style.strong}counted{style.off}"
    for unit in explanation.units:
        yield from _hanging(f"{unit.name}: {unit.what}")
    yield f"{style.strong}prices{style.off}"
    for price in explanation.prices:
        yield from _hanging(_price(price))
    yield f"{style.strong}beside that{style.off}"
    for remark in explanation.remarks:
        yield from _hanging(remark)


def _hanging(text: str) -> Iterator[str]:
    first, *more = _wrapped(text, WIDTH - 4)
    yield f"  {first}"
    yield from (f"    {line}" for line in more)


def _price(price: Price) -> str:
    seen = f", read {price.seen}" if price.seen else ""
    where = f" in {price.where}" if price.where else ""
    free = f", {price.free} free" if price.free else ""
    if price.dollars is None:
        return f"{price.unit}: no price{where} on a page that could be read ({price.source}{seen})"
    return f"{price.unit}: ${price.dollars} for {price.per:,}{where}{free} ({price.source}{seen})"


# --- JSON ---------------------------------------------------------------------------------------


def explanation_json(explanation: Explanation) -> Json:
    """Everything, as data."""
    return {
        "version": VERSION,
        "target": explanation.target,
        "units": [{"name": unit.name, "what": unit.what} for unit in explanation.units],
        "prices": [{**price._asdict()} for price in explanation.prices],
        "flows": [_flow_json(flow, explanation.prices) for flow in explanation.flows],
        "remarks": list(explanation.remarks),
    }


def _flow_json(flow: FlowExplained, prices: Sequence[Price]) -> Json:
    return {
        "flow": flow.flow,
        "file": flow.span.file,
        "line": flow.span.line,
        "lines": [
            {
                "file": note.file,
                "line": note.line,
                "kind": note.kind,
                "where": note.where,
                "why": note.why,
                "counts": _counts(note.counts),
            }
            for note in flow.notes
        ],
        "ways": [
            {
                "kind": row.kind,
                "name": row.name,
                "line": row.span.line,
                "through": list(row.through),
                "counts": _counts(row.counts),
                "dollars": str(dollars(row.counts, prices)),
            }
            for row in flow.rows
        ],
    }


def _counts(counts: Counts) -> dict[str, Json]:
    return {**counts}
