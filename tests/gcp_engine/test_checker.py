"""What does not deploy: every rule, with the line and what is said about it."""

from collections.abc import Callable

import pytest

from perdure_gcp.workflows import DeployError, load, problems_of
from perdure_gcp.workflows.limits import value_of
from tests.gcp_engine.running import found

SHAPES = {
    "no main": ("""
        other:
          steps: [{one: {return: 1}}]
        """, (1, "no workflow `main`")),
    "an unknown key of a workflow": ("""
        main:
          step: []
          steps: [{one: {return: 1}}]
        """, (2, "no key `step`")),
    "a step without a name": ("""
        - assign: [{x: 1}]
          next: end
        """, (1, "a step is a map with its name")),
    "a step that does nothing": ("""
        - one: {}
        """, (1, "has no action")),
    "a step with two actions": ("""
        - one:
            assign: [{x: 1}]
            return: 1
        """, (3, "more than one action")),
    "a key that fits no action": ("""
        - one:
            assign: [{x: 1}]
            result: y
        """, (3, "no `result` beside `assign`")),
    "next after return": ("""
        - one: {return: 1, next: end}
        """, (1, "no `next` beside `return`")),
    "assign is no list": ("""
        - one: {assign: {x: 1}}
        """, (1, "`assign` is a list")),
    "two names in one assignment": ("""
        - one:
            assign:
              - x: 1
                y: 2
        """, (3, "a map with one key")),
    "a switch that leads nowhere": ("""
        - one: {switch: [{condition: true}]}
        """, (1, "leads nowhere")),
    "a case without condition": ("""
        - one: {switch: [{next: end}]}
        """, (1, "has a `condition`")),
    "a loop without value": ("""
        - one: {for: {in: [1], steps: [{two: {return: 1}}]}}
        """, (1, "no `value`")),
    "a loop over both": ("""
        - one: {for: {value: v, in: [1], range: [1, 2], steps: [{two: {return: 1}}]}}
        """, (1, "either `in` or `range`")),
    "a try without a net": ("""
        - one: {try: {call: sys.log, args: {data: 1}}}
        """, (1, "has `retry` or `except`")),
    "a loop right below try": ("""
        - one:
            try: {for: {value: v, in: [1], steps: [{two: {assign: [{x: 1}]}}]}}
            except: {as: e, steps: [{three: {return: 1}}]}
        """, (2, "loop step name should not be empty")),
    "one branch": ("""
        - one: {parallel: {branches: [{a: {steps: [{two: {assign: [{x: 1}]}}]}}]}}
        """, (1, "two branches or more")),
    "another exception policy": ("""
        - one:
            parallel:
              exception_policy: stopAll
              for: {value: v, in: [1], steps: [{two: {assign: [{x: 1}]}}]}
        """, (3, "no exception policy `stopAll`")),
    "a key twice": ("""
        - one: {assign: [{x: {a: 1, a: 2}}]}
        """, (1, "`a` is there twice")),
    "no YAML": ("- one: {return: ${\"a: b\"}}", (1, "this is no YAML")),
}  # fmt: skip

NAMES = {
    "an unknown symbol": ("""
        - one: {return: '${varC}'}
        """, (1, "symbol 'varC' is neither a variable nor a sub-workflow name")),
    "an unknown symbol on a dead path": ("""
        - one: {switch: [{condition: false, return: '${nope}'}]}
        """, (1, "symbol 'nope'")),
    "a loop's variable outside": ("""
        - one: {for: {value: v, in: [1], steps: [{two: {assign: [{q: 1}]}}]}}
        - three: {return: '${v}'}
        """, (2, "symbol 'v'")),
    "a variable of a loop's body outside": ("""
        - one: {for: {value: v, in: [1], steps: [{two: {assign: [{q: 1}]}}]}}
        - three: {return: '${q}'}
        """, (2, "symbol 'q'")),
    "a variable of an except outside": ("""
        - one:
            try: {raise: boom}
            except: {as: e, steps: [{two: {assign: [{inner: 1}]}}]}
        - three: {return: '${inner}'}
        """, (4, "symbol 'inner'")),
    "the error outside of its except": ("""
        - one:
            try: {raise: boom}
            except: {as: e, steps: [{two: {assign: [{x: 1}]}}]}
        - three: {return: '${e}'}
        """, (4, "symbol 'e'")),
    "a variable of another branch": ("""
        - one:
            parallel:
              branches:
                - a: {steps: [{two: {assign: [{temp: 1}]}}]}
                - b: {steps: [{three: {assign: [{x: '${temp}'}]}}]}
        """, (5, "symbol 'temp'")),
    "a loop's variable that is also one outside": ("""
        - one: {assign: [{v: 1}]}
        - two: {for: {value: v, in: [1], steps: [{three: {assign: [{q: 1}]}}]}}
        """, (2, "`v` is a loop's variable and also one outside")),
    "nested loops with one variable": ("""
        - one:
            for:
              value: v
              in: [1]
              steps:
                - two: {for: {value: v, in: [1], steps: [{three: {assign: [{q: 1}]}}]}}
        """, (6, "`v` is a loop's variable")),
    "a reserved word": ("""
        - one: {assign: [{switch: 1}]}
        """, (1, "`switch` is a reserved word")),
    "a variable that begins with a digit": ("""
        main:
          params: [1a]
          steps: [{one: {return: 1}}]
        """, (1, "`1a` is no name of a parameter")),
    "two steps of one name": ("""
        - one: {assign: [{x: 1}]}
        - one: {return: 1}
        """, (2, "two steps `one`")),
    "a nested step of the same name": ("""
        - one: {steps: [{two: {assign: [{x: 1}]}}]}
        - two: {return: 1}
        """, (2, "two steps `two`")),
    "two parameters of main": ("""
        main:
          params: [a, b]
          steps: [{one: {return: 1}}]
        """, (2, "more than 1 parameters")),
}  # fmt: skip

