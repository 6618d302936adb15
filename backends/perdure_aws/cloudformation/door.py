"""What reaches a flow from outside: its HTTP API, its schedules, and the function behind both.

    Api, Stage, routes     an HTTP API: one route for each webhook, one for approval links, one for
                           whatever else an older release may serve; the door gives all answers
    Door                   the function that checks deliveries, starts runs, stores events
    DoorVersion, DoorLive  the door of a release, and the alias that shares what comes in out
                           between two of them, as new runs are shared out
    LinkKey                what approval links are signed with, made where it is deployed
    Schedules, Schedule... EventBridge Scheduler; it tells the door of each moment at least once

A door starts runs on the machines of its own release, so who comes in through it runs the code
that took the delivery. Routes and schedules are called after what they are, not by number:
another one beside them changes none. A flow without webhook, schedule and approval link has none
of it.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.ir import CronTrigger, Program, WebhookTrigger
from perdure.webhooks.links import LINK_KEY, PATH, URL_SETTING
from perdure_aws.cloudformation.roles import door_role, scheduler_role
from perdure_aws.cloudformation.tasks import SITES
from perdure_aws.scheduler import expressions

__all__ = [
    "DOOR",
    "DOOR_LIVE",
    "NOTHING",
    "Outside",
    "access_log",
    "api",
    "conditions",
    "door",
    "link_key",
    "outside_of",
    "parameters",
    "schedules",
    "secret_places",
    "url_of",
    "urls",
]

DOOR = "Door"
DOOR_LIVE = "DoorLive"
"""What is invoked: an alias of the door."""
HANDLER = "perdure_aws.door.handle"
SECONDS = 29
"""Of one request: an HTTP API waits 30 (apigateway/latest/developerguide/http-api-quotas.html)."""
RATE, BURST = 50, 100
"""Requests a second, and at once, that the API lets through."""
RETRIED_SECONDS = 3600
"""For how long Scheduler tells of a moment that the door did not take."""
DUE = "<aws.scheduler.scheduled-time>"

type Resources = dict[str, dict[str, Json]]


@final
class Outside(NamedTuple):
    """What reaches a flow from outside, and the secrets that code reads."""

    webhooks: tuple[WebhookTrigger, ...] = ()
    crons: tuple[CronTrigger, ...] = ()
    links: bool = False
    """Whether steps make approval links."""
    secrets: Mapping[str, tuple[str, ...]] = {}
    """Names of those that each function reads, the door included."""

    @property
    def has_door(self) -> bool:
        """Whether there is a door."""
        return self.has_api or bool(self.crons)

    @property
    def has_api(self) -> bool:
        """Whether anybody can send something."""
        return bool(self.webhooks) or self.links

    @property
    def starts(self) -> bool:
        """Whether the door starts runs."""
        return bool(self.crons) or any(one.event is None for one in self.webhooks)

    @property
    def sends(self) -> bool:
        """Whether the door sends events to runs."""
        return self.links or any(one.event is not None for one in self.webhooks)


NOTHING = Outside()


def outside_of(program: Program, groups: Mapping[str, str]) -> Outside:
    """What reaches the entry flow of a program. `groups`: the group by the name of its function."""
    webhooks = tuple(one for one in program.triggers if isinstance(one, WebhookTrigger))
    crons = tuple(one for one in program.triggers if isinstance(one, CronTrigger))
    links = {LINK_KEY.name} if program.links else set[str]()
    read = dict(program.read_by_steps)
    secrets = {
        SITES: {*read.get(None, ()), *links},
        **{function: {*read.get(group, ()), *links} for function, group in groups.items()},
        DOOR: {*program.read_by_door, *links},
    }
    named = {function: tuple(sorted(names)) for function, names in secrets.items() if names}
    return Outside(webhooks, crons, program.links, named)


def secret_places(names: Sequence[str]) -> dict[str, Json]:
    """The variable that says where a function finds its secrets; {} if it reads none."""
    if not names:
        return {}
    places = ", ".join(f'"{name}": "{_place(name)}"' for name in names)
    return {"PERDURE_SECRETS": {"Fn::Sub": f"{{{places}}}"}}


def _place(name: str) -> str:
    return "${LinkKey}" if name == LINK_KEY.name else f"${{Project}}/${{Environment}}/{name}"


def url_of(outside: Outside) -> dict[str, Json]:
    """The variable that says where links lead; {} without an API."""
    if not outside.has_api:
        return {}
    return {URL_SETTING: {"Fn::GetAtt": ["Api", "ApiEndpoint"]}}


def link_key() -> Resources:
    """The key of approval links. It is never seen by who deploys."""
    return {
        "LinkKey": {
            "Type": "AWS::SecretsManager::Secret",
            "Properties": {
                "Description": {"Fn::Sub": "signs approval links of ${AWS::StackName}"},
                "GenerateSecretString": {"PasswordLength": 48, "ExcludePunctuation": True},
            },
        }
    }


def api(outside: Outside) -> Resources:
    """The HTTP API, its routes, and its right to call the door."""
    keys = {f"Route{_digest(one.path)}": f"ANY {one.path}" for one in outside.webhooks}
    if outside.links:
        keys["LinkRoute"] = f"ANY {PATH}{{token}}"
    keys["OtherRoute"] = "$default"
    arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
    return {
        "Api": _of_the_api(
            "Api",
            {
                "Name": {"Ref": "AWS::StackName"},
                "Description": "webhooks and approval links",
                "ProtocolType": "HTTP",
            },
        ),
        "ApiToDoor": _of_the_api(
            "Integration",
            {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Ref": DOOR_LIVE},
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": (SECONDS + 1) * 1000,
            },
        ),
        **{name: _route(key) for name, key in keys.items()},
        "ApiStage": _stage(),
        "ApiPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": DOOR_LIVE},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": arn},
            },
        },
    }


def _of_the_api(kind: str, properties: dict[str, Json]) -> dict[str, Json]:
    return {"Type": f"AWS::ApiGatewayV2::{kind}", "Properties": properties}


def _stage() -> dict[str, Json]:
    return _of_the_api(
        "Stage",
        {
            "ApiId": {"Ref": "Api"},
            "StageName": "$default",
            "AutoDeploy": True,
            "DefaultRouteSettings": {"ThrottlingRateLimit": RATE, "ThrottlingBurstLimit": BURST},
            "AccessLogSettings": {
                "DestinationArn": {"Fn::GetAtt": ["ApiLogs", "Arn"]},
                "Format": access_log(),
            },
        },
    )


def _route(key: str) -> dict[str, Json]:
    return _of_the_api(
        "Route",
        {
            "ApiId": {"Ref": "Api"},
            "RouteKey": key,
            "Target": {"Fn::Sub": "integrations/${ApiToDoor}"},
        },
    )


def access_log() -> str:
    """What the API's log says of a request. Never its path: who has an approval link may use it."""
    told = {
        "id": "requestId",
        "time": "requestTime",
        "route": "routeKey",
        "status": "status",
        "bytes": "responseLength",
        "from": "identity.sourceIp",
        "error": "integrationErrorMessage",
    }
    return "{" + ", ".join(f'"{name}": "$context.{value}"' for name, value in told.items()) + "}"


