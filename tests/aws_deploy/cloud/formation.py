# pyright: basic
# (moto has no types: its models are taken as they are)
"""What is mended of moto's CloudFormation: each function says what moto does and what AWS does.

tests/aws_deploy/test_cloud_faults.py shows for each a template on which plain moto is wrong.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack

from tests.aws_deploy.cloud.front import Front
from tests.aws_deploy.cloud.outside import outside_models
from tests.aws_deploy.cloud.resource import Made as _Made
from tests.aws_deploy.cloud.states import States

__all__ = ["corrected"]

type Json = Any

PUBLISHED = ("CodeSha256", "Environment", "MemorySize", "Timeout", "Runtime", "Role", "Handler")
"""What a version of a function is made of."""
STATES = "arn:aws:states:us-east-1:123456789012"


@contextmanager
def corrected(states: States, front: Front) -> Iterator[None]:
    """moto's CloudFormation, corrected, while this holds."""
    models = {
        **parsing.get_model_map(),
        **{m.cloudformation_type(): m for m in _all_models(states, front)},
    }
    _client.cache_clear()
    with ExitStack() as patches:
        patches.enter_context(patch.object(Stack, "_parse_template", read_json))
        patches.enter_context(patch.object(parsing, "get_model_map", lambda: models))
        patches.enter_context(patch.object(parsing, "parse_condition", compare_texts))
        patches.enter_context(patch.object(parsing.ResourceMap, "update", follow_references))
        patches.enter_context(patch.object(Stack, "update", refuse_empty_updates))
        patches.enter_context(patch.object(parsing.ResourceMap, "delete", keep_what_is_retained))
        yield


@cache
def _client(service: str) -> Any:
    """One for each service of a cloud: making one takes longer than what it is asked."""
    return boto3.client(service)  # type: ignore[call-overload]


def read_json(self: Any) -> None:
    """A template that is JSON, read as that: moto reads it as YAML, a hundred times slower."""
    self.template_dict = json.loads(self.template)


_parse_condition: Any = parsing.parse_condition


def compare_texts(condition: Json, resources: Any, conditions: Json) -> bool:
    """Fn::Equals compares texts. moto 5.2.5: a parameter of type Number is no text, and equal to
    none. AWS: they are (condition functions).
    """
    if isinstance(condition, dict) and "Fn::Equals" in condition:
        left, right = (parsing.clean_json(one, resources) for one in condition["Fn::Equals"])
        return str(left) == str(right)
    return bool(_parse_condition(condition, resources, conditions))


# --- updates -------------------------------------------------------------------------------------


def follow_references(self: Any, template: Json, parameters: Json = None) -> None:
    """An update reaches every resource whose properties come out otherwise.

    moto 5.2.5: only those whose own text differs, or that name a changed parameter; what refers to
    a resource that was replaced keeps the old one. AWS: all (template anatomy, "Ref").
    """
    old = self._resource_json_map
    before = {name: _resolved(one, self) for name, one in old.items() if _is_known(one)}
    self._template = template
    if parameters:
        self.input_parameters = parameters
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    new = self._resource_json_map = template["Resources"]
    self.changed = []
    for name in _in_order(new):
        if not _is_known(new[name]):
            continue
        if name not in old:
            _ = self[name]
            self.changed.append(("Add", name))
        elif _resolved(new[name], self) != before[name]:
            made = parsing.parse_and_update_resource(
                name, new[name], self, account_id=self._account_id, region_name=self._region_name
            )
            assert made is not None, f"{name}: a model that cannot be updated"
            self._parsed_resources[name] = made
            self.changed.append(("Modify", name))
    for name in [name for name in old if name not in new]:
        gone = self._parsed_resources.pop(name, None)
        if gone is not None and not _is_retained(old[name]):
            self._delete_resource(gone, old[name])
        self.changed.append(("Remove", name))


def refuse_empty_updates(
    self: Any, template: str, role_arn: Any = None, parameters: Any = None, tags: Any = None
) -> None:
    """An update that changes nothing is refused. moto 5.2.5: it is done. AWS: ValidationError,
    "No updates are to be performed." (API reference UpdateStack).
    """
    was = (self.template, dict(self.parameters), dict(self.tags))
    if not template:
        template = self.template
    now = (template, dict(parameters or self.parameters), dict(tags or self.tags))
    if was == now:
        raise ValidationError(message="No updates are to be performed.")
    _update(self, template, role_arn, parameters, tags)


