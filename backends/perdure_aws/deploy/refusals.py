"""What AWS refuses for who asks, or when: said as what to do about it.

Comes in: every answer and every failure of a client, by botocore's events. Goes out: CloudRefused
where another role, another sign-in, another region or another time is what is needed. Everything
else (a stack that does not exist, a condition that does not hold) is left to who asked for it.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, final

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from perdure.codec.narrow import is_dict
from perdure.deployment import CloudRefused

__all__ = ["explained", "tell_refusals"]

DENIED: Final = (
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "NotAuthorized",
    "UnauthorizedOperation",
)
EXPIRED: Final = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
UNKNOWN: Final = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
THROTTLED: Final = (
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
)
UNREACHED: Final = (
    ConnectTimeoutError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
SIGN_IN: Final = "sign in (`aws sso login`), or choose other credentials, with AWS_PROFILE say"
PREFIXES: Final = {"stepfunctions": "states", "sfn": "states"}
"""How IAM calls a service, where boto3 says it otherwise."""
ACTIONS: Final = {
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject",
}
"""What IAM asks for, where an operation is called otherwise."""
SENTENCE: Final = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r"(?: on resource: (?P<resource>[^\s\"]+))?"
)
"""How the services word it (IAM user guide, troubleshooting access denied messages)."""


@final
class Asked(NamedTuple):
    """A request that was refused."""

    service: str
    operation: str
    region: str


def tell_refusals(session: boto3.Session, region: str) -> None:
    """Let every client of a session raise CloudRefused where that is what it comes to."""

    def answered(parsed: Mapping[str, object], event_name: str, **_: object) -> None:
        error = parsed.get("Error")
        if is_dict(error):
            asked = _asked(event_name, region)
            refused = _answer(str(error.get("Code", "")), str(error.get("Message", "")), asked)
            if refused is not None:
                raise refused

    def failed(exception: Exception, event_name: str, **_: object) -> None:
        refused = explained(exception, region, _asked(event_name, region))
        if refused is not None:
            raise refused from exception

    session.events.register("after-call", answered)
    session.events.register("after-call-error", failed)


def explained(error: Exception, region: str, asked: Asked | None = None) -> CloudRefused | None:
    """What an error of botocore comes to that is no answer of AWS; None for all others."""
    match error:
        case NoCredentialsError():
            return CloudRefused(f"no AWS credentials were found: {SIGN_IN}")
        case PartialCredentialsError() | ProfileNotFound():
            return CloudRefused(f"the AWS credentials cannot be used: {error}")
        case CredentialRetrievalError() | SSOError() | TokenRetrievalError():
            return CloudRefused(f"the AWS credentials cannot be renewed: {error}: {SIGN_IN}")
        case InvalidRegionError():
            return CloudRefused(f"`{region}` is no region of AWS: mend `region` of the environment")
        case BotoCoreError() if isinstance(error, UNREACHED):
            what = f" ({asked.service}:{asked.operation})" if asked else ""
            return CloudRefused(
                f"AWS cannot be reached in {region}{what}: {error}; if the network is there, is"
                " the `region` of the environment right?"
            )
        case _:
            return None


def _answer(code: str, said: str, asked: Asked) -> CloudRefused | None:
    what = f"{asked.service}:{asked.operation}"
    if code in EXPIRED:
        return CloudRefused(f"the AWS credentials have expired: {SIGN_IN}")
    if code in UNKNOWN:
        return CloudRefused(
            f"AWS does not know these credentials in {asked.region} ({code}: {said}): {SIGN_IN};"
            " a region that the account has not opted in to says this, too"
        )
    if code in THROTTLED and not (code == "LimitExceededException" and "rate" not in said.lower()):
        return CloudRefused(
            f"AWS takes no more requests just now ({what}, {code}), after several tries: the same"
            " command later goes on from here"
        )
    return _denied(said, asked, what) if code in DENIED else None


def _denied(said: str, asked: Asked, what: str) -> CloudRefused:
    found = SENTENCE.search(said)
    action = found["action"] if found else ACTIONS.get(what, what)
    who = found["who"] if found else "who these credentials are of (`aws sts get-caller-identity`)"
    resource = (found["resource"] if found else None) or "*"
    where = "" if resource == "*" else f" on {resource}"
    why = "" if found and said == found[0] else f"; AWS says: {said}"
    allow = f'{{"Effect": "Allow", "Action": "{action}", "Resource": "{resource.rstrip(".,")}"}}'
    return CloudRefused(
        f"AWS refuses {action}{where.rstrip('.,')}: {who} may not. A policy of it has to say"
        f" {allow}; the same command then goes on from here{why}"
    )


def _asked(event_name: str, region: str) -> Asked:
    """`after-call.dynamodb.GetItem`, as IAM would say it."""
    _, service, operation = event_name.split(".")[-3:]
    return Asked(PREFIXES.get(service, service), operation, region)
