"""From the JSON of a definition straight to what moto evaluates.

moto's own parser is ANTLR's in Python, which takes most of a short test. What the target `aws`
writes is a small part of the language; for it the same tree is built here. `tree_of` gives None for
anything else, and moto parses that. tests/aws_engine/test_trees.py compares the two trees.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from perdure_aws.engine.interface import Json

__all__ = ["tree_of"]

# Any: the classes of moto's tree are one flat namespace here, and most of them have no types.
_PARTS: Final[Any] = import_module("moto.stepfunctions.parser.asl.parse.preprocessor")
_LEXER: Final[Any] = _PARTS.ASLLexer
_TYPES: Final = ("Task", "Pass", "Choice", "Fail", "Succeed", "Wait", "Map", "Parallel")
_IN_ITERATIONS: Final = {"ProcessorConfig": {"Mode": "INLINE"}}


class _UnknownError(Exception):
    """Nothing that the target writes: moto's parser is asked."""


def tree_of(definition: str) -> Any | None:
    """The evaluation tree of a definition in JSONata mode, None where it has to be parsed."""
    document: Any = json.loads(definition)
    try:
        if document.get("QueryLanguage") != "JSONata":
            raise _UnknownError
        return _program(document, version=document.get("Version"))
    except (_UnknownError, KeyError):
        return None


def _program(document: Mapping[str, Any], version: str | None = None) -> Any:
    known = {"Comment", "QueryLanguage", "StartAt", "States", "Version", "TimeoutSeconds"}
    _only(document, known)
    timeout = document.get("TimeoutSeconds")
    return _PARTS.Program(
        query_language=_language(),
        start_at=_PARTS.StartAt(start_at_name=document["StartAt"]),
        states=_states(document["States"]),
        timeout_seconds=None if timeout is None else _timeout(timeout),
        comment=_comment(document),
        version=None if version is None else _PARTS.Version(version=version),
    )


def _language() -> Any:
    return _PARTS.QueryLanguage(query_language_mode=_PARTS.QueryLanguageMode.JSONata)


def _comment(document: Mapping[str, Any]) -> Any:
    return _PARTS.Comment(comment=document["Comment"]) if "Comment" in document else None


def _states(states: Mapping[str, Any]) -> Any:
    found = _PARTS.States()
    for name, state in states.items():
        if state.get("Type") not in _TYPES or "QueryLanguage" in state:
            raise _UnknownError
        props = _PARTS.StateProps()
        props.name = name
        for key, value in state.items():
            props.add(_property(key, value))
        props.add(_language())
        found.states[name] = _PARTS.Preprocessor._common_state_field_of(props)
    return found


def _property(key: str, value: Any) -> Any:
    match key:
        case "Type":
            return _PARTS.StateType[value]
        case "Comment":
            return _PARTS.Comment(comment=value)
        case "Next":
            return _PARTS.Next(name=value)
        case "End":
            return _PARTS.End(is_end=value)
        case "Default":
            return _PARTS.DefaultDecl(state_name=value)
        case "Resource":
            return _PARTS.Resource.from_resource_arn(value)
        case "Arguments" if isinstance(value, str):
            return _PARTS.ArgumentsStringJSONata(string_jsonata=_jsonata(value))
        case "Arguments":
            return _PARTS.ArgumentsJSONataTemplateValueObject(
                jsonata_template_value_object=_template(value)
            )
        case "Output":
            return _PARTS.Output(jsonata_template_value=_template(value))
        case "TimeoutSeconds":
            return _timeout(value)
        case "Timestamp":
            return _PARTS.Timestamp(string=_jsonata(value))
        case "Error":
            return _PARTS.Error(string_expression=_text(value))
        case "Cause":
            return _PARTS.Cause(string_expression=_text(value))
        case _:
            return _structure(key, value)


def _structure(key: str, value: Any) -> Any:
    match key:
        case "Retry":
            return _PARTS.RetryDecl(retriers=[_retrier(one) for one in value])
        case "Catch":
            return _PARTS.CatchDecl(catchers=[_catcher(one) for one in value])
        case "Choices":
            return _PARTS.ChoicesDecl(rules=[_rule(one) for one in value])
        case "Branches":
            return _PARTS.BranchesDecl(programs=[_program(one) for one in value])
        case "Items" if isinstance(value, str):
            return _PARTS.ItemsJSONata(string_jsonata=_jsonata(value))
        case "MaxConcurrency" if isinstance(value, int):
            return _PARTS.MaxConcurrency(num=value)
        case "MaxConcurrency":
            return _PARTS.MaxConcurrencyJSONata(string_jsonata=_jsonata(value))
        case "ItemProcessor":
            return _processor(value)
        case _:
            raise _UnknownError


