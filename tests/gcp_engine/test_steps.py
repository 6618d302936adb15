"""Jumps, loops and variables: the examples of the pages below SYNTAX and of Google's samples."""

import pytest

from tests.gcp_engine.running import FAILED, OPEN, ended

SYNTAX = "https://cloud.google.com/workflows/docs/reference/syntax/"

JUMPS: dict[str, tuple[str, object]] = {
    "steps in order": ("""
        main:
          steps:
            - one: {assign: [{x: 1}]}
            - two: {return: '${x + 1}'}
        """, 2),
    "a bare list of steps": ("""
        - one: {assign: [{x: 4}]}
        - two: {return: '${x}'}
        """, 4),
    "next skips": ("""
        - one: {assign: [{x: 1}], next: three}
        - two: {assign: [{x: 2}]}
        - three: {return: '${x}'}
        """, 1),
    "next end": ("""
        - one: {assign: [{x: 1}], next: end}
        - two: {return: bad}
        """, None),
    "a loop of next and switch": ("""
        - init: {assign: [{k: 0}, {s: 0}]}
        - test:
            switch:
              - condition: ${k < 5}
                next: body
            next: done
        - body: {assign: [{s: '${s + k}'}, {k: '${k + 1}'}], next: test}
        - done: {return: '${s}'}
        """, 10),
    "the first condition that is true": ("""
        - init: {assign: [{k: 0}]}
        - choose:
            switch:
              - {condition: false, assign: [{k: '${k + 1}'}]}
              - {condition: true, assign: [{k: '${k + 10}'}]}
              - {condition: true, assign: [{k: '${k + 100}'}]}
        - done: {return: '${k}'}
        """, 10),
    "no condition is true": ("""
        - choose: {switch: [{condition: false, next: end}]}
        - done: {return: ok}
        """, "ok"),
    "steps in a switch": ("""
        - step1: {assign: [{a: 1}]}
        - step2:
            switch:
              - condition: ${a==1}
                steps:
                  - stepA: {assign: [{a: '${a+7}'}]}
                  - stepB: {return: '${"increase a to:"+string(a)}'}
        - step3: {return: '${"default a="+string(a)}'}
        """, "increase a to:8"),
    "out of nested steps": ("""
        - group:
            steps:
              - inner: {assign: [{x: 1}], next: last}
              - never: {assign: [{x: 2}]}
        - skipped: {assign: [{x: 3}]}
        - last: {return: '${x}'}
        """, 1),
    "out of a switch": ("""
        - choose:
            switch:
              - condition: true
                steps:
                  - inner: {assign: [{x: 1}], next: last}
        - skipped: {return: bad}
        - last: {return: ok}
        """, "ok"),
    "out of an except": ("""
        - tried:
            try: {raise: boom}
            except:
              as: e
              steps:
                - inner: {next: last}
        - skipped: {return: bad}
        - last: {return: ok}
        """, "ok"),
    "return null ends": ("""
        - one: {return: null}
        - two: {return: bad}
        """, None),
    "a condition that is no boolean": ("""
        - choose: {switch: [{condition: '${1}', next: end}]}
        """, FAILED),
    "a case that falls through beside a default": ("""
        - choose:
            switch:
              - {condition: true, assign: [{x: 1}]}
            next: end
        - last: {return: ok}
        """, OPEN + "switch-next"),
}  # fmt: skip

