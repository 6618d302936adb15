"""How what is deployed is called: everything follows from project, environment and flow.

<project>-<env>              the stack of the store          perdure-shop-prod
<project>-<env>-<flow>       the stack of a flow             perdure-shop-prod-order-placed
<project>/<env>/NAME         a secret                        shop/prod/OPENAI_API_KEY
"""

import json
import re
from collections.abc import Iterator
from hashlib import sha256

from perdure.codec import Json
from perdure.deployment import Place

__all__ = [
    "TAG_ENVIRONMENT",
    "TAG_FLOW",
    "TAG_PROJECT",
    "flow_stack",
    "secret_name",
    "secrets_prefix",
    "store_stack",
    "tags",
    "too_long",
]

LONGEST = 50
"""Of a stack: functions are called after it, and their names have 64 characters."""
CALLED = {"FunctionName": ("function", 64), "StateMachineName": ("machine", 80)}
"""Properties that name something after the stack, and the characters that such a name has
(lambda/latest/api/API_CreateFunction.html, step-functions/latest/apireference
/API_CreateStateMachine.html, 2026-11-23)."""
TAG_PROJECT = "perdure:project"
TAG_ENVIRONMENT = "perdure:environment"
TAG_FLOW = "perdure:flow"


def store_stack(place: Place) -> str:
    """The stack with run store and bucket."""
    return _short(f"perdure-{_plain(place.name)}-{_plain(place.environment.name)}")


def flow_stack(place: Place, flow: str) -> str:
    """The stack of a flow."""
    return _short(f"perdure-{_plain(place.name)}-{_plain(place.environment.name)}-{_plain(flow)}")


def tags(place: Place, flow: str | None = None) -> dict[str, str]:
    """What every stack is found by."""
    found = {TAG_PROJECT: place.name, TAG_ENVIRONMENT: place.environment.name}
    return found if flow is None else {**found, TAG_FLOW: flow}


def secrets_prefix(place: Place) -> str:
    """The project, as names of secrets begin with it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", place.name) or "x"


def secret_name(place: Place, name: str) -> str:
    """What a secret is called in Secrets Manager."""
    return f"{secrets_prefix(place)}/{place.environment.name}/{name}"


def too_long(place: Place, flow: str, template: str) -> Iterator[str]:
    """What a template would call longer than AWS takes, and what to do about it."""
    made: dict[str, dict[str, dict[str, Json]]] = json.loads(template)["Resources"]
    for one in made.values():
        for key, (what, most) in CALLED.items():
            named = one.get("Properties", {}).get(key)
            text = named.get("Fn::Sub") if isinstance(named, dict) else None
            if not isinstance(text, str):
                continue
            name = text.replace("${AWS::StackName}", flow_stack(place, flow))
            if len(name) > most:
                yield (
                    f"the {what} `{name}` has a name of {len(name)} characters, and AWS takes"
                    f" {most}: shorten the name of the group, the flow, the project or the"
                    " environment"
                )


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "x"


def _short(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{sha256(name.encode()).hexdigest()[:8]}"
