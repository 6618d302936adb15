"""What a run on an engine that replays is started with, and what is written to it."""

from collections.abc import Mapping
from hashlib import sha256
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol

from perdure.codec.text import Json
from perdure.errors import InvalidInput
from perdure.runtime.envelope import is_envelope, pack, unpack
from perdure.runtime.host import Identity
from perdure.runtime.values import encode_input

if TYPE_CHECKING:
    from perdure.language import Flow

__all__ = ["flow_input", "input_of", "message_in", "run_input"]


class Starts(Protocol):
    """What of an SDK says who a run is that was started by hand."""

    def run_id(self) -> str:
        """The id under which the engine has this run."""
        ...

    def now(self) -> float:
        """Engine time."""
        ...


def flow_input(
    flow: "Flow[..., Any]",
    identity: Identity,
    arguments: Mapping[str, Json],
    *,
    child: bool = False,
    release: str = "",
) -> dict[str, Json]:
    """The input of a run; see `run_input`."""
    ref = flow.__perdure_ref__
    return run_input(ref, identity, arguments, child=child, release=release)


def run_input(
    ref: str,
    identity: Identity,
    arguments: Mapping[str, Json],
    *,
    child: bool = False,
    release: str = "",
) -> dict[str, Json]:
    """The input of a run; `arguments` are encoded, the seed is 128 random bits. `release` is what
    its code is called, where several are deployed side by side."""
    whole: dict[str, Json] = {"flow": ref, **identity._asdict()}
    if release:
        whole["release"] = release
    return pack({**whole, "arguments": dict(arguments), "child": child})


def input_of(sdk: Starts, given: object, flow: "Flow[..., Any]") -> dict[str, Json]:
    """What a run was started with: as `run_input` wrote it, or by hand."""
    if not is_envelope(given):
        return unpack(_by_hand(sdk, given, flow))
    data = unpack(given)
    if "plain" not in data:
        return data
    return {**unpack(_by_hand(sdk, data["plain"], flow)), "release": data["release"]}


def _by_hand(sdk: Starts, given: Any, flow: "Flow[..., Any]") -> dict[str, Json]:
    if type(given) not in (dict, NoneType):
        raise InvalidInput("the input of a flow is an object, with its parameters as names")
    arguments: Any = given or {}
    run = sdk.run_id()
    seed = sha256(f"{run} {sdk.now()}".encode()).hexdigest()[:32]
    return flow_input(flow, Identity(run, seed, run), encode_input(flow, arguments))


def message_in(value: Any) -> Mapping[str, Any] | None:
    """What was written to a run: by perdure, or by hand as plain JSON."""
    if is_envelope(value):
        return unpack(value)
    match value:
        case {"event": str(name), **rest}:
            return {"event": name, "payload": rest.get("payload"), "plain": True}
        case {"cancel": "run" | "now" as how}:
            return {"cancel": how}
        case _:
            return None
