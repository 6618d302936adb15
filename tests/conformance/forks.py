# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""Workflows of public repositories, written anew: those that fan out."""

from tests.conformance.case import FORK, Case, case_flow

XML = """I see two jobs.
<tasks>
<task>
<type>formal</type>
<description>Write it precisely</description>
</task>
<task>
<description>Write it warmly</description>
</task>
</tasks>"""

FORKS = (
    Case(
        "ac-02",
        case_flow("ac_02_stakeholders", "impact"),
        {"prompt": "p", "stakeholders": ["a", "b", "c", "d", "e"]},
        {"analyse": lambda prompt, stakeholder: f"{prompt} {stakeholder}"},
        result=["p a", "p b", "p c", "p d", "p e"],
        kinds=FORK,
    ),
    Case(
        "ac-02-nobody",
        case_flow("ac_02_stakeholders", "impact"),
        {"prompt": "p", "stakeholders": []},
        {},
        result=[],
        kinds=FORK,
    ),
    Case(
        "ac-02-one-fails",
        case_flow("ac_02_stakeholders", "impact"),
        {"prompt": "p", "stakeholders": ["a", "", "c"]},
        {"analyse": lambda prompt, stakeholder: f"{1 / len(stakeholder)}"},
        status="failed",
        error="ZeroDivisionError",
        kinds=FORK,
    ),
    Case(
        "ac-05",
        case_flow("ac_05_orchestrator", "orchestrate"),
        {"task": "slogan"},
        {"plan": lambda task: XML, "work": lambda kind, description: f"{kind}!"},
        result={
            "analysis": "I see two jobs.",
            "results": [
                {"type": "formal", "result": "Write it precisely: formal!"},
                {"type": "default", "result": "Write it warmly: default!"},
            ],
        },
        kinds=FORK,
    ),
    Case(
        "ac-08",
        case_flow("ac_08_batch_tools", "answer"),
        {"question": "Oslo?"},
        {
            "think": lambda question: [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "name": "weather", "input": {"location": "Oslo"}},
                {
                    "type": "tool_use",
                    "name": "batch",
                    "input": {
                        "invocations": [
                            {"name": "time", "location": "Oslo"},
                            {"name": "weather", "location": "Rome"},
                        ]
                    },
                },
            ],
            "weather": lambda location: f"rain in {location}",
            "time_in": lambda location: f"noon in {location}",
        },
        result=["Let me see.", "rain in Oslo", "noon in Oslo; rain in Rome"],
        kinds=FORK,
    ),
    Case(
        "ac-08-no-such-tool",
        case_flow("ac_08_batch_tools", "answer"),
        {"question": "Oslo?"},
        {
            "think": lambda question: [
                {"type": "tool_use", "name": "fly", "input": {"location": "Oslo"}}
            ]
        },
        status="failed",
        error="ValueError",
    ),
    Case(
        "tp-03",
        case_flow("tp_03_translations", "best_translation"),
        {"message": "hello"},
        {
            "translate": lambda message: message.upper(),
            "pick": lambda message, translations: translations.split("\n\n")[-1],
        },
        result="HELLO",
        kinds=FORK,
    ),
    Case(
        "re-09",
        case_flow("re_09_subscriptions", "subscriptions"),
        {"user": "u", "card": "c", "names": ["news", "tv"]},
        {"pay": lambda user, card: "ref", "subscribe": lambda user, name, payment: "ok"},
        result={"success": True, "ref": "ref"},
        kinds=FORK,
    ),
    Case(
        "sf-07-in-stock",
        case_flow("sf_07_stock", "reserve_stock"),
        {"sku": "s", "quantity": "2"},
        {
            "read_item": lambda sku: {"quantity": "2.0", "status": "IN STOCK"},
            "act": lambda name, sku: f"{name} {sku}",
        },
        result=["reserve s", "decrement s", "notify 2 s"],
        kinds=FORK,
    ),
    Case(
        "sf-07-sold-out",
        case_flow("sf_07_stock", "reserve_stock"),
        {"sku": "s", "quantity": "2"},
        {
            "read_item": lambda sku: {"quantity": "9", "status": "SOLD OUT"},
            "act": lambda name, sku: name,
        },
        result=["reject", "reorder", "alert"],
        kinds=FORK,
    ),
    Case(
        "sf-25",
        case_flow("sf_25_monte_carlo", "monte_carlo"),
        {"count": 4},
        {"inputs": lambda count: list(range(count)), "simulate": lambda value: value * 2.0},
        result=3.0,
        kinds=FORK,
    ),
)
