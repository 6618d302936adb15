"""GW-04: reverse a list in a helper, between two steps."""

from perdure import flow, step


@step
async def read_list() -> list[int]: ...


@step
async def write_list(items: list[int]) -> None: ...


def reverse(items: list[int]) -> list[int]:
    out: list[int] = []
    for item in items:
        out = [item, *out]
    return out


@flow
async def reversed_list() -> list[int]:
    items = reverse(await read_list())
    await write_list(items)
    return items
