"""One member of one role on one resource: read, changed and written back under its etag.

A policy belongs to everybody who may write it; only our own member is touched. With conditions a
policy has version 3 (https://cloud.google.com/iam/docs/policies#versions).
"""

from collections.abc import Mapping
from typing import Final

from perdure.codec import Json
from perdure.deployment import DeployError
from perdure_gcp.deploy.api import Api, ApiError

__all__ = ["add_member", "has_member", "remove_member"]

ATTEMPTS: Final = 8
VERSION: Final = 3
HOSTS: Final = {
    "services": "https://run.googleapis.com/v2/",
    "secrets": "https://secretmanager.googleapis.com/v1/",
    "topics": "https://pubsub.googleapis.com/v1/",
}
PROJECTS: Final = "https://cloudresourcemanager.googleapis.com/v3/"

type Policy = dict[str, Json]


def has_member(api: Api, on: str, wanted: Mapping[str, Json]) -> bool:
    """Whether the binding is there."""
    policy = _read(api, on)
    return policy is not None and any(
        wanted["member"] in _members(one) for one in _like(policy, wanted)
    )


def add_member(api: Api, on: str, wanted: Mapping[str, Json]) -> None:
    """Give the member the role."""
    for pause in range(ATTEMPTS):
        policy = _read(api, on)
        if policy is None:
            raise DeployError(f"{on} is gone while rights on it were given")
        same = _like(policy, wanted)
        if any(wanted["member"] in _members(one) for one in same):
            return
        if same:
            same[0]["members"] = [*_members(same[0]), str(wanted["member"])]
        else:
            made: dict[str, Json] = {"role": wanted["role"], "members": [str(wanted["member"])]}
            if "condition" in wanted:
                made["condition"] = wanted["condition"]
            policy["bindings"] = [*_bindings(policy), made]
        if _written(api, on, policy):
            return
        api.pause(min(8, 2**pause))
    raise DeployError(f"the rights on {on} change all the time, or do not know the member yet")


def remove_member(api: Api, on: str, wanted: Mapping[str, Json]) -> None:
    """Take the role from the member."""
    for pause in range(ATTEMPTS):
        policy = _read(api, on)
        same = [] if policy is None else _like(policy, wanted)
        held = [one for one in same if wanted["member"] in _members(one)]
        if policy is None or not held:
            return
        for one in held:
            one["members"] = [name for name in _members(one) if name != wanted["member"]]
        policy["bindings"] = [one for one in _bindings(policy) if _members(one)]
        if _written(api, on, policy):
            return
        api.pause(min(8, 2**pause))
    raise DeployError(f"the rights on {on} change all the time")


def _read(api: Api, on: str) -> Policy | None:
    """The policy; None where the resource is gone."""
    parts = on.split("/")
    try:
        if len(parts) == 2:
            asked: Json = {"options": {"requestedPolicyVersion": VERSION}}
            return api.ask("POST", f"{PROJECTS}{on}:getIamPolicy", asked)
        url = f"{HOSTS[parts[-2]]}{on}:getIamPolicy"
        return api.ask("GET", f"{url}?options.requestedPolicyVersion={VERSION}")
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def _written(api: Api, on: str, policy: Policy) -> bool:
    """Whether it was written: not if somebody else was quicker, or the member is too new."""
    parts = on.split("/")
    host = PROJECTS if len(parts) == 2 else HOSTS[parts[-2]]
    try:
        api.ask("POST", f"{host}{on}:setIamPolicy", {"policy": {**policy, "version": VERSION}})
    except ApiError as error:
        if error.status == 409 or (error.status == 400 and "does not exist" in error.message):
            return False
        raise
    return True


def _like(policy: Policy, wanted: Mapping[str, Json]) -> list[dict[str, Json]]:
    """The bindings of that role under that condition."""
    condition = wanted.get("condition")
    return [
        one
        for one in _bindings(policy)
        if one.get("role") == wanted["role"] and _same(one.get("condition"), condition)
    ]


def _same(live: Json, wanted: Json) -> bool:
    if not isinstance(live, dict) or not isinstance(wanted, dict):
        return not live and not wanted
    return live.get("expression") == wanted.get("expression")


def _bindings(policy: Policy) -> list[dict[str, Json]]:
    found = policy.get("bindings")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _members(binding: Mapping[str, Json]) -> list[Json]:
    found = binding.get("members")
    return found if isinstance(found, list) else []
