"""The Flow IR of every form, as text: `--update` writes it anew, to be read as a diff."""

from pathlib import Path

import pytest

from perdure.printer import format_program
from tests.ir.forms import FORMS
from tests.ir.sources import HEAD, built

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_form_looks_as_it_did(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = FORMS[name]
    made = built(HEAD + text, tmp_path)
    found = "".join(f"{line}\n" for line in [text.strip(), "", format_program(made.program)])
    path = GOLDEN / f"{name}.txt"
    if request.config.getoption("--update", default=False):
        path.write_text(found)
    assert path.exists(), f"no {path.name}: run with --update and read it"
    assert path.read_text() == found


def test_no_golden_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(FORMS)


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_text_gives_the_same_ir_twice(name: str, tmp_path: Path) -> None:
    first, second = (built(HEAD + FORMS[name], tmp_path).program for _ in range(2))
    assert format_program(first) == format_program(second)
    assert first.digest == second.digest
