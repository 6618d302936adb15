# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# (a script is a lambda of the arguments of its step, which no checker can know)
"""Workflows of public repositories, written anew: what happens to each, and how it must end."""

from typing import Any

from perdure.testing import after
from tests.cases.gw_10_status import HttpError
from tests.cases.sf_13_idempotent import LockExists
from tests.cases.sf_22_semaphore import ConditionFailed, RowMissing
from tests.cases.tp_06_guardrail import GuardrailTripped
from tests.cases.tp_31_polling import NotReady
from tests.conformance.case import Case

RACE = frozenset({"race"})
EVENT = frozenset({"event"})
SAGA = frozenset({"saga"})
LOOP = frozenset({"loop"})
FORK = frozenset({"fork"})

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


def _book(kind: str, destination: str, nights: int) -> str:
    if kind == "car":
        raise RuntimeError(f"no cars in {destination}")
    return f"{kind}-{nights}"


def _cancel(kind: str, reference: str) -> None:
    if kind == "hotel":
        raise ValueError("hotel closed")


def _flow(name: str, function: str) -> str:
    return f"tests/cases/{name}.py:{function}"


FORKS = (
    Case(
        "ac-02",
        _flow("ac_02_stakeholders", "impact"),
        {"prompt": "p", "stakeholders": ["a", "b", "c", "d", "e"]},
        {"analyse": lambda prompt, stakeholder: f"{prompt} {stakeholder}"},
        result=["p a", "p b", "p c", "p d", "p e"],
        kinds=FORK,
    ),
    Case(
        "ac-02-nobody",
        _flow("ac_02_stakeholders", "impact"),
        {"prompt": "p", "stakeholders": []},
        {},
        result=[],
        kinds=FORK,
    ),
    Case(
        "ac-02-one-fails",
        _flow("ac_02_stakeholders", "impact"),
        {"prompt": "p", "stakeholders": ["a", "", "c"]},
        {"analyse": lambda prompt, stakeholder: f"{1 / len(stakeholder)}"},
        status="failed",
        error="ZeroDivisionError",
        kinds=FORK,
    ),
    Case(
        "ac-05",
        _flow("ac_05_orchestrator", "orchestrate"),
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
        _flow("ac_08_batch_tools", "answer"),
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
        _flow("ac_08_batch_tools", "answer"),
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
        _flow("tp_03_translations", "best_translation"),
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
        _flow("re_09_subscriptions", "subscriptions"),
        {"user": "u", "card": "c", "names": ["news", "tv"]},
        {"pay": lambda user, card: "ref", "subscribe": lambda user, name, payment: "ok"},
        result={"success": True, "ref": "ref"},
        kinds=FORK,
    ),
    Case(
        "sf-07-in-stock",
        _flow("sf_07_stock", "reserve_stock"),
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
        _flow("sf_07_stock", "reserve_stock"),
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
        _flow("sf_25_monte_carlo", "monte_carlo"),
        {"count": 4},
        {"inputs": lambda count: list(range(count)), "simulate": lambda value: value * 2.0},
        result=3.0,
        kinds=FORK,
    ),
)

