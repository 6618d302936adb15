"""The zip of an app to Azure: one deploy, whose build installs what `requirements.txt` names."""

from typing import Final

from perdure.deployment import DeployError, Say
from perdure_azure.arm.spelling import API
from perdure_azure.deploy import seams
from perdure_azure.deploy.account import ARM, Account, NotThere

__all__ = ["push"]

GOOD, BAD = 4, 3
"""Status of a deployment of Kudu's (projectkudu/kudu, DeployStatus)."""
BUSY: Final = 409
SITE: Final = "Microsoft.Web/sites"


def push(account: Account, app: str, content: bytes, say: Say) -> None:
    """Deploy a zip, and wait until it is what the app runs."""
    host = _host(account, app)
    _wait(account, host, say, app, first=True)
    say(f"{app}: push {len(content) / 1_048_576:.1f} MB")
    while True:
        answer = account.raw(
            "POST",
            f"https://{host}/api/publish",
            f"{ARM}/.default",
            content,
            headers={"content-type": "application/zip"},
            query={"RemoteBuild": "true", "Deployer": "perdure"},
            taken=(BUSY,),
        )
        if answer.status_code != BUSY:
            break
        seams.pause()
    _wait(account, host, say, app)


def _host(account: Account, app: str) -> str:
    """Where the app's own deployments are: a name that has more in it than the app's."""
    path = (
        f"/subscriptions/{account.subscription}/resourceGroups/{account.group}"
        f"/providers/{SITE}/{app}"
    )
    properties = account.arm("GET", path, API[SITE]).get("properties")
    listed = properties.get("hostNameSslStates") if isinstance(properties, dict) else None
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("hostType") == "Repository":
            return str(one["name"])
    return f"{app}.scm.azurewebsites.net"


def _wait(account: Account, host: str, say: Say, app: str, *, first: bool = False) -> None:
    """Until the latest deployment is over; `first`: how that ended is not asked."""
    while True:
        try:
            said = account.send("GET", f"https://{host}/api/deployments/latest", f"{ARM}/.default")
        except NotThere:
            return
        status = said.get("status")
        if status == GOOD or (first and status == BAD):
            return
        if status == BAD:
            text = said.get("status_text") or said.get("message") or "it says no more"
            raise DeployError(f"{app}: Azure could not build the app: {text}")
        say(f"{app}: {said.get('status_text') or said.get('progress') or 'building'}")
        seams.pause()
