"""`environment.json`: what the flows of an environment share.

    storage      packages of apps, releases and what is live; the host's own blobs
    scheduler    where the task hubs of flows are: the history of their runs
    vault        secrets
    workspace, insights    logs, traces

Who deploys (`operator`) gets what deploying and driving runs takes: blobs, hubs, secrets.
"""

from typing import Final

from perdure.codec.text import Json
from perdure_azure.arm.spelling import (
    API,
    SCHEMA,
    TAGS,
    VARIABLES,
    name,
    parameter,
    parameters,
    resource_id,
    role_assignment,
)

__all__ = ["BLOB_CONTRIBUTOR", "RELEASES", "SECRETS_OFFICER", "environment_template"]

BLOB_CONTRIBUTOR: Final = "'ba92f5b4-2d11-453d-a403-e96b0029c9fe'"
"""Storage Blob Data Contributor (role-based-access-control/built-in-roles, 2026-11-23)."""
SECRETS_OFFICER: Final = "'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'"
"""Key Vault Secrets Officer."""
RELEASES: Final = "releases"
"""The container of releases."""

STORAGE = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{STORAGE}/blobServices/containers"
VAULT = "Microsoft.KeyVault/vaults"
SCHEDULER = "Microsoft.DurableTask/schedulers"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
INSIGHTS = "Microsoft.Insights/components"


def environment_template() -> dict[str, Json]:
    """The template; the same for all projects."""
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            **parameters(),
            "logDays": {"type": "int", "defaultValue": 30},
            "operator": {
                "type": "string",
                "defaultValue": "",
                "metadata": {"description": "object id of who deploys and drives runs"},
            },
            "operatorType": {
                "type": "string",
                "defaultValue": "User",
                "allowedValues": ["User", "Group", "ServicePrincipal"],
            },
        },
        "variables": VARIABLES,
        "resources": [*_resources(), *_operator()],
        "outputs": {
            "storage": {"type": "string", "value": name("storage")},
            "blobs": _output(STORAGE, "storage", ".primaryEndpoints.blob"),
            "vault": _output(VAULT, "name", ".vaultUri"),
            "endpoint": _output(SCHEDULER, "name", ".endpoint"),
        },
    }


def _output(kind: str, variable: str, field: str) -> dict[str, Json]:
    where = resource_id(kind, f"variables('{variable}')")
    return {"type": "string", "value": f"[reference({where}, '{API[kind]}'){field}]"}


def _resource(type_: str, called: str, properties: dict[str, Json], **more: Json) -> Json:
    return {
        "type": type_,
        "apiVersion": API[type_],
        "name": called,
        "location": "[parameters('location')]",
        "tags": TAGS,
        **more,
        "properties": properties,
    }


def _resources() -> list[Json]:
    return [
        _resource(
            WORKSPACE,
            name(),
            {"sku": {"name": "PerGB2018"}, "retentionInDays": "[parameters('logDays')]"},
        ),
        _resource(
            INSIGHTS,
            name(),
            {
                "Application_Type": "web",
                "DisableLocalAuth": True,
                "WorkspaceResourceId": f"[{resource_id(WORKSPACE, "variables('name')")}]",
            },
            kind="web",
            dependsOn=[f"[{resource_id(WORKSPACE, "variables('name')")}]"],
        ),
        *_storage(),
        _resource(
            VAULT,
            name(),
            {
                "enableRbacAuthorization": True,
                "enableSoftDelete": True,
                "sku": {"family": "A", "name": "standard"},
                "softDeleteRetentionInDays": 7,
                "tenantId": "[subscription().tenantId]",
            },
        ),
        _resource(
            SCHEDULER, name(), {"ipAllowlist": ["0.0.0.0/0"], "sku": {"name": "Consumption"}}
        ),
    ]


def _storage() -> list[Json]:
    return [
        _resource(
            STORAGE,
            name("storage"),
            {
                "allowBlobPublicAccess": False,
                "allowSharedKeyAccess": False,
                "minimumTlsVersion": "TLS1_2",
                "supportsHttpsTrafficOnly": True,
            },
            kind="StorageV2",
            sku={"name": "Standard_LRS"},
        ),
        {
            "type": CONTAINER,
            "apiVersion": API[CONTAINER],
            "name": f"[concat(variables('storage'), '/default/{RELEASES}')]",
            "dependsOn": [f"[{resource_id(STORAGE, "variables('storage')")}]"],
            "properties": {"publicAccess": "None"},
        },
    ]


def _operator() -> list[Json]:
    storage = resource_id(STORAGE, "variables('storage')")
    vault, scheduler = (resource_id(one, "variables('name')") for one in (VAULT, SCHEDULER))
    granted = (
        (storage, BLOB_CONTRIBUTOR),
        (vault, SECRETS_OFFICER),
        (scheduler, parameter("durableTaskRole")),
    )
    return [
        role_assignment(
            scope,
            parameter("operator"),
            role,
            "[parameters('operatorType')]",
            [f"[{scope}]"],
            condition="[not(empty(parameters('operator')))]",
        )
        for scope, role in granted
    ]
