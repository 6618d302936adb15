"""The routines that are in every workflow: how it talks to the sites, and waits.

    site(ask, state, timeout, guarded)   one site: what it answers, again until no retry is due
    wait(ask, state)                     until an event, a child's end, or a time
    pause(ask, state)                    until a time, unless the run is cancelled

An answer is a map: `state` (text that only sites read), `time` (milliseconds, text), `go` (where an
error leads), and what the steps that follow need. A callback is a doorbell: `wait` asks the sites
again after every ring and, since a ring may be lost, from time to time.
"""

from typing import Final

from perdure.codec import Json

__all__ = ["NOW", "RUNNING", "step"]

NOW: Final = "${string(int(sys.now() * 1000))}"
"""Milliseconds since 1970: an integer has one text, a double has no documented one."""

SITES: Final = '${sys.get_env("PERDURE_SITES")}'
"""The URL of the sites' service; a variable of the workflow's environment."""

AUDIENCE: Final = '${sys.get_env("PERDURE_AUDIENCE", sys.get_env("PERDURE_SITES"))}'
"""Whom tokens are made out to: the service, where `PERDURE_SITES` is one revision of it
(https://cloud.google.com/run/docs/authenticating/service-to-service).
"""

LOST_ATTEMPTS: Final = 4
"""Repeats of a request that brought no answer: with the first, five in a row."""


def step(name: str, body: dict[str, Json]) -> Json:
    """One step of a list."""
    return {name: body}


def _when(condition: str, **then: Json) -> Json:
    return {"condition": f"${{{condition}}}", **then}


_POST: Final[dict[str, Json]] = {
    "try": {
        "call": "http.post",
        "args": {
            "url": SITES,
            "auth": {"type": "OIDC", "audience": AUDIENCE},
            "timeout": "${timeout}",
            "body": {"ask": "${ask}", "state": "${state}", "token": "${token}"},
        },
        "result": "answer",
    },
    "retry": {
        "predicate": "${retry.always}",
        "max_retries": LOST_ATTEMPTS,
        "backoff": {"initial_delay": 1, "max_delay": 8, "multiplier": 2},
    },
    "except": {
        "as": "lost",
        "steps": [
            step("if_unguarded", {"switch": [_when("not guarded", **{"raise": "${lost}"})]}),
            step("gone", {"assign": [{"state.go": "lost"}, {"state.time": NOW}]}),
            step("give_up", {"return": "${state}"}),
        ],
    },
}

_SITE: Final[dict[str, Json]] = {
    "params": ["ask", "state", {"timeout": 90}, {"guarded": False}, {"token": ""}],
    "steps": [
        step("ask_site", _POST),
        step(
            "answered",
            {
                "switch": [
                    _when('answer.body.go == "failed"', **{"raise": "${answer.body.error}"}),
                    _when('answer.body.go == "again"', next="doze"),
                ],
                "next": "give",
            },
        ),
        step("doze", {"call": "pause", "args": {"ask": "${ask}", "state": "${answer.body}"},
                      "result": "state", "next": "ask_site"}),
        step("give", {"return": "${answer.body}"}),
    ],
}  # fmt: skip

_WAIT: Final[dict[str, Json]] = {
    "params": ["ask", "state"],
    "steps": [
        step("first", {"assign": [{"round": 0}]}),
        step("make", {"call": "events.create_callback_endpoint",
                      "args": {"http_callback_method": "POST"}, "result": "bell"}),
        step("tell", {"call": "site", "result": "heard",
                      "args": {"ask": "${ask}", "state": "${state}", "token": {
                          "url": "${bell.url}", "round": "${round}"}}}),
        step("decided", {"switch": [_when("heard.over", **{"return": "${heard}"})]}),
        step("listen", {
            "try": {"call": "events.await_callback",
                    "args": {"callback": "${bell}", "timeout": "${heard.seconds}"}},
            "except": {"as": "late",
                       "steps": [step("no_ring", {"assign": [{"round": "${round + 1}"}]})]},
            "next": "next_round",
        }),
        step("next_round", {"assign": [{"state": "${heard}"}], "next": "make"}),
    ],
}  # fmt: skip

_PAUSE: Final[dict[str, Json]] = {
    "params": ["ask", "state"],
    "steps": [
        step("how", {"switch": [_when("not state.native", next="watch")]}),
        step("sleep", {"call": "sys.sleep_until", "args": {"time": "${state.until}"}}),
        step("rested", {"return": "${state}"}),
        step("watch", {"call": "wait", "result": "after", "args": {
            "ask": {"flow": "${ask.flow}", "scope": "${ask.scope}", "site": "${ask.site}",
                    "line": "${ask.line}", "pause": "${state.pause}"},
            "state": "${state}"}}),
        step("over", {"return": "${after}"}),
    ],
}  # fmt: skip

RUNNING: Final[dict[str, dict[str, Json]]] = {"site": _SITE, "wait": _WAIT, "pause": _PAUSE}
"""The routines by name."""
