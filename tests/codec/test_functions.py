"""Functions as values: by their place in a module, or as a closure over cells that are shared."""

from collections.abc import Callable
from functools import partial
from types import CellType, CodeType, FunctionType
from typing import Any

import pytest

from perdure.codec import Json, decode, decode_slots, dumps, encode, encode_slots, loads
from tests.codec import samples
from tests.codec.samples import Order, charge, double


class Table:
    """Names code by its qualified name, as an engine does for the functions of one flow."""

    def __init__(self) -> None:
        self.codes: dict[str, CodeType] = {}

    def name_of(self, function: FunctionType) -> str | None:
        if function.__module__ != __name__:
            return None
        name = f"{function.__qualname__}:{function.__code__.co_firstlineno}"
        self.codes[name] = function.__code__
        return name

    def build(self, name: str, cells: tuple[CellType, ...]) -> FunctionType:
        return FunctionType(self.codes[name], globals(), closure=cells)


def again(value: object, table: Table | None = None) -> Any:  # Any: each test knows what returns
    table = table or Table()
    data: Json = loads(dumps(encode(value, functions=table)))
    return decode(data, functions=table)


def test_a_step_is_the_step() -> None:
    assert again(charge) is charge
    assert again({"pay": charge}) == {"pay": charge}


def test_functions_of_modules_are_themselves() -> None:
    for function in (double, len, str.upper, samples.by_default):
        assert again(function) is function


def test_bound_methods_stay_bound_to_the_same_object() -> None:
    order = Order(1)
    back = again({"add": order.items.append, "order": order})
    back["add"](5)
    assert back["order"].items == [5]
    assert again("abc".upper)() == "ABC"


def test_partials_keep_function_and_arguments() -> None:
    shared: list[object] = []
    back = again([partial(double, 4), partial(sorted, shared, reverse=True), shared])
    assert back[0]() == 8
    assert back[1].args[0] is back[2]
    assert back[1].keywords == {"reverse": True}


def test_a_partial_may_lead_back_to_itself() -> None:
    holder: list[object] = []
    made = partial(sorted, holder)
    holder.append(made)
    back = again(made)
    assert isinstance(back, partial)
    assert back.args[0][0] is back


def test_lambdas_keep_cells_and_defaults() -> None:
    undo: list[Callable[[], object]] = []

    def later(kind: str) -> Callable[[], object]:
        def act(kind: str = kind, *, tail: int = 1) -> object:
            return kind, undo, tail

        return act

    undo.extend([later("car"), later("hotel"), lambda: len(undo)])
    back = again(undo)
    assert [back[0]()[0], back[1]()[0], back[2](), back[0]()[2]] == ["car", "hotel", 3, 1]
    assert back[0]()[1] is back


def test_closures_share_their_cells_also_with_slots() -> None:
    total = 0

    def add(n: int, *, twice: bool = False) -> int:
        nonlocal total
        total += 2 * n if twice else n
        return total

    def read() -> int:
        return total

    table = Table()
    data = encode_slots({"add": add, "read": read, "also": [add]}, functions=table)
    back: Any = decode_slots(loads(dumps(data)), functions=table)
    assert back["add"](5) == 5
    assert back["read"]() == 5
    assert back["also"][0] is back["add"]
    assert back["add"](1, twice=True) == 7
    assert total == 0


def test_a_recursive_nested_function_holds_itself() -> None:
    def down(n: int) -> int:
        return n if n == 0 else down(n - 1)

    back = again([down])
    assert back[0](3) == 0
    assert back[0].__closure__[0].cell_contents is back[0]


def test_an_unbound_variable_stays_unbound() -> None:
    def late() -> object:
        return value

    back = again(late)
    with pytest.raises(NameError):
        back()
    if late.__name__ == "":
        value = 1


def test_a_function_of_another_program_is_refused() -> None:
    other = FunctionType((lambda: 1).__code__, {"__name__": "other"})
    with pytest.raises(TypeError, match="a nested function crosses only inside a flow"):
        encode(other, functions=Table())


def test_what_a_closure_cannot_take_along_is_named() -> None:
    client = open(__file__)  # noqa: SIM115
    with client, pytest.raises(TypeError, match=r"^undo\[0\].client: `TextIOWrapper` cannot cross"):
        encode([lambda: client], functions=Table(), path="undo")
