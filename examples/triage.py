"""Issue triage: a cheap model sorts, a strong one drafts, a person approves within three days."""

from dataclasses import dataclass

from examples.model import ask
from perdure import Retry, event, flow, step

POLITE = Retry(attempts=4, delay="1s", max_delay="30s")


@dataclass(frozen=True)
class Issue:
    number: int
    title: str
    body: str = ""


@dataclass(frozen=True)
class Decision:
    approved: bool
    note: str = ""


@step(retry=POLITE, timeout="30s")
async def classify(issue: Issue) -> str:
    return await ask("Classify as bug, question or spam, in one word.", issue.title + issue.body)


@step(retry=POLITE, timeout="5m")
async def draft(issue: Issue, kind: str) -> str:
    return await ask(f"Draft a reply to this {kind}.", issue.title)


@step(retry=POLITE)
async def post(issue: Issue, text: str) -> str:
    return f"https://issues.example/{issue.number}#reply"


@step(retry=POLITE)
async def label(issue: Issue, name: str) -> None:
    print(f"#{issue.number} is now labelled {name}")


@flow
async def triage(issue: Issue) -> str:
    kind = await classify(issue)
    if kind == "spam":
        await label(issue, "spam")
        return "closed as spam"
    text = await draft(issue, kind)
    try:
        decision = await event("approval", Decision, timeout="3d")
    except TimeoutError:
        await label(issue, "needs-a-person")
        return "escalated: nobody answered in three days"
    if not decision.approved:
        await label(issue, "rejected")
        return f"rejected: {decision.note}"
    return await post(issue, text)
