# pyright: basic
# (moto has no types: its models are taken as they are)
"""CloudFormation's resources of what reaches a flow from outside; moto 5.2.5 has none of them."""

from collections.abc import Iterator
from typing import Any

import boto3

from tests.aws_deploy.cloud.front import Front
from tests.aws_deploy.cloud.resource import Made

__all__ = ["outside_models"]

type Json = Any


def outside_models(front: Front) -> Iterator[type[Made]]:
    """Made for one cloud: they know its front."""

    class _Kept(Made):
        """Its properties, where the front finds them."""

        @classmethod
        def kept(cls) -> dict[str, Json]:
            raise NotImplementedError

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            made = cls(cls.named(name) if before is None else before.identity, properties)
            cls.kept()[made.identity] = properties
            return made

        @classmethod
        def named(cls, name: str) -> str:
            return name.lower()

        def delete(self, account_id: str, region_name: str) -> None:
            self.kept().pop(self.identity, None)

    class Api(_Kept):
        KIND = "AWS::ApiGatewayV2::Api"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.apis

        @classmethod
        def named(cls, name: str) -> str:
            return f"a{abs(hash(name)):x}"[:10]

        def get_cfn_attribute(self, attribute: str) -> str:
            assert attribute == "ApiEndpoint"
            return f"https://{self.identity}.execute-api.us-east-1.amazonaws.com"

    class Route(_Kept):
        KIND = "AWS::ApiGatewayV2::Route"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.routes

    class Integration(_Kept):
        KIND = "AWS::ApiGatewayV2::Integration"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.integrations

    class Stage(_Kept):
        KIND = "AWS::ApiGatewayV2::Stage"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.stages

    class Schedule(_Kept):
        KIND = "AWS::Scheduler::Schedule"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.schedules

    class Group(_Kept):
        """AWS: what is in it goes with it (scheduler/latest/UserGuide/managing-schedule-group
        .html)."""

        KIND = "AWS::Scheduler::ScheduleGroup"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.groups

        def delete(self, account_id: str, region_name: str) -> None:
            super().delete(account_id, region_name)
            for name in [n for n, o in front.schedules.items() if o["GroupName"] == self.identity]:
                del front.schedules[name]

    class Alias(_Kept):
        """moto 5.2.5: cannot be updated, shares nothing out. AWS: a version, and another one that
        takes a part of what comes in."""

        KIND = "AWS::Lambda::Alias"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.aliases

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            function = (
                f"arn:aws:lambda:us-east-1:123456789012:function:{properties['FunctionName']}"
            )
            more = properties.get("RoutingConfig", {}).get("AdditionalVersionWeights", [])
            shares = {str(o["FunctionVersion"]): float(o["FunctionWeight"]) for o in more}
            rest = str(properties["FunctionVersion"])
            assert rest.isdigit(), "a version, by its number"
            assert rest not in shares, "another one"
            assert all(0 < share < 1 for share in shares.values())
            shares[rest] = 1 - sum(shares.values())
            made = cls(f"{function}:{properties['Name']}", properties)
            front.aliases[made.identity] = {f"{function}:{n}": w for n, w in shares.items()}
            return made

    class Permission(_Kept):
        """moto 5.2.5: takes no function's version. AWS: name or ARN, with a version."""

        KIND = "AWS::Lambda::Permission"

        @classmethod
        def kept(cls) -> dict[str, Json]:
            return front.permissions

    class Secret(Made):
        """A generated value that nobody who deploys sees."""

        KIND = "AWS::SecretsManager::Secret"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            if before is not None:
                return cls(before.identity, properties)
            client = boto3.client("secretsmanager")
            wanted = properties["GenerateSecretString"]
            made = client.get_random_password(**wanted)["RandomPassword"]
            said = client.create_secret(
                Name=name, Description=properties["Description"], SecretString=made
            )
            return cls(said["ARN"], properties)

        def delete(self, account_id: str, region_name: str) -> None:
            boto3.client("secretsmanager").delete_secret(SecretId=self.identity)

    yield from (Alias, Api, Group, Route, Integration, Stage, Schedule, Permission, Secret)
