"""`template.json`: the app of one flow, on the Flex Consumption plan.

identity     what the app is to others; it has the roles below and no other
package      the container that its code is in
hub          its task hub: runs, their history, their inboxes
plan, app    Flex Consumption has an app on each plan

role                            where
Storage Blob Data Owner         storage: the host keeps locks and keys there, and reads the code
Durable Task Data Contributor   the hub
Monitoring Metrics Publisher    Application Insights
Key Vault Secrets User          the vault, where the flow reads secrets or makes links
"""

from typing import Final, NamedTuple, final

from perdure.codec.text import Json
from perdure.webhooks.links import LINK_KEY
from perdure_azure.arm.spelling import (
    API,
    SCHEMA,
    TAGS,
    VARIABLES,
    flow_name,
    name,
    parameter,
    parameters,
    resource_id,
    role_assignment,
)

__all__ = ["BLOB_OWNER", "METRICS_PUBLISHER", "SECRETS_USER", "Needs", "flow_template", "kept_as"]

BLOB_OWNER: Final = "'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'"
"""Storage Blob Data Owner: what AzureWebJobsStorage asks for with an identity (azure-functions/
functions-reference, "Connecting to host storage with an identity")."""
METRICS_PUBLISHER: Final = "'3913510d-42f4-4e42-8a64-420c390055eb'"
"""Monitoring Metrics Publisher."""
SECRETS_USER: Final = "'4633458b-17de-408a-b874-0445c86b69e6'"
"""Key Vault Secrets User."""

IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{STORAGE}/blobServices/containers"
SCHEDULER = "Microsoft.DurableTask/schedulers"
HUB = f"{SCHEDULER}/taskHubs"
PLAN = "Microsoft.Web/serverfarms"
SITE = "Microsoft.Web/sites"
VAULT = "Microsoft.KeyVault/vaults"
INSIGHTS = "Microsoft.Insights/components"

APP = "variables('app')"
APP_ID = resource_id(IDENTITY, APP)
CLIENT = f"reference({APP_ID}, '{API[IDENTITY]}').clientId"
PRINCIPAL = f"reference({APP_ID}, '{API[IDENTITY]}').principalId"
STORAGE_ID = resource_id(STORAGE, "variables('storage')")
HUB_ID = resource_id(HUB, "variables('name')", APP)
PLAN_ID = resource_id(PLAN, APP)
INSIGHTS_ID = resource_id(INSIGHTS, "variables('name')")
VAULT_ID = resource_id(VAULT, "variables('name')")


@final
class Needs(NamedTuple):
    """What the app of a flow is given."""

    flow: str
    python: str
    """Minor version: "3.13"."""
    secrets: tuple[str, ...] = ()
    """Names of those that its code reads."""
    links: bool = False
    """Whether steps make approval links."""

    @property
    def read(self) -> tuple[str, ...]:
        """Names of all secrets that the app reads."""
        return tuple(sorted({*self.secrets, *([LINK_KEY.name] if self.links else ())}))


def kept_as(secret: str) -> str:
    """What a secret is called in a vault, which takes letters, digits and `-`."""
    return secret.replace("-", "--").replace("_", "-")


def flow_template(needs: Needs) -> dict[str, Json]:
    """The template."""
    flow = flow_name(needs.flow)
    app = f"[concat('perdure-{flow}-', variables('suffix'))]"
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            **parameters(),
            "memory": {"type": "int", "defaultValue": 2048, "allowedValues": [512, 2048, 4096]},
            "instances": {"type": "int", "defaultValue": 100, "minValue": 1, "maxValue": 1000},
        },
        "variables": {**VARIABLES, "app": app},
        "resources": [*_resources(needs), *_roles(needs)],
        "outputs": {
            "app": {"type": "string", "value": name("app")},
            "hub": {"type": "string", "value": name("app")},
            "host": {
                "type": "string",
                "value": f"[reference({resource_id(SITE, APP)}, '{API[SITE]}').defaultHostName]",
            },
            "endpoint": {
                "type": "string",
                "value": f"[reference({resource_id(SCHEDULER, "variables('name')")},"
                f" '{API[SCHEDULER]}').endpoint]",
            },
            "clientId": {"type": "string", "value": f"[{CLIENT}]"},
            "principalId": {"type": "string", "value": f"[{PRINCIPAL}]"},
        },
    }


