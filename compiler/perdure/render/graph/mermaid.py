"""An outline as Mermaid text (`flowchart TD`), as README files and pull requests show it.

before   Outline("triage", ..., (Action("step", "classify(issue)", 46), ...))
after    flowchart TD
             n1([triage: issue])
             n2["classify(issue)"]
             n1 --> n2
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, assert_never

from perdure.render.graph.outline import (
    Action,
    Arm,
    Box,
    Boxes,
    End,
    Frame,
    Guard,
    Loop,
    Outline,
    Split,
)

__all__ = ["mermaid"]

_SHAPES: Final = {
    "step": ("[", "]"),
    "flow": ("[[", "]]"),
    "wait": ("[/", "/]"),
    "send": (">", "]"),
    "split": ("{", "}"),
    "loop": ("{{", "}}"),
    "end": ("([", "])"),
    "join": ("((", "))"),
}


class _Way(NamedTuple):
    """Where something ended, waiting for what comes next."""

    node: str
    label: str = ""


type _Ways = tuple[_Way, ...]


class _Drawing:
    """Lines of text, made in program order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._count = 0
        self._depth = 1
        self._loops: list[tuple[str, list[_Way]]] = []
        """Of each open loop: its node, and the ways that leave it by `break`."""

    def line(self, text: str) -> None:
        """One line, as deep as the frames around it."""
        self.lines.append("    " * self._depth + text)

    def fresh(self) -> str:
        """The next id."""
        self._count += 1
        return f"n{self._count}"

    def node(self, shape: str, title: str, coming: _Ways) -> str:
        """A node that all the given ways lead to."""
        name = self.fresh()
        left, right = _SHAPES[shape]
        self.line(f'{name}{left}"{_quoted(title)}"{right}')
        self.lead(coming, name)
        return name

    def lead(self, ways: _Ways, to: str) -> None:
        """Arrows."""
        for way in ways:
            arrow = f'-->|"{_quoted(way.label)}"|' if way.label else "-->"
            self.line(f"{way.node} {arrow} {to}")

    def boxes(self, boxes: Boxes, coming: _Ways) -> _Ways:
        """Draw boxes one after the other; where they end."""
        for box in boxes:
            coming = self.box(box, coming)
        return coming

    def box(self, box: Box, coming: _Ways) -> _Ways:
        """Draw one box; where it ends."""
        match box:
            case Action(kind, title):
                return (_Way(self.node(kind, title, coming)),)
            case Split(title, arms):
                return self.split(title, arms, coming)
            case Loop():
                return self.loop(box, coming)
            case Frame():
                return self.frame(box, coming)
            case Guard():
                return self.guard(box, coming)
            case End():
                return self.end(box, coming)
            case _:
                assert_never(box)

    def split(self, title: str, arms: tuple[Arm, ...], coming: _Ways) -> _Ways:
        """A diamond with a way for each arm; what no arm takes goes on."""
        node = self.node("split", title, coming)
        ends = [way for arm in arms for way in self.boxes(arm.body, (_Way(node, arm.label),))]
        if {arm.label for arm in arms} != {"yes", "no"} and not _takes_all(arms):
            ends.append(_Way(node, "else"))
        return tuple(ends)

    def loop(self, box: Loop, coming: _Ways) -> _Ways:
        """A head that its body leads back to."""
        head = self.node("loop", box.title, coming)
        left: list[_Way] = []
        self._loops.append((head, left))
        self.lead(self.boxes(box.body, (_Way(head, "again"),)), head)
        self._loops.pop()
        endless = box.title == "while True"
        after = () if endless else self.boxes(box.orelse, (_Way(head, "done"),))
        return (*after, *left)

    def frame(self, box: Frame, coming: _Ways) -> _Ways:
        """A subgraph; the branches of a fork begin together and are joined."""
        name = self.fresh()
        self.line(f'subgraph {name}["{_quoted(box.title)}"]')
        self._depth += 1
        if box.parallel:
            fork = self.node("join", " ", coming)
            ends = [
                way for arm in box.arms for way in self.boxes(arm.body, (_Way(fork, arm.label),))
            ]
            coming = (_Way(self.node("join", " ", tuple(ends))),) if len(ends) > 1 else tuple(ends)
        else:
            for arm in box.arms:
                coming = self.boxes(arm.body, coming)
        self._depth -= 1
        self.line("end")
        return coming

    def guard(self, box: Guard, coming: _Ways) -> _Ways:
        """The body in a subgraph, from which errors lead to the handlers."""
        if not box.body:
            return coming
        name = self.fresh()
        self.line(f'subgraph {name}["try"]')
        self._depth += 1
        ends = self.boxes(box.body, coming)
        self._depth -= 1
        self.line("end")
        for arm in box.handlers:
            caught = self.node("end", arm.label, ())
            self.line(f"{name} -.-> {caught}")
            ends = (*ends, *self.boxes(arm.body, (_Way(caught),)))
        if box.final:
            return self.boxes(box.final, (*ends, _Way(name, "finally")))
        return ends

    def end(self, box: End, coming: _Ways) -> _Ways:
        """A way that ends, or leads back into the loop or out of it."""
        if box.kind in ("break", "continue") and self._loops:
            head, left = self._loops[-1]
            if box.kind == "continue":
                self.lead(coming, head)
            else:
                left.extend(coming)
            return ()
        self.node("end", box.title, coming)
        return ()


def mermaid(drawn: Outline) -> str:
    """The text of a flowchart; equal outlines give equal text."""
    return "\n".join(_lines(drawn)) + "\n"


def _lines(drawn: Outline) -> Iterator[str]:
    drawing = _Drawing()
    title = f"{drawn.name}: {drawn.parameters}" if drawn.parameters else drawn.name
    start = drawing.node("end", title, ())
    ends = drawing.boxes(drawn.body, (_Way(start),))
    if ends:
        drawing.node("end", "end", ends)
    yield "flowchart TD"
    yield from drawing.lines


def _takes_all(arms: tuple[Arm, ...]) -> bool:
    return any(arm.label == "case _" for arm in arms)


def _quoted(text: str) -> str:
    """Inside `"..."` Mermaid takes everything but quotes and its own entities."""
    for sign, entity in (("&", "amp"), ('"', "quot"), ("<", "lt"), (">", "gt")):
        text = text.replace(sign, f"#{entity};")
    return text
