# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""Workflows of public repositories that go on for long: chats, states, loops that begin again."""

from tests.conformance.case import EVENT, LOOP, RACE, Case, case_flow

__all__ = ["CHATS"]

_PAYMENT = {"account": "a1", "cents": 500}

CHATS = (
    Case(
        "tp-09",
        case_flow("tp_09_service_chat", "customer_service"),
        {},
        {
            "run_agent": [
                [
                    {"kind": "handoff", "agent": "triage", "text": "seats"},
                    {"kind": "message", "agent": "seats", "text": "which seat?"},
                ],
                [
                    {"kind": "tool call", "agent": "seats", "text": "book 12A"},
                    {"kind": "tool output", "agent": "seats", "text": "ok"},
                    {"kind": "reasoning", "agent": "seats", "text": "hm"},
                    {"kind": "message", "agent": "seats", "text": "12A is yours"},
                ],
            ]
        },
        events=[
            ("1m", "message", "change my seat"),
            ("2m", "message", "12A"),
            ("1h", "message", " Bye "),
        ],
        result=[
            "handed off from triage to seats",
            "seats: which seat?",
            "seats: tool call book 12A",
            "seats: tool output ok",
            "seats: skipped a reasoning",
            "seats: 12A is yours",
            "8 items",
        ],
        kinds=EVENT | LOOP,
        timed=True,
    ),
    Case(
        "ta-01-confirmed",
        case_flow("ta_01_goal_agent", "goal_agent"),
        {"goal": "book a trip"},
        {
            "validate": ["that is not about trips", None, None],
            "plan_next": [
                {"next": "confirm", "tool": "search", "args": {"city": "Oslo", "date": None}},
                {
                    "next": "confirm",
                    "tool": "search",
                    "args": {"city": "Oslo", "date": "May"},
                    "response": "shall I search?",
                },
                {"next": "done", "response": "have a nice trip"},
            ],
            "run_tool": lambda name, args: {"flights": [name, args["city"]]},
        },
        events=[
            ("1m", "confirm", None),
            ("2m", "prompt", "how are you?"),
            ("3m", "prompt", "to Oslo"),
            ("4m", "prompt", "in May"),
            ("5m", "confirm", None),
        ],
        result=[
            {"actor": "agent", "response": "that is not about trips"},
            {"actor": "user", "response": "to Oslo"},
            {"actor": "agent", "response": "please tell me: date"},
            {"actor": "user", "response": "in May"},
            {"actor": "agent", "response": "shall I search?"},
            {"actor": "tool", "response": {"flights": ["search", "Oslo"]}},
            {"actor": "agent", "response": "have a nice trip"},
        ],
        kinds=EVENT | LOOP | RACE,
        timed=True,
    ),
    Case(
        "ta-01-ended",
        case_flow("ta_01_goal_agent", "goal_agent"),
        {"goal": "book a trip"},
        {
            "validate": [None],
            "plan_next": [{"next": "pick-new-goal", "goal": "pay", "response": "let us pay"}],
        },
        events=[("1m", "prompt", "pay the bill"), ("2m", "end_chat", None)],
        result=[
            {"actor": "user", "response": "pay the bill"},
            {"actor": "agent", "response": "let us pay"},
            {"actor": "user", "response": "ended the chat"},
        ],
        kinds=EVENT | LOOP | RACE,
        timed=True,
    ),
    Case(
        "re-12-refunded",
        case_flow("re_12_payment", "payment"),
        {},
        {"withdraw": [True], "refund": [None]},
        events=[
            ("1m", "make", _PAYMENT),
            ("2m", "make", _PAYMENT),
            ("1h", "cancel", None),
            ("2h", "cancel", None),
            ("3h", "make", _PAYMENT),
        ],
        result=[
            "withdrawn",
            "already made",
            "refunded",
            "cancelled before",
            "already cancelled",
            "forgotten as CANCELLED",
        ],
        kinds=EVENT | LOOP | RACE,
        timed=True,
    ),
    Case(
        "re-12-no-money",
        case_flow("re_12_payment", "payment"),
        {"expiry": "1h"},
        {"withdraw": [False]},
        events=[("1m", "make", _PAYMENT)],
        result=["no money", "forgotten as FAILED"],
        kinds=EVENT | LOOP | RACE,
        timed=True,
    ),
    Case(
        "dt-04",
        case_flow("dt_04_eternal", "periodic_cleanup"),
        {},
        {"clean_up": lambda counter: None},
        result="cleaned up 5 times",
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "gw-07",
        case_flow("gw_07_manual_poll", "run_query"),
        {"project": "p", "query": "select 1"},
        {
            "start_job": [{"jobReference": {"jobId": "j"}}],
            "query_results": [
                {"jobComplete": False},
                {"jobComplete": False},
                {"jobComplete": True, "rows": [{"f": 1}]},
            ],
        },
        result=[{"f": 1}],
        kinds=LOOP,
        timed=True,
    ),
)