_update = Stack.update


def keep_what_is_retained(self: Any) -> None:
    """RetainExceptOnCreate keeps a resource, too.

    moto 5.2.5: knows Retain alone. AWS: both (DeletionPolicy attribute).
    """
    kept = {name for name, one in self._resource_json_map.items() if _is_retained(one)}
    order = [n for n in reversed(_in_order(self._resource_json_map)) if n not in kept]
    for name in order:
        gone = self._parsed_resources.pop(name, None)
        if gone is not None:
            self._delete_resource(gone, self._resource_json_map[name])


def _is_retained(resource: Json) -> bool:
    return str(resource.get("DeletionPolicy", "")).startswith("Retain")


def _is_known(resource: Json) -> bool:
    assert resource["Type"] in parsing.get_model_map(), f"no model of {resource['Type']}"
    return True


def _resolved(resource: Json, resources: Any) -> Json:
    return parsing.clean_json(json.loads(json.dumps(resource["Properties"])), resources)


def _in_order(resources: Mapping[str, Json]) -> list[str]:
    """What is referred to stands first."""
    needs = {name: _named(one) & set(resources) - {name} for name, one in resources.items()}
    order: list[str] = []
    while len(order) < len(resources):
        order += [n for n in resources if n not in order and needs[n] <= set(order)]
    return order


def _named(resource: Json) -> set[str]:
    text = json.dumps(resource)
    found = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)[.}]', text)
    return {name for groups in found for name in groups if name}


# --- resources that moto does not make, or makes otherwise ----------------------------------------


def _all_models(states: States, front: Front) -> Iterator[type[_Made]]:
    yield from _models(states)
    yield from outside_models(front)


