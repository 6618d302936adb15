"""Whole programs drawn from a seed: every operation in every position, in every kind of block.

`program(seed)` gives the text, what is sent to it and when, and whether it is cancelled. The same
seed gives the same program on every Python. `tests/proof/forms.py` says what can be drawn.
"""

import random
import re
from collections.abc import Callable

from tests.differential.harness import Program
from tests.proof.forms import (
    BRANCHES,
    ERRORS,
    ITERABLES,
    OPERATIONS,
    POSITIONS,
    PURE,
    VALUES,
)

__all__ = ["program"]

_HOLE = re.compile(r"(?<!\{)\{([a-z])\}")
_CASES = (
    "case 0 | 1:",
    "case int(w) if w > 3:",
    "case [w, *y]:",
    "case {'v': w}:",
    "case None:",
    "case str():",
    "case Item(count=w):",
    "case _:",
)
_CAUGHT = (
    "Odd",
    "LookupError",
    "(KeyError, Odd)",
    "ArithmeticError",
    "NameError",
    "Exception",
    "Exception",
    "TimeoutError",
    "Coded",
    "ValueError",
)
_EVENTS = ("news", "news", "extra", "other", "typed", "deep_news", "deep_extra")
_SUPPRESSED = ("Odd", "LookupError", "Exception", "KeyError, Odd")
_BLOCKS = (
    "if", "if", "for", "for", "while", "try", "try", "finally", "finally", "match", "suppress",
    "held", "noted", "quiet", "noted", "held", "timeout", "timeout", "star", "star", "group",
    "group",
)  # fmt: skip
_BRANCH_BLOCKS = ("if", "for", "while", "match", "suppress")


