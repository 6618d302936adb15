"""A tool-using agent: the model picks a tool, the flow runs it, until there is an answer."""

import json
from dataclasses import dataclass

from examples.model import ask
from perdure import Retry, Step, flow, step


@dataclass(frozen=True)
class Turn:
    """What the model wants next: a tool with its arguments, or to answer."""

    tool: str
    args: dict[str, object]
    answer: str
    tokens: int


@step(retry=Retry(attempts=4, max_delay="30s"), timeout="2m")
async def think(messages: list[dict[str, str]]) -> Turn:
    reply = await ask("Next tool or answer, as JSON.", json.dumps(messages))
    turn = json.loads(reply)
    tokens = len(reply) // 4
    return Turn(turn.get("tool", ""), turn.get("args", {}), turn.get("answer", ""), tokens)


@step(retry=2)
async def weather(city: str) -> str:
    return f"{city}: 7 degrees, rain"


@step
async def add(a: int, b: int) -> str:
    return str(a + b)


TOOLS: dict[str, Step[..., str]] = {"weather": weather, "add": add}


@flow
async def agent(question: str, budget: int = 10_000) -> str:
    messages = [{"role": "user", "content": question}]
    spent = 0
    while spent <= budget:
        turn = await think(messages)
        spent += turn.tokens
        if not turn.tool:
            return turn.answer
        try:
            result = await TOOLS[turn.tool](**turn.args)
        except (KeyError, TypeError) as error:
            result = f"{type(error).__name__}: {error}"
        messages.append({"role": "tool", "content": result})
    return f"stopped: {spent} tokens spent, {budget} allowed"