def _models(states: States) -> Iterator[type[_Made]]:
    """Made for one cloud: they know its services."""

    class StateMachine(_Made):
        """moto 5.2.5: DefinitionString alone, nothing substituted, no revision. AWS: S3 location,
        substitutions, StateMachineRevisionId (resource reference)."""

        KIND = "AWS::StepFunctions::StateMachine"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            place = properties["DefinitionS3Location"]
            body = _client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])
            text = body["Body"].read().decode()
            for key, value in properties["DefinitionSubstitutions"].items():
                text = text.replace(f"${{{key}}}", value)
            arn = f"{STATES}:stateMachine:{properties['StateMachineName']}"
            machine = states.put_machine(arn, text, properties["RoleArn"])
            return cls(arn, {**properties, "revision": str(machine.revision)})

        def get_cfn_attribute(self, attribute: str) -> str:
            revision: str = self.properties["revision"]
            return revision if attribute == "StateMachineRevisionId" else self.identity

        def delete(self, account_id: str, region_name: str) -> None:
            states.delete(self.identity)

    class StateMachineVersion(_Made):
        """moto 5.2.5: none. AWS: publishes the revision; replaced when it changes."""

        KIND = "AWS::StepFunctions::StateMachineVersion"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            arn, revision = properties["StateMachineArn"], properties["StateMachineRevisionId"]
            return cls(states.publish(arn, revision), properties)

        def delete(self, account_id: str, region_name: str) -> None:
            base, _, number = self.identity.rpartition(":")
            states.machines[base].versions.pop(int(number), None)

    class StateMachineAlias(_Made):
        """moto 5.2.5: none. AWS: shares new executions out between versions."""

        KIND = "AWS::StepFunctions::StateMachineAlias"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            routing = [
                {
                    "stateMachineVersionArn": one["StateMachineVersionArn"],
                    "weight": int(one["Weight"]),
                }
                for one in properties["RoutingConfiguration"]
            ]
            assert sum(one["weight"] for one in routing) == 100
            bases = {one["stateMachineVersionArn"].rpartition(":")[0] for one in routing}
            (base,) = bases
            for one in routing:
                number = int(one["stateMachineVersionArn"].rpartition(":")[2])
                assert number in states.machines[base].versions, "a version that is there"
            arn, known = f"{base}:{properties['Name']}", states.machines[base].aliases
            is_new = before is None or before.identity != arn
            # A replaced one stays, and its name is taken.
            assert not is_new or known.get(properties["Name"], routing) == routing, "a conflict"
            known[properties["Name"]] = routing
            return cls(arn, properties)

    class LambdaVersion(_Made):
        """moto 5.2.5: its Ref is no ARN, it cannot be updated, and a version is that of another
        function object whose code changes with it. AWS: the ARN of code as it was published; a
        function that has not changed since publishes nothing, and the stack fails."""

        KIND = "AWS::Lambda::Version"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            known = _client("lambda").list_versions_by_function(
                FunctionName=properties["FunctionName"]
            )
            now, *published = ([one[key] for key in PUBLISHED] for one in known["Versions"])
            assert now not in published[-1:], f"{name}: a version for this function exists"
            said = _client("lambda").publish_version(
                FunctionName=properties["FunctionName"], Description=properties["Description"]
            )
            return cls(said["FunctionArn"], properties)

        def get_cfn_attribute(self, attribute: str) -> str:
            assert attribute == "Version"
            return self.identity.rpartition(":")[2]

    class Rule(_Made):
        """moto 5.2.5: cannot be updated, and sends nothing of Step Functions. Here: kept, and
        `Cloud` sends what matches."""

        KIND = "AWS::Events::Rule"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            made = super().put(name, properties, before)
            rules[made.identity] = properties
            return made

        def get_cfn_attribute(self, attribute: str) -> str:
            return f"arn:aws:events:us-east-1:123456789012:rule/{self.identity}"

        def delete(self, account_id: str, region_name: str) -> None:
            rules.pop(self.identity, None)

    class Alarm(_Made):
        """moto 5.2.5: none of CloudFormation's. AWS: an alarm."""

        KIND = "AWS::CloudWatch::Alarm"

    class BucketPolicy(_Made):
        """moto 5.2.5: none of CloudFormation's. AWS: the policy of a bucket."""

        KIND = "AWS::S3::BucketPolicy"

    class LogGroup(_Made):
        """moto 5.2.5: cannot be updated. AWS: retention changes in place."""

        KIND = "AWS::Logs::LogGroup"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            group = properties["LogGroupName"]
            client = _client("logs")
            if before is None:
                client.create_log_group(logGroupName=group)
            client.put_retention_policy(
                logGroupName=group, retentionInDays=int(properties["RetentionInDays"])
            )
            return cls(group, properties)

        def get_cfn_attribute(self, attribute: str) -> str:
            return f"arn:aws:logs:us-east-1:123456789012:log-group:{self.identity}:*"

        def delete(self, account_id: str, region_name: str) -> None:
            _client("logs").delete_log_group(logGroupName=self.identity)

    class Role(_Made):
        """moto 5.2.5: inline policies of an updated role stay what they were. AWS: they change."""

        KIND = "AWS::IAM::Role"

        @classmethod
        def put(cls, name: str, properties: Json, before: Any) -> Any:
            client = _client("iam")
            role = name if before is None else before.identity
            if before is None:
                document = json.dumps(properties["AssumeRolePolicyDocument"])
                client.create_role(RoleName=role, AssumeRolePolicyDocument=document)
            for one in client.list_role_policies(RoleName=role)["PolicyNames"]:
                client.delete_role_policy(RoleName=role, PolicyName=one)
            for one in properties["Policies"]:
                client.put_role_policy(
                    RoleName=role,
                    PolicyName=one["PolicyName"],
                    PolicyDocument=json.dumps(one["PolicyDocument"]),
                )
            return cls(role, properties)

        def get_cfn_attribute(self, attribute: str) -> str:
            return f"arn:aws:iam::123456789012:role/{self.identity}"

        def delete(self, account_id: str, region_name: str) -> None:
            client = _client("iam")
            for one in client.list_role_policies(RoleName=self.identity)["PolicyNames"]:
                client.delete_role_policy(RoleName=self.identity, PolicyName=one)
            client.delete_role(RoleName=self.identity)

    rules: dict[str, Json] = states.rules
    yield from (
        StateMachine, StateMachineVersion, StateMachineAlias, LambdaVersion, Rule,
        Alarm, BucketPolicy, LogGroup, Role,
    )  # fmt: skip
