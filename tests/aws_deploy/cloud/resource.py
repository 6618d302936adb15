# pyright: basic
# (moto has no types: its models are taken as they are)
"""A resource that moto's CloudFormation can make, update and delete."""

from typing import Any

from moto.core.common_models import CloudFormationModel

__all__ = ["Made"]

type Json = Any


class Made(CloudFormationModel):
    """A resource that is its properties, and an identity."""

    KIND = ""

    def __init__(self, identity: str, properties: Json) -> None:
        self.identity = identity
        self.properties = properties

    @property
    def physical_resource_id(self) -> str:
        return self.identity

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.KIND

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return True

    def get_cfn_attribute(self, attribute: str) -> str:
        return self.identity

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> Any:
        return cls.put(resource_name, cloudformation_json["Properties"], None)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
    ) -> Any:
        return cls.put(new_resource_name, cloudformation_json["Properties"], original_resource)

    @classmethod
    def put(cls, name: str, properties: Json, before: Any) -> Any:
        """Make or change it; a replaced one stays where it is (UpdateReplacePolicy: Retain)."""
        return cls(name if before is None else before.identity, properties)

    def delete(self, account_id: str, region_name: str) -> None:
        """It goes with its stack."""
