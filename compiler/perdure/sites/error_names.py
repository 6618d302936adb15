"""Names of the errors that sites fail with: what catchers match."""

__all__ = [
    "AGAIN",
    "CANCELLED",
    "CHUNK",
    "HAND_OVER",
    "LOST",
    "LOST_BRANCH",
    "WON",
    "ended",
    "entered",
    "limit_named",
    "lingering",
    "raised",
    "wide",
]

AGAIN = "perdure.Again"
"""The step failed and its policy wants another attempt, at the time in the cause."""
HAND_OVER = "perdure.HandOver"
"""The history is long: the run goes on in another execution."""
WON = "perdure.Won"
"""A branch of a race has ended: the only way to end a Parallel before all branches have."""
CHUNK = "perdure.Chunk"
"""The branches of a chunk of a wide gather have ended, and this execution with them."""
CANCELLED = "perdure.Cancelled"
"""The run was cancelled while it waited; the cause carries the CancelledError."""

LOST_BRANCH = "LimitExceeded"
"""The run ended because Step Functions ended the execution of one of its branches."""

LOST = (
    "States.Timeout",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
)
"""An attempt that ended without an outcome: the worker is gone, or never began.

Source: the retry list AWS recommends for lambda:invoke, and how runtimes report a crash.
"""


def ended(origin: str) -> str:
    """The error name of a site that found that the native operation at this pc has failed."""
    return f"perdure.Ended[{origin}]"


def entered(head: str) -> str:
    """The error name of a machine's first state, given a run that goes on at the head of a loop."""
    return f"perdure.Entered[{head}]"


def lingering(origin: str) -> str:
    """The error name of a site that found children, overtaken at this pc, that have not ended."""
    return f"perdure.Lingering[{origin}]"


def wide(origin: str) -> str:
    """The error name of a site that found the gather at this pc too wide for one execution."""
    return f"perdure.Wide[{origin}]"


def limit_named(error: str | None, cause: str) -> str | None:
    """The limit (a row of `perdure_aws.limits`) that ended an execution with this error."""
    if error == "States.DataLimitExceeded":
        return "payload_bytes"
    if error == "States.Runtime" and "maximum number of history events" in cause:
        return "history_events"
    return None


def raised(handler: str) -> str:
    """The error name of a site that was taken by an exception to this handler ("" is none)."""
    return f"perdure.Raised[{handler}]"
