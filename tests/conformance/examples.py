# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""The four examples, each on its ways: the steps' own bodies answer, the model is scripted."""

from perdure.testing import after
from tests.conformance.case import Case, Script

TRIAGE = "examples/triage.py:triage"
SAGA = "examples/saga.py:saga"
CRASH = {"number": 7, "title": "Crash on start"}
ORDER = {"id": "o1", "items": ["tent", "stove"], "card": "4242"}
RESERVED: dict[str, Script] = {
    "reserve": lambda order, item: None,
    "charge": lambda order: "receipt-o1",
    "release": lambda order, item: None,
    "refund": lambda order: None,
}


def _failing_search(question: str) -> object:
    if question.endswith("present"):
        raise ConnectionError(question)
    return {"question": question, "text": question.upper()}


EXAMPLES = (
    Case(
        "triage-approved",
        TRIAGE,
        {"issue": CRASH},
        unscripted="run",
        events=[("2h", "approval", {"approved": True})],
        result="https://issues.example/7#reply",
        kinds=frozenset({"event"}),
        timed=True,
    ),
    Case(
        "triage-rejected",
        TRIAGE,
        {"issue": {"number": 8, "title": "How do I start?", "body": "please"}},
        unscripted="run",
        events=[("71h", "approval", {"approved": False, "note": "off topic"})],
        result="rejected: off topic",
        kinds=frozenset({"event"}),
        timed=True,
    ),
    Case(
        "triage-escalated",
        TRIAGE,
        {"issue": CRASH},
        unscripted="run",
        result="escalated: nobody answered in three days",
        kinds=frozenset({"event"}),
        timed=True,
    ),
    Case(
        "triage-at-the-deadline",
        TRIAGE,
        {"issue": CRASH},
        unscripted="run",
        events=[("3d", "approval", {"approved": True})],
        result="https://issues.example/7#reply",
        kinds=frozenset({"event"}),
        timed=True,
    ),
    Case(
        "triage-spam",
        TRIAGE,
        {"issue": {"number": 9, "title": "Buy now!"}},
        unscripted="run",
        result="closed as spam",
    ),
    Case(
        "triage-retries",
        TRIAGE,
        {"issue": {"number": 9, "title": "Buy now!"}},
        {"classify": [ConnectionError("busy"), ConnectionError("busy"), "spam"], "label": [None]},
        result="closed as spam",
        timed=True,
    ),
    Case(
        "research-two-drafts",
        "examples/research.py:research",
        {"topic": "tea"},
        unscripted="run",
        result={
            "text": "write: tea\n[1] search: tea: history\n[2] search: tea: present"
            "\n[3] search: tea: outlook",
            "drafts": 2,
            "missing": [],
        },
        kinds=frozenset({"fork", "loop"}),
    ),
    Case(
        "research-tolerates-a-failure",
        "examples/research.py:research",
        {"topic": "tea", "max_drafts": 2},
        {"look_up": _failing_search},
        unscripted="run",
        result={
            "text": "write: tea\n[1] TEA: HISTORY\n[2] TEA: OUTLOOK",
            "drafts": 2,
            "missing": ["tea: present"],
        },
        kinds=frozenset({"fork", "loop"}),
        timed=True,
    ),
    Case(
        "agent-two-tools",
        "examples/agent.py:agent",
        {"question": "What is it like in Oslo?"},
        unscripted="run",
        result="Oslo: 7 degrees, rain; 42",
        kinds=frozenset({"loop"}),
    ),
    Case(
        "agent-unknown-tool",
        "examples/agent.py:agent",
        {"question": "?"},
        {
            "think": [
                {"tool": "fly", "args": {}, "answer": "", "tokens": 1},
                {"tool": "add", "args": {"a": 1}, "answer": "", "tokens": 1},
                {"tool": "", "args": {}, "answer": "no", "tokens": 1},
            ]
        },
        result="no",
        kinds=frozenset({"loop"}),
    ),
    Case(
        "agent-budget",
        "examples/agent.py:agent",
        {"question": "?", "budget": 5},
        {
            "think": lambda messages: {
                "tool": "add",
                "args": {"a": 1, "b": 2},
                "answer": "",
                "tokens": 4,
            },
            "add": lambda a, b: str(a + b),
        },
        result="stopped: 8 tokens spent, 5 allowed",
        kinds=frozenset({"loop"}),
    ),
    Case(
        "saga-shipped",
        SAGA,
        {"order": ORDER},
        RESERVED,
        events=[("5d", "shipped", None)],
        result="receipt-o1",
        kinds=frozenset({"saga", "event"}),
        timed=True,
    ),
    Case(
        "saga-card-declined",
        SAGA,
        {"order": ORDER | {"card": "0000"}},
        unscripted="run",
        status="failed",
        error="CardDeclined",
        kinds=frozenset({"saga"}),
    ),
    Case(
        "saga-never-shipped",
        SAGA,
        {"order": ORDER},
        RESERVED,
        status="failed",
        error="TimeoutError",
        kinds=frozenset({"saga", "event"}),
        timed=True,
    ),
    Case(
        "saga-cancelled",
        SAGA,
        {"order": ORDER},
        RESERVED,
        cancel="1d",
        status="cancelled",
        error="CancelledError",
        kinds=frozenset({"saga", "event"}),
        timed=True,
    ),
    Case(
        "saga-cancelled-while-it-reserves",
        SAGA,
        {"order": ORDER},
        {**RESERVED, "reserve": [after("5m"), after("5m")]},
        cancel="7m",
        status="cancelled",
        error="CancelledError",
        kinds=frozenset({"saga"}),
        timed=True,
    ),
    Case(
        "saga-empty-order",
        SAGA,
        {"order": {"id": "o2", "items": [], "card": "4242"}},
        RESERVED,
        events=[("0s", "shipped", {"early": True})],
        result="receipt-o1",
        kinds=frozenset({"saga", "event"}),
        timed=True,
    ),
)
