"""Cases of the corpus whose behaviour somebody has written by hand for the engine: their twins.

What stands here are facts about the twins: which states a run enters (Step Functions) or which
calls and switches it executes (Workflows) on the way that our case takes, counted in the file that
`source` names, at the commit that was read. None of their code is here. Left out of a count are
placeholders that do nothing (`Here`, `Goes`, ...), so that no twin is worse than it is meant to be.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["ABOVE", "TWINS", "Twin"]


class Twin(NamedTuple):
    """What a hand-written file counts on the way of a case: states, or calls and switches."""

    case: str
    engine: str
    source: str
    """Repository, path, and the commit that was read."""
    passes: tuple[tuple[int, str], ...]
    """How many of what, along the way."""

    @property
    def total(self) -> int:
        """The sum."""
        return sum(number for number, _ in self.passes)


_COLLECTION: Final = "aws-samples/step-functions-workflows-collection"
_EXAMPLES: Final = "aws-samples/aws-stepfunctions-examples"
_GOOGLE: Final = "GoogleCloudPlatform/workflows-samples"
_AWS: Final = "aws/moto"
_GCP: Final = "gcp/workflows"
_SAGA: Final = f"{_COLLECTION} saga-pattern-sam 54e7dd7"
_UNLOAD: Final = f"{_COLLECTION} redshift-serverless-unload e5ccff8"
_STOCK: Final = f"{_COLLECTION} inventory-management-sam 396b64f"
_CATCH: Final = f"{_GOOGLE} src/error_catch.workflows.yaml 370fa71"
_WEEKEND: Final = f"{_GOOGLE} src/step_conditional_weekend.workflows.yaml 98fb9d3"

TWINS: Final = (
    Twin("sf-01-booked", _AWS, _SAGA, ((6, "tasks"), (1, "Succeed"))),
    Twin("sf-01-payment-fails", _AWS, _SAGA,
         ((3, "tasks"), (2, "retries, which are billed"), (4, "undo tasks and the message"),
          (1, "Fail"))),
    Twin("sf-04", _AWS, _UNLOAD,
         ((2, "Pass and the statement"), (9, "three times Wait, task, Choice"), (1, "manifest"))),
    Twin("sf-04-no-manifest", _AWS, _UNLOAD,
         ((2, "Pass and the statement"), (3, "Wait, task, Choice"), (1, "manifest"), (1, "Fail"))),
    Twin("sf-07-in-stock", _AWS, _STOCK,
         ((2, "task, Choice"), (4, "Parallel of three"), (1, "Pass"))),
    Twin("sf-07-sold-out", _AWS, _STOCK,
         ((2, "task, Choice"), (4, "Parallel of three"), (1, "Pass"))),
    Twin("sf-10", _AWS, f"{_COLLECTION} either-or-parallel-pattern 21c4880",
         ((1, "Parallel"), (2, "Wait and Fail of the timer"),
          (30, "ten times look, Choice, Wait in the pollers"), (1, "the next step"))),
    Twin("sf-13-saved", _AWS, f"{_COLLECTION} idempotent-workflow-sam 1cbabab",
         ((1, "settings"), (2, "lock, twice"), (6, "three times record and Choice"), (1, "Wait"),
          (2, "Pass, Succeed"))),
    Twin("sf-13-work-fails", _AWS, f"{_COLLECTION} idempotent-workflow-sam 1cbabab",
         ((2, "settings, lock"), (2, "Parallel around the work"), (1, "save the failure"),
          (1, "Fail"))),
    Twin("sf-19", _AWS, f"{_EXAMPLES} execute_athena_query.asl.json 87e03b2",
         ((3, "Choice, two Pass"), (1, "start"), (9, "three times Wait, task, Choice"),
          (2, "results, Pass"))),
    Twin("sf-22", _AWS, f"{_EXAMPLES} dynamodb-semaphore.asl.json 8ebd4de",
         ((1, "Parallel around the lock"), (7, "acquire, create, acquire, read, Choice, Wait, "
          "acquire"), (2, "Parallel around the work"), (1, "release"), (1, "Succeed"))),
    Twin("sf-25", _AWS, f"{_COLLECTION} distributed-map-montecarlo 287fc9c",
         ((1, "inputs"), (5, "Map of four"), (1, "aggregate"))),
    Twin("gw-01-saturday", _GCP, _WEEKEND, ((1, "call"), (1, "switch"))),
    Twin("gw-01-friday", _GCP, _WEEKEND, ((1, "call"), (1, "switch"))),
    Twin("gw-04", _GCP, f"{_GOOGLE} src/list_reverse.workflows.yaml 19d7602",
         ((1, "call of the subworkflow"),)),
    Twin("gw-07", _GCP, f"{_GOOGLE} src/poll_bigquery_job_manual.workflows.yaml 1eb20e7",
         ((1, "call"), (6, "three times call and switch"), (2, "sleeps"))),
    Twin("gw-10-found", _GCP, _CATCH, ((1, "call"),)),
    Twin("gw-10-404", _GCP, _CATCH, ((1, "call"), (1, "switch"))),
    Twin("gw-10-broken", _GCP, _CATCH, ((1, "call"), (1, "switch"))),
    Twin("gw-10-500", _GCP, _CATCH, ((1, "call"), (1, "switch"))),
)  # fmt: skip

_TRY: Final = (
    "a handler is around the call: the twin's `try` and `except` are steps too, but no switch; ours"
    " is one switch behind the call"
)

ABOVE: Final[Mapping[str, str]] = {
    "sf-01-payment-fails": "retries wait by the step's own policy (jitter, `RetryAfter`, which"
    " errors), in a Wait of its own: two transitions an attempt where Retry has one; and what is to"
    " be undone is a list, so a Choice stands before each undo",
    "sf-10": "in a branch a sleep waits under a token, so that it can be ended; a site before it"
    " and one before the race evaluate what they are given",
    "gw-04": "the list is read and written by two steps here; the twin has it in its text",
    "gw-07": "an execution may be one that goes on at the loop, where a run is handed over: one"
    " switch at its start asks",
    "gw-10-found": _TRY,
    "gw-10-404": _TRY,
    "gw-10-broken": _TRY,
}
"""Cases that take more than their twin, and why."""
