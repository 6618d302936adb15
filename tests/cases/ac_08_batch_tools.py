"""AC-08: the model's content blocks: text is kept, tools dispatch on name, `batch` holds calls."""

from typing import Any

from perdure import flow, gather, step


@step
async def think(question: str) -> list[dict[str, Any]]: ...


@step
async def weather(location: str) -> str: ...


@step
async def time_in(location: str) -> str: ...


async def use_tool(name: str, location: str) -> str:
    match name:
        case "weather":
            return await weather(location)
        case "time":
            return await time_in(location)
        case _:
            raise ValueError(f"no tool {name!r}")


@flow
async def answer(question: str) -> list[str]:
    lines: list[str] = []
    for block in await think(question):
        match block:
            case {"type": "text", "text": text}:
                lines.append(text)
            case {"type": "tool_use", "name": "batch", "input": {"invocations": calls}}:
                found = await gather(*[use_tool(c["name"], c["location"]) for c in calls])
                lines.append("; ".join(found))
            case {"type": "tool_use", "name": name, "input": {"location": location}}:
                lines.append(await use_tool(name, location))
            case _:
                raise ValueError(f"unknown block {block['type']!r}")
    return lines
