"""TA-01: an agent with a goal and tools; a tool runs when the user has confirmed it."""

from typing import Any

from perdure import event, flow, race, step

type Plan = dict[str, Any]


@step
async def validate(prompt: str, goal: str) -> str | None:
    """What is wrong with a prompt, None for a good one."""


@step
async def plan_next(goal: str, history: list[dict[str, Any]]) -> Plan: ...


@step
async def run_tool(name: str, args: dict[str, Any]) -> dict[str, Any]: ...


def said(actor: str, response: object) -> dict[str, Any]:
    return {"actor": actor, "response": response}


def missing(args: dict[str, Any]) -> list[str]:
    return [name for name, value in args.items() if value is None]


@flow
async def goal_agent(goal: str) -> list[dict[str, Any]]:
    history: list[dict[str, Any]] = []
    pending: Plan | None = None
    while True:
        winner, value = await race(
            prompt=event("prompt", str), confirm=event("confirm"), end=event("end_chat")
        )
        if winner == "end":
            history.append(said("user", "ended the chat"))
            break
        if winner == "confirm":
            if pending is None:
                continue
            result = await run_tool(pending["tool"], pending["args"])
            history.append(said("tool", result))
            pending = None
        else:
            problem = await validate(value, goal)
            if problem is not None:
                history.append(said("agent", problem))
                continue
            history.append(said("user", value))
        plan = await plan_next(goal, history)
        if plan["next"] == "confirm" and None in plan.get("args", {}).values():
            asked = ", ".join(missing(plan["args"]))
            plan = {**plan, "next": "question", "response": f"please tell me: {asked}"}
        history.append(said("agent", plan.get("response", "")))
        if plan["next"] == "confirm":
            pending = dict(plan)
            pending["confirmed"] = True
        elif plan["next"] == "pick-new-goal":
            goal = plan["goal"]
        elif plan["next"] == "done":
            break
    return history