JUMPS = {
    "an unknown step": ("""
        - one: {assign: [{x: 1}], next: nowhere}
        """, (1, "no step `nowhere`")),
    "a step of another workflow": ("""
        main:
          steps: [{one: {assign: [{x: 1}], next: two}}]
        other:
          steps: [{two: {return: 1}}]
        """, (2, "no step `two`")),
    "into a loop": ("""
        - one: {assign: [{x: 1}], next: inner}
        - two: {for: {value: v, in: [1], steps: [{inner: {assign: [{y: 1}]}}]}}
        """, (1, "goes into a loop")),
    "into a try": ("""
        - one: {assign: [{x: 1}], next: inner}
        - two:
            try: {steps: [{inner: {assign: [{y: 1}]}}]}
            except: {as: e, steps: [{three: {return: 1}}]}
        """, (1, "goes into a loop, a branch or a `try`")),
    "break outside of loops": ("""
        - one: {assign: [{x: 1}], next: break}
        """, (1, "`break` is not in a loop")),
    "out of a branch": ("""
        - one:
            parallel:
              for: {value: v, in: [1], steps: [{two: {assign: [{x: 1}], next: three}}]}
        - three: {return: 1}
        """, (3, "leaves a parallel branch")),
    "return in a branch": ("""
        - one: {parallel: {for: {value: v, in: [1], steps: [{two: {return: 1}}]}}}
        """, (1, "cannot return")),
    "a variable that is not shared": ("""
        - zero: {assign: [{a: 0}]}
        - one:
            parallel:
              for: {value: v, in: [1], steps: [{two: {assign: [{a: 1}]}}]}
        """, (4, "is not shared")),
    "a shared variable that is none": ("""
        - one:
            parallel:
              shared: [a]
              for: {value: v, in: [1], steps: [{two: {assign: [{b: 1}]}}]}
        """, (3, "`a` is not a variable here")),
    "a shared variable that comes later": ("""
        - one:
            parallel:
              shared: [a]
              for: {value: v, in: [1], steps: [{two: {assign: [{a: 1}]}}]}
        - three: {assign: [{a: 1}]}
        """, (3, "is assigned only after this step")),
    "a limit of nothing": ("""
        - one:
            parallel:
              concurrency_limit: 0
              for: {value: v, in: [1], steps: [{two: {assign: [{b: 1}]}}]}
        """, (3, "a positive integer")),
}  # fmt: skip

CALLS = {
    "an unknown function": ("""
        - one: {call: math.pow, args: {x: 1, y: 2}}
        """, (1, "no function or connector `math.pow`")),
    "an unknown function in an expression": ("""
        - one: {return: '${list.filter(1)}'}
        """, (1, "no function `list.filter`")),
    "a blocking function in an expression": ("""
        - one: {return: '${http.get("https://a.b")}'}
        """, (1, "`http.get` blocks")),
    "a missing argument": ("""
        - one: {call: http.get}
        """, (1, "needs the argument `url`")),
    "an argument too many": ("""
        - one: {call: http.get, args: {url: 'https://a.b', body: 1}}
        """, (1, "`http.get` has no argument `body`")),
    "a wrong count": ("""
        - one: {return: '${text.split("a")}'}
        """, (1, "takes (source, separator), not 1")),
    "a subworkflow's argument": ("""
        main:
          steps: [{one: {call: f, args: {b: 1}}}]
        f:
          params: [a]
          steps: [{two: {return: 1}}]
        """, (2, "`f` needs the argument `a`")),
    "a result that is no variable": ("""
        - one: {assign: [{m: {}}]}
        - two: {call: sys.now, result: m.k}
        """, (2, "`result: m.k` is no variable")),
    "an unknown connector": ("""
        - one: {call: googleapis.nothing.v1.things.get}
        """, (1, "no function or connector")),
    "single quotes": ("""
        - one:
            return: ${'a'}
        """, (2, "token recognition error at: `'`")),
}  # fmt: skip

TABLES = {"shapes": SHAPES, "names": NAMES, "jumps": JUMPS, "calls": CALLS}


