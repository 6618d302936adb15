# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# (models and resources are of any shape)
"""What the resource providers take: the models of their own management clients.

Each resource of a template is held to the model of its type: names of properties, their types,
what is required. There are two generations of models.
"""

from collections.abc import Mapping
from typing import Any, get_args, get_origin

__all__ = ["problems"]

ENVELOPE = frozenset(
    {"type", "apiVersion", "name", "dependsOn", "scope", "condition", "location", "tags"}
)


def problems(kind: str, resource: Mapping[str, Any]) -> list[str]:
    """What is wrong with a resource whose expressions are evaluated."""
    body = {
        name: value
        for name, value in resource.items()
        if name not in ENVELOPE or name in ("location", "tags")
    }
    return list(_checked(_model(kind), body, kind))


def _model(kind: str) -> Any:
    from azure.mgmt.applicationinsights import models as insights
    from azure.mgmt.authorization import models as authorization
    from azure.mgmt.durabletask import models as durabletask
    from azure.mgmt.keyvault import models as keyvault
    from azure.mgmt.loganalytics import models as loganalytics
    from azure.mgmt.msi import models as msi
    from azure.mgmt.storage import models as storage
    from azure.mgmt.web import models as web

    found: dict[str, Any] = {
        "Microsoft.Authorization/roleAssignments": authorization.RoleAssignmentCreateParameters,
        "Microsoft.DurableTask/schedulers": durabletask.Scheduler,
        "Microsoft.DurableTask/schedulers/taskHubs": durabletask.TaskHub,
        "Microsoft.Insights/components": insights.ApplicationInsightsComponent,
        "Microsoft.KeyVault/vaults": keyvault.VaultCreateOrUpdateParameters,
        "Microsoft.ManagedIdentity/userAssignedIdentities": msi.Identity,
        "Microsoft.OperationalInsights/workspaces": loganalytics.Workspace,
        "Microsoft.Storage/storageAccounts": storage.StorageAccountCreateParameters,
        "Microsoft.Storage/storageAccounts/blobServices/containers": storage.BlobContainer,
        "Microsoft.Web/serverfarms": web.AppServicePlan,
        "Microsoft.Web/sites": web.Site,
    }
    return found[kind]


def _checked(model: Any, value: Any, path: str) -> Any:
    if hasattr(model, "_attribute_map"):
        yield from _first_generation(model, value, path)
    elif hasattr(model, "_attr_to_rest_field"):
        yield from _second_generation(model, value, path)


def _first_generation(model: Any, value: Any, path: str) -> Any:
    """`{"sku": {"key": "properties.sku", "type": "Sku"}}`: dots are levels."""
    if not isinstance(value, dict):
        yield f"{path}: no object"
        return
    tree: dict[str, Any] = {}
    for attribute, said in model._attribute_map.items():
        *levels, last = said["key"].replace("\\.", "\0").split(".")
        place = tree
        for level in levels:
            place = place.setdefault(level, {})
        place[last] = (said["type"], attribute)
    yield from _walk(tree, value, path, model)


def _walk(tree: Mapping[str, Any], value: Mapping[str, Any], path: str, model: Any) -> Any:
    from importlib import import_module

    models = import_module(model.__module__.rpartition(".")[0])
    for name, item in value.items():
        expected = tree.get(name)
        if expected is None:
            yield f"{path}.{name}: {model.__name__} has none"
        elif isinstance(expected, dict):
            yield from _walk(expected, item, f"{path}.{name}", model)
        else:
            kind, attribute = expected
            if model._validation.get(attribute, {}).get("readonly"):
                yield f"{path}.{name}: only Azure writes it"
            yield from _typed(kind, item, f"{path}.{name}", models)


PLAIN: dict[str, Any] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": (int, float),
    "object": object,
}


def _typed(kind: str, item: Any, path: str, models: Any) -> Any:
    if kind[:1] == "[" and kind[-1:] == "]":
        if not isinstance(item, list):
            yield f"{path}: no list"
            return
        for number, one in enumerate(item):
            yield from _typed(kind[1:-1], one, f"{path}[{number}]", models)
    elif kind[:1] == "{" and kind[-1:] == "}":
        for name, one in item.items():
            yield from _typed(kind[1:-1], one, f"{path}.{name}", models)
    elif kind in PLAIN:
        if not isinstance(item, PLAIN[kind]) or (kind == "int" and isinstance(item, bool)):
            yield f"{path}: {item!r} is no {kind}"
    elif hasattr(models, kind) and hasattr(getattr(models, kind), "_attribute_map"):
        yield from _checked(getattr(models, kind), item, path)


def _second_generation(model: Any, value: Any, path: str) -> Any:
    from typing import get_type_hints

    if not isinstance(value, dict):
        yield f"{path}: no object"
        return
    made = model({})
    fields = {field._rest_name: (name, field) for name, field in made._attr_to_rest_field.items()}
    flat = getattr(model, "_Model__flattened_items", None) or getattr(
        model, "__flattened_items", []
    )
    hints = _hints(model, get_type_hints)
    for name, item in value.items():
        if name not in fields:
            if name not in flat:
                yield f"{path}.{name}: {model.__name__} has none"
            continue
        attribute, field = fields[name]
        if field._visibility == ["read"]:
            yield f"{path}.{name}: only Azure writes it"
        yield from _hinted(hints.get(attribute), item, f"{path}.{name}")


def _hints(model: Any, get_type_hints: Any) -> Mapping[str, Any]:
    from importlib import import_module

    package = import_module(model.__module__.rpartition(".")[0])
    try:
        found: Mapping[str, Any] = get_type_hints(
            model, {**vars(import_module(model.__module__)), "_models": package}
        )
    except NameError:
        return {}
    return found


def _hinted(hint: Any, item: Any, path: str) -> Any:
    options = [one for one in get_args(hint) if one is not type(None)] or [hint]
    if get_origin(hint) in (list, dict):
        options = [hint]
    for option in options:
        if get_origin(option) is list:
            if not isinstance(item, list):
                yield f"{path}: no list"
                return
            for number, one in enumerate(item):
                yield from _hinted(get_args(option)[0], one, f"{path}[{number}]")
            return
        if get_origin(option) is dict:
            for name, one in item.items():
                yield from _hinted(get_args(option)[1], one, f"{path}.{name}")
            return
        if hasattr(option, "_attr_to_rest_field") or hasattr(option, "_attribute_map"):
            yield from _checked(option, item, path)
            return
        if option in (str, int, bool):
            if not isinstance(item, option):
                yield f"{path}: {item!r} is no {option.__name__}"
            return
