"""Who may do what. A role allows what the emitted states and sites do, and nothing else.

machine     invoke the pinned versions of the functions that its states name; deliver its log;
            send its trace
sites       the run store's three operations on its table; answer task tokens (only a
            function that is given some); read the secrets that its code names; write its log;
            send its trace; what `[tool.perdure.env.X] allow` says
door        the run store; start the flow's machine (only if something starts runs); wake waits
            (only if something sends events); read the secrets of its schemes and links
scheduler   invoke the door
"""

from collections.abc import Iterable, Mapping, Sequence

from perdure.codec import Json
from perdure.webhooks.links import LINK_KEY

__all__ = [
    "STORE_ACTIONS",
    "TOKEN_ACTIONS",
    "Resource",
    "door_role",
    "machine_role",
    "scheduler_role",
    "sites_role",
]

type Resource = dict[str, Json]
type Statement = dict[str, Json]

STORE_ACTIONS = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
"""What `perdure_aws.dynamodb` calls."""
TOKEN_ACTIONS = ("states:SendTaskFailure", "states:SendTaskSuccess")
"""Step Functions offers no resource for them but `*` (service authorization reference)."""
LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""For logging; none takes a resource (step-functions/latest/dg/cw-logs.html, 2026-11-23)."""
TRACING = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
SAMPLING = ("xray:GetSamplingRules", "xray:GetSamplingTargets")
"""Also for machines (step-functions/latest/dg/concepts-xray-tracing.html, 2026-11-23)."""


def machine_role(functions: Iterable[str]) -> Resource:
    """The role that executions run under. Old versions too: runs under way call them."""
    versions: list[Json] = [{"Fn::Sub": f"${{{name}.Arn}}:*"} for name in functions]
    return _role(
        "states",
        [
            _allow(("lambda:InvokeFunction",), versions),
            _allow(LOG_DELIVERY, "*"),
            _allow((*SAMPLING, *TRACING), "*"),
        ],
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    )


def sites_role(
    logs: str,
    *,
    answers_tokens: bool,
    starts: Sequence[str],
    allowed: Mapping[str, Sequence[str]],
    secrets: Sequence[str] = (),
) -> Resource:
    """The role of one function. `starts`: names of machines whose executions it starts and stops;
    `allowed`: by the condition that says in which environment; `secrets`: what it reads.
    """
    statements = _of_a_function(logs)
    if answers_tokens:
        statements.append(_allow(TOKEN_ACTIONS, "*"))
    if starts:
        statements += [
            _allow(("states:StartExecution",), [_of_states("stateMachine", n) for n in starts]),
            _allow(
                ("states:GetExecutionHistory", "states:StopExecution"),
                [_of_states("execution", f"{name}:*") for name in starts],
            ),
        ]
    statements += _reads(secrets)
    policies: list[Json] = [
        {
            "Fn::If": [
                condition,
                _policy("allowed", list(map(_permission, permissions))),
                {"Ref": "AWS::NoValue"},
            ]
        }
        for condition, permissions in allowed.items()
        if permissions
    ]
    return _role("lambda", statements, None, policies)


def door_role(logs: str, *, starts: Sequence[str], wakes: bool, secrets: Sequence[str]) -> Resource:
    """The role of the door. `starts`: names of machines; `wakes`: whether it sends events."""
    statements = _of_a_function(logs)
    if wakes:
        statements.append(_allow(("states:SendTaskSuccess",), "*"))
    if starts:
        machines = [_of_states("stateMachine", name) for name in starts]
        statements.append(_allow(("states:StartExecution",), machines))
    return _role("lambda", [*statements, *_reads(secrets)], None)


def scheduler_role(door: str) -> Resource:
    """The role under which Scheduler tells the door (its alias) of a moment."""
    return _role(
        "scheduler",
        [_allow(("lambda:InvokeFunction",), {"Ref": door})],
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    )


def _of_a_function(logs: str) -> list[Statement]:
    """What every function that works on runs does."""
    table = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Table}"
    return [
        _allow(STORE_ACTIONS, {"Fn::Sub": table}),
        _allow(("logs:CreateLogStream", "logs:PutLogEvents"), {"Fn::GetAtt": [logs, "Arn"]}),
        _allow(TRACING, "*"),
    ]


def _reads(secrets: Sequence[str]) -> list[Statement]:
    """To read secrets by name: behind it, Secrets Manager puts six characters of its own
    (secretsmanager/latest/userguide/reference_iam-permissions.html, 2026-11-23)."""
    arn = "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:"
    named: list[Json] = [
        {"Ref": "LinkKey"}
        if name == LINK_KEY.name
        else {"Fn::Sub": f"{arn}${{Project}}/${{Environment}}/{name}-??????"}
        for name in secrets
    ]
    return [_allow(("secretsmanager:GetSecretValue",), named)] if named else []


def _of_states(kind: str, name: str) -> Json:
    """The ARN of a machine, or of its executions; an alias of it is no resource of its own
    (step-functions/latest/dg/auth-version-alias.html, 2026-11-23)."""
    states = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"{states}:{kind}:{name}"}


def _permission(text: str) -> Statement:
    """`s3:GetObject arn:aws:s3:::reports/*` as a statement."""
    action, _, resource = text.partition(" ")
    return _allow((action,), {"Fn::Sub": resource} if "${" in resource else resource)


def _role(
    service: str, statements: list[Statement], condition: Json, more: Sequence[Json] = ()
) -> Resource:
    trust: dict[str, Json] = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **({} if condition is None else {"Condition": condition}),
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [_policy("perdure", statements), *more],
        },
    }


def _policy(name: str, statements: list[Statement]) -> dict[str, Json]:
    document: dict[str, Json] = {"Version": "2012-10-17", "Statement": [*statements]}
    return {"PolicyName": name, "PolicyDocument": document}


def _allow(actions: Sequence[str], resource: Json) -> Statement:
    return {"Effect": "Allow", "Action": [*actions], "Resource": resource}