RACES = (
    Case(
        "ad-04",
        _flow("ad_04_first_success", "first_source"),
        {},
        {
            "fetch": lambda source: {
                "a": after("3s", OSError("a")),
                "b": after("9s", "slow"),
                "c": after("5s", "C"),
            }[source]
        },
        result="2: C",
        kinds=RACE,
        timed=True,
    ),
    Case(
        "az-01-expired",
        _flow("az_01_phone", "verify"),
        {"phone": "+123"},
        {"send_code": [None]},
        events=[("60s", "answer", -1), ("100s", "answer", -2), ("200s", "answer", -3)],
        result=False,
        kinds=RACE | EVENT,
        timed=True,
    ),
    Case(
        "az-01-three-wrong",
        _flow("az_01_phone", "verify"),
        {"phone": "+123"},
        {"send_code": [None]},
        events=[("1s", "answer", -1), ("1s", "answer", -2), ("1s", "answer", -3)],
        result=False,
        kinds=RACE | EVENT,
        timed=True,
    ),
    Case(
        "az-01-no-number",
        _flow("az_01_phone", "verify"),
        {"phone": "123"},
        {},
        status="failed",
        error="ValueError",
    ),
    Case(
        "dp-01-auto",
        _flow("dp_01_purchase", "purchase"),
        {"order": {"product": "pen", "cost": 3, "quantity": 1}},
        {"place": [None]},
        result="Auto-approved",
    ),
    Case(
        "dp-01-approved",
        _flow("dp_01_purchase", "purchase"),
        {"order": {"product": "car", "cost": 30000, "quantity": 1}},
        {"request_approval": [None], "place": [None]},
        events=[("3h", "approval", {"approver": "Åse 😀"})],
        result="Approved by 'Åse 😀'",
        kinds=RACE | EVENT,
        timed=True,
    ),
    Case(
        "dp-01-late",
        _flow("dp_01_purchase", "purchase"),
        {"order": {"product": "car", "cost": 30000, "quantity": 1}},
        {"request_approval": [None]},
        events=[("25h", "approval", {"approver": "late"})],
        result="Cancelled",
        kinds=RACE | EVENT,
        timed=True,
    ),
    Case(
        "re-03-clicked",
        _flow("re_03_signup", "signup"),
        {"name": "n", "email": "e"},
        {
            "create_user": lambda name, email: None,
            "send_secret": lambda email: "s3",
            "send_reminder": lambda email: None,
        },
        events=[("40s", "click", "s3")],
        result=True,
        kinds=RACE | EVENT | LOOP,
        timed=True,
    ),
    Case(
        "re-03-never",
        _flow("re_03_signup", "signup"),
        {"name": "n", "email": "e", "patience": 45},
        {
            "create_user": lambda name, email: None,
            "send_secret": lambda email: "s3",
            "send_reminder": lambda email: None,
        },
        status="failed",
        error="TimeoutError",
        kinds=RACE | EVENT | LOOP,
        timed=True,
    ),
    Case(
        "sf-10",
        _flow("sf_10_either_or", "either_or"),
        {},
        {
            "look": lambda service: False,
            "finish": lambda by: by,
        },
        result="timer None",
        kinds=RACE | LOOP,
        timed=True,
    ),
    Case(
        "sw-03-doctor",
        _flow("sw_03_alarm", "alarm"),
        {"patient": "p"},
        {"alert": lambda who, patient: None, "assign": lambda patient, who: who},
        events=[("9s", "doctor_answers", "coming"), ("9s", "nurse_answers", "late")],
        result="doctor: coming",
        kinds=RACE | EVENT,
        timed=True,
    ),
    Case(
        "sw-03-both-there",
        _flow("sw_03_alarm", "alarm"),
        {"patient": "p"},
        {"alert": lambda who, patient: after("20s", None), "assign": lambda patient, who: who},
        events=[("9s", "doctor_answers", "coming"), ("10s", "nurse_answers", "first")],
        result="nurse: first",
        kinds=RACE | EVENT,
        timed=True,
    ),
    Case(
        "tp-34",
        _flow("tp_34_reminders", "remind"),
        {"address": "a@b"},
        {"send_email": lambda address, number: None},
        events=[("70d", "complete", None)],
        result=3,
        kinds=RACE | EVENT | LOOP,
        timed=True,
    ),
    Case(
        "tp-37",
        _flow("tp_37_language", "greet"),
        {"name": "Ada"},
        {"record_approval": lambda approver: None},
        events=[
            ("0s", "language", "de"),
            ("1s", "language", "xx"),
            ("2s", "language", "fr"),
            ("1h", "approve", "boss"),
        ],
        result={"greeting": "Bonjour, Ada", "rejected": ["xx"]},
        kinds=RACE | EVENT | LOOP,
        timed=True,
    ),
)

