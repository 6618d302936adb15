"""How what is deployed is called: everything follows from project, environment and flow.

<project>-<env>               the database (perdure-...) and the bucket (with the cloud's project)
<project>-<env>-<flow>        services, topic, sink, schedules; with `-<release>` the workflows
<project>-<env>-NAME          a secret
"""

import re
from collections.abc import Mapping
from hashlib import sha256

from perdure.deployment import Place

__all__ = ["flow_name", "parameters", "secret_id", "secret_prefix"]

LONGEST = 28
"""Of a service: with `-door`, and a tag of 11 characters before it, 46 is the most
(https://cloud.google.com/run/docs/rollouts-rollbacks-traffic-migration)."""
LONGEST_ACCOUNT = 24
"""Of a service account's id, which has 30, before `-sites`."""


def flow_name(place: Place, flow: str) -> str:
    """What the resources of a flow begin with."""
    return _name(f"{place.name}-{place.environment.name}-{flow}", LONGEST)


def secret_prefix(place: Place) -> str:
    """What the secrets of an environment begin with."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{place.name}-{place.environment.name}")
    return plain or "x"


def secret_id(place: Place, name: str) -> str:
    """What a secret is called in Secret Manager."""
    return f"{secret_prefix(place)}-{name}"


def parameters(place: Place, flow: str | None = None) -> dict[str, str]:
    """Those of `environment.json`; with a flow also those of `deployment.json` that follow from
    names alone.
    """
    environment = place.environment
    whole = f"{place.name}-{environment.name}"
    found = {
        "Project": environment.project,
        "Region": environment.region,
        "Environment": environment.name,
        "EnvironmentLabel": _label(environment.name),
        "ProjectLabel": _label(place.name),
        "Database": _name(f"perdure-{whole}", 60),
        "Bucket": _name(f"{environment.project}-perdure-{whole}", 60),
        "SecretPrefix": secret_prefix(place),
        "Memory": str(environment.memory),
        "Dollar": "$",
    }
    if flow is not None:
        name = flow_name(place, flow)
        found |= {
            "Name": name,
            "FlowLabel": _label(flow),
            "Account": _name(f"{whole}-{flow}", LONGEST_ACCOUNT),
            "RoleName": f"perdure.{name.replace('-', '_')}",
        }
    return found


def labels(place: Place) -> Mapping[str, str]:
    """What everything of an environment carries."""
    return {
        "perdure-project": _label(place.name),
        "perdure-environment": _label(place.environment.name),
    }


def _name(wanted: str, longest: int) -> str:
    """Lower case letters, digits and `-`, a letter first, told apart by a digest where cut."""
    plain = re.sub(r"[^a-z0-9]+", "-", wanted.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"p-{plain}".strip("-")
    if len(plain) <= longest:
        return plain
    digest = sha256(wanted.encode()).hexdigest()[:6]
    return f"{plain[: longest - 7].rstrip('-')}-{digest}"


def _label(text: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:63].strip("-")
