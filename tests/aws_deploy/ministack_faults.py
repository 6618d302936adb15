# pyright: basic
# (a template is JSON of any shape)
"""What is mended of ministack for a whole deployment, in the requests and never in the artifacts.

Each function says what ministack does and what AWS does; test_ministack.py shows each on a plain
ministack.
"""

import json
from typing import Any

__all__ = ["MISSING", "without_missing_types"]

type Json = Any

MISSING = ("AWS::StepFunctions::StateMachineAlias", "AWS::StepFunctions::StateMachineVersion")


def without_missing_types(template: str) -> str:
    """The template without versions and aliases of machines; what names them names the machine.

    ministack 1.5.33: "Unrecognized resource types" for the whole template. AWS: makes them.
    """
    document = json.loads(template)
    resources = document["Resources"]
    missing = {name for name, one in resources.items() if one["Type"] in MISSING}
    for name in missing:
        del resources[name]
    mended: str = json.dumps(_renamed(document, missing))
    return mended


def _renamed(value: Json, missing: set[str]) -> Json:
    if isinstance(value, dict):
        if set(value) == {"Ref"} and value["Ref"] in missing:
            return {"Ref": "Machine"}
        if "DependsOn" in value:
            left = [one for one in value["DependsOn"] if one not in missing]
            value = {**value, "DependsOn": [*left, "Machine"]}
        if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
            return {"Fn::Sub": value["Fn::Sub"].replace(":${Release}", "")}
        return {name: _renamed(item, missing) for name, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, missing) for item in value]
    return value
