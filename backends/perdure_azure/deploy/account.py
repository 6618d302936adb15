"""The subscription and resource group of an environment, and requests to Azure's APIs.

A wrong subscription or tenant is refused. Every request goes through one pipeline of azure-core
(tokens, retries); what is refused for who asks becomes CloudRefused.
"""

import base64
import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, final

from perdure.codec.text import Json
from perdure.deployment import CloudRefused, DeployError, Place
from perdure_azure.deploy import seams

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.rest import HttpResponse
    from azure.mgmt.resource.deployments import DeploymentsMgmtClient

__all__ = ["ARM", "Account", "NotThere"]

ARM: Final = "https://management.azure.com"
KEY_VAULT: Final = "https://vault.azure.net/.default"
STORAGE: Final = "https://storage.azure.com/.default"
SUBSCRIPTIONS: Final = "2022-12-01"
"""api-version of Microsoft.Resources/subscriptions, /resourceGroups: 2024-11-01."""


class NotThere(Exception):  # noqa: N818  # reads as what happened
    """Azure has nothing of this name."""


@final
class Account:
    """Requests in one subscription."""

    def __init__(self, place: Place) -> None:
        environment = place.environment
        where = f"[tool.perdure.env.{environment.name}]"
        for name, value, example in (
            ("subscription", environment.subscription, "00000000-0000-..."),
            ("resource_group", environment.resource_group, "shop-prod"),
            ("region", environment.region, "westeurope"),
        ):
            if not value:
                raise DeployError(f'{where} says no {name}: write `{name} = "{example}"`, say')
        if environment.settings:
            raise DeployError(
                f"{where} has `settings`, and what is deployed to Azure takes none yet: leave them"
                " out, and read what differs from a module of the project, by PERDURE_ENVIRONMENT"
            )
        for name, said in (
            ("alarm_topic", environment.alarm_topic),
            ("allow", environment.allow),
            ("groups", environment.groups),
        ):
            if said:
                raise DeployError(
                    f"{where} has `{name}`, and what is deployed to Azure takes none yet: leave it"
                    " out, and give roles to the app's identity, or alarms to the app, by hand"
                )
        self.where = where
        self.subscription = environment.subscription
        self.group = environment.resource_group
        self.region = environment.region
        self.credential: TokenCredential = seams.credential(environment.tenant)
        self.tenant = self._check(environment.tenant)

    def _check(self, tenant: str) -> str:
        """That the credentials see the subscription, and that it is of the tenant that is meant."""
        path = f"/subscriptions/{self.subscription}"
        try:
            said = self.arm("GET", path, SUBSCRIPTIONS)
        except NotThere:
            raise CloudRefused(
                f"these credentials see no subscription {self.subscription}, which {self.where}"
                " says: mend it, or choose others, with `az login` or AZURE_TENANT_ID for example"
            ) from None
        found = str(said.get("tenantId", ""))
        if tenant and found != tenant:
            raise CloudRefused(
                f"subscription {self.subscription} is of tenant {found}, and {self.where} says"
                f" {tenant}"
            )
        return found

    @cached_property
    def operator(self) -> tuple[str, str]:
        """Object id and type of who these credentials are of, out of their token."""
        token = self.credential.get_token(f"{ARM}/.default").token
        body = token.split(".")[1] if token.count(".") == 2 else ""
        try:
            claims: dict[str, Any] = json.loads(
                base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            )
        except ValueError:
            return "", "User"
        kind = "ServicePrincipal" if claims.get("idtyp") == "app" else "User"
        return str(claims.get("oid", "")), kind

    @cached_property
    def deployments(self) -> "DeploymentsMgmtClient":
        """The client of ARM deployments."""
        from azure.mgmt.resource.deployments import DeploymentsMgmtClient

        return DeploymentsMgmtClient(
            self.credential, self.subscription, polling_interval=seams.LOOK, **_transport()
        )

    def arm(
        self, method: str, path: str, version: str, body: Json = None, **query: str
    ) -> dict[str, Json]:
        """A request to Azure Resource Manager; {} for an answer without content."""
        url = path if path.startswith("https://") else f"{ARM}{path}"
        return self.send(method, url, f"{ARM}/.default", body, {"api-version": version, **query})

    def send(
        self, method: str, url: str, scope: str, body: Json = None, query: Mapping[str, str] = {}
    ) -> dict[str, Json]:
        """JSON there, JSON back; NotThere for 404."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"content-type": "application/json"}
        answer = self.raw(method, url, scope, content, headers=headers, query=query)
        said: Json = json.loads(answer.content) if answer.content else {}
        return said if isinstance(said, dict) else {}

    def raw(
        self,
        method: str,
        url: str,
        scope: str,
        content: bytes | None = None,
        *,
        headers: Mapping[str, str] = {},
        query: Mapping[str, str] = {},
        taken: tuple[int, ...] = (),
    ) -> "HttpResponse":
        """Bytes there; an answer of 400 or more is an error, but for those that are `taken`."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, url, params={**query}, headers={**headers}, content=content)
        answer: HttpResponse = self._pipeline(scope).run(request).http_response
        answer.read()
        if answer.status_code in taken:
            return answer
        if answer.status_code == 404:
            raise NotThere(url.partition("?")[0])
        if answer.status_code >= 400:
            raise HttpResponseError(response=answer)
        return answer

    def _pipeline(self, scope: str) -> "Any":  # Pipeline, which is generic in what SDKs know
        if scope not in self._pipelines:
            self._pipelines[scope] = _pipeline(self.credential, scope)
        return self._pipelines[scope]

    @cached_property
    def _pipelines(self) -> dict[str, Any]:
        return {}


def _pipeline(credential: "TokenCredential", scope: str) -> Any:
    from azure.core.pipeline import Pipeline, policies
    from azure.core.pipeline.transport import RequestsTransport

    transport = _transport().get("transport") or RequestsTransport()
    chain: list[Any] = [
        policies.HeadersPolicy(),
        policies.UserAgentPolicy("perdure"),
        policies.RetryPolicy(retry_total=4),
        policies.BearerTokenCredentialPolicy(credential, scope),
    ]
    return Pipeline(transport, chain)


def _transport() -> dict[str, Any]:
    """The transport of tests, as clients are given it."""
    from azure.core.pipeline.transport import RequestsTransport

    session = seams.session()
    return (
        {}
        if session is None
        else {"transport": RequestsTransport(session=session, session_owner=False)}
    )
