"""The template of one flow: a state machine, the functions of its sites, what both need.

Everything a run needs has versions that stay: the machine's version names the version of each
function it calls, so a run under way ends on what it began with. A version is replaced, and the
old one kept, when what it stands for changes: code, configuration or `Release` of a function; the
revision of the machine. New runs start through the alias `live`, which shares them out between
the newest version (`Weight` percent) and a stable one.

What differs between environments is a mapping that the parameter `Environment` picks from, so one
template serves them all, byte for byte.
"""

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.project import Environment
from perdure.webhooks.links import LINK_KEY
from perdure_aws.cloudformation import door
from perdure_aws.cloudformation.alarms import alarm
from perdure_aws.cloudformation.door import DOOR, NOTHING, Outside
from perdure_aws.cloudformation.roles import machine_role, sites_role
from perdure_aws.cloudformation.tasks import SITES, functions, seconds_of, tasks

__all__ = ["ALIAS", "HANDLER", "Emitted", "flow_template"]

ALIAS = "live"
MACHINE = "Machine"
HANDLER = "perdure_aws.handler.handle"
NOWHERE = Environment("default", "aws")
"""Of a project that names no environment: the template can be deployed by hand."""
ENDED_WITHOUT_SITES = ("ABORTED", "FAILED", "TIMED_OUT")
"""How an execution can end so that no site of it had the last word."""

LONGEST_NAME = 29
"""Of what the name of an inner flow's machine has behind the stack's: together at most 80."""

type Resources = dict[str, dict[str, Json]]


@final
class Emitted(NamedTuple):
    """A machine that was emitted: of the flow itself (first), or of one that it starts."""

    ref: str
    folder: str
    """Where its definition lies in the artifacts: "" or `flows/<qualname>`."""
    definition: Mapping[str, Json]

    @property
    def logical(self) -> str:
        """What its resource is called in the template."""
        if not self.folder:
            return MACHINE
        words = re.split(r"[^A-Za-z0-9]+", self.folder.removeprefix("flows/"))
        return "Flow" + "".join(word[:1].upper() + word[1:] for word in words)

    @property
    def name(self) -> str:
        """What it is called where it is deployed."""
        if not self.folder:
            return "${AWS::StackName}"
        plain = re.sub(r"[^A-Za-z0-9]+", "-", self.folder.removeprefix("flows/")).strip("-")
        if len(plain) > LONGEST_NAME:
            plain = f"{plain[: LONGEST_NAME - 9]}-{sha256(plain.encode()).hexdigest()[:8]}"
        return f"${{AWS::StackName}}-{plain}"


def flow_template(
    machines: Sequence[Emitted],
    environments: Mapping[str, Environment],
    python: str,
    groups: Mapping[str, str],
    outside: Outside = NOTHING,
) -> dict[str, Json]:
    """The template. `groups`: the group by function name, for those that have one."""
    return FlowTemplate(machines, environments, python, groups, outside).document()


