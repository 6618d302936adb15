"""How each open question of the Workflows engine is asked: a few steps that return an answer.

One for each row of `OPEN_QUESTIONS`. Most are subworkflows of one workflow; those `APART` are
workflows of their own: a deployment may refuse them, or they end the execution.
"""

from collections.abc import Mapping
from typing import Final

from perdure.codec import Json

__all__ = ["APART", "BY_CHANCE", "TOGETHER", "apart", "together"]

type Steps = list[Json]

_CREATE: Final[Json] = {
    "create": {"call": "events.create_callback_endpoint",
               "args": {"http_callback_method": "POST"}, "result": "bell"}
}  # fmt: skip
_AWAIT: Final[dict[str, Json]] = {
    "call": "events.await_callback",
    "args": {"callback": "${bell}", "timeout": 3},
}


def _value(expression: str) -> Steps:
    return [{"answer": {"return": "${" + expression + "}"}}]


def _with(variables: Mapping[str, Json], expression: str) -> Steps:
    assign: list[Json] = [{name: value} for name, value in variables.items()]
    return [{"given": {"assign": assign}}, *_value(expression)]


def _range(first: Json, last: Json) -> Steps:
    seen: Json = {"seen": '${seen + string(v) + ","}'}
    loop: Json = {"value": "v", "range": [first, last], "steps": [{"see": {"assign": [seen]}}]}
    return [{"given": {"assign": [{"seen": ""}]}}, {"loop": {"for": loop}}, *_value("seen")]


TOGETHER: Final[Mapping[str, Steps]] = {
    "short-circuit": _value("false and (1 / 0 > 1)"),
    "eager-if": _value("if(true, 1, 1 / 0)"),
    "division": _value("-7 // 2"),
    "overflow": _value("9223372036854775807 + 1"),
    "order": _value('"a" < "b"'),
    "equality": _value('1 == "1"'),
    "deep-equality": _with({"a": [1], "b": [1]}, "a == b"),
    "double-text": _value("string(2.0)"),
    "json-double": _value("json.encode_to_string(2.0)"),
    "json-number": _value('json.decode("12345678901234567890")'),
    "json-text": _value('json.encode_to_string("<")'),
    "json-duplicate": _with({"t": '{"a":1,"a":2}'}, "json.decode(t)"),
    "negative-index": _with({"l": [1, 2]}, "l[-1]"),
    "index-type": _with({"l": [1, 2]}, "l[1.0]"),
    "text-index": _with({"t": "abc"}, "t[0]"),
    "characters": _value('len("\U0001f600")'),
    "substring-range": _value('text.substring("abc", 1, 9)'),
    "split-empty": _value('text.split("abc", "")'),
    "find-overlap": _value('len(text.find_all("aaa", "aa"))'),
    "regex": _value('text.match_regex("ab", "(?i)AB")'),
    "case": _value('text.to_upper("ß")'),
    "conversion": _value('int(" 7 ")'),
    "helper-type": _value("int(1)"),
    "empty-range": _range(1, 0),
    "nested-create": [
        {"given": {"assign": [{"m": {}}, {"m.a.b": 1}]}},
        {"answer": {"return": "${m}"}},
    ],
    "unassigned": [
        {"over": {"switch": [{"condition": True, "next": "answer"}]}},
        {"never": {"assign": [{"x": 1}]}},
        {"answer": {"return": "${x}"}},
    ],
    "error-fields": [
        {"tried": {
            "try": {"steps": [{"both": {"parallel": {"branches": [
                {"one": {"steps": [{"fails": {"raise": "a"}}]}},
                {"two": {"steps": [{"ends": {"assign": [{"done": True}]}}]}},
            ]}}}]},
            "except": {"as": "e", "steps": [{"answer": {"return": "${e.branches}"}}]},
        }},
    ],
    "callback-early": [
        _CREATE,
        {"ring": {"call": "http.post", "args": {"url": "${bell.url}",
                                                "auth": {"type": "OAuth2"}}}},
        {"tried": {"try": {"steps": [{"wait": _AWAIT}, {"kept": {"return": "kept"}}]},
                   "except": {"as": "e", "steps": [{"lost": {"return": "lost"}}]}}},
    ],
    "callback-again": [
        _CREATE,
        {"both": {"parallel": {"branches": [
            {"one": {"steps": [{"wait_one": {"try": _AWAIT, "except": {
                "as": "e", "steps": [{"late_one": {"assign": [{"x": 1}]}}]}}}]}},
            {"two": {"steps": [{"wait_two": {"try": _AWAIT, "except": {
                "as": "f", "steps": [{"late_two": {"assign": [{"y": 1}]}}]}}}]}},
        ]}}},
        {"answer": {"return": "both"}},
    ],
    "time-text": _value('time.parse("2026-01-01 00:00:00")'),
    "hash": _value('hash.compute_checksum(text.encode("a"), "MD4")'),
    "encoding": _value('text.url_decode("a+b")'),
    "http-form": [
        {"get": {"call": "http.get", "args": {"url": "https://example.com/", "timeout": 5000},
                 "result": "r"}},
        {"answer": {"return": "${r.code}"}},
    ],
}  # fmt: skip
"""Steps by question."""


def _main(steps: Steps) -> dict[str, Json]:
    return {"main": {"steps": steps}}


