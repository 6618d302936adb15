"""Exceptions cross with class, arguments, attributes and notes, no constructor run."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import ValidationError

from perdure.codec import UncodableError, decode, decode_error, dumps, encode, encode_error, loads
from tests.codec.samples import CardDeclined, User


def again(error: BaseException) -> Any:  # Any: each test knows what comes back
    return decode_error(loads(dumps(encode_error(error))))


def caught(act: Callable[[], object]) -> BaseException:
    with pytest.raises(BaseException) as info:  # noqa: PT011, each caller knows its type
        act()
    return info.value


def test_a_custom_constructor_is_not_asked() -> None:
    back = again(CardDeclined(7, reason="no funds"))
    assert isinstance(back, CardDeclined)
    assert (str(back), back.args, back.order, back.reason) == (
        "order 7: no funds", ("order 7: no funds",), 7, "no funds",
    )  # fmt: skip


def test_the_head_says_what_it_is_without_decoding() -> None:
    data = encode_error(KeyError("x"))
    assert data["type"] == "builtins:KeyError"
    assert data["mro"] == [
        "builtins:KeyError", "builtins:LookupError", "builtins:Exception", "builtins:BaseException",
    ]  # fmt: skip
    assert data["message"] == "'x'"


@pytest.mark.parametrize(
    "error",
    [
        ValueError(), KeyError("x"), TimeoutError(""), asyncio.CancelledError("why"),
        StopIteration(3),
        OSError(2, "no file", "a", None, "b"), ConnectionResetError(104, "reset"), SystemExit(4),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ImportError("m", name="n", path="p"),
        SyntaxError("bad", ("f.py", 1, 2, "x =")), ZeroDivisionError("division by zero"),
        caught(lambda: json.loads("{")), caught(lambda: [].missing),  # type: ignore[attr-defined]
        BlockingIOError(11, "again", 5),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_built_in_exceptions_keep_text_and_state(error: BaseException) -> None:
    back = again(error)
    assert type(back) is type(error)
    assert (str(back), back.args) == (str(error), error.args)
    for name in (
        "errno",
        "filename",
        "filename2",
        "value",
        "code",
        "name",
        "path",
        "lineno",
        "pos",
    ):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_notes_cross_and_causes_stay_behind() -> None:
    error = ValueError("x")
    error.add_note("while shipping")
    error.__cause__ = KeyError("y")
    back = again(error)
    assert back.__notes__ == ["while shipping"]
    assert back.__cause__ is None


def test_groups_keep_their_members() -> None:
    shared = CardDeclined(1, reason="r")
    group = ExceptionGroup("outer", [shared, ExceptionGroup("inner", [KeyError(1)]), shared])
    back = again(group)
    assert back.message == "outer"
    assert back.exceptions[0] is back.exceptions[2]
    assert type(back.exceptions[0]) is CardDeclined
    matched, rest = back.split(KeyError)
    assert matched is not None
    assert rest is not None
    assert len(rest.exceptions) == 2
    mixed = again(BaseExceptionGroup("b", [KeyboardInterrupt()]))
    assert type(mixed) is BaseExceptionGroup


def test_an_exception_may_lead_back_to_itself() -> None:
    error = ValueError("x")
    error.me = [error]  # type: ignore[attr-defined]
    data = encode_error(error)
    assert data["type"] == "builtins:ValueError"
    back: Any = decode_error(loads(dumps(data)))
    assert back.me[0] is back
    inside: Any = decode(encode({"e": error}))
    assert inside["e"].me[0] is inside["e"]


def test_attributes_without_a_codec_are_left_out_and_named() -> None:
    error = ValueError("x")
    both = [1]
    error.client = [both, threading.Lock()]  # type: ignore[attr-defined]
    error.order = [both, both]  # type: ignore[attr-defined]
    data = encode_error(error)
    assert data["lost"] == ["client"]
    back: Any = decode_error(data)
    assert not hasattr(back, "client")
    assert back.order == [[1], [1]]
    assert back.order[0] is back.order[1]


def test_an_argument_without_a_codec_is_refused() -> None:
    with pytest.raises(UncodableError, match=r"^error.args\[0\]: `lock` cannot cross"):
        encode_error(ValueError(threading.Lock()))


def test_third_party_exceptions_are_of_their_class() -> None:
    error = ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "Invoke")
    back = again(error)
    assert type(back) is ClientError
    assert (str(back), back.response) == (str(error), error.response)


def test_one_that_only_its_constructor_makes_is_a_stand_in() -> None:
    error = caught(lambda: User.model_validate({}))
    assert isinstance(error, ValidationError)
    back = again(error)
    assert isinstance(back, ValueError)
    assert type(back).__name__ == "ValidationError"
    assert str(back) == str(error)


def test_a_class_that_is_not_here_is_a_stand_in_with_its_known_base() -> None:
    def nowhere(name: str) -> type:
        if not name.startswith("builtins:"):
            raise ModuleNotFoundError(name)
        return {"builtins:Exception": Exception, "builtins:LookupError": LookupError}[name]

    class Missing(LookupError):  # noqa: N818
        def __str__(self) -> str:
            return "own text"

    first = encode_error(Missing("k", 5))
    back: Any = decode_error(first, classes=nowhere)
    assert isinstance(back, LookupError)
    assert type(back).__name__ == "Missing"
    assert (str(back), back.args) == ("own text", ("k", 5))
    assert encode_error(back) == first
    assert type(decode_error(first, classes=nowhere)) is type(back)


def test_a_broken_str_does_not_hide_the_error() -> None:
    data = encode_error(Broken("x"))
    assert data["message"] == "<unprintable Broken object>"
    assert isinstance(decode_error(data), Broken)


class Broken(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no")