LOOPS: dict[str, tuple[str, object]] = {
    "over a list": ("""
        - init: {assign: [{total: 0}, {list: [1, 2, 3, 4, 5]}]}
        - loop:
            for:
              value: v
              in: ${list}
              steps:
                - add: {assign: [{total: '${total + v}'}]}
        - done: {return: '${total}'}
        """, 15),
    "over a range, both ends in it": ("""
        - init: {assign: [{total: 0}]}
        - loop:
            for:
              value: v
              range: [1, 9]
              steps:
                - add: {assign: [{total: '${total + v}'}]}
        - done: {return: '${total}'}
        """, 45),
    "over a range of two expressions": ("""
        - init: {assign: [{a: 1}, {b: 3}, {total: 0}]}
        - loop:
            for:
              value: v
              range: ['${a}', '${b}']
              steps:
                - add: {assign: [{total: '${total + v}'}]}
        - done: {return: '${total}'}
        """, 6),
    "over a range in one expression": ("""
        - init: {assign: [{a: 1}, {b: 3}, {total: 0}]}
        - loop:
            for:
              value: v
              range: '${[a, b]}'
              steps:
                - add: {assign: [{total: '${total + v}'}]}
        - done: {return: '${total}'}
        """, 6),
    "over keys": ("""
        - init:
            assign:
              - map: {1: 10, 2: 20, 3: 30}
              - total: 0
        - loop:
            for:
              value: key
              in: ${keys(map)}
              steps:
                - add: {assign: [{total: '${total + map[key]}'}]}
        - done: {return: '${total}'}
        """, 60),
    "with an index": ("""
        - init: {assign: [{out: []}]}
        - loop:
            for:
              value: v
              index: i
              in: [a, b]
              steps:
                - add: {assign: [{out: '${list.concat(out, v + i)}'}]}
        - done: {return: '${out}'}
        """, ["a0", "b1"]),
    "break": ("""
        - init: {assign: [{k: 0}]}
        - loop:
            for:
              value: v
              in: [1, 2, 3]
              steps:
                - add: {assign: [{k: '${k + v}'}]}
                - stop: {switch: [{condition: '${v == 2}', next: break}]}
        - done: {return: '${k}'}
        """, 3),
    "continue": ("""
        - init: {assign: [{k: 0}]}
        - loop:
            for:
              value: v
              in: [1, 2, 3]
              steps:
                - skip: {switch: [{condition: '${v == 2}', next: continue}]}
                - add: {assign: [{k: '${k + v}'}]}
        - done: {return: '${k}'}
        """, 4),
    "break in a try": ("""
        - init: {assign: [{k: 0}]}
        - loop:
            for:
              value: v
              in: [1, 2, 3]
              steps:
                - tried:
                    try:
                      steps:
                        - add: {assign: [{k: '${k + v}'}]}
                        - stop: {switch: [{condition: '${v == 2}', next: break}]}
                    except: {as: e, steps: [{again: {raise: '${e}'}}]}
        - done: {return: '${k}'}
        """, 3),
    "break leaves only the inner loop": ("""
        - init: {assign: [{k: 0}]}
        - outer:
            for:
              value: v
              in: [1, 2]
              steps:
                - inner:
                    for:
                      value: w
                      in: [1, 2]
                      steps:
                        - add: {assign: [{k: '${k + 1}'}], next: break}
        - done: {return: '${k}'}
        """, 2),
    "return in a loop": ("""
        - loop:
            for:
              value: v
              in: [1, 2]
              steps:
                - out: {return: '${v}'}
        - never: {return: bad}
        """, 1),
    "a loop inside a loop's steps": ("""
        - init: {assign: [{t: 0}]}
        - loop:
            for:
              value: v
              in: [1, 2]
              steps:
                - start: {assign: [{j: 0}]}
                - test:
                    switch:
                      - {condition: '${j < v}', next: body}
                    next: continue
                - body: {assign: [{t: '${t + 1}'}, {j: '${j + 1}'}], next: test}
        - done: {return: '${t}'}
        """, 3),
    "over what is no list": ("""
        - loop: {for: {value: v, in: '${1}', steps: [{one: {assign: [{x: 1}]}}]}}
        """, FAILED),
    "over nothing": ("""
        - loop: {for: {value: v, in: [], steps: [{one: {return: bad}}]}}
        - done: {return: ok}
        """, "ok"),
    "over a range that is empty": ("""
        - loop: {for: {value: v, range: [3, 1], steps: [{one: {return: bad}}]}}
        """, OPEN + "empty-range"),
    "over a range of doubles": ("""
        - loop: {for: {value: v, range: [1, 2.5], steps: [{one: {return: bad}}]}}
        """, OPEN + "range-numbers"),
}  # fmt: skip