APART: Final[Mapping[str, dict[str, Json] | str]] = {
    "branch-next": _main([
        {"both": {"parallel": {"branches": [
            {"one": {"steps": [{"out": {"assign": [{"x": 1}], "next": "end"}}]}},
            {"two": {"steps": [{"in": {"assign": [{"y": 1}]}}]}},
        ]}}},
        {"answer": {"return": "went on"}},
    ]),
    "jump-into": _main([
        {"over": {"switch": [{"condition": True, "next": "inside"}]}},
        {"nested": {"steps": [{"before": {"assign": [{"x": 1}]}},
                              {"inside": {"return": "inside"}}]}},
    ]),
    "lexeme": _main(_value('"\\u0041"')),
    "partial": _main([{"answer": {"return": "a ${1} b"}}]),
    "shadow": _main([
        {"given": {"assign": [{"e": "outer"}]}},
        {"tried": {"try": {"raise": "x"},
                   "except": {"as": "e", "steps": [{"seen": {"assign": [{"y": 1}]}}]}}},
        {"answer": {"return": "${e}"}},
    ]),
    "yaml": "main:\n  steps:\n    - answer:\n        return: 017\n",
    "yaml-feature": "main:\n  steps:\n    - one:\n        assign: [{x: &a 1}, {y: *a}]\n"
                    "    - answer:\n        return: ${y}\n",
    "call-form": _main([{"log": {"call": "sys.log", "args": {"severity": "INFO"}}},
                        {"answer": {"return": "logged"}}]),
    "connector": _main(_value('googleapis.pubsub.v1.projects.topics.publish("a")')),
    "map-keys": _main([{"given": {"assign": [{"k": 1}, {"m": {"${k}": 2}}]}},
                       {"answer": {"return": "${m}"}}]),
    "retry-numbers": _main([
        {"tried": {"try": {"raise": "boom"},
                   "retry": {"predicate": "${retry.always}", "max_retries": "3",
                             "backoff": {"initial_delay": 1, "max_delay": 1, "multiplier": 1}}}},
    ]),
    "late-scope": _main([
        {"one": {"switch": [{"condition": True, "next": "three"}]}},
        {"two": {"assign": [{"x": 1}]}},
        {"three": {"for": {"value": "v", "in": [1],
                           "steps": [{"four": {"assign": [{"x": "${v}"}]}}]}}},
        {"answer": {"return": "${x}"}},
    ]),
    "predicate": {
        "main": {"steps": [
            {"tried": {"try": {"raise": "boom"},
                       "retry": {"predicate": "${odd}", "max_retries": 1,
                                 "backoff": {"initial_delay": 1, "max_delay": 1,
                                             "multiplier": 1}}}},
        ]},
        "odd": {"params": ["e"], "steps": [{"answer": {"return": 1}}]},
    },
    "concurrency": _main([
        {"given": {"assign": [{"n": 0}]}},
        {"both": {"parallel": {"concurrency_limit": "${n}", "branches": [
            {"one": {"steps": [{"x": {"assign": [{"a": 1}]}}]}},
            {"two": {"steps": [{"y": {"assign": [{"b": 1}]}}]}},
        ]}}},
        {"answer": {"return": "ran"}},
    ]),
    "range-numbers": _main(_range(0.5, 2)),
    "raise-type": _main([
        {"tried": {"try": {"raise": 5},
                   "except": {"as": "e", "steps": [{"answer": {"return": "${e}"}}]}}},
    ]),
    "end-in-subworkflow": {
        "main": {"steps": [{"inner": {"call": "leaves"}}, {"answer": {"return": "went on"}}]},
        "leaves": {"steps": [{"out": {"assign": [{"x": 1}], "next": "end"}}]},
    },
    "switch-next": _main([
        {"given": {"assign": [{"x": 0}]}},
        {"either": {"switch": [{"condition": True, "assign": [{"x": 1}]}], "next": "far"}},
        {"near": {"return": "near"}},
        {"far": {"return": "far"}},
    ]),
}  # fmt: skip
"""Whole workflows by question; text where the form of YAML is asked about."""

BY_CHANCE: Final = frozenset({"callback-early"})
"""Our engine draws it, so that nothing may hang on it: there is no assumption."""


def together(asked: Mapping[str, Steps] = TOGETHER) -> dict[str, Json]:
    """One workflow that asks many: it gives a map of question to value, or to error."""
    steps: list[Json] = [{"begin": {"assign": [{"answers": {}}]}}]
    routines: dict[str, Json] = {}
    for number, (question, body) in enumerate(asked.items()):
        routine = f"question_{number}"
        routines[routine] = {"steps": body}
        value: Json = {f'answers["{question}"]': {"value": "${one}"}}
        error: Json = {f'answers["{question}"]': {"error": "${what}"}}
        tried: Json = {"steps": [
            {f"ask_{number}": {"call": routine, "result": "one"}},
            {f"told_{number}": {"assign": [value]}},
        ]}  # fmt: skip
        handler: Json = {"as": "e", "steps": [
            {f"why_{number}": {"call": "kind_of", "args": {"e": "${e}"}, "result": "what"}},
            {f"wrong_{number}": {"assign": [error]}},
        ]}  # fmt: skip
        steps.append({f"try_{number}": {"try": tried, "except": handler}})
    return {
        "main": {"steps": [*steps, {"end_of_all": {"return": "${answers}"}}]},
        **routines,
        "kind_of": {
            "params": ["e"],
            "steps": [
                {"which": {"switch": [{"condition": '${get_type(e) == "map"}', "next": "tags"}]}},
                {"plain": {"return": "${e}"}},
                {"tags": {"return": '${map.get(e, "tags")}'}},
            ],
        },
    }


def apart(question: str) -> dict[str, Json] | str:
    """The workflow that asks one question."""
    if question in APART:
        return APART[question]
    return _main(TOGETHER[question])
