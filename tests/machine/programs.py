"""Structured programs drawn at random: loops, handlers, `finally` with every way out, helpers."""

import random

__all__ = ["program"]

_PURE = (
    "n += 1",
    "log.append(n)",
    "n = 6 // (n % 3)",
    "log[n % 4] = n",
    "y = n",
    "del y",
    "log.append(y)",
    "n = (lambda v: v + len(log))(n)",
    "log.append(sorted([n, 2], key=lambda v: -v)[0])",
    "m, n = n, len(log)",
    "log.extend(v for v in range(n % 3))",
    "assert n != 4",
    "if n > 3: raise Odd(str(n))",
    "log.append(f'{n!r:>3}|{len(log)}')",
)
_AWAITS = (
    "n = await a(n)",
    "n += await b(n)",
    "log.append(await c(len(log)))",
    "await a(n, len(log))",
    "y = await b(n)",
    "log[0] = (n, await c(n))",
    "n = await a(await b(n))",
    "log.append(await helper(n))",
    "n = await twice(n)",
    "log.append(await twice(len(log)))",
    "y = await c(y)",
    "await sleep(n)",
    "log.append(await event('news'))",
    "log.append(await gather(a(n), b(n)))",
)
_TESTS = ("n > 2", "n % 2", "log", "await a(n)", "n < 3 and await b(n)", "len(log) < 5", "y")
_ERRORS = ("Odd", "ValueError", "(KeyError, Odd)", "ZeroDivisionError", "NameError", "Exception")
_ITERABLES = ("range(3)", "[1, n, 2]", "list(log)[:3]", "enumerate('ab')", "{1: 2, n: 3}.items()")


class _Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.names = 0
        self.left = self.random.randint(5, 22)

    def block(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth, loop, handler, indent)

    def put(self, indent: str, text: str) -> None:
        self.lines.append(indent + text)

    def statement(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        self.left -= 1
        kinds = ["pure", "await", "await"]
        if depth < 4 and self.left > 0:
            kinds += ["if", "if", "for", "while", "try", "try", "finally", "match"]
        if self.random.random() < 0.12:
            kinds = ["return"]
        if loop and self.random.random() < 0.2:
            kinds = ["break", "continue"]
        if handler and self.random.random() < 0.25:
            kinds = ["raise"]
        inner = indent + "    "
        match self.random.choice(kinds):
            case "pure":
                self.put(indent, self.random.choice(_PURE))
            case "await":
                self.put(indent, self.random.choice(_AWAITS))
            case "return":
                value = self.random.choice(["n", "await b(n)", "[n, log]", "y", "None"])
                self.put(indent, f"return {value}")
            case "if":
                self.put(indent, f"if {self.random.choice(_TESTS)}:")
                self.block(depth + 1, loop, handler, inner)
                if self.random.random() < 0.6:
                    self.put(indent, "else:")
                    self.block(depth + 1, loop, handler, inner)
            case "match":
                self.put(indent, "match n:")
                self.put(inner, "case 0 | 1:")
                self.block(depth + 2, loop, handler, inner + "    ")
                self.put(inner, "case m if m > 3:")
                self.block(depth + 2, loop, handler, inner + "    ")
            case "for":
                self.put(indent, f"for {self.target()} in {self.random.choice(_ITERABLES)}:")
                self.block(depth + 1, True, handler, inner)
                self.orelse(depth, loop, handler, indent)
            case "while":
                self.names += 1
                k = f"k{self.names}"
                self.put(indent, f"{k} = 0")
                self.put(indent, f"while {k} < 3:")
                self.put(inner, f"{k} += 1")
                self.block(depth + 1, True, handler, inner)
                self.orelse(depth, loop, handler, indent)
            case "try":
                self.attempt(depth, loop, handler, indent, final=self.random.random() < 0.4)
            case "finally":
                self.put(indent, "try:")
                self.block(depth + 1, loop, handler, inner)
                self.put(indent, "finally:")
                self.block(depth + 1, loop, False, inner)
            case word:
                self.put(indent, word)

    def target(self) -> str:
        return self.random.choice(["i", "y", "n"])

    def orelse(self, depth: int, loop: bool, handler: bool, indent: str) -> None:
        if self.random.random() < 0.3:
            self.put(indent, "else:")
            self.block(depth + 1, loop, handler, indent + "    ")

    def attempt(self, depth: int, loop: bool, handler: bool, indent: str, *, final: bool) -> None:
        inner = indent + "    "
        self.put(indent, "try:")
        self.block(depth + 1, loop, handler, inner)
        for _ in range(self.random.randint(1, 2)):
            name = self.random.choice(["", " as e", " as y"])
            self.put(indent, f"except {self.random.choice(_ERRORS)}{name}:")
            if name:
                self.put(inner, f"log.append(str({name[4:]}))")
            self.block(depth + 1, loop, True, inner)
        self.orelse(depth, loop, handler, indent)
        if final:
            self.put(indent, "finally:")
            self.block(depth + 1, loop, False, inner)


def program(seed: int) -> str:
    """The source of a flow `main(x)` and two helpers."""
    helper, twice, main = _Writer(seed * 3), _Writer(seed * 3 + 1), _Writer(seed * 3 + 2)
    helper.left = twice.left = 5
    for writer in (helper, twice):
        writer.block(2, False, False, "    ")
        writer.lines = [
            line for line in writer.lines if "helper(" not in line and "twice(" not in line
        ] or ["    pass"]
    main.block(0, False, False, "    ")
    main.block(0, False, False, "    ")
    return "\n".join(
        [
            "async def helper(n):",
            "    log = [0]",
            *_filled(helper.lines),
            "    return n",
            "",
            "async def twice(n):",
            "    log = [n]",
            *_filled(twice.lines),
            "    return len(log)",
            "",
            "@flow",
            "async def main(x: int) -> object:",
            "    n = x",
            "    log = [0, 1]",
            *_filled(main.lines),
            "    return n, log",
            "",
        ]
    )


def _filled(lines: list[str]) -> list[str]:
    """`pass` where leaving lines out has left a block empty."""
    result: list[str] = []
    for index, line in enumerate(lines):
        result.append(line)
        indent = len(line) - len(line.lstrip())
        after = lines[index + 1] if index + 1 < len(lines) else ""
        opens = line.rstrip().endswith(":")
        if opens and len(after) - len(after.lstrip()) <= indent:
            result.append(" " * (indent + 4) + "pass")
    return result
