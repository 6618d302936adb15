"""How what is deployed is called: everything follows from project, environment and flow.

perdure-<project>-<env>           the ARM deployment of what flows share
perdure-<project>-<env>-<flow>    the ARM deployment of a flow's app
<flow>/<release>.zip              a release, in the container `releases`
<flow>/ledger.json                which releases there are, and which are live
"""

import re
from hashlib import sha256

from perdure.deployment import Place

__all__ = [
    "TAG_DIGEST",
    "TAG_ENVIRONMENT",
    "TAG_FLOW",
    "TAG_PROJECT",
    "environment_deployment",
    "flow_deployment",
    "tags",
]

LONGEST = 64
"""Characters of a deployment's name (Microsoft.Resources/deployments, REST)."""
TAG_PROJECT = "perdure:project"
TAG_ENVIRONMENT = "perdure:environment"
TAG_FLOW = "perdure:flow"
TAG_DIGEST = "perdure:digest"
"""Of template and parameters: equal ones are deployed once."""


def environment_deployment(place: Place) -> str:
    """The deployment of what flows share."""
    return _short(f"perdure-{_plain(place.name)}-{_plain(place.environment.name)}")


def flow_deployment(place: Place, flow: str) -> str:
    """The deployment of a flow's app."""
    return _short(f"perdure-{_plain(place.name)}-{_plain(place.environment.name)}-{_plain(flow)}")


def tags(place: Place, flow: str | None = None) -> dict[str, str]:
    """What every deployment is found by."""
    found = {TAG_PROJECT: place.name, TAG_ENVIRONMENT: place.environment.name}
    return found if flow is None else {**found, TAG_FLOW: flow}


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "x"


def _short(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{sha256(name.encode()).hexdigest()[:8]}"
