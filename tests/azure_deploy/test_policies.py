"""Roles are those that something is done by; no secret's value is anywhere but in the vault."""

import json
from pathlib import Path

import pytest

from perdure.deployment import CloudRefused
from perdure_azure.deploy.verbs import AzureDeployer
from tests.azure_deploy.cloud import Cloud
from tests.azure_deploy.projects import SMALL, deploy, ignored, small

VALUE = "s3cret-value-of-the-token"
READS = SMALL.replace("import event, flow, step", "import event, flow, secret, step").replace(
    "return n + 1", 'return n + len(secret("API_TOKEN").value)'
)


def test_each_role_is_used_and_no_other_is_given(there: Cloud, folder: Path) -> None:
    place = small(folder, READS)
    deploy(place)
    AzureDeployer().secrets(place).put("API_TOKEN", VALUE)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "r")
    assert there.used == there.arm.roles()


def test_an_app_that_reads_no_secret_may_not(there: Cloud, folder: Path) -> None:
    deploy(small(folder))
    granted = {role for who, role, _ in there.arm.roles() if who.endswith("bb") is False}
    assert "4633458b-17de-408a-b874-0445c86b69e6" not in granted


def test_no_value_of_a_secret_is_anywhere_else(there: Cloud, folder: Path) -> None:
    place = small(folder, READS)
    said: list[str] = []
    first = AzureDeployer().deploy(place, said.append)
    assert first.data["missing_secrets"] == ["API_TOKEN"]
    assert AzureDeployer().secrets(place).put("API_TOKEN", VALUE)
    assert not AzureDeployer().secrets(place).put("API_TOKEN", VALUE), "it was there"
    assert AzureDeployer().secrets(place).present(["API_TOKEN"]) == {"API_TOKEN"}
    again = AzureDeployer().deploy(place, said.append)
    assert again.data["missing_secrets"] == []
    (vault,) = there.vaults.values()
    assert vault.pop("API-TOKEN") == VALUE
    kept = [
        json.dumps(there.arm.resources),
        json.dumps(there.arm.deployments),
        *(content.decode("latin-1") for content, _ in there.blobs.values()),
        *(content.decode("latin-1") for pushed in there.pushed.values() for content in pushed),
        *said,
        *first.lines,
        *again.lines,
    ]
    assert not any(VALUE in text for text in kept)


def test_a_secret_that_nobody_set_is_missing_and_no_reference(there: Cloud, folder: Path) -> None:
    place = small(folder, READS)
    deploy(place)
    runs = AzureDeployer().connect(place)
    runs.start("app:main", {"n": 1}, "r")
    there.work()
    outcome = runs.outcome("r")
    assert "MissingSecret" in str(outcome)


def test_what_azure_refuses_is_said_as_what_to_do(there: Cloud, folder: Path) -> None:
    place = small(folder)
    there.denied.add("management.azure.com")
    with pytest.raises(CloudRefused, match="Azure refuses this"):
        AzureDeployer().plan(place, ignored)
    there.denied.clear()
    deploy(place)
    (storage,) = [
        one["name"]
        for one in there.arm.resources.values()
        if one["type"] == "Microsoft.Storage/storageAccounts"
    ]
    there.denied.add(f"{storage}.blob.core.windows.net")
    with pytest.raises(CloudRefused, match="the role Storage Blob Data Contributor is needed"):
        AzureDeployer().status(place, ignored)