VARIABLES: dict[str, tuple[str, object]] = {
    "assignments see the ones before": ("""
        - one: {assign: [{x: 1}, {y: '${x + 1}'}]}
        - two: {return: '${y}'}
        """, 2),
    "a copy is independent": ("""
        - one: {assign: [{x: {k: 1}}, {z: '${x}'}, {z.k: 2}]}
        - two: {return: ['${x.k}', '${z.k}']}
        """, [1, 2]),
    "a copy in a list is independent": ("""
        - one: {assign: [{x: [1]}, {l: ['${x}', '${x}']}, {'l[0][0]': 2}]}
        - two: {return: ['${x}', '${l}']}
        """, [[1], [[2], [1]]]),
    "keys, also computed ones": ("""
        - one:
            assign:
              - m: {a: {}}
              - k: z
              - m[k]: 1
              - m["b c"]: 2
              - m.a.x: 3
              - m[k + "3"]: 4
        - two: {return: '${m}'}
        """, {"a": {"x": 3}, "z": 1, "b c": 2, "z3": 4}),
    "elements": ("""
        - one: {assign: [{l: [1, 2]}, {i: 0}, {'l[i + 1]': 5}, {'l[0]': 4}]}
        - two: {return: '${l}'}
        """, [4, 5]),
    "an element that is not there": ("""
        - one: {assign: [{l: [1]}, {'l[1]': 5}]}
        """, FAILED),
    "dynamic keys of a map": ("""
        - one: {assign: [{k: Middle}, {m: {First: John, '${k}': Apple}}]}
        - two: {return: '${m}'}
        """, {"First": "John", "Middle": "Apple"}),
    "a map inside a map that is not there": ("""
        - one: {assign: [{m: {}}, {m.a.b: 1}]}
        """, OPEN + "nested-create"),
    "a variable that no step has assigned": ("""
        - one: {switch: [{condition: true, next: three}]}
        - two: {assign: [{x: 1}]}
        - three: {return: '${x}'}
        """, OPEN + "unassigned"),
    "an expression over lines": ("""
        - one:
            assign:
              - id: 7
              - q: ${
                  "A" +
                  string(id)
                  }
        - two: {return: '${q}'}
        """, "A7"),
    "an argument": ("""
        main:
          params: [input]
          steps:
            - one: {return: '${input.name}'}
        """, "Ada"),
    "scopes of loops": ("""
        - init: {assign: [{workflowScope: foo}]}
        - outerLoop:
            for:
              value: outerLoopValue
              in: [1, 2, 3, 4]
              steps:
                - outerLoopAssign: {assign: [{outerLoopScope: '${workflowScope}'}]}
                - innerLoop:
                    for:
                      value: innerLoopValue
                      in: [5, 6, 7, 8]
                      steps:
                        - innerLoopAssign:
                            assign:
                              - workflowScope: ${innerLoopValue}
                              - innerLoopScope: ${outerLoopScope}
        - final: {return: ['${workflowScope}']}
        """, [8]),
}  # fmt: skip

TABLES: dict[str, dict[str, tuple[str, object]]] = {
    "jumps": JUMPS,
    "loops": LOOPS,
    "variables": VARIABLES,
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(*row, id=f"{table}: {name}")
        for table, rows in TABLES.items()
        for name, row in rows.items()
    ],
)
def test_a_workflow_ends_as_documented(source: str, expected: object) -> None:
    assert ended(source, {"name": "Ada"}) == expected


def test_what_strict_refuses_has_a_likely_answer() -> None:
    nested = "- one: {assign: [{m: {}}, {m.a.b: 1}]}\n- two: {return: '${m}'}"
    assert ended(nested, strict=False) == {"a": {"b": 1}}
    loop = "- one: {for: {value: v, range: [3, 1], steps: [{two: {return: bad}}]}}"
    assert ended(f"{loop}\n- three: {{return: ok}}", strict=False) == "ok"
