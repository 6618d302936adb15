"""The template of an environment: what all its flows share and what outlives every deploy.

The table is `perdure_aws.dynamodb`'s; what runs refer to lies in it too, in parts, so that nothing
is read before it is there and no function needs a second grant. The bucket holds what is deployed
(`code/`, `definitions/`, `templates/`, each under its digest). Both stay when the stack goes:
`perdure destroy --with-data` removes them.
"""

import json

from perdure.codec import Json
from perdure_aws.dynamodb import table_definition

__all__ = ["store_template"]

ABANDONED_UPLOAD_DAYS = 7
LISTED = ("AttributeDefinitions", "BillingMode", "KeySchema")


def store_template() -> dict[str, Json]:
    """The same for every flow and environment."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "perdure: run store and bucket of one environment",
        "Resources": {
            "Table": _kept("AWS::DynamoDB::Table", _table()),
            "Bucket": _kept("AWS::S3::Bucket", _bucket()),
            "BucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": _encrypted_only()},
        },
        "Outputs": {
            "Table": {"Description": "the run store", "Value": {"Ref": "Table"}},
            "Bucket": {"Description": "what is deployed", "Value": {"Ref": "Bucket"}},
        },
    }


def _kept(kind: str, properties: dict[str, Json]) -> dict[str, Json]:
    """A resource with data: it stays, unless it was just made by a deploy that fails."""
    return {
        "Type": kind,
        "DeletionPolicy": "RetainExceptOnCreate",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }


def _table() -> dict[str, Json]:
    # As the client takes it; the stubs' types are JSON too, by another name.
    asked: dict[str, Json] = json.loads(json.dumps(table_definition("")))
    return {
        **{name: asked[name] for name in LISTED},
        "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }


def _bucket() -> dict[str, Json]:
    return {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            ]
        },
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
        "LifecycleConfiguration": {
            "Rules": [
                {
                    "Id": "abandoned-uploads",
                    "Status": "Enabled",
                    "AbortIncompleteMultipartUpload": {
                        "DaysAfterInitiation": ABANDONED_UPLOAD_DAYS
                    },
                }
            ]
        },
    }


def _encrypted_only() -> dict[str, Json]:
    everything: list[Json] = [
        {"Fn::GetAtt": ["Bucket", "Arn"]},
        {"Fn::Sub": "${Bucket.Arn}/*"},
    ]
    statement: dict[str, Json] = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {
        "Bucket": {"Ref": "Bucket"},
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
