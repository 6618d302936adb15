"""Expressions of ARM templates, and what both templates are spelt with.

Names follow from resource group, project and environment, so that a template needs no names of
others: whoever deploys it into the same group finds the same things.
"""

import re
from hashlib import sha256
from typing import Final

from perdure.codec.text import Json

__all__ = [
    "API",
    "SCHEMA",
    "TAGS",
    "VARIABLES",
    "flow_name",
    "name",
    "parameter",
    "parameters",
    "resource_id",
    "role_assignment",
]

SCHEMA: Final = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
API: Final = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.DurableTask/schedulers": "2026-02-01",
    "Microsoft.DurableTask/schedulers/taskHubs": "2026-02-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.KeyVault/vaults": "2023-07-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2023-01-31",
    "Microsoft.OperationalInsights/workspaces": "2023-09-01",
    "Microsoft.Storage/storageAccounts": "2023-05-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "2023-05-01",
    "Microsoft.Web/serverfarms": "2024-04-01",
    "Microsoft.Web/sites": "2024-04-01",
}
"""The version of each type's REST API that its properties are of."""

LONGEST_FLOW: Final = 32
"""Characters of a flow in names: an app has 60, of which `perdure-`, `-` and 13 are taken."""

VARIABLES: Final[dict[str, Json]] = {
    "suffix": "[uniqueString(resourceGroup().id, parameters('project'),"
    " parameters('environment'))]",
    "storage": "[concat('perdure', variables('suffix'))]",
    "name": "[concat('perdure-', variables('suffix'))]",
}
TAGS: Final[dict[str, Json]] = {
    "perdure:project": "[parameters('project')]",
    "perdure:environment": "[parameters('environment')]",
}


def parameters() -> dict[str, Json]:
    """What both templates ask for."""
    return {
        "project": _text("the project, as its resources are tagged"),
        "environment": _text("the environment, as its resources are tagged"),
        "location": {
            "type": "string",
            "defaultValue": "[resourceGroup().location]",
            "metadata": {"description": "the region of all resources"},
        },
        "durableTaskRole": {
            "type": "string",
            "defaultValue": "0ad04412-c4d5-4796-b79c-f76d14c8d402",
            "metadata": {"description": "the role definition Durable Task Data Contributor"},
        },
    }


def _text(about: str) -> dict[str, Json]:
    return {"type": "string", "metadata": {"description": about}}


def parameter(name: str) -> str:
    """An expression's part."""
    return f"parameters('{name}')"


def name(word: str = "name") -> str:
    """The expression of a variable."""
    return f"[variables('{word}')]"


def resource_id(kind: str, *names: str) -> str:
    """Of a resource in the same group; `names` are parts of expressions."""
    return f"resourceId('{kind}', {', '.join(names)})"


def role_assignment(
    scope: str, principal: str, role: str, kind: str, after: list[Json], **more: Json
) -> dict[str, Json]:
    """That a principal has a role in a scope; all three are parts of expressions."""
    definition = f"subscriptionResourceId('Microsoft.Authorization/roleDefinitions', {role})"
    return {
        "type": "Microsoft.Authorization/roleAssignments",
        "apiVersion": API["Microsoft.Authorization/roleAssignments"],
        **more,
        "name": f"[guid({scope}, {parameter('project')}, {principal_key(principal)}, {role})]",
        "scope": f"[{scope}]",
        "dependsOn": after,
        "properties": {
            "roleDefinitionId": f"[{definition}]",
            "principalId": f"[{principal}]",
            "principalType": kind,
        },
    }


def principal_key(principal: str) -> str:
    """What names a principal before it exists: an assignment's name is needed at the start."""
    found = re.match(r"reference\((.*), '[^']*'\)\.principalId\Z", principal)
    return found[1] if found else principal


def flow_name(flow: str) -> str:
    """A flow in names of resources: lower case, digits and `-`; others with a digest."""
    plain = flow.replace("_", "-")
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", plain) and len(plain) <= LONGEST_FLOW:
        return plain
    short = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[: LONGEST_FLOW - 9].strip("-")
    return f"{short or 'x'}-{sha256(flow.encode()).hexdigest()[:8]}"
