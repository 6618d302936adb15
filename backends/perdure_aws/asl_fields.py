"""Which fields a state, a rule, a retrier and a catcher have in JSONata mode.

The table is the one of AWS's agent-toolkit skill for Step Functions and of the Amazon States
Language specification; what JSONPath mode has and JSONata mode refuses is in none of its rows.
"""

from typing import Final, NamedTuple, final

__all__ = [
    "BRANCH",
    "CATCHER",
    "MACHINE",
    "PROCESSOR",
    "RESERVED_ERRORS",
    "RETRIER",
    "RULE",
    "STATES",
    "Fields",
]


@final
class Fields(NamedTuple):
    """Fields that must and may be there."""

    required: frozenset[str]
    allowed: frozenset[str]


def _fields(required: str, optional: str) -> Fields:
    must = frozenset(required.split())
    return Fields(must, must | frozenset(optional.split()))


_COMMON: Final = "Type Comment QueryLanguage"
_NEXT: Final = "Next End"
MACHINE: Final = _fields("StartAt States", "Comment QueryLanguage TimeoutSeconds Version")
BRANCH: Final = _fields("StartAt States", "Comment")
PROCESSOR: Final = _fields("StartAt States", "Comment ProcessorConfig")
RULE: Final = _fields("Condition Next", "Assign Output Comment")
RETRIER: Final = _fields(
    "ErrorEquals",
    "IntervalSeconds MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy Comment",
)
CATCHER: Final = _fields("ErrorEquals Next", "Assign Output Comment")
STATES: Final = {
    "Pass": _fields("Type", f"{_COMMON} {_NEXT} Assign Output"),
    "Task": _fields(
        "Type Resource",
        f"{_COMMON} {_NEXT} Arguments Assign Output TimeoutSeconds HeartbeatSeconds Retry Catch "
        "Credentials",
    ),
    "Choice": _fields("Type Choices", f"{_COMMON} Default Assign Output"),
    "Wait": _fields("Type", f"{_COMMON} {_NEXT} Seconds Timestamp Assign Output"),
    "Succeed": _fields("Type", f"{_COMMON} Output"),
    "Fail": _fields("Type", f"{_COMMON} Error Cause"),
    "Parallel": _fields("Type Branches", f"{_COMMON} {_NEXT} Arguments Assign Output Retry Catch"),
    "Map": _fields(
        "Type ItemProcessor",
        f"{_COMMON} {_NEXT} Items ItemSelector MaxConcurrency Assign Output Retry Catch "
        "ItemReader ItemBatcher ResultWriter Label ToleratedFailureCount "
        "ToleratedFailurePercentage",
    ),
}
RESERVED_ERRORS: Final = frozenset(
    {
        "States.ALL",
        "States.BranchFailed",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.Http.Socket",
        "States.ItemReaderFailed",
        "States.NoChoiceMatched",
        "States.Permissions",
        "States.QueryEvaluationError",
        "States.ResultWriterFailed",
        "States.Runtime",
        "States.TaskFailed",
        "States.Timeout",
    }
)
