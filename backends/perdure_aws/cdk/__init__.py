# mypy: disable-error-code="misc"
# pyright: basic, reportMissingImports=false
# (aws-cdk-lib is 240 MB and is installed for those who use it: its classes are unknown here)
"""Constructs of the AWS CDK: a flow of this project in an app of one's own. `perdure[cdk]`.

    store = RunStore(stack, "Store")
    triage = Flow(stack, "Triage", flow="flows/triage.py:triage", store=store, environment="prod")
    reports.grant_read(triage)               # what steps may do
    triage.grant_start(api_function)         # who may start runs
    CfnOutput(stack, "Webhooks", value=triage.webhook_url)

The template is the one that `perdure compile` writes, resource by resource; code and definitions
are assets. `perdure deploy` needs none of this: neither node nor docker.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsii
from aws_cdk import ArnFormat, Stack, aws_cloudwatch, aws_iam, aws_s3_assets, cloudformation_include
from constructs import Construct

from perdure_aws.cdk.artifacts import Made, made
from perdure_aws.cloudformation.store import store_template

__all__ = ["Flow", "RunStore"]

READS = ("dynamodb:GetItem", "dynamodb:Query")
WRITES = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
WATCHES = ("states:DescribeExecution",)
TELLS = ("states:GetExecutionHistory", "states:DescribeStateMachineForExecution")
ANSWERS = ("states:SendTaskSuccess", "states:SendTaskFailure")
"""Step Functions offers no resource for them but `*`."""


class RunStore(Construct):
    """The table and the bucket that flows of one environment share; both outlive the stack."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        with TemporaryDirectory() as folder:
            file = Path(folder) / "store.json"
            file.write_text(json.dumps(store_template()))
            self.template = cloudformation_include.CfnInclude(
                self, "Template", template_file=str(file)
            )
        self.table_name: str = self.template.get_resource("Table").ref
        self.bucket_name: str = self.template.get_resource("Bucket").ref