def _processor(document: Mapping[str, Any]) -> Any:
    _only(document, {"ProcessorConfig", "StartAt", "States"})
    if document["ProcessorConfig"] != _IN_ITERATIONS["ProcessorConfig"]:
        raise _UnknownError
    return _PARTS.ItemProcessorDecl(
        query_language=_PARTS.QueryLanguage(),
        start_at=_PARTS.StartAt(start_at_name=document["StartAt"]),
        states=_states(document["States"]),
        comment=None,
        processor_config=_PARTS.ProcessorConfig(
            mode=_PARTS.Mode(_LEXER.INLINE),
            execution_type=_PARTS.ProcessorConfig.DEFAULT_EXECUTION_TYPE,
        ),
    )


def _retrier(document: Mapping[str, Any]) -> Any:
    _only(document, {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate"})
    return _PARTS.RetrierDecl(
        error_equals=_errors(document["ErrorEquals"]),
        interval_seconds=_PARTS.IntervalSecondsDecl(seconds=document["IntervalSeconds"]),
        max_attempts=_PARTS.MaxAttemptsDecl(attempts=document["MaxAttempts"]),
        backoff_rate=_PARTS.BackoffRateDecl(rate=float(document["BackoffRate"])),
    )


def _catcher(document: Mapping[str, Any]) -> Any:
    _only(document, {"ErrorEquals", "Output", "Next", "Comment"})
    output = document.get("Output")
    return _PARTS.CatcherDecl(
        error_equals=_errors(document["ErrorEquals"]),
        next_decl=_PARTS.Next(name=document["Next"]),
        result_path=None,
        assign=None,
        output=None if output is None else _PARTS.Output(jsonata_template_value=_template(output)),
        comment=_comment(document),
    )


def _errors(names: Sequence[str]) -> Any:
    return _PARTS.ErrorEqualsDecl(error_names=[_error(name) for name in names])


def _error(name: str) -> Any:
    if not name.startswith("States."):
        return _PARTS.CustomErrorName(error_name=name)
    try:
        return _PARTS.StatesErrorName(_PARTS.StatesErrorNameType.from_name(name))
    except ValueError:
        raise _UnknownError from None


def _rule(document: Mapping[str, Any]) -> Any:
    _only(document, {"Condition", "Next", "Output", "Comment"})
    output = document.get("Output")
    return _PARTS.ChoiceRule(
        comparison=_PARTS.ConditionStringJSONata(string_jsonata=_jsonata(document["Condition"])),
        next_stmt=_PARTS.Next(name=document["Next"]),
        comment=_comment(document),
        assign=None,
        output=None if output is None else _PARTS.Output(jsonata_template_value=_template(output)),
    )


def _timeout(value: Json) -> Any:
    if isinstance(value, int):
        return _PARTS.TimeoutSeconds(timeout_seconds=value)
    return _PARTS.TimeoutSecondsJSONata(string_jsonata=_jsonata(value))


def _is_jsonata(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def _jsonata(value: Json) -> Any:
    if not isinstance(value, str) or not _is_jsonata(value):
        raise _UnknownError
    return _PARTS.StringJSONata(expression=value[2:-2].strip())


def _text(value: Json) -> Any:
    return _jsonata(value) if _is_jsonata(value) else _PARTS.StringLiteral(literal_value=value)


def _template(value: Json) -> Any:
    if isinstance(value, dict):
        bindings = [
            _PARTS.JSONataTemplateBinding(identifier=key, value=_template(inner))
            for key, inner in value.items()
        ]
        return _PARTS.JSONataTemplateValueObject(bindings=bindings)
    if isinstance(value, list):
        return _PARTS.JSONataTemplateValueArray(values=[_template(inner) for inner in value])
    if _is_jsonata(value):
        return _PARTS.JSONataTemplateValueTerminalStringJSONata(string_jsonata=_jsonata(value))
    return _PARTS.JSONataTemplateValueTerminalLit(value=value)


def _only(document: Mapping[str, Any], known: set[str]) -> None:
    if not document.keys() <= known:
        raise _UnknownError
