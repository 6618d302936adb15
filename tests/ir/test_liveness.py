"""What is live where: exactly what a later statement may look at."""

from collections.abc import Mapping
from pathlib import Path

from perdure.ir import Call, Fork, Function, Op, Stmt
from perdure.liveness import Liveness, liveness
from tests.ir.differential import STEPS
from tests.ir.sources import HEAD, built, statements


def _flow(body: str, root: Path) -> tuple[Function, Liveness, Mapping[str, Stmt]]:
    indented = "\n".join(f"    {line}" for line in body.split("\n"))
    text = f"{HEAD}{STEPS}@flow\nasync def main(p: Any, q: Any) -> Any:\n{indented}\n"
    program = built(text, root).program
    labels = {
        each.label: each for each in statements(program) if isinstance(each, Op | Call | Fork)
    }
    return program.functions[0], liveness(program.functions[0], program.functions[1:]), labels


def test_what_is_not_read_later_is_dead(tmp_path: Path) -> None:
    _, live, at = _flow("x = await f(p)\ny = await g(x)\nreturn y + q", tmp_path)
    assert live.before(at["f"]) == {"p", "q"}
    assert live.after(at["f"]) == {"x", "q"}
    assert live.after(at["g"]) == {"y", "q"}


def test_a_loop_keeps_what_its_next_turn_reads(tmp_path: Path) -> None:
    _, live, at = _flow("n = 0\nwhile n < p:\n    y = await f(n)\n    n += 1\nreturn q", tmp_path)
    assert live.after(at["f"]) == {"n", "p", "q"}


def test_a_handler_keeps_what_it_reads(tmp_path: Path) -> None:
    _, live, at = _flow(
        "x = 1\ntry:\n    x = await f(p)\nexcept ValueError:\n    return x\nawait g(1)", tmp_path
    )
    assert live.before(at["f"]) == {"p", "x"}
    assert live.after(at["f"]) == set()


def test_finally_is_on_every_way_out(tmp_path: Path) -> None:
    _, live, at = _flow("try:\n    return await f(p)\nfinally:\n    await g(q)", tmp_path)
    assert live.before(at["f"]) == {"p", "q"}
    assert "q" in live.after(at["f"])


def test_what_a_closure_captures_is_live_everywhere(tmp_path: Path) -> None:
    _, live, at = _flow("x = p\nk = lambda: x\nawait f(1)\nreturn k()", tmp_path)
    assert live.cells == {"x"}
    assert live.after(at["f"]) == {"k", "x"}


def test_branches_read_their_captures(tmp_path: Path) -> None:
    _, live, at = _flow("a, b = await gather(f(p), g(p.b))\nreturn a", tmp_path)
    assert live.before(at["gather"]) >= {"p"}
    assert "q" not in live.before(at["gather"])
