"""AC-05: a planner answers in XML, a line parser makes tasks of it, a worker does each."""

from perdure import flow, gather, step


@step
async def plan(task: str) -> str: ...


@step
async def work(kind: str, description: str) -> str: ...


def parse_tasks(xml: str) -> list[dict[str, str]]:
    tasks: list[dict[str, str]] = []
    current: dict[str, str] = {}
    for raw in xml.split("\n"):
        line = raw.strip()
        if line.startswith("<task>"):
            current = {}
        elif line.startswith("<type>"):
            current["type"] = line[6:-7].strip()
        elif line.startswith("<description>"):
            current["description"] = line[12:-14].strip(">")
        elif line.startswith("</task>") and "description" in current:
            if "type" not in current:
                current["type"] = "default"
            tasks.append(current)
    return tasks


@flow
async def orchestrate(task: str) -> dict[str, object]:
    answer = await plan(task)
    analysis = answer.split("<tasks>")[0].strip()
    tasks = parse_tasks(answer)
    results = await gather(*[work(t["type"], t["description"]) for t in tasks])
    return {
        "analysis": analysis,
        "results": [
            {"type": t["type"], "result": "{0}: {1}".format(t["description"], r)}
            for t, r in zip(tasks, results, strict=True)
        ],
    }
