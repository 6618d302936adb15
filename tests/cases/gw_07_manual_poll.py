"""GW-07: start a query job, poll each 5 s until it says that it is complete."""

from typing import Any

from perdure import flow, sleep, step


@step
async def start_job(project: str, query: str) -> dict[str, Any]: ...


@step
async def query_results(project: str, job: str) -> dict[str, Any]: ...


@flow
async def run_query(project: str, query: str) -> list[dict[str, Any]]:
    job = await start_job(project, query)
    page = await query_results(project, job["jobReference"]["jobId"])
    while not page["jobComplete"]:
        await sleep("5s")
        page = await query_results(project, job["jobReference"]["jobId"])
    rows: list[dict[str, Any]] = page.get("rows", [])
    return rows
