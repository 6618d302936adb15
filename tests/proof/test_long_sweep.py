"""A long sweep goes on where it stopped, and is not stopped by a program that never ends."""

from pathlib import Path

import pytest

from tests.proof import long_sweep
from tests.proof.long_sweep import LongSweep
from tests.proof.sweep import Judged, Sweep, to_json

ENGINES = ("local",)


def _judged(seed: int, engines: object, **more: object) -> Judged:
    begins = more["begins"]
    assert callable(begins)
    begins("local")
    while seed == 3:
        pass
    verdict = ("refused", "PDR390 `x`") if seed == 1 else ("same", "")
    return Judged(seed, {"local": verdict}, [(("op step", "returned"), 2)], "done", 0.5)


def _unheard(_one: Judged, _found: Sweep) -> None:
    """Nobody listens."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_sweep, "judged", _judged)
    monkeypatch.setattr(long_sweep, "SECONDS", 0.05)


def test_a_program_that_never_ends_is_cut_and_named() -> None:
    found = LongSweep(2, 6, ENGINES, None).run(_unheard)
    assert found.programs == 4
    assert [*found.wrong["local"]] == [3]
    assert found.wrong["local"][3].startswith("cut local was asked")


def test_a_sweep_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"

    def stopped(one: Judged, _: Sweep) -> None:
        if one.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LongSweep(0, 3, ENGINES, file).run(stopped)
    seen: list[int] = []
    found = LongSweep(0, 3, ENGINES, file).run(lambda one, _: seen.append(one.seed))
    assert seen == [2]
    assert to_json(found) == to_json(LongSweep(0, 3, ENGINES, None).run(_unheard))
    assert found.refused == {"local": {"PDR_ _": 1}}


def test_the_file_of_another_sweep_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "sweep.json"
    LongSweep(0, 1, ENGINES, file).run(_unheard)
    with pytest.raises(SystemExit, match="another sweep"):
        LongSweep(0, 3, ("local", "aws/moto"), file)
