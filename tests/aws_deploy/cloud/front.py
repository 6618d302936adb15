# pyright: basic
# (templates are JSON of any shape)
"""HTTP APIs and schedules of the cloud in this process: what moto's CloudFormation does not make.

A request goes the way that AWS describes: route of the API, integration, right to invoke, function,
payload format 2.0. Scheduler's cron is read here anew, by Scheduler's own documentation.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

__all__ = ["Front", "Response", "Sent", "scheduled"]

type Json = Any

LARGEST = 10 * 1024 * 1024
"""Bytes of a request that an HTTP API takes."""
TEXTS = ("text/", "application/json", "application/xml", "application/javascript")
"""Content that is handed over as it is; any other in base64."""


class Response(NamedTuple):
    """What the sender gets."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = {}


class Sent(NamedTuple):
    """A request from outside."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str


class Front:
    """APIs, schedules and rights to invoke, by their identity."""

    def __init__(self) -> None:
        self.apis: dict[str, dict[str, Json]] = {}
        self.routes: dict[str, Json] = {}
        self.integrations: dict[str, Json] = {}
        self.stages: dict[str, Json] = {}
        self.permissions: dict[str, Json] = {}
        self.schedules: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.aliases: dict[str, dict[str, float]] = {}
        """Of functions: which versions take which part of what comes in."""
        self._random = random.Random(0)
        self.told: list[tuple[str, str]] = []
        """Schedule and moment, whenever somebody was told."""

    # --- requests -------------------------------------------------------------------------------

    def request(
        self,
        sent: Sent,
        invoke: Callable[[str, Json], Mapping[str, Json]],
        now: datetime,
    ) -> Response:
        """One request from outside."""
        parts = urlsplit(sent.url)
        api = parts.netloc.partition(".")[0]
        if api not in self.apis or parts.scheme != "https":
            raise ConnectionError(f"nobody is at {sent.url}")
        if len(sent.body) > LARGEST:
            return Response(413, '{"message": "Request Entity Too Large"}')
        stage = next(one for one in self.stages.values() if one["ApiId"] == api)
        assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
        found = self._route(api, sent.method, parts.path)
        if found is None:
            return Response(404, '{"message": "Not Found"}')
        key, function = found
        self._check_right(function, api)
        said = invoke(function, _event(api, key, sent, now))
        if "FunctionError" in said:
            return Response(500, '{"message": "Internal Server Error"}')
        answer = said["Payload"]
        return Response(answer["statusCode"], answer["body"], answer["headers"])

    def _route(self, api: str, method: str, path: str) -> tuple[str, str] | None:
        """The route that fits, `$default` where none does."""
        every = [route for route in self.routes.values() if route["ApiId"] == api]
        keys = [route["RouteKey"] for route in every]
        assert len(set(keys)) == len(keys), "a route is there once"
        found = [one for one in every if _fits(one["RouteKey"], method, path)]
        found += [one for one in every if one["RouteKey"] == "$default"]
        if not found:
            return None
        integration = self.integrations[found[0]["Target"].removeprefix("integrations/")]
        assert integration["IntegrationType"] == "AWS_PROXY"
        assert integration["PayloadFormatVersion"] == "2.0"
        return found[0]["RouteKey"], integration["IntegrationUri"]

    def _check_right(self, function: str, api: str) -> None:
        arn = f"arn:aws:execute-api:us-east-1:123456789012:{api}/*"
        assert any(
            one["Principal"] == "apigateway.amazonaws.com"
            and function == one["FunctionName"]
            and one["SourceArn"] == arn
            for one in self.permissions.values()
        ), f"{api} may not invoke {function}"

    def invoked(self, function: str) -> str:
        """The version that takes an invocation, where an alias is invoked."""
        shares = self.aliases.get(function, {function: 1.0})
        return self._random.choices([*shares], [*shares.values()])[0]

    # --- schedules ------------------------------------------------------------------------------

    def next_due(self, after: datetime) -> datetime | None:
        """The first moment after this one at which a schedule is due."""
        due = (next(_moments(one, after), None) for one in self.schedules.values())
        return min((one for one in due if one is not None), default=None)

    def tell(self, invoke: Callable[[str, Json], Mapping[str, Json]], moment: datetime) -> None:
        """Tell of what is due at this moment."""
        for name, one in list(self.schedules.items()):
            if next(_moments(one, moment - timedelta(seconds=1)), None) != moment:
                continue
            assert one["State"] == "ENABLED"
            assert one["FlexibleTimeWindow"] == {"Mode": "OFF"}
            said = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
            text = one["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", said)
            self.told.append((name, said))
            answer = invoke(one["Target"]["Arn"], json.loads(text))
            assert "FunctionError" not in answer, json.dumps(answer)


def _fits(key: str, method: str, path: str) -> bool:
    verb, _, pattern = key.partition(" ")
    ours, theirs = pattern.split("/"), path.split("/")
    return (
        verb in ("ANY", method)
        and len(ours) == len(theirs)
        and all((a.startswith("{") and b) or a == b for a, b in zip(ours, theirs, strict=True))
    )


def _event(api: str, key: str, sent: Sent, now: datetime) -> Json:
    """Payload format 2.0 (apigateway/latest/developerguide/http-api-develop-integrations-lambda
    .html).
    """
    parts, body = urlsplit(sent.url), sent.body
    lowered = {name.lower(): value for name, value in sent.headers.items()}
    plain = lowered.get("content-type", "application/json").startswith(TEXTS)
    try:
        text = body.decode() if plain else ""
    except UnicodeDecodeError:
        plain = False
    event: Json = {
        "version": "2.0",
        "routeKey": key,
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": {"host": parts.netloc, "content-length": str(len(body)), **lowered},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": api,
            "domainName": parts.netloc,
            "http": {
                "method": sent.method,
                "path": parts.path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": lowered.get("user-agent", ""),
            },
            "requestId": "id",
            "routeKey": key,
            "stage": "$default",
            "time": f"{now:%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": not plain and bool(body),
    }
    if parts.query:
        event["queryStringParameters"] = dict(parse_qsl(parts.query))
    if body:
        event["body"] = text if plain else base64.b64encode(body).decode()
    return event


# --- Scheduler's cron ----------------------------------------------------------------------------


def _moments(schedule: Json, after: datetime) -> Iterator[datetime]:
    return scheduled(schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"], after)


def scheduled(expression: str, tz: str, after: datetime) -> Iterator[datetime]:
    """When Scheduler is due: minutes, hours, day of month, month, day of week (1 is Sunday), year.

    Exactly one of the fields for days is `?`. A local time that does not exist is skipped; one
    that comes twice is due once.
    """
    assert expression.startswith("cron(")
    assert expression.endswith(")")
    fields = expression[5:-1].split(" ")
    assert len(fields) == 6
    assert [fields[2], fields[4]].count("?") == 1
    assert fields[5] == "*"
    minutes, hours, days, months, weekdays = (
        _numbers(field, *bounds)
        for field, bounds in zip(fields, ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7)), strict=False)
    )
    zone = ZoneInfo(tz)
    day = after.astimezone(zone).date() - timedelta(days=1)
    for _ in range(366 * 9):
        on_day = day.month in months and day.day in days and day.isoweekday() % 7 + 1 in weekdays
        for minute in range(24 * 60) if on_day else ():
            if minute // 60 in hours and minute % 60 in minutes:
                local = datetime(day.year, day.month, day.day, minute // 60, minute % 60)
                moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
                exists = moment.astimezone(zone).replace(tzinfo=None) == local
                if exists and moment > after:
                    yield moment
        day += timedelta(days=1)


def _numbers(field: str, low: int, high: int) -> set[int]:
    if field in ("*", "?"):
        return set(range(low, high + 1))
    found: set[int] = set()
    for part in field.split(","):
        first, dash, last = part.partition("-")
        assert low <= int(first) <= int(last or first) <= high
        found.update(range(int(first), int(last if dash else first) + 1))
    return found
