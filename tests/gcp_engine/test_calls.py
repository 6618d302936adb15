"""Subworkflows and errors: the examples of the pages below SYNTAX and of Google's samples."""

import pytest

from tests.gcp_engine.running import FAILED, OPEN, REFUSED, ended, run

SYNTAX = "https://cloud.google.com/workflows/docs/reference/syntax/"

CALLS: dict[str, tuple[str, object]] = {
    "a subworkflow": ("""
        main:
          steps:
            - first: {call: hello, args: {input: Kristof}, result: some_output}
            - second: {return: '${some_output}'}
        hello:
          params: [input]
          steps:
            - greet: {return: '${"Hello "+input}'}
        """, "Hello Kristof"),
    "defaults": ("""
        main:
          steps:
            - first: {call: f, args: {a: 1}, result: one}
            - second: {call: f, args: {a: 1, b: null}, result: two}
            - third: {return: ['${one}', '${two}']}
        f:
          params: [a, b: 3]
          steps:
            - only: {return: '${b}'}
        """, [3, None]),
    "recursion": ("""
        main:
          steps:
            - first: {call: f, args: {k: 5}, result: r}
            - second: {return: '${r}'}
        f:
          params: [k, acc: 1]
          steps:
            - test: {switch: [{condition: '${k < 2}', return: '${acc}'}]}
            - deeper: {call: f, args: {k: '${k - 1}', acc: '${acc * k}'}, result: q}
            - done: {return: '${q}'}
        """, 120),
    "in an expression": ("""
        main:
          steps:
            - only: {return: '${f(2) + f(f(3)) * 2}'}
        f:
          params: [k]
          steps:
            - ten: {return: '${k * 10}'}
        """, 620),
    "without return": ("""
        main:
          steps:
            - first: {call: f, result: r}
            - second: {return: '${r}'}
        f:
          steps:
            - only: {assign: [{x: 1}]}
        """, None),
    "a subworkflow cannot see the caller's variables": ("""
        main:
          steps:
            - first: {assign: [{x: 1}]}
            - second: {call: f, result: r}
        f:
          steps:
            - only: {return: '${x}'}
        """, REFUSED),
    "too deep": ("""
        main:
          steps:
            - tried:
                try: {call: f, args: {k: 25}, result: r}
                except: {as: e, steps: [{seen: {return: '${e.tags}'}}]}
        f:
          params: [k]
          steps:
            - test: {switch: [{condition: '${k == 0}', return: 0}]}
            - deeper: {call: f, args: {k: '${k - 1}'}, result: q}
            - done: {return: '${q}'}
        """, ["RecursionError"]),
    "a list reversed": ("""
        main:
          steps:
            - call_it: {call: reverse_list, args: {source: [1, 2, 3]}, result: output}
            - done: {return: '${output}'}
        reverse_list:
          params: [source]
          steps:
            - init: {assign: [{dst: []}]}
            - reverse:
                for:
                  value: entry
                  in: ${source}
                  steps:
                    - prepend: {assign: [{dst: '${list.prepend(dst, entry)}'}]}
            - give: {return: '${dst}'}
        """, [3, 2, 1]),
    "the library as a step": ("""
        - first: {call: text.split, args: {source: 'a,b', separator: ','}, result: r}
        - second: {return: '${r}'}
        """, ["a", "b"]),
    "end in a subworkflow": ("""
        main:
          steps:
            - first: {call: f}
        f:
          steps:
            - only: {assign: [{x: 1}], next: end}
        """, OPEN + "end-in-subworkflow"),
}  # fmt: skip

ERRORS: dict[str, tuple[str, object]] = {
    "a text is raised": ("""
        - tried:
            try: {raise: boom}
            except: {as: e, steps: [{seen: {return: '${e}'}}]}
        """, "boom"),
    "a map is raised and keeps its keys": ("""
        - tried:
            try: {raise: {code: 55, message: m, extra: [1]}}
            except: {as: e, steps: [{seen: {return: '${e.extra[0] + e.code}'}}]}
        """, 56),
    "an error is raised again": ("""
        - outer:
            try:
              steps:
                - inner:
                    try: {raise: {code: 1}}
                    except: {as: e, steps: [{again: {raise: '${e}'}}]}
            except: {as: f, steps: [{seen: {return: '${f.code}'}}]}
        """, 1),
    "nobody catches": ("- only: {raise: boom}", FAILED),
    "it goes on after except": ("""
        - tried:
            try: {raise: boom}
            except: {as: e, steps: [{seen: {assign: [{k: 1}]}}]}
        - done: {return: ok}
        """, "ok"),
    "an error of a subworkflow": ("""
        main:
          steps:
            - tried:
                try: {call: f}
                except: {as: e, steps: [{seen: {return: '${e.tags}'}}]}
        f:
          steps:
            - only: {assign: [{m: {}}, {x: '${m.nope}'}]}
        """, ["KeyError"]),
    "finally, written out": ("""
        - init: {assign: [{log: []}, {k: null}, {err: null}]}
        - tried:
            try: {steps: [{fail: {raise: {code: 7}}}]}
            except: {as: e, steps: [{keep: {assign: [{k: raise}, {err: '${e}'}]}}]}
        - last: {assign: [{log: '${list.concat(log, "fin")}'}]}
        - way: {switch: [{condition: '${k == "raise"}', return: '${err.code}'}]}
        - never: {return: bad}
        """, 7),
    "a number is raised": ("- only: {raise: 5}", OPEN + "raise-type"),
}  # fmt: skip

TABLES: dict[str, dict[str, tuple[str, object]]] = {"calls": CALLS, "errors": ERRORS}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(*row, id=f"{table}: {name}")
        for table, rows in TABLES.items()
        for name, row in rows.items()
    ],
)
def test_a_workflow_ends_as_documented(source: str, expected: object) -> None:
    assert ended(source) == expected


def test_a_failed_execution_says_why() -> None:
    execution = run("- only: {raise: {code: 7}}")
    assert (execution.state, execution.error) == ("FAILED", {"code": 7})


def test_the_history_names_the_steps() -> None:
    execution = run("- one: {assign: [{x: 1}]}\n- two: {return: '${x}'}")
    assert [(entry.step, entry.kind) for entry in execution.history] == [
        ("one", "STEP_ASSIGN"),
        ("two", "STEP_RETURN"),
    ]
