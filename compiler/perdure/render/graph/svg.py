"""An outline as an SVG picture: no script, no font to load, the same bytes every time.

A flow is drawn as it is nested: a sequence is a column, the arms of a decision or a fork stand
side by side, a loop, a `try` and a helper are frames. Every box knows its size before anything is
drawn (`_size`); then each is placed below the one before it (`_Canvas`). Colours follow the
reader's light or dark scheme.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, assert_never
from xml.sax.saxutils import escape, quoteattr

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
from perdure.render.width import cells

__all__ = ["svg"]

CHARACTER: Final = 7.3
"""Width of one cell of the font, in pixels, with some air: fonts differ."""
HEIGHT: Final = 30
GAP: Final = 22
ASIDE: Final = 26
PAD: Final = 14
HEADER: Final = 24
LABEL: Final = 20

_STYLE: Final = """\
  text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2328}
  .box{fill:#fff;stroke:#57606a}.flow{fill:#f1e8fd;stroke:#8250df}.wait{fill:#fff4d6;stroke:#bf8700}
  .send{fill:#e6f6ec;stroke:#1a7f37}.split{fill:#ddf0ff;stroke:#0969da}
  .end{fill:#eceff2;stroke:#8c959f}.raise{fill:#ffe3e0;stroke:#cf222e}
  .frame{fill:none;stroke:#8c959f}.loop{fill:none;stroke:#0969da;stroke-dasharray:6 3}
  .fork{fill:none;stroke:#1a7f37}.guard{fill:none;stroke:#cf222e;stroke-dasharray:2 3}
  .head{fill:#57606a;font-size:11px}.line{fill:none;stroke:#8c959f}
  @media (prefers-color-scheme:dark){text{fill:#e6edf3}.head{fill:#9198a1}
  .box{fill:#22272e;stroke:#9198a1}.flow{fill:#3a2a57}.wait{fill:#473a12}.send{fill:#153d22}
  .split{fill:#12395c}.end{fill:#2d333b}.raise{fill:#5a2320}}
"""


class _Size(NamedTuple):
    """Of a box or a column, in pixels."""

    width: float
    height: float


def svg(drawn: Outline) -> str:
    """The picture of a flow."""
    title = f"{drawn.name}({drawn.parameters})"
    body = _column(drawn.body)
    width = max(body.width, _text_width(title)) + 2 * PAD
    canvas = _Canvas(drawn.file)
    canvas.pill("end", title, width / 2, PAD)
    top: float = PAD + HEIGHT
    if drawn.body:
        canvas.line(width / 2, top, width / 2, top + GAP)
        canvas.column(drawn.body, width / 2, top + GAP)
        top += GAP + body.height
    height = top + PAD
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}"'
        f' width="{_n(width)}" height="{_n(height)}" role="img"'
        f" aria-label={quoteattr(drawn.name)}>"
    )
    arrow = (
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7"'
        ' markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#8c959f"/></marker></defs>'
    )
    return "\n".join([head, f"<style>\n{_STYLE}</style>", arrow, *canvas.parts, "</svg>", ""])


# Sizes


def _column(boxes: Boxes) -> _Size:
    """Of boxes below each other; of none, the space that a line through takes."""
    if not boxes:
        return _Size(PAD, GAP)
    sizes = [_size(box) for box in boxes]
    height = sum(size.height for size in sizes) + GAP * (len(sizes) - 1)
    return _Size(max(size.width for size in sizes), height)


def _size(box: Box) -> _Size:
    match box:
        case Action(title=title) | End(title=title):
            return _Size(_text_width(title), HEIGHT)
        case Split(title, arms):
            row = _row(arms)
            return _Size(max(_text_width(title), row.width), HEIGHT + row.height + GAP)
        case Loop(title, body, orelse):
            return _framed(title, _stack(_column(body), _column(orelse) if orelse else None))
        case Frame(title, arms, parallel):
            inner = _row(arms) if parallel else _column(_joined(arms))
            return _framed(title, inner)
        case Guard(body, handlers, final):
            below = _row(handlers) if handlers else None
            inner = _stack(_column(body), below, _column(final) if final else None)
            return _framed("try", inner)
        case _:
            assert_never(box)


def _framed(title: str, inner: _Size) -> _Size:
    width = max(inner.width, _text_width(title)) + 2 * PAD
    return _Size(width, HEADER + inner.height + PAD)


def _stack(*sizes: _Size | None) -> _Size:
    present = [size for size in sizes if size is not None]
    height = sum(size.height for size in present) + GAP * (len(present) - 1)
    return _Size(max(size.width for size in present), height)


def _row(arms: tuple[Arm, ...]) -> _Size:
    """Of arms side by side, their labels over them."""
    sizes = [_arm(arm) for arm in arms]
    width = sum(size.width for size in sizes) + ASIDE * (len(sizes) - 1)
    return _Size(width, GAP + LABEL + max((size.height for size in sizes), default=0))


def _arm(arm: Arm) -> _Size:
    body = _column(arm.body)
    return _Size(max(body.width, _text_width(arm.label) if arm.label else 0), body.height)


def _text_width(text: str) -> float:
    return sum(cell.width for cell in cells(text)) * CHARACTER + 2 * PAD


def _joined(arms: tuple[Arm, ...]) -> Boxes:
    return tuple(box for arm in arms for box in arm.body)


# Drawing


class _Canvas:
    """SVG elements in the order they are drawn; `x` is always the middle of what is placed."""

    def __init__(self, file: str) -> None:
        self.parts: list[str] = []
        self._file = file

    def line(self, x1: float, y1: float, x2: float, y2: float, *, arrow: bool = True) -> None:
        """A line, or an arrow that bends half-way down where it goes aside."""
        middle = (y1 + y2) / 2
        bend = "" if x1 == x2 else f"V{_n(middle)}H{_n(x2)}"
        head = ' marker-end="url(#a)"' if arrow else ""
        self.parts.append(f'<path class="line" d="M{_n(x1)} {_n(y1)}{bend}V{_n(y2)}"{head}/>')

    def text(self, text: str, x: float, y: float, kind: str = "", anchor: str = "middle") -> None:
        """One line of text."""
        style = f' class="{kind}"' if kind else ""
        self.parts.append(
            f'<text{style} x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def pill(
        self, kind: str, title: str, x: float, y: float, *, line: int = 0, round: int = 15
    ) -> None:
        """A box with a text; its place in the source is what a pointer sees."""
        width = _text_width(title)
        place = f"<title>{escape(self._file)}:{line}</title>" if line else ""
        self.parts.append(
            f'<g>{place}<rect class="{kind}" x="{_n(x - width / 2)}" y="{_n(y)}"'
            f' width="{_n(width)}" height="{HEIGHT}" rx="{round}"/>'
        )
        self.text(title, x, y + 19)
        self.parts.append("</g>")

    def border(self, kind: str, title: str, x: float, y: float, size: _Size) -> None:
        """A frame with its title."""
        left = x - size.width / 2
        self.parts.append(
            f'<rect class="{kind}" x="{_n(left)}" y="{_n(y)}" width="{_n(size.width)}"'
            f' height="{_n(size.height)}" rx="8"/>'
        )
        self.text(title, left + 10, y + 16, "head", "start")

    def column(self, boxes: Boxes, x: float, y: float) -> None:
        """Boxes below each other, with arrows between; of none, the line that goes through."""
        if not boxes:
            self.line(x, y, x, y + GAP, arrow=False)
        for index, box in enumerate(boxes):
            height = _size(box).height
            self.box(box, x, y)
            y += height
            if index + 1 < len(boxes):
                self.line(x, y, x, y + GAP)
                y += GAP

    def box(self, box: Box, x: float, y: float) -> None:
        """One box whose top is at `y`."""
        match box:
            case Action(kind, title, line):
                self.pill("box" if kind == "step" else kind, title, x, y, line=line, round=5)
            case End(kind, title, line):
                self.pill("raise" if kind == "raise" else "end", title, x, y, line=line)
            case Split(title, arms, line):
                self.pill("split", title, x, y, line=line, round=9)
                bottom = y + _size(box).height
                self.row(arms, x, y + HEIGHT, bottom - GAP, bottom)
            case Loop(title, body, orelse):
                self.border("loop", f"↻ {title}", x, y, _size(box))
                self.inside((body, orelse), x, y + HEADER)
            case Frame(title, arms, parallel):
                self.border("fork" if parallel else "frame", title, x, y, _size(box))
                top = y + HEADER
                if parallel:
                    self.row(arms, x, top, y + _size(box).height - PAD, None)
                else:
                    self.column(_joined(arms), x, top)
            case Guard():
                self.guard(box, x, y)
            case _:
                assert_never(box)

    def inside(self, columns: Iterable[Boxes], x: float, y: float) -> None:
        """Columns below each other, those that are empty left out."""
        for boxes in columns:
            if boxes:
                self.column(boxes, x, y)
                y += _column(boxes).height + GAP

    def guard(self, box: Guard, x: float, y: float) -> None:
        """The body, below it the handlers side by side, below them what is always done."""
        self.border("guard", "try", x, y, _size(box))
        y += HEADER
        self.column(box.body, x, y)
        y += _column(box.body).height + GAP
        if box.handlers:
            half = _size(box).width / 2
            self.parts.append(f'<path class="guard" d="M{_n(x - half)} {_n(y)}H{_n(x + half)}"/>')
            height = _row(box.handlers).height
            self.row(box.handlers, x, y, y + height, None)
            y += height + GAP
        if box.final:
            self.column(box.final, x, y)

    def row(
        self, arms: tuple[Arm, ...], x: float, y: float, bottom: float, join: float | None
    ) -> None:
        """Arms side by side from `y` on; those that go on are led to `join`, the middle below."""
        left = x - _row(arms).width / 2
        for arm in arms:
            width = _arm(arm).width
            middle = left + width / 2
            top = y + GAP + LABEL
            if arm.label:
                self.text(arm.label, middle, y + GAP + 13, "head")
            if join is not None:
                self.line(x, y, middle, y + GAP, arrow=False)
            self.column(arm.body, middle, top)
            end = top + _column(arm.body).height
            if join is not None and _goes_on(arm.body):
                self.line(middle, end, middle, bottom, arrow=False)
                self.line(middle, bottom, x, join, arrow=False)
            left += width + ASIDE


def _goes_on(boxes: Boxes) -> bool:
    """Whether something can come after them."""
    if not boxes:
        return True
    last = boxes[-1]
    match last:
        case End():
            return False
        case Split(arms=arms):
            return any(_goes_on(arm.body) for arm in arms)
        case Action() | Loop() | Frame() | Guard():
            return True
        case _:
            assert_never(last)


def _n(value: float) -> str:
    """A coordinate: at most one digit after the point."""
    return f"{value:.1f}".removesuffix(".0")
