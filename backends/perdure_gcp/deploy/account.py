"""The project of an environment, and requests to it. A wrong project is refused."""

from typing import Any, final

import google.auth
from google.auth.exceptions import GoogleAuthError
from google.auth.transport import requests

from perdure.deployment import DeployError, Place, Say
from perdure_gcp.deploy.api import Api, ApiError, Session, told_sign_in

__all__ = ["Account", "signed_in"]

MEMORY = (128, 4096)
"""Megabytes (https://cloud.google.com/run/docs/configuring/services/memory-limits)."""
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def signed_in() -> tuple[Session, str | None]:
    """Requests under Application Default Credentials, and the project that these name."""
    library: Any = google.auth  # Any: it has no types for what it finds
    try:
        credentials, project = library.default(scopes=[SCOPE])
    except GoogleAuthError as error:
        raise told_sign_in(error) from None
    transport: Any = requests  # Any: its classes have no types
    session: Session = transport.AuthorizedSession(credentials)
    return session, project


@final
class Account:
    """One project in one region."""

    def __init__(self, place: Place, say: Say) -> None:
        environment = place.environment
        where = f"[tool.perdure.env.{environment.name}]"
        if not environment.region:
            raise DeployError(f'{where} says no region: write `region = "europe-west1"`, say')
        _refuse_settings(place, where)
        self.region, self.project = environment.region, environment.project
        session, named = signed_in()
        if not self.project:
            meant = named or "PROJECT"
            raise DeployError(
                f"{where} says no project, and these credentials are of {named or 'none'}: write"
                f' `project = "{meant}"` if that is meant'
            )
        if named is not None and named != self.project:
            raise DeployError(
                f"these credentials are of project {named}, and {where} says {self.project}:"
                " choose others, with GOOGLE_CLOUD_PROJECT or GOOGLE_APPLICATION_CREDENTIALS for"
                " example"
            )
        self.api = Api(session, say)
        self._check_project(where)

    def _check_project(self, where: str) -> None:
        url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{self.project}"
        try:
            found = self.api.ask("GET", url)
        except ApiError as error:
            raise DeployError(f"{where}: there is no project {self.project}: {error}") from None
        if found.get("state", "ACTIVE") != "ACTIVE":
            raise DeployError(f"{where}: project {self.project} is being deleted")


def _refuse_settings(place: Place, where: str) -> None:
    """Settings that nothing on Google Cloud could keep."""
    environment = place.environment
    if environment.log_days != 30:
        raise DeployError(
            f"{where}: `log_days` is not kept on Google Cloud: logs lie in a bucket of the whole"
            " project, which says how long; leave it out"
        )
    if environment.alarm_topic:
        raise DeployError(
            f"{where}: `alarm_topic` is one of AWS: make an alerting policy of Cloud Monitoring on"
            " the workflows, and leave it out"
        )
    least, most = MEMORY
    if not least <= environment.memory <= most:
        raise DeployError(
            f"{where}: `memory` is {least} to {most} on Google Cloud, where a service has one CPU"
        )
    foreign = [one for one in environment.allow if "roles/" not in one]
    if foreign:
        raise DeployError(f'{where}: `{foreign[0]}` is no role: write "roles/NAME" in `allow`')
    if environment.groups:
        raise DeployError(
            f"{where}: groups of steps share one service on Google Cloud: write `memory` and"
            " `allow` for all steps, and leave `groups` out"
        )
