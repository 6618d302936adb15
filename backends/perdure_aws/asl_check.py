"""Check a definition in JSONata mode for what Step Functions refuses, and what never works.

In: a definition. Out: findings, all of them, in the order of the definition. `rejected` says that
CreateStateMachine refuses it; the others are defects that AWS accepts (dead retriers, variables
that nothing assigns). What we emit must have no finding at all.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, final, override

from perdure_aws.asl_expressions import FUNCTIONS, expressions, is_expression, problems
from perdure_aws.asl_fields import (
    BRANCH,
    CATCHER,
    MACHINE,
    PROCESSOR,
    RESERVED_ERRORS,
    RETRIER,
    RULE,
    STATES,
    Fields,
)
from perdure_aws.asl_graph import assigned_before, edges, inner_scopes, reachable
from perdure_aws.json_shapes import is_array, is_object
from perdure_aws.jsonata_syntax import (
    Binary,
    Expression,
    JsonataSyntaxError,
    Other,
    Variable,
    parse,
    walk,
)
from perdure_aws.limits import value_of

__all__ = ["Finding", "check"]

type Place = tuple[str, ...]

_PLAIN: Final = frozenset({"input", "context"})
_DONE: Final = _PLAIN | {"result"}
_CAUGHT: Final = _PLAIN | {"errorOutput"}
_BEFORE: Final = (
    *("Arguments", "Credentials", "TimeoutSeconds", "HeartbeatSeconds", "Seconds", "Timestamp"),
    *("Error", "Cause", "Items", "MaxConcurrency", "ItemReader", "ItemBatcher", "ResultWriter"),
    *("ToleratedFailureCount", "ToleratedFailurePercentage"),
)
_EXECUTING: Final = frozenset({"Task", "Parallel", "Map"})
_ANY_TASK_ERROR: Final = "States.TaskFailed"
_NOT_TASK_FAILED: Final = frozenset(
    {"States.Timeout", "States.HeartbeatTimeout", "States.QueryEvaluationError"}
)


@final
class Finding(NamedTuple):
    """One thing that is wrong."""

    code: str
    place: str
    message: str
    rejected: bool = True

    @override
    def __str__(self) -> str:
        return f"{self.code} at {self.place}: {self.message}"


def check(definition: Mapping[str, object]) -> list[Finding]:
    """All findings."""
    return list(_Checker(definition).findings())


@final
class _Checker:
    def __init__(self, definition: Mapping[str, object]) -> None:
        self._definition = definition
        self._seen: dict[str, str] = {}
        self._assigned = _all_assigned(definition)

    def findings(self) -> Iterator[Finding]:
        definition = self._definition
        if definition.get("QueryLanguage") != "JSONata":
            yield Finding("QUERY_LANGUAGE", "QueryLanguage", 'must be "JSONata"')
        size = len(json.dumps(definition, separators=(",", ":"), ensure_ascii=False).encode())
        if size > value_of("definition_bytes"):
            yield Finding(
                "DEFINITION_TOO_LARGE", "", f"{size} bytes, {value_of('definition_bytes')} at most"
            )
        yield from _whole_number(definition, "TimeoutSeconds", (), 1, value_of("timeout_seconds"))
        yield from self._scope(definition, MACHINE, (), frozenset())

    def _scope(
        self, scope: Mapping[str, object], fields: Fields, place: Place, taken: frozenset[str]
    ) -> Iterator[Finding]:
        yield from _field_findings(scope, fields, place)
        states = scope.get("States")
        if not is_object(states) or not states:
            yield _finding("MISSING_STATES", place, "States must be an object that is not empty")
            return
        yield from _graph_findings(scope, states, place)
        for name, state in states.items():
            where = (*place, "States", name)
            yield from self._name(name, where)
            if is_object(state) and state.get("Type") in STATES:
                yield from self._state(name, state, where, taken)
                outer = taken | assigned_before(states, name)
                for field, inner in inner_scopes(state):
                    kind = BRANCH if field.startswith("Branches") else PROCESSOR
                    names = frozenset[str]() if _is_distributed(inner) else outer
                    yield from self._scope(inner, kind, (*where, field), names)
            else:
                yield _finding("STATE_TYPE", where, "has no Type of Step Functions")

    def _name(self, name: str, where: Place) -> Iterator[Finding]:
        if not 1 <= len(name) <= value_of("name_characters"):
            yield _finding(
                "NAME_LENGTH", where, f"a state's name has 1 to 80 characters, this {len(name)}"
            )
        if name in self._seen:
            yield _finding(
                "DUPLICATE_STATE_NAME", where, f"`{name}` is also the name of {self._seen[name]}"
            )
        self._seen.setdefault(name, ".".join(where))

    def _state(
        self, name: str, state: Mapping[str, object], where: Place, taken: frozenset[str]
    ) -> Iterator[Finding]:
        kind = str(state["Type"])
        yield from _field_findings(state, STATES[kind], where)
        yield from _ending_findings(kind, state, where)
        yield from _kind_findings(kind, state, where)
        for holder, place, readable in _templates(kind, state, where):
            yield from _template_findings(holder, place, readable)
        for holder, place in _assigns(kind, state, where):
            yield from _assign_findings(holder, place, taken)
        yield from self._variables(state, where)

    def _variables(self, state: Mapping[str, object], where: Place) -> Iterator[Finding]:
        """Variables that nothing in the whole definition assigns."""
        for key, value in state.items():
            if key in ("Branches", "ItemProcessor", "Comment"):
                continue
            for source in expressions(value):
                try:
                    unknown = _free(parse(source)) - self._assigned - FUNCTIONS - {"states"}
                except (JsonataSyntaxError, RecursionError):
                    continue
                for name in sorted(unknown - {"eval"}):
                    yield _finding(
                        "UNKNOWN_VARIABLE",
                        (*where, key),
                        f"nothing assigns `${name}`",
                        rejected=False,
                    )


def _free(expression: Expression) -> set[str]:
    """Variables that the expression does not bind itself."""
    bound = set[str]()
    for node in walk(expression.root):
        if isinstance(node, Binary) and node.operator in (":=", "@", "#"):
            target = node.left if node.operator == ":=" else node.right
            if isinstance(target, Variable):
                bound.add(target.name)
        if isinstance(node, Other):
            bound.update(node.names)
    return set(expression.variables) - bound


def _all_assigned(scope: Mapping[str, object]) -> frozenset[str]:
    states = scope.get("States")
    if not is_object(states):
        return frozenset()
    names = {name for edge in edges(states) for name in edge.names}
    for state in states.values():
        if is_object(state):
            for _, inner in inner_scopes(state):
                names |= _all_assigned(inner)
    return frozenset(names)


def _finding(code: str, place: Place, message: str, *, rejected: bool = True) -> Finding:
    return Finding(code, ".".join(place), message, rejected)


def _field_findings(
    holder: Mapping[str, object], fields: Fields, place: Place
) -> Iterator[Finding]:
    for name in sorted(fields.required - holder.keys()):
        yield _finding("MISSING_FIELD", place, f"`{name}` is missing")
    for name in holder:
        if name not in fields.allowed:
            yield _finding("UNKNOWN_FIELD", place, f"`{name}` is no field here in JSONata mode")
    if holder.get("QueryLanguage", "JSONata") != "JSONata" and place:
        yield _finding("QUERY_LANGUAGE", place, "a state of a JSONata machine is in JSONata mode")
    if "Comment" in holder and not isinstance(holder["Comment"], str):
        yield _finding("FIELD_TYPE", (*place, "Comment"), "must be a string")


def _graph_findings(
    scope: Mapping[str, object], states: Mapping[str, object], place: Place
) -> Iterator[Finding]:
    start = scope.get("StartAt")
    if not isinstance(start, str) or start not in states:
        yield _finding("MISSING_TRANSITION_TARGET", (*place, "StartAt"), f"no state `{start}` here")
        return
    for edge in edges(states):
        if edge.target is not None and edge.target not in states:
            where = (*place, "States", edge.source, edge.field)
            yield _finding("MISSING_TRANSITION_TARGET", where, f"no state `{edge.target}` here")
    for name in states.keys() - reachable(states, start):
        yield _finding("UNREACHABLE_STATE", (*place, "States", str(name)), "no way leads to it")


def _ending_findings(kind: str, state: Mapping[str, object], where: Place) -> Iterator[Finding]:
    if kind in ("Choice", "Succeed", "Fail"):
        return
    if ("Next" in state) == ("End" in state):
        yield _finding("MISSING_END_STATE", where, "needs one of `Next` and `End`")
    if "End" in state and state["End"] is not True:
        yield _finding("FIELD_TYPE", (*where, "End"), "must be true")


def _kind_findings(kind: str, state: Mapping[str, object], where: Place) -> Iterator[Finding]:
    if kind == "Choice":
        rules = _objects(state, "Choices")
        if not rules:
            yield _finding("FIELD_TYPE", (*where, "Choices"), "must be an array that is not empty")
        for index, rule in enumerate(rules):
            yield from _field_findings(rule, RULE, (*where, f"Choices[{index}]"))
            condition = rule.get("Condition")
            if not isinstance(condition, bool) and not (
                isinstance(condition, str) and is_expression(condition)
            ):
                yield _finding(
                    "FIELD_TYPE",
                    (*where, f"Choices[{index}]", "Condition"),
                    "must be an expression or a boolean",
                )
    elif kind == "Wait":
        if ("Seconds" in state) == ("Timestamp" in state):
            yield _finding("WAIT", where, "needs one of `Seconds` and `Timestamp`")
        yield from _whole_number(state, "Seconds", where, 0, value_of("wait_seconds"))
    elif kind == "Task":
        yield from _task_findings(state, where)
    elif kind == "Parallel" and not _objects(state, "Branches"):
        yield _finding("FIELD_TYPE", (*where, "Branches"), "must be an array that is not empty")
    elif kind == "Map":
        yield from _map_findings(state, where)
    if kind in _EXECUTING:
        yield from _handler_findings(state, where)


def _task_findings(state: Mapping[str, object], where: Place) -> Iterator[Finding]:
    resource = state.get("Resource")
    if not isinstance(resource, str) or "{%" in resource or not resource.startswith("arn:"):
        yield _finding("RESOURCE", (*where, "Resource"), "must be a constant ARN")
    yield from _whole_number(state, "TimeoutSeconds", where, 1, value_of("timeout_seconds"))
    yield from _whole_number(state, "HeartbeatSeconds", where, 1, value_of("timeout_seconds"))
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        yield _finding(
            "HEARTBEAT", (*where, "HeartbeatSeconds"), "must be smaller than TimeoutSeconds"
        )


def _map_findings(state: Mapping[str, object], where: Place) -> Iterator[Finding]:
    processor = state.get("ItemProcessor")
    distributed = is_object(processor) and _is_distributed(processor)
    items = state.get("Items", [])
    if (
        not is_array(items)
        and not (isinstance(items, str) and is_expression(items))
        and not distributed
    ):
        yield _finding("FIELD_TYPE", (*where, "Items"), "must be an array or an expression")
    if not distributed:
        for name in (
            "ItemReader",
            "ItemBatcher",
            "ResultWriter",
            "Label",
            "ToleratedFailureCount",
            "ToleratedFailurePercentage",
        ):
            if name in state:
                yield _finding("UNKNOWN_FIELD", where, f"`{name}` is for a distributed Map")
    yield from _whole_number(state, "MaxConcurrency", where, 0, 10_000)
    label = state.get("Label")
    if isinstance(label, str) and len(label) > value_of("label_characters"):
        yield _finding("NAME_LENGTH", (*where, "Label"), "has 40 characters at most")


def _handler_findings(state: Mapping[str, object], where: Place) -> Iterator[Finding]:
    for key, fields in (("Retry", RETRIER), ("Catch", CATCHER)):
        handlers = _objects(state, key)
        covered: dict[str, int] = {}
        for index, handler in enumerate(handlers):
            place = (*where, f"{key}[{index}]")
            yield from _field_findings(handler, fields, place)
            yield from _error_findings(handler, place, covered, last=index == len(handlers) - 1)
            covered.update(dict.fromkeys(_errors(handler), index))
            if key == "Retry":
                yield from _retry_findings(handler, place)


def _errors(handler: Mapping[str, object]) -> list[str]:
    listed = handler.get("ErrorEquals")
    return [name for name in listed if isinstance(name, str)] if is_array(listed) else []


def _error_findings(
    handler: Mapping[str, object], place: Place, covered: Mapping[str, int], *, last: bool
) -> Iterator[Finding]:
    names = _errors(handler)
    where = (*place, "ErrorEquals")
    if not names:
        yield _finding("FIELD_TYPE", where, "must be an array of strings that is not empty")
    if "States.ALL" in names and (len(names) > 1 or not last):
        yield _finding("STATES_ALL", where, "States.ALL must be alone, and in the last one")
    for name in names:
        if (
            name.startswith("States.")
            and name not in RESERVED_ERRORS
            and not name.startswith("States.Http.StatusCode.")
        ):
            yield _finding("RESERVED_ERROR", where, f"`{name}` is no error of Step Functions")
        if name in covered:
            yield _finding(
                "DEAD_HANDLER",
                where,
                f"`{name}` is handled by entry {covered[name]}",
                rejected=False,
            )
        elif _ANY_TASK_ERROR in covered and name not in _NOT_TASK_FAILED and name != "States.ALL":
            yield _finding(
                "DEAD_HANDLER",
                where,
                f"`{name}` is covered by States.TaskFailed before it",
                rejected=False,
            )
        if name == "States.Runtime":
            yield _finding("DEAD_HANDLER", where, "States.Runtime is never caught", rejected=False)


def _retry_findings(handler: Mapping[str, object], place: Place) -> Iterator[Finding]:
    yield from _whole_number(
        handler, "IntervalSeconds", place, 1, value_of("retry_max_delay_seconds")
    )
    yield from _whole_number(handler, "MaxAttempts", place, 0, value_of("retry_attempts"))
    yield from _whole_number(
        handler, "MaxDelaySeconds", place, 1, value_of("retry_max_delay_seconds")
    )
    rate = handler.get("BackoffRate", 2.0)
    if isinstance(rate, bool) or not isinstance(rate, int | float) or rate < 1:
        yield _finding("FIELD_TYPE", (*place, "BackoffRate"), "must be a number of 1 or more")
    if handler.get("JitterStrategy", "NONE") not in ("NONE", "FULL"):
        yield _finding("FIELD_TYPE", (*place, "JitterStrategy"), "must be NONE or FULL")


def _whole_number(
    holder: Mapping[str, object], key: str, place: Place, least: int, most: int
) -> Iterator[Finding]:
    """A literal must be in its range; an expression is left to run time."""
    value = holder.get(key)
    if (value is None and key not in holder) or (isinstance(value, str) and is_expression(value)):
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        yield _finding(
            "NUMBER_RANGE", (*place, key), f"must be a whole number from {least} to {most}"
        )


def _templates(
    kind: str, state: Mapping[str, object], where: Place
) -> Iterator[tuple[object, Place, frozenset[str]]]:
    """Every field that holds expressions, with what of `$states` can be read in it."""
    token = frozenset[str]()
    resource = state.get("Resource")
    if isinstance(resource, str) and resource.rpartition(":::")[2].partition(".")[2]:
        token = frozenset({"context.Task"})
    after = (_DONE if kind in _EXECUTING else _PLAIN) | token
    for key in ("Assign", "Output"):
        yield state.get(key), (*where, key), after
    for key in _BEFORE:
        yield state.get(key), (*where, key), _PLAIN | token
    yield state.get("ItemSelector"), (*where, "ItemSelector"), _PLAIN | {"context.Map"}
    for index, rule in enumerate(_objects(state, "Choices")):
        for key in ("Condition", "Assign", "Output"):
            yield rule.get(key), (*where, f"Choices[{index}]", key), _PLAIN
    for index, catcher in enumerate(_objects(state, "Catch")):
        for key in ("Assign", "Output"):
            yield catcher.get(key), (*where, f"Catch[{index}]", key), _CAUGHT | token


def _template_findings(
    template: object, place: Place, readable: frozenset[str]
) -> Iterator[Finding]:
    for code, message in problems(template, readable):
        yield _finding(code, place, message)
    if template is not None:
        size = len(json.dumps(template, separators=(",", ":"), ensure_ascii=False).encode())
        if size > value_of("payload_bytes"):
            yield _finding("DATA_LIMIT", place, f"the literal has {size} bytes", rejected=False)


def _assigns(
    kind: str, state: Mapping[str, object], where: Place
) -> Iterator[tuple[object, Place]]:
    yield state.get("Assign"), (*where, "Assign")
    for key in ("Choices", "Catch"):
        for index, holder in enumerate(_objects(state, key)):
            yield holder.get("Assign"), (*where, f"{key}[{index}]", "Assign")


def _assign_findings(assign: object, place: Place, taken: frozenset[str]) -> Iterator[Finding]:
    if assign is None:
        return
    if not is_object(assign):
        yield _finding("FIELD_TYPE", place, "must be an object")
        return
    for name in assign:
        if name == "states":
            yield _finding("VARIABLE_NAME", place, "`states` is reserved")
        elif (
            not str(name).isidentifier()
            or str(name).startswith("_")
            or len(name) > value_of("name_characters")
        ):
            yield _finding("VARIABLE_NAME", place, f"`{name}` is no variable name")
        elif name in FUNCTIONS:
            yield _finding(
                "HIDES_FUNCTION", place, f"`{name}` hides the function `${name}`", rejected=False
            )
        if name in taken:
            yield _finding(
                "DUPLICATE_VARIABLE_NAME", place, f"an outer scope assigns `{name}` before it"
            )


def _objects(holder: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    found = holder.get(key)
    return [item for item in found if is_object(item)] if is_array(found) else []


def _is_distributed(processor: Mapping[str, object]) -> bool:
    config = processor.get("ProcessorConfig")
    return is_object(config) and config.get("Mode") == "DISTRIBUTED"