@pytest.mark.parametrize(("source", "expected"), [
    pytest.param(*row, id=f"{table}: {name}")
    for table, rows in TABLES.items() for name, row in rows.items()
])  # fmt: skip
def test_it_does_not_deploy(source: str, expected: tuple[int, str]) -> None:
    line, message = expected
    problems = found(source)
    assert [(kind, at) for kind, at, said in problems if message in said][:1] == [("error", line)]


OPEN = {
    "part of a text": "- one: {return: 'a ${1}'}",
    "a word of YAML 1.1": "- one: {return: yes}",
    "a number of YAML 1.1": "- one: {return: 0o17}",
    "a time of YAML 1.1": "- one: {return: 12:30}",
    "an alias": "- one: {assign: [{x: &a 1}, {y: *a}]}",
    "an escape": "- one: {return: '${\"\\u0041\"}'}",
    "a reserved word after a dot": "- one: {assign: [{m: {}}, {x: '${m.and}'}]}",
    "a step with a dash": "- step-one: {return: 1}",
    "into nested steps":
        "- one: {assign: [{x: 1}], next: three}\n- two: {steps: [{three: {return: 1}}]}",
    "an outer name in except":
        "- a: {assign: [{e: 1}]}"
        "\n- b: {try: {raise: x}, except: {as: e, steps: [{c: {next: end}}]}}",
    "end in a branch":
        "- a: {parallel: {for: {value: v, in: [1], steps: [{b: {assign: [{x: 1}], next: end}}]}}}",
    "a helper as a step": "- a: {call: len, args: {value: 'x'}, result: r}",
    "a variable of a loop that is one outside only later":
        "- a: {for: {value: v, in: [1], steps: [{b: {assign: [{x: 1}]}}]}}"
        "\n- c: {assign: [{x: 1}]}",
}  # fmt: skip


@pytest.mark.parametrize("source", [pytest.param(row, id=name) for name, row in OPEN.items()])
def test_what_no_page_says_is_refused_only_when_strict(source: str) -> None:
    assert {problem.kind for problem in problems_of(source)} == {"unverified"}
    load(source, strict=False)


def _assigning(count: int) -> str:
    return "- one: {assign: [" + ", ".join(f"{{v{n}: 1}}" for n in range(count)) + "]}"


def _choosing(count: int) -> str:
    return "- one: {switch: [" + ", ".join(["{condition: true, next: end}"] * count) + "]}"


def _branching(count: int) -> str:
    branches = [f"{{b{n}: {{steps: [{{s{n}: {{assign: [{{x: 1}}]}}}}]}}}}" for n in range(count)]
    return "- one: {parallel: {branches: [" + ", ".join(branches) + "]}}"


def _adding(characters: int) -> str:
    return "- one: {return: '${\"" + "a" * (characters - 5) + "\"}'}"


def _filled(size: int) -> str:
    text = "- one: {return: ''}"
    lines = [f"- s{n}: {{return: '{'a' * 1000}'}}" for n in range(size // 1020)]
    whole = "\n".join([*lines, text])
    return whole + " " * (size - len(whole))


@pytest.mark.parametrize(("name", "make"), [
    ("assignments", _assigning),
    ("conditions", _choosing),
    ("branches", _branching),
    ("expression_characters", _adding),
    ("source_bytes", _filled),
])  # fmt: skip
def test_a_limit_is_met_and_not_passed(name: str, make: Callable[[int], str]) -> None:
    assert problems_of(make(value_of(name))) == ()
    (problem,) = problems_of(make(value_of(name) + 8))
    assert problem.kind == "error"
    assert "at most" in problem.message


def test_every_problem_is_reported_at_once_with_its_place() -> None:
    source = "- one: {assign: [{x: '${a + 1}'}]}\n- two: {return: '${b}', nxt: end}\n"
    with pytest.raises(DeployError) as caught:
        load(source)
    assert str(caught.value) == (
        "1:22: error: symbol 'a' is neither a variable nor a sub-workflow name\n"
        "    - one: {assign: [{x: '${a + 1}'}]}\n"
        "                         ^\n"
        "    help: assign `a` in a step before\n"
        "2:17: error: symbol 'b' is neither a variable nor a sub-workflow name\n"
        "    - two: {return: '${b}', nxt: end}\n"
        "                    ^\n"
        "    help: assign `b` in a step before\n"
        "2:25: error: a step has no `nxt` beside `return`\n"
        "    - two: {return: '${b}', nxt: end}\n"
        "                            ^\n"
        "    help: remove it"
    )


def test_words_that_samples_use_as_names_deploy() -> None:
    assert not problems_of("main:\n  params: [args]\n  steps: [{return: {return: '${args}'}}]")
    assert not problems_of("- one: {assign: [{result: 1}]}")


def test_json_is_read_like_yaml() -> None:
    assert load('{"main": {"steps": [{"one": {"return": "\\ud83d\\ude00"}}]}}')
    assert not problems_of('[{"one": {"return": 1}}]')
