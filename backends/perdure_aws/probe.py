"""`perdure probe aws`: what our definitions rely on and no page says, asked of Step Functions.

One small state machine without any function: it computes the answers, is executed once, and is
deleted. What is assumed stands here as data; a test holds it against the engine that we test on.
"""

import json
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, final

from perdure.codec import Json
from perdure.probing import NoCredentials, ProbeFailed

if TYPE_CHECKING:
    from boto3 import Session

__all__ = ["PROBER", "QUESTIONS", "Asking", "AwsProber", "Question", "definition"]

NAME: Final = "perdure-probe"
PATIENCE: Final = 120
"""Seconds that the execution may take."""


@final
class Question(NamedTuple):
    """An expression, what it asks, and what is assumed that it gives."""

    asks: str
    expression: str
    assumed: Json


_I: Final = "$states.input"

QUESTIONS: Final[Mapping[str, Question]] = {
    "key-order": Question(
        "do the keys of an object keep their order?", f"$string({_I}.order)",
        '{"b":1,"a":2,"10":3,"2":4}'),
    "merge-order": Question(
        "does $merge keep the order of keys, with those of the last object where they stood?",
        "$string($merge([{'b': 1, 'a': 2}, {'c': 3, 'b': 4}]))", '{"b":4,"a":2,"c":3}'),
    "merge-null": Question(
        "does a null in $merge replace a value?",
        "$string($merge([{'raised': 'x'}, {'raised': null}]))", '{"raised":null}'),
    "missing-member": Question(
        "is a member that is not there unequal to text, without an error?",
        f"{_I}.nothing = 'x'", False),
    "lookup-missing": Question(
        "likewise what $lookup does not find?", f"$lookup({_I}.order, 'zz') = 'then'", False),
    "null-member": Question(
        "is null unequal to the empty text?", f"{_I}.none = ''", False),
    "single-array": Question(
        "does a list of one stay a list on its way through a state?", f"{_I}.one", [1]),
    "empty-array": Question("and an empty one?", f"{_I}.empty", []),
    "large-integer": Question(
        "do integers up to 2^53 - 1 stay exact?", f"{_I}.large", 9007199254740991),
    "double": Question("and a fraction?", f"{_I}.double", 0.1),
    "text": Question(
        "does text beyond the basic plane stay as it is?", f"{_I}.text", "a\U0001f600"),
    "nested-parse": Question(
        "does $parse take apart a text within a text, as a Lambda error's cause is?",
        f"$parse($parse({_I}.cause).errorMessage).next.a", 1),
    "split-type": Question(
        "what is the second part of a split name?", "$split('a.b:C.d', ':')[1]", "C.d"),
    "type-array": Question("what is $type of a list?", f"$type({_I}.one)", "array"),
    "type-list-of-branches": Question(
        "what does a branch that picks its own start get?",
        f"($type({_I}.one) = 'array' ? {_I}.one[0] : {_I}.one)", 1),
    "entered-time": Question(
        "is EnteredTime a time in UTC with a fraction?",
        "$contains($states.context.State.EnteredTime, "
        "/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([.][0-9]+)?Z$/)", True),
}  # fmt: skip
_STATES: Final[Mapping[str, tuple[str, Json]]] = {
    "failed-error": (
        "may Fail compute its name, and does a catcher see it?", "perdure.Raised[x]"),
    "failed-cause": ("and its cause?", '{"a":1}'),
    "empty-map": ("what does a Map over nothing give?", []),
    "computed-concurrency": ("may MaxConcurrency be computed?", [1, 2, 3]),
    "past-wait": ("does a Wait until a time that has passed end?", "passed"),
}  # fmt: skip
"""What states are needed for: what it asks, and what is assumed."""

INPUT: Final[Json] = {
    "order": {"b": 1, "a": 2, "10": 3, "2": 4},
    "none": None,
    "one": [1],
    "empty": [],
    "large": 9007199254740991,
    "double": 0.1,
    "text": "a\U0001f600",
    "cause": json.dumps({"errorMessage": json.dumps({"next": {"a": 1}})}),
    "items": [1, 2, 3],
}


def _expression(text: str) -> str:
    return "{% " + text + " %}"


def _added(**more: str) -> str:
    """The answers so far, and more of them (expressions)."""
    pairs = ", ".join(f"'{name.replace('_', '-')}': {text}" for name, text in more.items())
    return _expression(f"$merge([{_I}, {{'answers': $merge([{_I}.answers, {{{pairs}}}])}}])")


def _each(name: str, limit: str) -> dict[str, Json]:
    item: dict[str, Json] = {"Type": "Pass", "End": True}
    return {
        "Type": "Map",
        "MaxConcurrency": _expression(limit),
        "ItemProcessor": {"StartAt": name, "States": {name: item}},
    }


def definition() -> dict[str, Json]:
    """The state machine that asks."""
    answers: dict[str, Json] = {
        name: _expression(question.expression) for name, question in QUESTIONS.items()
    }
    failing: Json = {
        "StartAt": "fail",
        "States": {
            "fail": {
                "Type": "Fail",
                "Error": _expression("'perdure.' & 'Raised[x]'"),
                "Cause": _expression("$string({'a': 1})"),
            }
        },
    }
    return {
        "Comment": "perdure probe",
        "QueryLanguage": "JSONata",
        "StartAt": "expressions",
        "States": {
            "expressions": {
                "Type": "Pass",
                "Output": {"items": _expression(f"{_I}.items"), "answers": answers},
                "Next": "failing",
            },
            **_states(failing),
        },
    }