@final
class FlowTemplate:
    """One template under construction."""

    def __init__(
        self,
        machines: Sequence[Emitted],
        environments: Mapping[str, Environment],
        python: str,
        groups: Mapping[str, str],
        outside: Outside,
    ) -> None:
        self.machines = machines
        self.flow = machines[0].ref
        self.tasks = [task for one in machines for task in tasks(one.definition)]
        self.environments = dict(environments) or {NOWHERE.name: NOWHERE}
        self.python = python
        self.groups = groups
        self.outside = outside
        self.functions = functions(self.tasks)
        self.mapping = {name: self._settings(one) for name, one in self.environments.items()}

    def document(self) -> dict[str, Json]:
        """The whole template."""
        resources: dict[str, Json] = {}
        for name in self.functions:
            resources.update(self._function(name))
        resources["MachineRole"] = machine_role(self.functions)
        resources["MachineLogs"] = self._log_group("/aws/vendedlogs/states/${AWS::StackName}")
        for one in self.machines:
            resources.update(self._machine(one))
        resources["Live"] = _alias(ALIAS, _routing())
        resources.update(self._ends())
        resources.update(self._outside())
        resources.update(self._alarms())
        return {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": f"perdure: the flow {self.flow}",
            "Parameters": self._parameters(),
            "Mappings": {"Environments": {name: dict(one) for name, one in self.mapping.items()}},
            "Conditions": self._conditions(),
            "Resources": resources,
            "Outputs": self._outputs(),
        }

    # --- what is asked for ----------------------------------------------------------------------

    def _parameters(self) -> dict[str, Json]:
        names = list(self.environments)
        return {
            "Environment": {
                "Type": "String",
                "AllowedValues": [*names],
                "Default": names[0],
                "Description": "whose settings count",
            },
            "Table": _text("the run store: output Table of the environment's stack"),
            "CodeBucket": _text("where code and definition lie"),
            "CodeKey": _text("the zip of the functions; another key for other code"),
            "Artifacts": _text("prefix of the definitions' keys; another one for other content"),
            "Release": {
                "Type": "String",
                "Default": "r1",
                "AllowedPattern": "[A-Za-z][A-Za-z0-9_.-]{0,79}",
                "Description": "another name publishes new versions of everything",
            },
            "Weight": _percent("percent of new runs that start on the newest version", 100),
            "StableWeight": _percent("the rest of a hundred", 0),
            "StableVersion": _text("ARN of the version that takes the rest", "none"),
            **door.parameters(self.outside),
            **self._project(),
        }

    def _project(self) -> dict[str, Json]:
        """Asked for where secrets are read: their names begin with it."""
        if not any(set(names) - {LINK_KEY.name} for names in self.outside.secrets.values()):
            return {}
        return {
            "Project": {
                "Type": "String",
                "AllowedPattern": "[A-Za-z0-9_.-]+",
                "Description": "secrets are called <Project>/<Environment>/NAME",
            }
        }

    def _settings(self, environment: Environment) -> dict[str, Json]:
        memory: dict[str, Json] = {}
        for function in self.functions:
            group = environment.groups.get(self.groups.get(function, ""))
            own = group.memory if group else 0
            memory[f"{function}Memory"] = str(own or environment.memory)
        return {
            **memory,
            "Architecture": environment.architecture,
            "LogDays": str(environment.log_days),
            "AlarmTopic": environment.alarm_topic,
        }

    def _setting(self, name: str) -> dict[str, Json]:
        return {"Fn::FindInMap": ["Environments", {"Ref": "Environment"}, name]}

    def _conditions(self) -> dict[str, Json]:
        variables = json.dumps(self._variables())
        has_topic: list[Json] = [{"Fn::Equals": [self._setting("AlarmTopic"), ""]}]
        return {
            "AllNew": {"Fn::Equals": [{"Ref": "Weight"}, "100"]},
            "NoneNew": {"Fn::Equals": [{"Ref": "Weight"}, "0"]},
            "HasAlarmTopic": {"Fn::Not": has_topic},
            **door.conditions(self.outside),
            **{
                _condition(number): {"Fn::Equals": [{"Ref": "Environment"}, name]}
                for number, (name, one) in enumerate(self.environments.items(), 1)
                if any(self._allowed(one, function) for function in self.functions)
                or f'"{_condition(number)}"' in variables
            },
        }

    def _allowed(self, environment: Environment, function: str) -> tuple[str, ...]:
        group = environment.groups.get(self.groups.get(function, ""))
        return (*environment.allow, *(group.allow if group else ()))

    # --- the sites ------------------------------------------------------------------------------

    def _function(self, name: str) -> Resources:
        role, logs = f"{name}Role", f"{name}Logs"
        group = self.groups.get(name)
        physical = "${AWS::StackName}-sites" + (f"-{_in_names(group)}" if group else "")
        waits = any(task.waits and task.calls == name for task in self.tasks)
        starts = [one.name for one in self.machines] if name == SITES else []
        allowed = {
            _condition(number): self._allowed(one, name)
            for number, one in enumerate(self.environments.values(), 1)
        }
        properties = self._configuration(name, physical, role, logs)
        return {
            role: sites_role(
                logs,
                answers_tokens=waits,
                starts=starts,
                allowed=allowed,
                secrets=self.outside.secrets.get(name, ()),
            ),
            logs: self._log_group(f"/aws/lambda/{physical}"),
            name: {"Type": "AWS::Lambda::Function", "Properties": properties},
            f"{name}Version": self._version(name, properties),
        }

    def _version(self, name: str, properties: Json) -> dict[str, Json]:
        """The function as it is now. What it stands for says its description, where CloudFormation
        sees no change of the version itself; its last word is the release that it belongs to.
        """
        digest = _digest({"function": properties, "settings": dict(self.mapping)})
        told: list[Json] = [" ", [digest, {"Ref": "CodeKey"}, {"Ref": "Release"}]]
        return {
            "Type": "AWS::Lambda::Version",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"FunctionName": {"Ref": name}, "Description": {"Fn::Join": told}},
        }

    def _configuration(self, name: str, physical: str, role: str, logs: str) -> dict[str, Json]:
        return {
            "FunctionName": {"Fn::Sub": physical},
            "Description": f"sites of {self.flow}"[:256],
            "Runtime": f"python{self.python}",
            "Architectures": [self._setting("Architecture")],
            "Handler": HANDLER,
            "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
            "Role": {"Fn::GetAtt": [role, "Arn"]},
            "MemorySize": self._setting(f"{name}Memory"),
            "Timeout": seconds_of(self.tasks, name),
            "Environment": {
                "Variables": {
                    **self._variables(),
                    "PERDURE_TABLE": {"Ref": "Table"},
                    "PERDURE_ENVIRONMENT": {"Ref": "Environment"},
                    # Lambda publishes no version of what has not changed.
                    "PERDURE_RELEASE": {"Ref": "Release"},
                    **self._known_machines(name),
                    **(door.url_of(self.outside) if self.outside.links else {}),
                    **door.secret_places(self.outside.secrets.get(name, ())),
                }
            },
            "LoggingConfig": {"LogGroup": {"Ref": logs}},
            "TracingConfig": {"Mode": "Active"},
        }

    def _variables(self) -> dict[str, Json]:
        """The plain settings: each as the environment says it, or not there at all."""
        names = sorted({name for one in self.environments.values() for name in one.settings})
        return {name: self._variable(name) for name in names}

    def _variable(self, name: str) -> Json:
        nothing: Json = {"Ref": "AWS::NoValue"}
        *others, last = self.environments.values()
        found: Json = last.settings.get(name, nothing)
        for number, one in reversed([*enumerate(others, 1)]):
            value = one.settings.get(name, nothing)
            if value != found:
                found = {"Fn::If": [_condition(number), value, found]}
        return found

    def _arns(self, qualifier: str) -> dict[str, Json]:
        """The machine of each flow, as JSON text."""
        arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:"
        known = {one.ref: f"{arn}{one.name}{qualifier}" for one in self.machines}
        return {"Fn::Sub": json.dumps(known)}

    def _known_machines(self, function: str) -> dict[str, Json]:
        """What a function starts, by flow: the alias of its own release, so that children and later
        chunks of a run stay on its version. Names and no references: a machine refers to the
        function.
        """
        if function != SITES:
            return {}
        return {"PERDURE_MACHINES": self._arns(":${Release}")}

    def _log_group(self, name: str) -> dict[str, Json]:
        return {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "LogGroupName": {"Fn::Sub": name},
                "RetentionInDays": self._setting("LogDays"),
            },
        }

    # --- the machine ----------------------------------------------------------------------------

    def _machine(self, one: Emitted) -> Resources:
        """A machine, its version, the alias under which sites of this release start it."""
        newest: dict[str, Json] = {"Ref": f"{one.logical}Version"}
        routing: list[Json] = [{"StateMachineVersionArn": newest, "Weight": 100}]
        return {
            one.logical: {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": self._machine_properties(one),
            },
            f"{one.logical}Version": {
                "Type": "AWS::StepFunctions::StateMachineVersion",
                "DeletionPolicy": "Delete",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "StateMachineArn": {"Ref": one.logical},
                    "StateMachineRevisionId": {
                        "Fn::GetAtt": [one.logical, "StateMachineRevisionId"]
                    },
                },
            },
            f"{one.logical}Release": _alias({"Ref": "Release"}, routing),
        }

    def _machine_properties(self, one: Emitted) -> dict[str, Json]:
        pinned: dict[str, Json] = {name: {"Ref": f"{name}Version"} for name in self.functions}
        destination: dict[str, Json] = {
            "CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["MachineLogs", "Arn"]}}
        }
        place = f"{one.folder}/definition.asl.json" if one.folder else "definition.asl.json"
        called = {task.calls for task in tasks(one.definition)}
        return {
            "StateMachineName": {"Fn::Sub": one.name},
            "StateMachineType": "STANDARD",
            "DefinitionS3Location": {
                "Bucket": {"Ref": "CodeBucket"},
                "Key": {"Fn::Sub": f"${{Artifacts}}/{place}"},
            },
            "DefinitionSubstitutions": {n: ref for n, ref in pinned.items() if n in called},
            "RoleArn": {"Fn::GetAtt": ["MachineRole", "Arn"]},
            "LoggingConfiguration": {
                "Level": "ALL",
                "IncludeExecutionData": False,
                "Destinations": [destination],
            },
            "TracingConfiguration": {"Enabled": True},
        }

    # --- what reaches it from outside -----------------------------------------------------------

    def _outside(self) -> Resources:
        """The door, and what leads to it."""
        if not self.outside.has_door:
            return {}
        physical = "${AWS::StackName}-door"
        configuration = self._configuration(SITES, physical, f"{DOOR}Role", f"{DOOR}Logs")
        machine, variables = self.machines[0].name, self._variables()
        made = door.door(self.outside, configuration, machine, variables)
        made[f"{DOOR}Version"] = self._version(DOOR, made[DOOR]["Properties"])
        made[f"{DOOR}Logs"] = self._log_group(f"/aws/lambda/{physical}")
        if self.outside.has_api:
            made["ApiLogs"] = self._log_group("/aws/vendedlogs/apis/${AWS::StackName}")
            made.update(door.api(self.outside))
        if self.outside.links:
            made.update(door.link_key())
        made.update(door.schedules(self.outside))
        made[f"{DOOR}FailedAlarm"] = self._alarm("Errors", "the door fails", DOOR)
        if self.outside.has_api:
            # The door answers 500 itself: for Lambda, nothing failed.
            made["ApiFailedAlarm"] = self._alarm("5xx", "the door answers with errors", "Api")
        return made

    # --- what watches ---------------------------------------------------------------------------

    def _ends(self) -> Resources:
        """Executions that Step Functions itself ends: a site is told, and ends the run."""
        return {
            "EndedRule": {
                "Type": "AWS::Events::Rule",
                "Properties": {
                    "Description": f"ends runs of {self.flow} whose execution was ended"[:512],
                    "EventPattern": {
                        "source": ["aws.states"],
                        "detail-type": ["Step Functions Execution Status Change"],
                        "detail": {
                            "status": [*ENDED_WITHOUT_SITES],
                            "stateMachineArn": [{"Ref": one.logical} for one in self.machines],
                        },
                    },
                    "Targets": [{"Id": "sites", "Arn": {"Ref": f"{SITES}Version"}}],
                },
            },
            "EndedPermission": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {
                    "FunctionName": {"Ref": f"{SITES}Version"},
                    "Action": "lambda:InvokeFunction",
                    "Principal": "events.amazonaws.com",
                    "SourceArn": {"Fn::GetAtt": ["EndedRule", "Arn"]},
                },
            },
        }

    def _alarms(self) -> Resources:
        found: Resources = {
            "FailedAlarm": self._alarm("ExecutionsFailed", "a run failed", "Machine"),
            "TimedOutAlarm": self._alarm("ExecutionsTimedOut", "a run took too long", "Machine"),
        }
        for name in self.functions:
            found[f"{name}ThrottledAlarm"] = self._alarm("Throttles", "sites have to wait", name)
        return found

    def _alarm(self, metric: str, says: str, of: str) -> dict[str, Json]:
        return alarm(metric, f"{self.flow}: {says}", of, self._setting("AlarmTopic"))

    def _outputs(self) -> dict[str, Json]:
        return {
            "Machine": {"Description": "the state machine", "Value": {"Ref": "Machine"}},
            "Machines": {"Description": "all machines, by flow", "Value": self._arns("")},
            "Live": {"Description": "where runs are started", "Value": {"Ref": "Live"}},
            "Version": {"Description": "its newest version", "Value": {"Ref": "MachineVersion"}},
            **{
                name: {"Description": "a function's version", "Value": {"Ref": f"{name}Version"}}
                for name in (*self.functions, *((DOOR,) if self.outside.has_door else ()))
            },
            **door.urls(self.outside),
        }