def _resources(needs: Needs) -> list[Json]:
    tags: dict[str, Json] = {**TAGS, "perdure:flow": needs.flow}
    where: dict[str, Json] = {"location": "[parameters('location')]", "tags": tags}
    return [
        {"type": IDENTITY, "apiVersion": API[IDENTITY], "name": name("app"), **where},
        {
            "type": CONTAINER,
            "apiVersion": API[CONTAINER],
            "name": f"[concat(variables('storage'), '/default/', {APP})]",
            "properties": {"publicAccess": "None"},
        },
        {
            "type": HUB,
            "apiVersion": API[HUB],
            "name": f"[concat(variables('name'), '/', {APP})]",
            "properties": {},
        },
        {
            "type": PLAN,
            "apiVersion": API[PLAN],
            "name": name("app"),
            **where,
            "kind": "functionapp",
            "sku": {"name": "FC1", "tier": "FlexConsumption"},
            "properties": {"reserved": True},
        },
        {
            "type": SITE,
            "apiVersion": API[SITE],
            "name": name("app"),
            **where,
            "kind": "functionapp,linux",
            "identity": {
                "type": "UserAssigned",
                "userAssignedIdentities": {f"[{APP_ID}]": {}},
            },
            "dependsOn": _after(),
            "properties": _site(needs),
        },
    ]


def _after() -> list[Json]:
    container = resource_id(CONTAINER, "variables('storage')", "'default'", APP)
    return [f"[{one}]" for one in (APP_ID, container, HUB_ID, PLAN_ID)]


def _site(needs: Needs) -> dict[str, Json]:
    return {
        "serverFarmId": f"[{PLAN_ID}]",
        "httpsOnly": True,
        "keyVaultReferenceIdentity": f"[{APP_ID}]",
        "functionAppConfig": {
            "deployment": {
                "storage": {
                    "type": "blobContainer",
                    "value": f"[concat(reference({STORAGE_ID}, '{API[STORAGE]}')"
                    f".primaryEndpoints.blob, {APP})]",
                    "authentication": {
                        "type": "UserAssignedIdentity",
                        "userAssignedIdentityResourceId": f"[{APP_ID}]",
                    },
                }
            },
            "scaleAndConcurrency": {
                "instanceMemoryMB": "[parameters('memory')]",
                "maximumInstanceCount": "[parameters('instances')]",
            },
            "runtime": {"name": "python", "version": needs.python},
        },
        "siteConfig": {
            "minTlsVersion": "1.2",
            "appSettings": [
                {"name": key, "value": value} for key, value in _settings(needs).items()
            ],
        },
    }


def _settings(needs: Needs) -> dict[str, Json]:
    endpoint = (
        f"reference({resource_id(SCHEDULER, "variables('name')")}, '{API[SCHEDULER]}').endpoint"
    )
    insights = f"reference({INSIGHTS_ID}, '{API[INSIGHTS]}').ConnectionString"
    return {
        "AzureWebJobsStorage__accountName": name("storage"),
        "AzureWebJobsStorage__clientId": f"[{CLIENT}]",
        "AzureWebJobsStorage__credential": "managedidentity",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": f"[concat('ClientId=', {CLIENT},"
        " ';Authorization=AAD')]",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": f"[{insights}]",
        "DURABLE_TASK_SCHEDULER_CONNECTION_STRING": f"[concat('Endpoint=', {endpoint},"
        f" ';Authentication=ManagedIdentity;ClientID=', {CLIENT})]",
        "PERDURE_ENVIRONMENT": "[parameters('environment')]",
        "TASKHUB_NAME": name("app"),
        **{secret: _reference(secret) for secret in needs.read},
    }


def _reference(secret: str) -> str:
    return (
        "[concat('@Microsoft.KeyVault(VaultName=', variables('name'),"
        f" ';SecretName={kept_as(secret)})')]"
    )


def _roles(needs: Needs) -> list[Json]:
    granted = [
        (STORAGE_ID, BLOB_OWNER, [f"[{APP_ID}]"]),
        (HUB_ID, parameter("durableTaskRole"), [f"[{APP_ID}]", f"[{HUB_ID}]"]),
        (INSIGHTS_ID, METRICS_PUBLISHER, [f"[{APP_ID}]"]),
    ]
    if needs.read:
        granted.append((VAULT_ID, SECRETS_USER, [f"[{APP_ID}]"]))
    return [
        role_assignment(scope, PRINCIPAL, role, "ServicePrincipal", [*after])
        for scope, role, after in granted
    ]
