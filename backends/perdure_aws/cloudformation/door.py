"""What reaches a flow from outside: its HTTP API, its schedules, and the function behind both.

    Api, Stage, routes     an HTTP API: one route for each webhook, one for approval links; every
                           method comes through, so that the door gives all answers but 404
    Door                   the function that checks deliveries, starts runs, stores events
    LinkKey                what approval links are signed with, made where it is deployed
    Schedule1...           EventBridge Scheduler; it tells the door of each moment at least once

A flow without webhook, schedule and approval link has none of it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.ir import CronTrigger, Program, WebhookTrigger
from perdure.webhooks.links import LINK_KEY, PATH, URL_SETTING
from perdure_aws.cloudformation.roles import door_role, scheduler_role
from perdure_aws.cloudformation.tasks import SITES
from perdure_aws.scheduler import expressions

__all__ = [
    "DOOR",
    "NOTHING",
    "Outside",
    "access_log",
    "api",
    "door",
    "link_key",
    "outside_of",
    "schedules",
    "secret_places",
    "url_of",
    "urls",
]

DOOR = "Door"
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
    keys = [f"ANY {one.path}" for one in outside.webhooks]
    if outside.links:
        keys.append(f"ANY {PATH}{{token}}")
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
                "IntegrationUri": {"Fn::GetAtt": [DOOR, "Arn"]},
                "PayloadFormatVersion": "2.0",
                "TimeoutInMillis": (SECONDS + 1) * 1000,
            },
        ),
        **{f"Route{number}": _route(key) for number, key in enumerate(keys, 1)},
        "ApiStage": _stage(),
        "ApiPermission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": DOOR},
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
    """What Scheduler tells the door, and its right to. Each moment may come twice."""
    made: Resources = {}
    for index, cron in enumerate(outside.crons):
        for part, expression in enumerate(expressions(cron.expression, cron.tz)):
            made[f"Schedule{index + 1}{'OrWeekday' if part else ''}"] = {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    "Description": f"{cron.expression} in {cron.tz}",
                    "ScheduleExpression": expression,
                    "ScheduleExpressionTimezone": cron.tz,
                    "FlexibleTimeWindow": {"Mode": "OFF"},
                    "State": "ENABLED",
                    "Target": {
                        "Arn": {"Fn::GetAtt": [DOOR, "Arn"]},
                        "RoleArn": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
                        "Input": f'{{"schedule": {index}, "time": "{DUE}"}}',
                        "RetryPolicy": {"MaximumEventAgeInSeconds": RETRIED_SECONDS},
                    },
                },
            }
    return {"SchedulerRole": scheduler_role(DOOR), **made} if made else {}


def door(outside: Outside, configuration: dict[str, Json], machine: str) -> Resources:
    """The door function and its role. `configuration`: what all functions of the flow have."""
    own: dict[str, Json] = {
        **configuration,
        "Description": "webhooks, approval links and schedules",
        "Handler": HANDLER,
        "Timeout": SECONDS,
        "Environment": {
            "Variables": {
                "PERDURE_TABLE": {"Ref": "Table"},
                "PERDURE_ENVIRONMENT": {"Ref": "Environment"},
                "PERDURE_LIVE": {"Ref": "Live"},
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
    }


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