class _Writer:
    """One function's text. `kind`: main, helper, inner, method, child, branch, manager."""

    def __init__(self, draw: random.Random, kind: str, budget: int) -> None:
        self.random = draw
        self.kind = kind
        self.lines: list[str] = []
        self.left = budget
        self.names = 0

    @property
    def is_branch(self) -> bool:
        return self.kind == "branch"

    # --- holes ----------------------------------------------------------------------------------

    def fill(self, form: str) -> str:
        """A form with its holes filled, from the left."""
        while found := _HOLE.search(form):
            form = form[: found.start()] + self.hole(found[1]) + form[found.end() :]
        return form.replace("{{", "{").replace("}}", "}")

    def hole(self, name: str) -> str:
        pick = self.random.choice
        holes: dict[str, Callable[[], str]] = {
            "i": lambda: pick(("n", "n", "m", "1", "2", "n % 2", "len(out)", "n + 1")),
            "v": lambda: _escaped(pick(VALUES if not self.is_branch else VALUES[:1])),
            "s": lambda: pick(("0", "1", "2", "1.5", "n", "3", "'2s'", "n % 3")),
            "e": lambda: pick(ERRORS),
            "c": lambda: pick(("n % 2", "n > 2", "out", "True", "s")),
            "k": lambda: pick(("1", "2", "2", "n")),
            "t": lambda: pick(("'inc'", "'a'", "'twice'", "'maybe'", "'inc' if n % 2 else 'a'")),
            "b": lambda: pick(BRANCHES[:4] if self.is_branch else BRANCHES),
        }
        return holes[name]()

    def operation(self, node: str) -> tuple[str, str]:
        """An awaited operation of that node of the IR, and the type it gives."""
        text, gives = self.random.choice(OPERATIONS[node])
        return _escaped(self.fill(text)), gives

    # --- statements -----------------------------------------------------------------------------

    def put(self, indent: str, text: str) -> None:
        self.lines += [indent + line for line in text.split("\n")]

    def block(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        for _ in range(self.random.choice((1, 1, 2))):
            self.statement(depth, loop, handler, indent)

    def statement(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        self.left -= 1
        chance = self.random.random()
        if loop and chance < 0.1:
            self.put(indent, self.random.choice(("break", "continue")))
        elif handler and chance < 0.12:
            self.put(indent, self.random.choice(("raise", "raise", "raise Odd('again') from e")))
        elif chance < 0.03 and depth > 0:
            self.put(indent, f"return {self.random.choice(('n', '[n, out]', 'y'))}")
        elif chance < 0.33 and depth < 4 and self.left > 0:
            self.compound(depth, loop, handler, indent)
        elif chance < 0.43:
            self.put(indent, self.random.choice(PURE if not self.is_branch else PURE[:3]))
        else:
            self.placed(indent)

    def placed(self, indent: str) -> None:
        """One operation in one position."""
        node = self.random.choice([*OPERATIONS])
        position = self.random.choice([*POSITIONS])
        form = self.random.choice(POSITIONS[position])
        operation, gives = self.operation(node)
        text = self.fill(form.text.replace("{x}", operation))
        if form.needs == "return" and self.random.random() < 0.6:
            self.put(indent, "if n == 9:")
            indent += "    "
        fails = (form.needs == "int" and gives != "int") or position in ("raised", "cause")
        if fails or self.random.random() < 0.25:
            self.put(indent, "try:")
            self.put(indent + "    ", text)
            self.put(indent, "except Exception as e:")
            self.put(indent + "    ", "out.append(type(e).__name__)")
            if self.random.random() < 0.5:
                self.put(indent + "    ", "out.append(str(e))")
        else:
            self.put(indent, text)

    def compound(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        inside = indent + "    "
        kind = self.random.choice(_BRANCH_BLOCKS if self.is_branch else _BLOCKS)
        pick, again = self.random.choice, (depth + 1, loop, handler)
        match kind:
            case "if":
                self.conditional(*again, indent)
            case "match":
                self.put(indent, f"match {pick(('n', 'y', 'it', 'd', 'await a(n)'))}:")
                for case in [*self.random.sample(_CASES[:-1], 2), _CASES[-1]]:
                    self.put(inside, case)
                    self.block(depth + 2, loop, handler, inside + "    ")
            case "for":
                target = pick(("i", "y", "n", "i", "i, w", "out[0]"))
                pairs = [text for text in ITERABLES if text.startswith(("enum", "zip", "{1"))]
                iterable = pick(pairs if target == "i, w" else ITERABLES)
                self.put(indent, f"for {target} in {iterable}:")
                self.block(depth + 1, True, handler, inside)
                self.orelse(depth, loop, handler, indent)
            case "while":
                self.names += 1
                counter = f"k{self.names}"
                self.put(indent, f"{counter} = 0")
                self.put(indent, f"while {counter} < 2:")
                self.put(inside, f"{counter} += 1")
                self.block(depth + 1, True, handler, inside)
                self.orelse(depth, loop, handler, indent)
            case "try":
                self.attempt(depth, loop, handler, indent)
            case "finally":
                self.put(indent, "try:")
                self.block(*again, inside)
                self.put(indent, "finally:")
                self.block(depth + 1, loop, False, inside)
            case "star":
                self.starred(depth, indent)
            case "group":
                self.group(indent)
            case _:
                self.put(indent, self.manager(kind))
                self.block(*again, inside)

    def manager(self, kind: str) -> str:
        """The head of a `with`."""
        pick = self.random.choice
        return {
            "suppress": f"with suppress({pick(_SUPPRESSED)}):",
            "held": f"async with held({pick(('n', 's', 'len(out)'))}) as w:",
            "noted": "with noted(out, n):",
            "quiet": "async with quiet(out) as m:",
            "timeout": f"async with asyncio.timeout({pick(('1', '2', '3', 'n', 'None'))}) as t:",
        }[kind]

    def conditional(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        pick = self.random.choice
        tests = (
            "n > 2",
            "n % 2",
            "out",
            "n < 3 and await a(n)",
            "y",
            "not await a(n)",
            "(m := n % 3) == 1",
        )
        self.put(indent, f"if {pick(tests)}:")
        self.block(depth, loop, handler, indent + "    ")
        if self.random.random() < 0.3:
            self.put(indent, f"elif {pick(('n > 3', 'm', 'await maybe(m)'))}:")
            self.block(depth, loop, handler, indent + "    ")
        if self.random.random() < 0.5:
            self.put(indent, "else:")
            self.block(depth, loop, handler, indent + "    ")

    def orelse(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        if self.random.random() < 0.35:
            self.put(indent, "else:")
            self.block(depth + 1, loop, handler, indent + "    ")

    def attempt(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        inside = indent + "    "
        self.put(indent, "try:")
        self.block(depth + 1, loop, handler, inside)
        for _ in range(self.random.randint(1, 2)):
            self.put(indent, f"except {self.random.choice(_CAUGHT)} as e:")
            if self.random.random() < 0.7:
                self.put(inside, "out.append(str(e))")
            self.block(depth + 1, loop, True, inside)
        self.orelse(depth, loop, handler, indent)
        if self.random.random() < 0.4:
            self.put(indent, "finally:")
            self.block(depth + 1, loop, False, inside)

    def starred(self, depth: int, indent: str) -> None:
        """`except*`: no `return`, `break` or `continue` may leave its clauses."""
        inside = indent + "    "
        self.put(indent, "try:")
        self.block(depth + 1, False, False, inside)
        for caught in self.random.sample(("ValueError", "LookupError", "Odd", "Exception"), 2):
            self.put(indent, f"except* {caught} as e:")
            self.put(inside, "out.append(len(e.exceptions))")
            before = len(self.lines)
            self.block(4, False, False, inside)
            self.lines[before:] = [_without_return(line) for line in self.lines[before:]]
        if self.random.random() < 0.3:
            self.put(indent, "else:")
            self.block(depth + 1, False, False, inside)

    def group(self, indent: str) -> None:
        """A TaskGroup, and what its tasks gave."""
        inside, pick = indent + "    ", self.random.choice
        self.put(indent, "ts = []")
        self.put(indent, "try:")
        self.put(inside, "async with asyncio.TaskGroup() as g:")
        for _ in range(self.random.randint(1, 3)):
            task = self.fill(f"ts.append(g.create_task({pick(BRANCHES)}))")
            if self.random.random() < 0.2:
                self.put(inside + "    ", "for i in range(2):")
                self.put(inside + "        ", task)
            else:
                self.put(inside + "    ", task)
            if self.random.random() < 0.04:
                operation, _ = self.operation(pick([*OPERATIONS]))
                self.put(inside + "    ", f"y = {operation.replace('{{', '{').replace('}}', '}')}")
        self.put(indent, "except ExceptionGroup as e:")
        self.put(inside, "out.append([type(one).__name__ for one in e.exceptions])")
        # After a failure: which tasks had ended in its very instant is nobody's promise.
        self.put(indent, "else:")
        self.put(inside, "out.append([t.cancelled() or t.exception() or t.result() for t in ts])")


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _without_return(line: str) -> str:
    code = line.lstrip()
    return line[: len(line) - len(code)] + "pass" if code.startswith("return") else line


def _function(draw: random.Random, kind: str, head: str, indent: str, budget: int) -> str:
    """A function of its own with a short body."""
    writer = _Writer(draw, kind, budget)
    inside = indent + "    "
    writer.put(indent, head)
    names = "m, s, y, w, d, fn = 1, 'h', None, 0, {}, inc"
    writer.put(
        inside,
        names if kind != "branch" else "m, s, y, w, d, out, fn = 1, 'b', None, 0, {}, [0, 1], inc",
    )
    writer.put(
        inside,
        "it, later = Item('h'), [a(1)]" if kind != "branch" else "it, later = Item('b'), [a(2)]",
    )
    for _ in range(draw.randint(1, 3)):
        writer.statement(1, False, False, inside)
    writer.put(inside, draw.choice(("return n", "return [n, y]", "return await inc(n)")))
    return "\n".join(line for line in writer.lines)


def program(seed: int) -> Program:
    """The program of that seed."""
    draw = random.Random(f"proof {seed}")
    writer = _Writer(draw, "main", draw.randint(8, 16))
    for _ in range(draw.randint(5, 8)):
        writer.statement(0, False, False, "    ")
    body = "\n".join(writer.lines)
    text = _with_functions(body, draw)
    events: list[tuple[object, str, object]] = []
    for _ in range(draw.randint(1, 6)):
        at, name = draw.choice((0, 0, 1, 2, 2.5, 3, 4, 6)), draw.choice(_EVENTS)
        payload = draw.choice(({"name": "sent", "count": 2}, [2], None, "x", {"v": 3}, 1))
        events.append((at, name, {"name": "sent"} if name == "typed" else payload))
    cancel = draw.choice((1, 2.5, 4)) if draw.random() < 0.08 else None
    arguments: dict[str, object] = {"x": draw.randint(0, 5)}
    return Program(f"proof_{seed}", text, arguments, events, cancel)


_HEADS = {
    "help_1": ("helper", "async def help_1(n: Any, out: list[Any]) -> Any:"),
    "branch_1": ("branch", "async def branch_1(n: Any) -> Any:"),
    "child": ("child", "@flow\nasync def child(n: Any) -> Any:"),
}


def _elsewhere(text: str) -> str:
    """With events of its own: which of two waits of one instant comes first is nobody's promise."""
    for name in ("news", "extra"):
        text = text.replace(f"event('{name}'", f"event('deep_{name}'")
    return text.replace("event(name_of(", "event('deep_' + name_of(")


def _with_functions(body: str, draw: random.Random) -> str:
    """The body with the functions that it names; none of these names another."""
    made: list[str] = []
    for name, (kind, head) in _HEADS.items():
        if f"{name}(" in body:
            text = _function(draw, kind, head, "", 3)
            if kind == "child":
                text = text.replace("    m, s", "    out = [0, 1]\n    m, s", 1)
            for other in (*_HEADS, "inner", "kept"):
                text = re.sub(
                    rf"\b{other}\((?!n: Any)", "twice(" if other != "help_1" else "tries(", text
                )
            if kind == "branch":
                text = _elsewhere(text)
            made.append(text)
    inner = ""
    if "inner(" in body or "kept(" in body:
        inner = _function(draw, "inner", "async def inner(n: Any) -> Any:", "    ", 2)
        for other in (*_HEADS, "inner", "kept"):
            inner = re.sub(
                rf"\b{other}\((?!n: Any)", "twice(" if other != "help_1" else "tries(", inner
            )
        inner += (
            "\n    async def kept(v: Any) -> Any:\n        nonlocal hits\n        hits += 1\n"
            "        out.append(v)\n        return [await a(len(out)), hits]\n"
        )
    hits = "    hits = 0\n" if inner else ""
    head = "@flow\nasync def main(x: int) -> Any:\n"
    start = "    n, m, s, y, w, out, d, it = x, 1, 's', None, 0, [0, 1], {}, Item('i')\n"
    rest = "    fn, later = inc, [a(n), inc(3)]\n"
    end = "    return n, m, s, out, d, it" + (", hits" if inner else "") + "\n"
    return "\n\n".join([*made, f"{head}{start}{rest}{hits}{inner}{body}\n{end}"])