def _states(failing: Json) -> dict[str, Json]:
    """What expressions alone cannot ask."""
    caught = _added(
        failed_error="$states.errorOutput.Error", failed_cause="$states.errorOutput.Cause"
    )
    return {
        "failing": {
            "Type": "Parallel",
            "Branches": [failing],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": caught, "Next": "nothing"}],
            "End": True,
        },
        "nothing": {
            **_each("no item", "2"),
            "Items": _expression("[]"),
            "Output": _added(empty_map="$states.result"),
            "Next": "computed",
        },
        "computed": {
            **_each("item", "1 + 1"),
            "Items": _expression(f"{_I}.items"),
            "Output": _added(computed_concurrency="$states.result"),
            "Next": "wait",
        },
        "wait": {
            "Type": "Wait",
            "Timestamp": _expression("'2020-01-01T00:00:00Z'"),
            "Output": _added(past_wait="'passed'"),
            "Next": "end",
        },
        "end": {"Type": "Succeed", "Output": _expression(f"{_I}.answers")},
    }


class Client(Protocol):
    """Of boto3's client for Step Functions, what is used."""

    def create_state_machine(self, **given: str) -> Mapping[str, str]:
        """`stateMachineArn`."""
        ...

    def start_execution(self, **given: str) -> Mapping[str, str]:
        """`executionArn`."""
        ...

    def describe_execution(self, **given: str) -> Mapping[str, str]:
        """`status`, and `output` or `error` and `cause`."""
        ...

    def delete_state_machine(self, **given: str) -> object:
        """Nothing of use."""
        ...


@final
class AwsProber:
    """See `perdure.probing.Prober`."""

    target: str = "aws"
    questions: Mapping[str, str] = {
        **{name: question.asks for name, question in QUESTIONS.items()},
        **{name: asks for name, (asks, _) in _STATES.items()},
    }

    def plan(self) -> Iterable[str]:
        """What will be made."""
        return (
            f"a state machine `{NAME}` of six states, under the role that you name (it needs no"
            " permission), executed once; nothing else is called",
            "it is deleted at the end, also when something fails",
            "about 11 state transitions: $0.0003, and within the free tier of a month",
        )

    def assumed(self) -> Mapping[str, Json]:
        """What our definitions rely on."""
        return {
            **{name: question.assumed for name, question in QUESTIONS.items()},
            **{name: value for name, (_, value) in _STATES.items()},
        }

    def ask(self, options: Mapping[str, str]) -> Mapping[str, Json]:
        """`role`: an ARN that Step Functions may assume; `region`."""
        if "role" not in options:
            raise NoCredentials("name a role that Step Functions may assume: --set role=ARN")
        return Asking(_client(options.get("region")), options["role"], time.sleep).answers()


PROBER: Final = AwsProber()


@final
class Asking:
    """One probe of one account."""

    def __init__(self, client: Client, role: str, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._role = role
        self._sleep = sleep

    def answers(self) -> dict[str, Json]:
        """Every answer; the machine is removed whatever happens."""
        made = self._client.create_state_machine(
            name=NAME, definition=json.dumps(definition()), roleArn=self._role
        )
        machine = made["stateMachineArn"]
        try:
            started = self._client.start_execution(stateMachineArn=machine, input=json.dumps(INPUT))
            return self._ended(started["executionArn"])
        finally:
            self._client.delete_state_machine(stateMachineArn=machine)

    def _ended(self, execution: str) -> dict[str, Json]:
        for _ in range(PATIENCE):
            found = self._client.describe_execution(executionArn=execution)
            if found["status"] == "SUCCEEDED":
                answers: dict[str, Json] = json.loads(found["output"])
                return answers
            if found["status"] != "RUNNING":
                why = f"{found.get('error')}: {found.get('cause')}"
                raise ProbeFailed(f"the execution ended {found['status']}, {why}")
            self._sleep(1)
        raise ProbeFailed(f"the execution did not end within {PATIENCE} seconds")


def _client(region: str | None) -> Client:
    """A client under the credentials of this machine."""
    try:
        import boto3
    except ImportError:
        raise NoCredentials("install boto3: `pip install perdure[aws]`") from None
    session = boto3.Session(region_name=region)
    if session.get_credentials() is None:
        raise NoCredentials("no credentials: set AWS_PROFILE, or log in with `aws login`")
    return _Boto(session)


@final
class _Boto:
    """boto3's client; what AWS refuses is a `ProbeFailed`."""

    def __init__(self, session: "Session") -> None:
        self._client = session.client("stepfunctions")  # pyright: ignore[reportUnknownMemberType]

    def create_state_machine(self, **given: str) -> Mapping[str, str]:
        """As `Client`."""
        with _refusals():
            name, text, role = given["name"], given["definition"], given["roleArn"]
            made = self._client.create_state_machine(name=name, definition=text, roleArn=role)
            return {"stateMachineArn": made["stateMachineArn"]}

    def start_execution(self, **given: str) -> Mapping[str, str]:
        """As `Client`."""
        with _refusals():
            started = self._client.start_execution(
                stateMachineArn=given["stateMachineArn"], input=given["input"]
            )
            return {"executionArn": started["executionArn"]}

    def describe_execution(self, **given: str) -> Mapping[str, str]:
        """As `Client`."""
        with _refusals():
            found = self._client.describe_execution(executionArn=given["executionArn"])
            return {
                "status": found["status"],
                "output": found.get("output", "null"),
                "error": found.get("error", ""),
                "cause": found.get("cause", ""),
            }

    def delete_state_machine(self, **given: str) -> object:
        """As `Client`."""
        with _refusals():
            return self._client.delete_state_machine(stateMachineArn=given["stateMachineArn"])


@contextmanager
def _refusals() -> Generator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise ProbeFailed(f"AWS refuses: {error}") from error
