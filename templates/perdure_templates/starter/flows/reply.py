"""Answer a customer: a draft, a person who approves it within two days, then the mail."""

from dataclasses import dataclass

from perdure import event, flow, step


@dataclass(frozen=True)
class Approval:
    """What the person says, and what to change."""

    approved: bool
    note: str = ""


@step(retry=3, timeout="2m")
async def draft(question: str, advice: str) -> str:
    """Any Python goes into a step: call your model here."""
    return f"Dear customer, about {question!r}: we are on it. {advice}".strip()


@step(retry=3)
async def send_mail(text: str) -> None:
    """And your mail service here."""
    print(f"sent: {text}")


@flow
async def reply(question: str = "Where is my parcel?") -> str:
    """Draft until a person is content; after two days of silence nothing is sent."""
    text = await draft(question, "")
    try:
        while not (answer := await event("approval", Approval, timeout="2d")).approved:
            text = await draft(question, answer.note)
    except TimeoutError:
        return "nobody approved"
    await send_mail(text)
    return text
