"""What Azure refuses for who asks, or when: said as what to do about it."""

import json
import re
from typing import TYPE_CHECKING, Final

from perdure.deployment import CloudRefused, DeployError

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

__all__ = ["told"]

SIGN_IN: Final = "sign in (`az login`), or choose other credentials, with AZURE_CLIENT_ID say"
DENIED: Final = re.compile(
    r"client '(?P<who>[^']*)'.*does not have authorization to perform action '(?P<action>[^']+)'"
    r" over scope '(?P<scope>[^']+)'",
    re.DOTALL,
)
"""How ARM words it (role-based-access-control/troubleshooting, AuthorizationFailed)."""
DATA: Final = {
    ".blob.core.windows.net": "Storage Blob Data Contributor",
    ".vault.azure.net": "Key Vault Secrets Officer",
    ".scm.azurewebsites.net": "Website Contributor",
}
"""The role that requests to a service's data ask for."""


def told(error: Exception) -> DeployError | None:
    """What an error of Azure's clients comes to; None for what is none of theirs."""
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    if isinstance(error, ClientAuthenticationError):
        first = str(error.message).strip().partition("\n")[0]
        return CloudRefused(f"Azure does not know these credentials: {first}: {SIGN_IN}")
    if isinstance(error, HttpResponseError):
        return _answered(error)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return CloudRefused(f"Azure cannot be reached: {error}; is the network there?")
    return _of_the_hub(error)


def _answered(error: "HttpResponseError") -> DeployError:
    status, said = error.status_code, _message(error)
    if status == 401:
        return CloudRefused(f"Azure does not take these credentials ({said}): {SIGN_IN}")
    if status == 429:
        return CloudRefused(
            f"Azure takes no more requests just now ({said}), after several tries: the same command"
            " later goes on from here"
        )
    if status == 403:
        return _denied(said, _url(error))
    return DeployError(f"Azure: {said}; the same command goes on from here")


def _denied(said: str, url: str) -> CloudRefused:
    found = DENIED.search(said)
    if found is not None:
        return CloudRefused(
            f"Azure refuses {found['action']} on {found['scope']}: {found['who']} may not. A role"
            " that has this action is needed there (Contributor, and to grant the app its roles,"
            " Role Based Access Control Administrator); the same command then goes on from here"
        )
    for host, role in DATA.items():
        if host in url:
            return CloudRefused(
                f"Azure refuses {url}: the role {role} is needed there; `perdure deploy` gives it"
                f" to who deploys, and it takes some minutes to count; Azure says: {said}"
            )
    return CloudRefused(f"Azure refuses this: {said}")


def _of_the_hub(error: Exception) -> DeployError | None:
    import grpc

    if not isinstance(error, grpc.RpcError) or not isinstance(error, grpc.Call):
        return None
    code, said = error.code(), error.details()
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        return CloudRefused(
            "the Durable Task Scheduler refuses this: the role Durable Task Data Contributor is"
            f" needed there; `perdure deploy` gives it to who deploys; it says: {said}"
        )
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return CloudRefused(f"the Durable Task Scheduler cannot be reached: {said}")
    return DeployError(f"the Durable Task Scheduler: {code.name}: {said}")


def _message(error: "HttpResponseError") -> str:
    """Code and message, as ARM and the data planes put them into JSON; never a request's body."""
    text = error.response.text() if error.response is not None else ""
    try:
        said = json.loads(text)["error"]
        return f"{said['code']}: {said['message']}"
    except (ValueError, KeyError, TypeError):
        return str(error.message).partition("\nContent:")[0].strip()


def _url(error: "HttpResponseError") -> str:
    request = getattr(error.response, "request", None)
    return str(getattr(request, "url", "")).partition("?")[0]
