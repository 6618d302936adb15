"""Operations written as in plain Python: each finds its call site by the place it is called from.

A compiled module has `__sites__ = placed(__file__)`: which site stands where, as a file beside it
says. A step or flow called there is an operation; so are the functions of this module. Elsewhere
(a step's body, a test, code that is not compiled) a call is a call.
"""

import json
import sys
from collections.abc import Callable, Mapping
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, final

from perdure.runtime.scope import current
from perdure.runtime.site import Site

if TYPE_CHECKING:
    from perdure.codec.text import Json

__all__ = ["Place", "Sites", "map_text", "operation", "placed", "site_of"]

type Place = tuple[int, int, int, int]
"""Line, column, end line, end column, columns in bytes: what a code object says of a call."""


@final
class Sites:
    """The call sites of one compiled module; by number, too, for what is no plain call there."""

    def __init__(self, sites: tuple[Site, ...], places: Mapping[Place, int]) -> None:
        self._sites = sites
        self._places = places
        self._known: dict[tuple[CodeType, int], Site | None] = {}

    def __getitem__(self, index: int) -> Site:
        return self._sites[index]

    def at(self, frame: FrameType) -> Site | None:
        """The site of the call that this frame is making."""
        key = frame.f_code, frame.f_lasti
        if key not in self._known:
            line, end_line, column, end = list(frame.f_code.co_positions())[frame.f_lasti // 2]
            if column is None:
                raise RuntimeError("this app needs column positions: unset PYTHONNODEBUGRANGES")
            place = (line or 0, column, end_line or 0, end or 0)
            index = self._places.get(place)
            self._known[key] = None if index is None else self._sites[index]
        return self._known[key]


def placed(file: str) -> Sites:
    """The sites of the compiled module in this file, from the map beside it."""
    with open(f"{file.removesuffix('c').removesuffix('.py')}.map.json", encoding="utf-8") as stream:
        data = json.load(stream)
    if data["version"] != 1:
        raise ValueError(f"{file}: its map has version {data['version']}, this perdure reads 1")
    sites = tuple(Site(*site) for site in data["sites"])
    return Sites(sites, {tuple(place): index for *place, index in data["places"]})


def map_text(sites: tuple[Site, ...], places: Mapping[Place, int]) -> str:
    """What `placed` reads."""
    rows: list[Json] = [[*place, index] for place, index in sorted(places.items())]
    found: list[Json] = [[*site] for site in sites]
    whole: dict[str, list[Json]] = {"sites": found, "places": rows}
    lines = [
        f'"{name}": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in part) + "\n]"
        for name, part in whole.items()
    ]
    return '{"version": 1,\n' + ",\n".join(lines) + "}\n"


def site_of(frame: FrameType) -> Site | None:
    """The site of the call that the frame is making, if it is one of a flow under way."""
    sites = frame.f_globals.get("__sites__")
    return sites.at(frame) if isinstance(sites, Sites) and current.get() is not None else None


def operation[**P, R](function: Callable[..., R]) -> Callable[..., R]:
    """The function of `perdure.runtime.calls` without the site it takes first."""

    def called(*args: Any, **kwargs: Any) -> R:
        site = site_of(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]  # no other way
        if site is None and current.get() is not None:
            raise RuntimeError(f"{function.__name__}: this place is on no map of call sites")
        return function(site, *args, **kwargs)

    return called