SAGAS = (
    Case(
        "dt-01-booked",
        _flow("dt_01_travel_saga", "trip"),
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
        _flow("dt_01_travel_saga", "trip"),
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
        _flow("sf_01_reservation_saga", "reserve"),
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
        _flow("sf_01_reservation_saga", "reserve"),
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
        _flow("tp_22_cleanup", "guarded_work"),
        {"name": "n"},
        {"prepare": ["room"], "clean_up": [None]},
        events=[("1m", "done", "swept")],
        result="room swept",
        kinds=SAGA | EVENT,
        timed=True,
    ),
    Case(
        "tp-22-cancelled",
        _flow("tp_22_cleanup", "guarded_work"),
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
        _flow("ad_01_condition", "wait_for_condition"),
        {},
        {"look": lambda count: count + 1},
        result=3,
        kinds=LOOP,
        timed=True,
    ),
    Case(
        "re-06-paid",
        _flow("re_06_escalate", "dunning"),
        {"invoice": "i"},
        {"remind": lambda invoice, number: None},
        events=[("50h", "paid", None)],
        result="paid after 2 reminders",
        kinds=EVENT | LOOP,
        timed=True,
    ),
    Case(
        "re-06-escalated",
        _flow("re_06_escalate", "dunning"),
        {"invoice": "i"},
        {"remind": lambda invoice, number: None, "escalate": lambda invoice: "lawyer"},
        result="lawyer",
        kinds=EVENT | LOOP,
        timed=True,
    ),
    Case(
        "sf-04",
        _flow("sf_04_unload", "unload"),
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
        _flow("sf_04_unload", "unload"),
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
        _flow("sf_13_idempotent", "idempotent"),
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
        _flow("sf_13_idempotent", "idempotent"),
        {"key": "k"},
        {"take_lock": [None], "work": [KeyError("gone")], "save": [None]},
        status="failed",
        error="KeyError",
    ),
    Case(
        "sf-16",
        _flow("sf_16_atm", "withdraw"),
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
        _flow("sf_16_atm", "withdraw"),
        {"amount": 0},
        {},
        result=[],
        kinds=LOOP,
    ),
    Case(
        "sf-19",
        _flow("sf_19_athena", "athena"),
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
        _flow("sf_22_semaphore", "locked"),
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
        _flow("tp_25_retry", "greet"),
        {"name": "Ada"},
        {"compose": _polls(OSError("1"), OSError("2"), OSError("3"), "Hello, Ada!")},
        result="Hello, Ada!",
        timed=True,
    ),
    Case(
        "tp-31",
        _flow("tp_31_polling", "poll"),
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
        _flow("tp_06_guardrail", "guarded"),
        {"message": "m"},
        {
            "reply": ["call 555"],
            "check": _polls(GuardrailTripped("phone number", {"numbers": ["555", "556"]})),
        },
        result="withheld: phone number (555, 556)",
    ),
    Case(
        "tp-06-clean",
        _flow("tp_06_guardrail", "guarded"),
        {"message": "m"},
        {"reply": ["hello"], "check": [None]},
        result="hello",
    ),
    Case(
        "gw-01-saturday",
        _flow("gw_01_weekend", "weekend"),
        {},
        {"day_of_week": ["Saturday"]},
        result="It's the weekend!",
    ),
    Case(
        "gw-01-friday",
        _flow("gw_01_weekend", "weekend"),
        {},
        {"day_of_week": ["Friday"]},
        result="It's Friday! Almost the weekend!",
    ),
    Case(
        "gw-04",
        _flow("gw_04_reverse", "reversed_list"),
        {},
        {"read_list": [[1, 2, 3]], "write_list": lambda items: None},
        result=[3, 2, 1],
    ),
    Case(
        "gw-10-found",
        _flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": ["body"]},
        result="body",
    ),
    Case(
        "gw-10-404",
        _flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": _polls(HttpError(404))},
        result="Sorry, URL wasn't found.",
    ),
    Case(
        "gw-10-broken",
        _flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": _polls(OSError("refused"))},
        result="Connection problem.",
    ),
    Case(
        "gw-10-500",
        _flow("gw_10_status", "fetch"),
        {"url": "u"},
        {"get": _polls(HttpError(500))},
        status="failed",
        error="HttpError",
    ),
)

CORPUS = FORKS + RACES + SAGAS + LOOPS + PLAIN
