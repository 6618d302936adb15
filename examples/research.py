"""Research: plan, look things up four at a time, write, and rewrite until the judge is content."""

from dataclasses import dataclass

from examples.model import ask
from perdure import Retry, flow, gather, step

POLITE = Retry(attempts=3, delay="2s", backoff=2.0)


@dataclass(frozen=True)
class Finding:
    question: str
    text: str


@dataclass
class Report:
    text: str
    drafts: int
    missing: list[str]


@step(retry=POLITE)
async def plan(topic: str) -> list[str]:
    return (await ask("Plan the questions to answer, one a line.", topic)).splitlines()


@step(retry=POLITE, timeout="2m")
async def look_up(question: str) -> Finding:
    return Finding(question, await ask("Search for the answer.", question))


@step(retry=POLITE, timeout="5m")
async def write(topic: str, findings: list[Finding], advice: str) -> str:
    sources = "".join(f"\n[{n}] {f.text}" for n, f in enumerate(findings, 1))
    return await ask(f"Write the report. {advice}", topic + (sources if advice else ""))


@step(retry=POLITE)
async def judge(text: str) -> str:
    return await ask("Judge the report: good, or what to change.", text)


@flow
async def research(topic: str, max_drafts: int = 5) -> Report:
    questions = await plan(topic)
    answers = await gather(*[look_up(q) for q in questions], limit=4, return_exceptions=True)
    findings = [a for a in answers if isinstance(a, Finding)]
    missing = [q for q, a in zip(questions, answers, strict=True) if isinstance(a, Exception)]
    advice = ""
    drafts = 0
    while True:
        text = await write(topic, findings, advice)
        drafts += 1
        advice = await judge(text)
        if advice == "good" or drafts == max_drafts:
            return Report(text, drafts, missing)