def _alias(name: Json, routing: Json) -> dict[str, Json]:
    """Where runs start. An alias with another name is another one, and the old one stays."""
    return {
        "Type": "AWS::StepFunctions::StateMachineAlias",
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Retain",
        "Properties": {"Name": name, "RoutingConfiguration": routing},
    }


def _routing() -> dict[str, Json]:
    newest: dict[str, Json] = {"Ref": "MachineVersion"}
    stable: dict[str, Json] = {"Ref": "StableVersion"}
    both: list[Json] = [
        {"StateMachineVersionArn": newest, "Weight": {"Ref": "Weight"}},
        {"StateMachineVersionArn": stable, "Weight": {"Ref": "StableWeight"}},
    ]
    only_stable: list[Json] = [{"StateMachineVersionArn": stable, "Weight": 100}]
    only_newest: list[Json] = [{"StateMachineVersionArn": newest, "Weight": 100}]
    rest: dict[str, Json] = {"Fn::If": ["NoneNew", only_stable, both]}
    return {"Fn::If": ["AllNew", only_newest, rest]}


def _in_names(group: str) -> str:
    """A group's name with what names of functions may hold."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", group)


def _condition(number: int) -> str:
    """The condition that says whether the n-th environment is meant."""
    return f"InEnvironment{number}"


def _text(says: str, default: str | None = None) -> dict[str, Json]:
    given: dict[str, Json] = {} if default is None else {"Default": default}
    return {"Type": "String", "Description": says, **given}


def _percent(says: str, default: int) -> dict[str, Json]:
    return {
        "Type": "Number",
        "MinValue": 0,
        "MaxValue": 100,
        "Default": default,
        "Description": says,
    }


def _digest(value: Json) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