@jsii.implements(aws_iam.IGrantable)
class Flow(Construct):
    """A flow: its machine with versions and aliases, its functions, roles, logs, alarms, webhooks.

    A stack holds one, for its resources are called after the stack.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        flow: str,
        store: RunStore,
        environment: str,
        weight: int = 100,
        stable_version: str | None = None,
        stable_door: str | None = None,
    ) -> None:
        """`flow`: FILE or FILE:FLOW. `environment`: whose `[tool.perdure.env]` counts.

        `weight`: percent of new runs that start on the newest version; `stable_version` (its ARN)
        gets the rest. `stable_door` is the number of that release's version of the function
        `Door`, of a flow with webhooks, links or schedules: it takes the rest of what comes in.
        """
        super().__init__(scope, id)
        if (weight < 100) != (stable_version is not None):
            raise ValueError("a `weight` below 100 goes with a `stable_version`")
        self.store = store
        with TemporaryDirectory() as folder:
            found = made(flow, environment, Path(folder))
            code = aws_s3_assets.Asset(self, "Code", path=str(found.code))
            given = {
                **found.parameters,
                "Table": store.table_name,
                "CodeBucket": code.s3_bucket_name,
                "CodeKey": code.s3_object_key,
                "Artifacts": "assets",
                "Release": _release(found),
                "Weight": str(weight),
                "StableWeight": str(100 - weight),
                "StableVersion": stable_version or "none",
            }
            if found.has_shared_door:
                given["StableDoor"] = stable_door or "none"
                given["StableDoorShare"] = str((100 - weight) / 100 if stable_door else 0)
            self.template = cloudformation_include.CfnInclude(
                self, "Template", template_file=str(found.template), parameters=given
            )
            self._place_definitions(found.definitions)
        self.machine_arn: str = self._resource("Machine").ref
        self.live_arn: str = self._resource("Live").ref
        """The alias that new runs start through."""
        self.children: dict[str, str] = {
            name: self._resource(logical).ref for name, logical in found.children.items()
        }
        """The ARNs of the machines of flows that it starts, by the flow's name."""
        self._machines = ("Machine", *found.children.values())
        self._has_door = found.has_door
        self.role: aws_iam.IRole = aws_iam.Role.from_role_arn(
            self, "Role", self._resource("SitesRole").attr_arn
        )

    # --- what steps may do ----------------------------------------------------------------------

    @property
    def grant_principal(self) -> aws_iam.IPrincipal:
        """The functions of the sites: `bucket.grant_read(flow)` lets steps read."""
        return self.role.grant_principal

    # --- who may do what with runs --------------------------------------------------------------

    def grant_start(self, grantee: aws_iam.IGrantable) -> aws_iam.Grant:
        """Start runs, and learn how they end."""
        self._grant(grantee, ("states:StartExecution",), self.machine_arn)
        return self.grant_watch(grantee)

    def grant_watch(self, grantee: aws_iam.IGrantable) -> aws_iam.Grant:
        """See runs, and those of flows that they start: how they stand, what they did."""
        self._grant(grantee, (*WATCHES, *TELLS), *self._executions)
        return self._grant(grantee, READS, self._table)

    def grant_send(self, grantee: aws_iam.IGrantable) -> aws_iam.Grant:
        """Send events to runs."""
        self._grant(grantee, WATCHES, *self._executions)
        self._grant(grantee, ANSWERS, "*")
        return self._grant(grantee, WRITES, self._table)

    def grant_cancel(self, grantee: aws_iam.IGrantable) -> aws_iam.Grant:
        """Cancel runs, and with them those of flows that they start."""
        self._grant(grantee, ("states:StopExecution",), *self._executions)
        return self.grant_send(grantee)

    # --- what is measured -----------------------------------------------------------------------

    def metric(
        self,
        name: str,
        *,
        child: str | None = None,
        **props: Any,  # of Metric
    ) -> aws_cloudwatch.Metric:
        """A metric of the machine, such as `ExecutionTime`; of the flow `child` that it starts."""
        if child is not None and child not in self.children:
            known = ", ".join(sorted(self.children)) or "none"
            raise ValueError(f"{self.node.path}: it starts no flow `{child}`; there is {known}")
        machine = self.machine_arn if child is None else self.children[child]
        given: dict[str, Any] = {"statistic": "Sum", **props}
        return aws_cloudwatch.Metric(
            namespace="AWS/States",
            metric_name=name,
            dimensions_map={"StateMachineArn": machine},
            **given,
        )

    def metric_started(self, **props: Any) -> aws_cloudwatch.Metric:
        """Runs that began."""
        return self.metric("ExecutionsStarted", **props)

    def metric_succeeded(self, **props: Any) -> aws_cloudwatch.Metric:
        """Runs that ended well."""
        return self.metric("ExecutionsSucceeded", **props)

    def metric_failed(self, **props: Any) -> aws_cloudwatch.Metric:
        """Runs that failed."""
        return self.metric("ExecutionsFailed", **props)

    def metric_timed_out(self, **props: Any) -> aws_cloudwatch.Metric:
        """Runs that took too long."""
        return self.metric("ExecutionsTimedOut", **props)

    def metric_duration(self, **props: Any) -> aws_cloudwatch.Metric:
        """How long runs take."""
        return self.metric("ExecutionTime", **{"statistic": "Average", **props})

    # --- webhooks -------------------------------------------------------------------------------

    @property
    def webhook_url(self) -> str:
        """Where webhooks and approval links lead."""
        if not self._has_door:
            raise ValueError(
                f"{self.node.path}: the flow has no webhooks and makes no approval links, so"
                " nothing of it has a URL (schedules need none)"
            )
        found: str = self._resource("Api").attr_api_endpoint
        return found

    # --- inside ---------------------------------------------------------------------------------

    def _resource(self, logical: str) -> Any:  # Any: the class follows from the resource's type
        return self.template.get_resource(logical)

    def _place_definitions(self, definitions: Mapping[str, Path]) -> None:
        """Each machine reads its definition from an asset of its own."""
        for logical, file in definitions.items():
            asset = aws_s3_assets.Asset(self, f"{logical}Definition", path=str(file))
            where = {"Bucket": asset.s3_bucket_name, "Key": asset.s3_object_key}
            self._resource(logical).add_property_override("DefinitionS3Location", where)

    @property
    def _table(self) -> str:
        arn: str = Stack.of(self).format_arn(
            service="dynamodb", resource="table", resource_name=self.store.table_name
        )
        return arn

    @property
    def _executions(self) -> list[str]:
        """Of all its machines: a run may go on in those of flows that it starts."""
        return [
            Stack.of(self).format_arn(
                service="states",
                resource="execution",
                resource_name=f"{self._resource(logical).attr_name}:*",
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            )
            for logical in self._machines
        ]

    def _grant(
        self, grantee: aws_iam.IGrantable, actions: tuple[str, ...], *resources: str
    ) -> aws_iam.Grant:
        return aws_iam.Grant.add_to_principal(
            grantee=grantee, actions=[*actions], resource_arns=[*resources]
        )


def _release(found: Made) -> str:
    """A name for all that a release is made of, as `perdure deploy` makes it: of its content."""
    digest = sha256()
    for file in (found.template, found.code, *found.definitions.values()):
        digest.update(file.read_bytes())
    return f"r{digest.hexdigest()[:12]}"
