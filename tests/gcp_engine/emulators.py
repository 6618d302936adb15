"""Where two third-party emulators of Workflows answer otherwise than Google documents.

`workflows-emulator` 1.10.0 was run for each row on 2026-11-23, from the package index, on CPython
3.11, a process for each workflow. What stands for lemonberrylabs/gcp-cloud-workflows-emulator (of
March 2026) was measured when the engine was designed; it was not run again. Ours is evaluated by
the test that makes the page.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["ERROR", "EXPRESSIONS", "WORKFLOWS", "Expression", "Workflow"]

ERROR: Final = "an error"
SAME: Final = "the same"


class Expression(NamedTuple):
    """An expression on some variables, what the pages say of it, and what others give."""

    text: str
    variables: Mapping[str, object]
    documented: object
    source: str
    emulator: object
    lemonberry: object
    """None: not measured."""
    why: str


class Workflow(NamedTuple):
    """A workflow, what it gives by the pages, and what others give; `source` is YAML."""

    what: str
    source: str
    documented: object
    emulator: object
    lemonberry: object
    why: str


_TYPES: Final = "datatypes: implicit conversions"
_LOGIC: Final = "expressions: logical operators take booleans"
_HELPERS: Final = "expressions: helpers"
_STD: Final = "standard library"
_EVAL: Final = "it evaluates the text as Python"
_OWN: Final = "a type or name of its host language"

EXPRESSIONS: Final = (
    Expression('"a" + 1', {}, "a1", _TYPES, ERROR, ERROR, _EVAL + "; Go has no such sum either"),
    Expression('"a" + 1.5', {}, "a1.5", _TYPES, ERROR, ERROR, _EVAL),
    Expression('true + "x"', {}, "truex", _TYPES, ERROR, None, "`true` is no name of Python"),
    Expression('not "a" in m', {"m": {"a": 1}}, ERROR, "expressions: precedence", False, None,
               "`not` binds tighter than `in` here, looser in Python"),
    Expression("true AND false", {}, False, "expressions: operators in capitals", ERROR, ERROR,
               "capitals are unknown to both"),
    Expression("True and TRUE", {}, True, "datatypes: booleans", ERROR, None, _EVAL),
    Expression('"a" or true', {}, ERROR, _LOGIC, "a", "a", "an operand is given back"),
    Expression("not s", {"s": "x"}, ERROR, _LOGIC, False, False, "any value has a truth there"),
    Expression("n == null", {"n": None}, True, "datatypes: null", ERROR, None,
               "`null` is no name of Python"),
    Expression("default(null, 3)", {}, 3, _HELPERS, ERROR, None, "likewise"),
    Expression("default(z, 5)", {"z": 0}, 0, _HELPERS, 5, None, "`or` of Python replaces 0 too"),
    Expression("default(z, true)", {"z": False}, False, _HELPERS, ERROR, None,
               "and `true` is no name of Python"),
    Expression('default(z, "d")', {"z": ""}, "", _HELPERS, "d", None,
               "`or` of Python replaces the empty text too"),
    Expression('if(2 > 1, "y", "n")', {}, "y", _HELPERS, ERROR, ERROR, "there is no `if()`"),
    Expression('if(n, "y", "n")', {"n": None}, "n", _HELPERS, ERROR, ERROR, "likewise"),
    Expression("get_type(1)", {}, "integer", _HELPERS, "int", ERROR, _OWN),
    Expression("get_type(1.5)", {}, "double", _HELPERS, "float", ERROR, _OWN),
    Expression("get_type(true)", {}, "boolean", _HELPERS, ERROR, ERROR,
               "`true` is no name of Python"),
    Expression("get_type(m)", {"m": {"a": 1}}, "map", _HELPERS, ERROR, ERROR, "it fails on maps"),
    Expression("string(true)", {}, "true", _HELPERS, ERROR, None, "`true` is no name of Python"),
    Expression('len("héñ")', {}, 3, _HELPERS, SAME, 5, "bytes are counted, not characters"),
    Expression('map.get(m, ["x", "y"])', {"m": {"a": 1}}, None, _STD + ", map.get", ERROR, ERROR,
               "a list of keys is unknown, or fails where a key is missing"),
    Expression("map.merge_nested(m, n)", {"m": {"a": {"x": 1}}, "n": {"a": {"y": 2}}},
               {"a": {"x": 1, "y": 2}}, _STD + ", map.merge_nested", {"a": {"x": 1}}, None,
               "nested keys are lost"),
    Expression('text.find_all("banana", "a")', {}, [1, 3, 5], _STD + ", text.find_all", SAME,
               "maps", "it gives what find_all_regex gives"),
    Expression('text.find_all_regex("ba", "a")', {}, [{"index": 1, "match": "a"}],
               _STD + ", text.find_all_regex", [1], None, "and here the other way round"),
    Expression('text.url_encode("a b&c/d")', {}, "a%20b%26c%2Fd", _STD + ", text.url_encode",
               "a%20b%26c/d", "leaves `&`", "characters that each host's own encoder leaves"),
    Expression("json.encode_to_string(m)", {"m": {"a": 1}}, '{"a":1}',
               _STD + ", json.encode_to_string", '{\n    "a": 1\n}', None, "it indents"),
    Expression('json.decode("{\\"a\\": 1}").a', {}, 1, _STD + ", json.decode", ERROR, None,
               "quotes within a text, and `}`, end its expression"),
    Expression('base64.encode(hash.compute_checksum(text.encode("a"), "SHA256"))', {},
               "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=",
               _STD + ", hash", ERROR, None, "there is no `hash`"),
    Expression("time.format(0)", {}, "1970-01-01T00:00:00Z", _STD + ", time.format",
               "1970-01-01T00:00:00.000000Z", None, "it writes microseconds"),
    Expression('time.parse("1970-01-01T00:00:10Z") == 10', {}, True, _STD + ", time.parse", ERROR,
               None, "a time without a fraction is unknown"),
    Expression('"a}b"', {}, "a}b", "expressions: text", ERROR, None,
               "it looks for the first `}` of the text"),
    Expression('sys.get_env("NOPE_X", "d")', {}, "d", _STD + ", sys.get_env", SAME, ERROR,
               "the default is ignored"),
)  # fmt: skip

WORKFLOWS: Final = (
    Workflow("`return: null` ends a workflow", """
        - one: {return: null}
        - two: {return: bad}
        """, None, "bad", None, "null is taken for no return at all"),
    Workflow("the tags of a KeyError", """
        - one:
            try: {assign: [{m: {}}, {x: '${m.a}'}]}
            except: {as: e, steps: [{two: {return: '${"KeyError" in e.tags}'}}]}
        """, True, ERROR, None, "it is raised as an error of its syntax, which nothing catches"),
    Workflow("an assignment after one that failed", """
        - zero: {assign: [{x: 0}]}
        - one:
            try: {assign: [{x: '${1 / 0}'}]}
            except: {as: e, steps: [{two: {assign: [{x: 2}]}}]}
        - three: {return: '${x}'}
        """, 2, "no answer", None, "the lock of the first one is never given back"),
    Workflow("the variable of an `except` behind it", """
        - one:
            try: {raise: boom}
            except: {as: e, steps: [{two: {assign: [{x: 1}]}}]}
        - three: {return: '${e}'}
        """, ERROR, "boom", "a map", "it stays in scope in both"),
    Workflow("a subworkflow in an expression", """
        main:
          steps:
            - one: {return: '${twice(25)}'}
        twice:
          params: [n]
          steps:
            - one: {return: '${n * 2}'}
        """, 50, ERROR, ERROR, "neither can call one there"),
    Workflow("calls deeper than 20", """
        main:
          steps:
            - one:
                try: {call: deep, args: {n: 25}, result: r}
                except: {as: e, steps: [{two: {return: '${"RecursionError" in e.tags}'}}]}
            - three: {return: '${r}'}
        deep:
          params: [n]
          steps:
            - one: {switch: [{condition: '${n == 0}', return: 0}]}
            - two: {call: deep, args: {n: '${n - 1}'}, result: r}
            - three: {return: '${r}'}
        """, True, 0, SAME, "it has no limit"),
    Workflow("a variable that no step assigns", """
        - one: {switch: [{condition: false, next: two}], next: three}
        - two: {return: '${nothing}'}
        - three: {return: ok}
        """, ERROR, "ok", None, "nothing is checked before it runs"),
    Workflow("`y: ${x}` copies a list", """
        - one: {assign: [{x: [1]}, {y: '${x}'}, {'y[0]': 2}]}
        - two: {return: '${x[0]}'}
        """, 1, SAME, 2, "both names share it"),
    Workflow("an error in a branch is an UnhandledBranchError", """
        - one:
            try:
              steps:
                - both:
                    parallel:
                      branches:
                        - a: {steps: [{two: {raise: boom}}]}
                        - b: {steps: [{three: {assign: [{z: 1}]}}]}
            except: {as: e, steps: [{four: {return: '${"UnhandledBranchError" in e.tags}'}}]}
        - five: {return: none}
        """, True, SAME, "none", "it ends the other branches, and a loop's errors are lost"),
    Workflow("a branch may write only what is shared", """
        - one: {assign: [{x: 0}]}
        - two:
            parallel:
              branches:
                - a: {steps: [{three: {assign: [{x: 1}]}}]}
                - b: {steps: [{four: {assign: [{y: 1}]}}]}
        - five: {return: '${x}'}
        """, ERROR, SAME, "allowed", "all branches share all variables there"),
    Workflow("a text that is raised is caught as it is", """
        - one:
            try: {raise: boom}
            except: {as: e, steps: [{two: {return: '${e}'}}]}
        """, "boom", SAME, "a map", "it becomes a map"),
    Workflow("a step of an outer scope is a target", """
        main:
          steps:
            - one:
                try: {raise: boom}
                except: {as: e, steps: [{two: {next: four}}]}
            - three: {return: bad}
            - four: {return: ok}
        """, "ok", SAME, ERROR, "it knows the steps of one list only"),
    Workflow("a list of steps is a workflow", "- one: {return: 4}", 4, SAME, ERROR,
             "60 of Google's 94 samples are such, and are refused"),
)  # fmt: skip
