"""Run ids: what is one, and those that are made up."""

import pytest

from perdure.run_ids import LONGEST, check_id, could_be, made_id


@pytest.mark.parametrize("run", ["a", "7", "order-17", "a.b_c:d@e-f", "x" * LONGEST, "latest"])
def test_these_are_run_ids(run: str) -> None:
    assert check_id(run) == run
    assert could_be(run)


@pytest.mark.parametrize("run", ["", "last", "-a", "a/b", "é", "a b", "a\n", "x" * (LONGEST + 1)])
def test_these_are_none(run: str) -> None:
    with pytest.raises(ValueError, match="run id"):
        check_id(run)


@pytest.mark.parametrize("run", [None, 7, b"a", ["a"] * 1_000])
def test_only_text_is_one(run: object) -> None:
    with pytest.raises(TypeError, match="the id of a run is text, not ") as refused:
        check_id(run)
    assert len(str(refused.value)) < 200


def test_stores_are_asked_for_children_and_older_ids_and_for_nothing_they_cannot_hold() -> None:
    assert could_be("r/gather[0]/inner#2~3")
    assert could_be("x" * 128)
    assert not any(map(could_be, ["", "é", "a\n", "\ud800", "x" * 2_000]))


@pytest.mark.parametrize(
    "flow", ["triage", "order_placed", "_main", "préparer", "日本", "a" * 200, "last", "__"]
)
@pytest.mark.parametrize("rest", ["0a1b2c3d", "f" * 32, "20260601T0900Z-01234567"])
def test_an_id_that_is_made_up_is_one_whatever_the_flow_is_called(flow: str, rest: str) -> None:
    assert check_id(made_id(flow, rest)).endswith(f"-{rest}")


def test_flows_whose_names_come_to_the_same_are_told_apart() -> None:
    names = ["main", "_main", "main_", "mäin", "a" * 90, "a" * 91]
    assert len({made_id(name, "20260601T0900Z") for name in names}) == len(names)
    assert made_id("order_placed", "0a1b2c3d") == "order-placed-0a1b2c3d"
