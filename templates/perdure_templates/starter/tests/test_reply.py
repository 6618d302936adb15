"""The flow on every engine that is installed, in virtual time: no cloud, no keys, no waiting."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from perdure.testing import run

FLOW = f"{Path(__file__).parent.parent}/flows/reply.py:reply"
TARGETS = ["reference", "local", *(["aws"] if find_spec("moto") else [])]


def draft(question: str, advice: str) -> str:
    """Stand in for the model."""
    return f"{question} {advice}".strip()


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_person_rejects_is_drafted_again(target: str) -> None:
    """A first approval that says no comes back as advice; a busy mail server is tried again."""
    r = run(
        FLOW,
        {"question": "Is it red?"},
        target=target,
        steps={
            "draft": draft,
            "send_mail": [ConnectionError("busy"), None],
        },
        events=[
            ("1h", "approval", {"approved": False, "note": "Say yes."}),
            ("1d", "approval", {"approved": True}),
        ],
    )
    assert (r.status, r.result) == ("done", "Is it red? Say yes.")
    names = [entry.name for entry in r.trace]
    assert names == ["draft", "approval", "draft", "approval", "send_mail"]


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_sent_when_nobody_answers(target: str) -> None:
    """Two days pass in no time."""
    r = run(FLOW, target=target, steps={"draft": ["Dear customer"]})
    assert (r.status, r.result) == ("done", "nobody approved")
