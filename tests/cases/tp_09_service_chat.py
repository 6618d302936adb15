"""TP-09: a customer service chat; each message goes to the agent that has the conversation."""

from dataclasses import dataclass

from perdure import event, flow, reply, step


@dataclass
class Item:
    kind: str
    agent: str
    text: str


@step
async def run_agent(agent: str, history: list[Item]) -> list[Item]: ...


@flow
async def customer_service(agent: str = "triage") -> list[str]:
    history: list[Item] = []
    lines: list[str] = []
    while True:
        text = await event("message", str)
        if text.strip().lower() == "bye":
            break
        history.append(Item("input", "customer", text))
        seen = len(history)
        history += await run_agent(agent, history)
        new: list[str] = []
        for item in history[seen:]:
            if item.kind == "message":
                new.append(f"{item.agent}: {item.text}")
            elif item.kind == "handoff":
                new.append(f"handed off from {item.agent} to {item.text}")
                agent = item.text
            elif item.kind in ("tool call", "tool output"):
                new.append(f"{item.agent}: {item.kind} {item.text}")
            else:
                new.append(f"{item.agent}: skipped a {item.kind}")
        await reply("message", new)
        lines.extend(new)
    return [*lines, f"{len(history)} items"]
