"""Deploys Azure apps: `perdure plan|deploy|rollback|destroy|status ENV`, and runs with `--on ENV`.

    account      credentials, the subscription, requests to Azure's APIs
    deployments  ARM deployments: apply, what-if, find, remove
    blobs, push  releases and ledgers in storage; the zip to the app
    hub          the Durable Task Scheduler: runs
    deploying, planning, destroying, secrets, runs     the verbs

Reads the artifacts of `compile`; no `az`, no Functions tools.
"""

from perdure.deployment import Deployer
from perdure_azure.deploy.verbs import AzureDeployer

__all__ = ["deployer"]

deployer: Deployer = AzureDeployer()
