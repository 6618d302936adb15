# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""Workflows of public repositories, written anew: what happens to each, and how it must end."""

from typing import Any

from tests.cases.gw_10_status import HttpError
from tests.cases.sf_13_idempotent import LockExists
from tests.cases.sf_22_semaphore import ConditionFailed, RowMissing
from tests.cases.tp_06_guardrail import GuardrailTripped
from tests.cases.tp_31_polling import NotReady
from tests.conformance.case import EVENT, LOOP, SAGA, Case, case_flow
from tests.conformance.chats import CHATS
from tests.conformance.forks import FORKS
from tests.conformance.races import RACES


def _book(kind: str, destination: str, nights: int) -> str:
    if kind == "car":
        raise RuntimeError(f"no cars in {destination}")
    return f"{kind}-{nights}"


def _cancel(kind: str, reference: str) -> None:
    if kind == "hotel":
        raise ValueError("hotel closed")


SAGAS = (
    Case(
        "dt-01-booked",
        case_flow("dt_01_travel_saga", "trip"),
        {"request": {"destination": "Oslo"}},
        {"book": lambda kind, destination, nights: f"{kind}-{nights}"},
        result={
            "status": "booked",
            "error": None,
            "compensations": ["flight-3", "hotel-3", "car-3"],
        },
        kinds=SAGA,
    ),
    Case(
        "dt-01-failed",
        case_flow("dt_01_travel_saga", "trip"),
        {"request": {"destination": "Oslo", "nights": 2}},
        {"book": _book, "cancel_booking": _cancel},
        result={
            "status": "failed",
            "error": "no cars in Oslo",
            "compensations": ["hotel hotel-2 failed: hotel closed", "flight flight-2"],
        },
        kinds=SAGA,
    ),
    Case(
        "sf-01-booked",
        case_flow("sf_01_reservation_saga", "reserve"),
        {"trip": "t"},
        {
            "reserve_flight": ["F"],
            "reserve_car": ["C"],
            "pay": ["P"],
            "confirm": [None, None],
            "text_message": [None],
        },
        result="P",
        kinds=SAGA,
    ),
    Case(
        "sf-01-payment-fails",
        case_flow("sf_01_reservation_saga", "reserve"),
        {"trip": "t"},
        {
            "reserve_flight": ["F"],
            "reserve_car": [OSError("busy"), OSError("busy"), "C"],
            "pay": [PermissionError("no money")],
            "undo": [None, None],
            "text_message": [None],
        },
        status="failed",
        error="TripFailed",
        kinds=SAGA,
        timed=True,
    ),
    Case(
        "tp-22-done",
        case_flow("tp_22_cleanup", "guarded_work"),
        {"name": "n"},
        {"prepare": ["room"], "clean_up": [None]},
        events=[("1m", "done", "swept")],
        result="room swept",
        kinds=SAGA | EVENT,
        timed=True,
    ),
    Case(
        "tp-22-cancelled",
        case_flow("tp_22_cleanup", "guarded_work"),
        {"name": "n"},
        {"prepare": ["room"], "clean_up": [None]},
        cancel="1m",
        status="cancelled",
        error="CancelledError",
        kinds=SAGA | EVENT,
        timed=True,
    ),
)


def _polls(*answers: Any) -> list[Any]:
    return list(answers)


