"""AC-02: one model call per stakeholder, at most three at a time, results in input order."""

from perdure import flow, gather, step


@step
async def analyse(prompt: str, stakeholder: str) -> str: ...


@flow
async def impact(prompt: str, stakeholders: list[str]) -> list[str]:
    return await gather(*[analyse(prompt, s) for s in stakeholders], limit=3)
