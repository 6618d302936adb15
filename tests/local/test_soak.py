"""Many runs under kills: a little of what `python -m tests.local.soak` does for ten minutes."""

from pathlib import Path

import pytest

from tests.local.soak import Soak


def test_some_runs_survive_some_kills(tmp_path: Path) -> None:
    counts = Soak(tmp_path, 60, seed=1).run(seconds=8, drain=90)
    assert counts.kills + counts.worker_kills >= 1


@pytest.mark.slow
def test_many_runs_survive_many_kills(tmp_path: Path) -> None:
    counts = Soak(tmp_path, 2_000, seed=2).run(seconds=120, drain=300)
    assert counts.kills + counts.worker_kills >= 20
    print(counts)
