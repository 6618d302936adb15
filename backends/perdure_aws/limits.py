"""Every documented limit of Step Functions (Standard) that this project knows: one table.

The engine enforces it, the static checks read it, the compiler says of each row what it does so
that a flow cannot reach it. Sources are pages below docs.aws.amazon.com unless they say otherwise.
"""

from typing import Final, NamedTuple, final

__all__ = ["LIMITS", "Limit", "limit", "value_of"]


@final
class Limit(NamedTuple):
    """One row."""

    name: str
    value: int
    unit: str
    source: str
    compiler: str
    """What the compiler does about it."""


_QUOTAS: Final = "step-functions/latest/dg/service-quotas.html"
_BOTO: Final = "botocore service model stepfunctions-2016-11-23"

LIMITS: Final = (
    Limit(
        "payload_bytes", 262_144, "bytes of UTF-8", _QUOTAS,
        "states, branches and what they end with go by reference above a threshold",
    ),
    Limit(
        "variable_bytes", 262_144, "bytes of UTF-8",
        "step-functions/latest/dg/workflow-variables.html",
        "no variables are emitted",
    ),
    Limit(
        "assign_bytes", 262_144, "bytes of UTF-8",
        "step-functions/latest/dg/workflow-variables.html",
        "no Assign is emitted",
    ),
    Limit(
        "variables_bytes", 10_485_760, "bytes of UTF-8",
        "step-functions/latest/dg/workflow-variables.html",
        "no variables are emitted",
    ),
    Limit(
        "history_events", 25_000, "events", _QUOTAS,
        "loops are handed over to another execution before their events can reach it, wide "
        "gathers go to several",
    ),
    Limit(
        "execution_seconds", 31_536_000, "seconds", _QUOTAS,
        "a longer wait is refused where it is written, else the run ends with LimitExceeded",
    ),
    Limit(
        "definition_bytes", 1_048_576, "bytes", _BOTO + " (Definition)",
        "output is linear in the source; a larger one is refused with its size",
    ),
    Limit("request_bytes", 1_048_576, "bytes", _QUOTAS, "as definition_bytes"),
    Limit(
        "name_characters", 80, "characters", _BOTO + " (Name, StateName)",
        "longer names are cut and told apart by a number",
    ),
    Limit(
        "label_characters", 40, "characters", "step-functions/latest/dg/state-map-distributed.html",
        "no distributed Map is emitted",
    ),
    Limit(
        "wait_seconds", 99_999_999, "seconds",
        "measured: sfnx 3.1.0 docs/design.md (literal Seconds)",
        "waits are due times",
    ),
    Limit(
        "timeout_seconds", 99_999_999, "seconds", "step-functions/latest/dg/state-task.html",
        "longer timeouts are due times: the site behind looks again",
    ),
    Limit(
        "retry_attempts", 99_999_999, "attempts",
        "step-functions/latest/dg/concepts-error-handling.html",
        "`attempts=None` counts in the envelope, not in the retrier",
    ),
    Limit(
        "retry_max_delay_seconds", 31_622_400, "seconds",
        "step-functions/latest/dg/concepts-error-handling.html",
        "delays between attempts are due times, bounded by execution_seconds",
    ),
    Limit(
        "inline_map_concurrency", 40, "iterations",
        "step-functions/latest/dg/state-map-inline.html",
        "branches that wait, above it, go to several executions",
    ),
    Limit(
        "expression_depth", 100, "nested evaluations",
        "measured: github.com/floci-io/floci/issues/2737",
        "expressions are moves, literals and fields of site results",
    ),
    Limit(
        "expression_seconds", 1, "seconds", "measured: github.com/floci-io/floci/issues/2737",
        "expressions are moves, literals and fields of site results",
    ),
    Limit(
        "error_characters", 256, "characters", _BOTO + " (SensitiveError)",
        "errors travel in the envelope; names that Step Functions sees are short",
    ),
    Limit(
        "cause_characters", 32_768, "characters", _BOTO + " (SensitiveCause)",
        "errors travel in the envelope; a cause is text for people",
    ),
    Limit(
        "token_characters", 2_048, "characters", _BOTO + " (TaskToken)",
        "stored whole in the run store",
    ),
    Limit(
        "lambda_seconds", 900, "seconds", "lambda/latest/dg/gettingstarted-limits.html",
        "a step with a longer timeout is refused on this target",
    ),
    Limit(
        "lambda_payload_bytes", 6_291_456, "bytes",
        "lambda/latest/dg/gettingstarted-limits.html",
        "payload_bytes is smaller",
    ),
    Limit(
        "webhook_bytes", 4_500_000, "bytes of a delivery",
        "lambda/latest/dg/gettingstarted-limits.html: 6 MB, of which base64 takes a quarter",
        "a webhook with a larger `max_bytes` is refused on this target",
    ),
    Limit(
        "http_task_seconds", 60, "seconds", "step-functions/latest/dg/call-https-apis.html",
        "no http:invoke is emitted",
    ),
    Limit(
        "versions", 1_000, "versions of a machine", _QUOTAS,
        "deploy retires versions that no run uses",
    ),
    Limit("aliases", 100, "aliases of a machine", _QUOTAS, "one alias is used"),
    Limit(
        "open_executions", 1_000_000, "executions per account and region (soft)", _QUOTAS,
        "told by `plan`",
    ),
)  # fmt: skip

_BY_NAME: Final = {row.name: row for row in LIMITS}


def limit(name: str) -> Limit:
    """The row of that name; KeyError for a name that is in no row."""
    return _BY_NAME[name]


def value_of(name: str) -> int:
    """The value of the row of that name."""
    return _BY_NAME[name].value