def schedules(outside: Outside) -> Resources:
    """What Scheduler tells the door, and its right to. Each moment may come twice.

    What a moment starts, with which input, is the door's: of the release that takes it. So one
    that the newest release has no longer stays for those before it, and goes with the group.
    """
    made: Resources = {}
    for cron in outside.crons:
        for part, expression in enumerate(expressions(cron.expression, cron.tz)):
            name = f"Schedule{_digest(cron.expression, cron.tz)}{'OrWeekday' if part else ''}"
            made[name] = _schedule(cron, expression)
    if not made:
        return {}
    group: dict[str, Json] = {
        "Type": "AWS::Scheduler::ScheduleGroup",
        "Properties": {"Name": {"Ref": "AWS::StackName"}},
    }
    return {"SchedulerRole": scheduler_role(DOOR_LIVE), "Schedules": group, **made}


def _schedule(cron: CronTrigger, expression: str) -> dict[str, Json]:
    told = {"schedule": {"expression": cron.expression, "tz": cron.tz}, "time": DUE}
    return {
        "Type": "AWS::Scheduler::Schedule",
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Delete",
        "Properties": {
            "GroupName": {"Ref": "Schedules"},
            "Description": f"{cron.expression} in {cron.tz}",
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": cron.tz,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED",
            "Target": {
                "Arn": {"Ref": DOOR_LIVE},
                "RoleArn": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
                "Input": json.dumps(told),
                "RetryPolicy": {"MaximumEventAgeInSeconds": RETRIED_SECONDS},
            },
        },
    }