LOOPS = (
    Case(
        "ad-01",
        case_flow("ad_01_condition", "wait_for_condition"),
        {},
        {"look": lambda count: count + 1},
        result=3,
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "re-06-paid",
        case_flow("re_06_escalate", "dunning"),
        {"invoice": "i"},
        {"remind": lambda invoice, number: None},
        events=[("50h", "paid", None)],
        result="paid after 2 reminders",
        kinds=EVENT | LOOP,
        timed=True,
    ),
    Case(
        "re-06-escalated",
        case_flow("re_06_escalate", "dunning"),
        {"invoice": "i"},
        {"remind": lambda invoice, number: None, "escalate": lambda invoice: "lawyer"},
        result="lawyer",
        kinds=EVENT | LOOP,
        timed=True,
    ),
    Case(
        "sf-04",
        case_flow("sf_04_unload", "unload"),
        {"table": "t", "bucket": "b"},
        {
            "execute": lambda sql, token: "q1",
            "describe": _polls("SUBMITTED", "STARTED", "FINISHED"),
            "read": lambda path: '{"entries": [{"url": "u1"}, {"url": "u2"}]}',
        },
        result=["u1", "u2"],
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "sf-04-no-manifest",
        case_flow("sf_04_unload", "unload"),
        {"table": "t", "bucket": "b"},
        {
            "execute": lambda sql, token: "q1",
            "describe": _polls("FINISHED"),
            "read": _polls(FileNotFoundError("s3://b/t/manifest")),
        },
        status="failed",
        error="ManifestMissing",
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "sf-13-saved",
        case_flow("sf_13_idempotent", "idempotent"),
        {"key": "k"},
        {
            "take_lock": _polls(LockExists("k"), LockExists("k"), LockExists("k")),
            "read_lock": _polls(
                {"status": "IN_PROGRESS"},
                {"status": "FAILED"},
                {"status": "SUCCEEDED", "result": '{"n": 1}'},
            ),
            "free_lock": [None],
        },
        result={"n": 1},
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "sf-13-work-fails",
        case_flow("sf_13_idempotent", "idempotent"),
        {"key": "k"},
        {"take_lock": [None], "work": [KeyError("gone")], "save": [None]},
        status="failed",
        error="KeyError",
    ),
    Case(
        "sf-16",
        case_flow("sf_16_atm", "withdraw"),
        {"amount": 173},
        {"dispense": lambda note, count: None},
        result=[
            {"note": 50, "count": 3},
            {"note": 20, "count": 1},
            {"note": 1, "count": 3},
        ],
        kinds=LOOP,
    ),
    Case(
        "sf-16-nothing",
        case_flow("sf_16_atm", "withdraw"),
        {"amount": 0},
        {},
        result=[],
        kinds=LOOP,
    ),
    Case(
        "sf-19",
        case_flow("sf_19_athena", "athena"),
        {"query": "select 1"},
        {
            "start": lambda query, catalog: f"{catalog}/1",
            "state_of": _polls("QUEUED", "RUNNING", "SUCCEEDED"),
            "results": lambda execution: [[execution]],
        },
        result=[["AwsDataCatalog/1"]],
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "sf-22",
        case_flow("sf_22_semaphore", "locked"),
        {"name": "lock"},
        {
            "acquire": _polls(RowMissing("lock"), ConditionFailed("full"), None),
            "create_row": _polls(ConditionFailed("there")),
            "holders": _polls(["other"]),
            "work": ["worked"],
            "release": _polls(ConditionFailed("gone")),
        },
        result="worked",
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "tp-25",
        case_flow("tp_25_retry", "greet"),
        {"name": "Ada"},
        {"compose": _polls(OSError("1"), OSError("2"), OSError("3"), "Hello, Ada!")},
        result="Hello, Ada!",
        timed=True,
    ),
    Case(
        "tp-31",
        case_flow("tp_31_polling", "poll"),
        {"name": "n"},
        {"ask_service": [NotReady(str(n)) for n in range(9)] + ["ready"]},
        result="ready",
        kinds=LOOP,
        timed=True,
    ),
)

PLAIN = (
    Case(
        "tp-06-found",
        case_flow("tp_06_guardrail", "guarded"),
        {"message": "m"},
        {
            "reply": ["call 555"],
            "check": _polls(GuardrailTripped("phone number", {"numbers": ["555", "556"]})),
        },
        result="withheld: phone number (555, 556)",
    ),
    Case(
        "tp-06-clean",
        case_flow("tp_06_guardrail", "guarded"),
        {"message": "m"},
        {"reply": ["hello"], "check": [None]},
        result="hello",
    ),
    Case(
        "gw-01-saturday",
        case_flow("gw_01_weekend", "weekend"),
        {},
        {"day_of_week": ["Saturday"]},
        result="It's the weekend!",
    ),
    Case(
        "gw-01-friday",
        case_flow("gw_01_weekend", "weekend"),
        {},
        {"day_of_week": ["Friday"]},
        result="It's Friday! Almost the weekend!",
    ),
    Case(
        "gw-04",
        case_flow("gw_04_reverse", "reversed_list"),
        {},
        {"read_list": [[1, 2, 3]], "write_list": lambda items: None},
        result=[3, 2, 1],
    ),
    Case(
        "gw-10-found",
        case_flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": ["body"]},
        result="body",
    ),
    Case(
        "gw-10-404",
        case_flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": _polls(HttpError(404))},
        result="Sorry, URL wasn't found.",
    ),
    Case(
        "gw-10-broken",
        case_flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": _polls(OSError("refused"))},
        result="Connection problem.",
    ),
    Case(
        "gw-10-500",
        case_flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": _polls(HttpError(500))},
        status="failed",
        error="HttpError",
    ),
)

CORPUS = FORKS + RACES + SAGAS + LOOPS + PLAIN + CHATS