def parameters(outside: Outside) -> dict[str, Json]:
    """What the template asks for: who else takes what comes in."""
    if not outside.has_door:
        return {}
    return {
        "StableDoor": {
            "Type": "String",
            "AllowedPattern": "none|[0-9]+",
            "Default": "none",
            "Description": "the door's version of the release that StableVersion is of",
        },
        "StableDoorShare": {
            "Type": "Number",
            "MinValue": 0,
            "MaxValue": 1,
            "Default": 0,
            "Description": "StableWeight, as a part of one",
        },
    }


def conditions(outside: Outside) -> dict[str, Json]:
    """When the stable door takes something, and when it takes all."""
    if not outside.has_door:
        return {}
    is_none: list[Json] = [{"Fn::Equals": [{"Ref": "StableDoor"}, "none"]}]
    none_new: list[Json] = [{"Condition": "NoneNew"}, {"Condition": "HasStableDoor"}]
    both: list[Json] = [{"Condition": "HasStableDoor"}, *_not("AllNew"), *_not("NoneNew")]
    return {
        "HasStableDoor": {"Fn::Not": is_none},
        "DoorIsStable": {"Fn::And": none_new},
        "DoorIsShared": {"Fn::And": both},
    }


def _not(condition: str) -> list[Json]:
    asked: list[Json] = [{"Condition": condition}]
    return [{"Fn::Not": asked}]


def door(
    outside: Outside,
    configuration: dict[str, Json],
    machine: str,
    variables: Mapping[str, Json],
) -> Resources:
    """The door function, its role and the alias that is invoked.

    `configuration`: what all functions of the flow have; `variables`: the plain settings.
    """
    own: dict[str, Json] = {
        **configuration,
        "Description": "webhooks, approval links and schedules",
        "Handler": HANDLER,
        "Timeout": SECONDS,
        "Environment": {
            "Variables": {
                **variables,
                "PERDURE_TABLE": {"Ref": "Table"},
                "PERDURE_ENVIRONMENT": {"Ref": "Environment"},
                "PERDURE_MACHINE": {"Fn::Sub": f"{_machine_arn(machine)}:${{Release}}"},
                **secret_places(outside.secrets.get(DOOR, ())),
            }
        },
    }
    return {
        f"{DOOR}Role": door_role(
            f"{DOOR}Logs",
            starts=[machine] if outside.starts else [],
            wakes=outside.sends,
            secrets=outside.secrets.get(DOOR, ()),
        ),
        DOOR: {"Type": "AWS::Lambda::Function", "Properties": own},
        DOOR_LIVE: _alias(),
    }


def _machine_arn(name: str) -> str:
    return (
        f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:stateMachine:{name}"
    )


def _alias() -> dict[str, Json]:
    """It waits for the alias of the machine that its door starts runs through."""
    newest: dict[str, Json] = {"Fn::GetAtt": [f"{DOOR}Version", "Version"]}
    stable: dict[str, Json] = {"Ref": "StableDoor"}
    rest: list[Json] = [
        {"FunctionVersion": stable, "FunctionWeight": {"Ref": "StableDoorShare"}},
    ]
    shared: list[Json] = [
        "DoorIsShared",
        {"AdditionalVersionWeights": rest},
        {"Ref": "AWS::NoValue"},
    ]
    return {
        "Type": "AWS::Lambda::Alias",
        "DependsOn": ["MachineRelease"],
        "Properties": {
            "Name": "live",
            "FunctionName": {"Ref": DOOR},
            "FunctionVersion": {"Fn::If": ["DoorIsStable", stable, newest]},
            "RoutingConfig": {"Fn::If": shared},
        },
    }


def _digest(*named: str) -> str:
    return sha256("\n".join(named).encode()).hexdigest()[:8]


def urls(outside: Outside) -> dict[str, Json]:
    """Outputs: where webhooks are reached."""
    if not outside.has_api:
        return {}
    every: list[Json] = [{"Fn::Sub": f"${{Api.ApiEndpoint}}{one.path}"} for one in outside.webhooks]
    found: dict[str, Json] = {
        "Url": {
            "Description": "where webhooks and approval links lead",
            "Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]},
        }
    }
    if every:
        found["Webhooks"] = {
            "Description": "the webhooks",
            "Value": {"Fn::Join": [" ", every]},
        }
    return found
