"""The resources of a flow, and of an environment, as data: `deployment.json`, `environment.json`.

Each has a kind (`perdure_gcp.deploy.kinds` says which API that is), a full name and a body, as
that API takes them, in the order in which they are made. `${Name}` is a parameter, `${Sites.uri}`
what a resource before it became; `{"file": ...}` is the text of an artifact.

    identities    one service account for the workflows, one for the sites, one for the door
    roles         the sites' and the door's own: the very permissions that their code uses
    services      Cloud Run, from source in the bucket, without a build: a revision per release,
                  each under a tag of its own
    workflows     one for each release and flow, so that branches, hand-overs and children of a
                  run stay on the release that it began with; a workflow has no versions that
                  could be called
    the rest      secrets, schedules, the log sink that tells of executions that Workflows ended
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple, final

from perdure.codec import Json
from perdure.cron import parse
from perdure.ir import CronTrigger
from perdure.project import Environment
from perdure.webhooks.links import LINK_KEY, URL_SETTING
from perdure_gcp.outside import Outside

__all__ = ["FORMAT", "Emitted", "deployment", "environment"]

FORMAT = 1
SECONDS = 1800
"""Of a request: as long as a workflow waits for its answer (workflows/quotas)."""
DOOR_SECONDS = 60
REGION = "projects/${Project}/locations/${Region}"
STARTING = ("workflows.executions.create", "workflows.executions.list")
RINGING = ("workflows.callbacks.send",)
APIS = (
    "cloudscheduler.googleapis.com",
    "firestore.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
)

type Resource = dict[str, Json]


@final
class Emitted(NamedTuple):
    """A workflow: its flow, and where it lies among the artifacts."""

    ref: str
    folder: str

    @property
    def file(self) -> str:
        """Its text."""
        return f"{self.folder}/workflow.json" if self.folder else "workflow.json"


def environment() -> Json:
    """What all flows of an environment share."""
    database: dict[str, Json] = {
        "locationId": "${Region}",
        "type": "FIRESTORE_NATIVE",
        "deleteProtectionState": "DELETE_PROTECTION_ENABLED",
    }
    bucket: dict[str, Json] = {
        "location": "${Region}",
        "labels": {"perdure-environment": "${EnvironmentLabel}"},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
    }
    return {
        "format": FORMAT,
        "resources": {
            "Apis": _resource("services", "projects/${Project}", {"serviceIds": [*APIS]}),
            "Store": _resource("database", "projects/${Project}/databases/${Database}", database),
            "Bucket": _resource("bucket", "${Bucket}", bucket),
        },
    }


def deployment(
    emitted: Sequence[Emitted],
    environments: Mapping[str, Environment],
    python: str,
    outside: Outside,
    *,
    executes: bool,
) -> Json:
    """What is deployed of a flow, the entry flow's workflow first."""
    made: dict[str, Json] = {
        **_identities(outside),
        **_secrets(outside),
        **_rights(outside, executes=executes),
        **dict(_allowed(environments)),
        **_services(emitted, python, outside),
        **{_workflow_id(n): _workflow(one, n) for n, one in enumerate(emitted)},
        **_ended(),
        **dict(_schedules(outside)),
    }
    return {
        "format": FORMAT,
        "flow": emitted[0].ref,
        "workflows": {one.ref: _workflow_id(n) for n, one in enumerate(emitted)},
        "webhooks": [*outside.webhooks],
        "secrets": [name for name in outside.secrets if name != LINK_KEY.name],
        "resources": made,
    }


def _resource(kind: str, name: str, body: Mapping[str, Json]) -> Resource:
    return {"kind": kind, "name": name, "body": dict(body)}


def _labels() -> Json:
    return {
        "perdure-project": "${ProjectLabel}",
        "perdure-environment": "${EnvironmentLabel}",
        "perdure-flow": "${FlowLabel}",
    }


# --- who may do what ------------------------------------------------------------------------------


def _identities(outside: Outside) -> dict[str, Json]:
    whose = {"FlowIdentity": ("flow", "the workflows"), "SitesIdentity": ("sites", "the steps")}
    if outside.has_door:
        whose["DoorIdentity"] = ("door", "webhooks and approval links")
    return {
        logical: _resource(
            "identity",
            f"projects/${{Project}}/serviceAccounts/{_email(short)}",
            {"displayName": f"${{Name}}: {what}"},
        )
        for logical, (short, what) in whose.items()
    }


def _email(short: str) -> str:
    return f"${{Account}}-{short}@${{Project}}.iam.gserviceaccount.com"


def _member(short: str) -> str:
    return f"serviceAccount:{_email(short)}"


def _secrets(outside: Outside) -> dict[str, Json]:
    """What holds each secret, without a value, and who may read it."""
    found: dict[str, Json] = {}
    for number, name in enumerate(outside.secrets, 1):
        generated = name == LINK_KEY.name
        labels = _labels() if generated else _owned()
        body: dict[str, Json] = {"replication": {"automatic": {}}, "labels": labels}
        kind = "generated" if generated else "secret"
        found[f"Secret{number}"] = _resource(kind, _place(name), body)
        readers = {"Sites": outside.read_by_sites, "Door": outside.read_by_door}
        for who, names in readers.items():
            if name in names:
                found[f"{who}ReadsSecret{number}"] = _binding(
                    _place(name), "roles/secretmanager.secretAccessor", _member(who.lower())
                )
    return found


def _owned() -> Json:
    return {
        "perdure-project": "${ProjectLabel}",
        "perdure-environment": "${EnvironmentLabel}",
    }


def _place(name: str) -> str:
    prefix = "${Name}" if name == LINK_KEY.name else "${SecretPrefix}"
    return f"projects/${{Project}}/secrets/{prefix}-{name}"


def _binding(
    on: str, role: str, member: str, condition: Mapping[str, Json] | None = None
) -> Resource:
    body: dict[str, Json] = {"role": role, "member": member}
    return _resource("binding", on, {**body, "condition": dict(condition)} if condition else body)


def _rights(outside: Outside, *, executes: bool) -> dict[str, Json]:
    """Custom roles say exactly what is used; Workflows' own are for whole projects and more."""
    sites = {"workflows.executions.get"}
    if executes:
        sites |= {*STARTING, *RINGING, "workflows.executions.cancel"}
    if outside.crons:
        sites |= {*STARTING}
    found: dict[str, Json] = {**_role("Sites", sites), "SitesUseStore": _uses_store("sites")}
    if outside.has_door:
        starting = {*STARTING} if outside.starts else set[str]()
        found |= _role("Door", {*starting, *RINGING})
        found["DoorUsesStore"] = _uses_store("door")
    return found


def _role(who: str, permissions: set[str]) -> dict[str, Json]:
    name = f"projects/${{Project}}/roles/${{RoleName}}.{who.lower()}"
    body: dict[str, Json] = {
        "title": f"${{Name}}: {who.lower()}",
        "includedPermissions": [*sorted(permissions)],
        "stage": "GA",
    }
    return {
        f"{who}Role": _resource("role", name, body),
        f"{who}HasRole": _binding("projects/${Project}", name, _member(who.lower())),
    }


def _uses_store(short: str) -> Resource:
    """`datastore.user` on this database alone
    (https://cloud.google.com/firestore/native/docs/conditions-for-databases).
    """
    only: dict[str, Json] = {
        "title": "the run store alone",
        "expression": 'resource.name == "projects/${Project}/databases/${Database}"',
    }
    return _binding("projects/${Project}", "roles/datastore.user", _member(short), only)


def _allowed(environments: Mapping[str, Environment]) -> Iterator[tuple[str, Json]]:
    """What `allow` of each environment says: roles of the project, or for some resources of it."""
    for name, found in environments.items():
        for number, text in enumerate(found.allow, 1):
            role, _, resources = text.partition(" ")
            only: dict[str, Json] | None = None
            if resources:
                expression = f'resource.name.startsWith("{resources}")'
                only = {"title": "what begins so", "expression": expression}
            made = _binding("projects/${Project}", role, _member("sites"), only)
            yield f"Allowed{number}In{name}", {**made, "in": name}


# --- what runs --------------------------------------------------------------------------------


def _services(emitted: Sequence[Emitted], python: str, outside: Outside) -> dict[str, Json]:
    found: dict[str, Json] = {}
    if outside.has_door:
        found["Door"] = _door(emitted, python, outside)
    settings: dict[str, Json] = {
        "PERDURE_WORKFLOWS": _workflows(emitted),
        **_read(outside.read_by_sites),
    }
    if outside.has_door:
        settings[URL_SETTING] = "${Door.uri}"
    template = _template(python, "sites", settings, ["main.py"], SECONDS)
    found["Sites"] = _service("${Name}", "answers the workflows of ${Name}", template)
    found["FlowCallsSites"] = _binding(
        f"{REGION}/services/${{Name}}", "roles/run.invoker", _member("flow")
    )
    return found


def _service(name: str, description: str, template: Mapping[str, Json]) -> Resource:
    """A service with a revision of this release. Shares of new runs are shares of its traffic."""
    traffic: dict[str, Json] = {
        "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
        "revision": f"{name}-${{Release}}",
        "tag": "${Release}",
        "percent": 100,
    }
    body: dict[str, Json] = {
        "description": description,
        "labels": _labels(),
        "template": {"revision": f"{name}-${{Release}}", **template},
        "traffic": [traffic],
    }
    return _resource("service", f"{REGION}/services/{name}", body)


def _door(emitted: Sequence[Emitted], python: str, outside: Outside) -> Resource:
    """A service that anybody may call: it checks what is sent."""
    settings: dict[str, Json] = {
        "PERDURE_WORKFLOWS": _workflows(emitted[:1]),
        **_read(outside.read_by_door),
    }
    template = _template(python, "door", settings, ["-m", "perdure_gcp.door"], DOOR_SECONDS)
    made = _service("${Name}-door", "webhooks and approval links of ${Name}", template)
    return {**made, "body": {**_object(made["body"]), "invokerIamDisabled": True}}


def _template(
    python: str, identity: str, settings: Mapping[str, Json], args: list[Json], seconds: int
) -> dict[str, Json]:
    env: list[Json] = [
        {"name": name, "value": value}
        for name, value in {
            "PERDURE_PROJECT": "${Project}",
            "PERDURE_DATABASE": "${Database}",
            **settings,
        }.items()
    ]
    return {
        "serviceAccount": _email(identity),
        "timeout": f"{seconds}s",
        "containers": [
            {
                # Source without a build: Google's own image of that Python under the files.
                "image": "scratch",
                "baseImageUri": f"python{python.replace('.', '')}",
                "sourceCode": {"cloudStorageSource": {"bucket": "${Bucket}", "object": "${Code}"}},
                "command": ["python"],
                "args": args,
                "env": env,
                "resources": {"limits": {"cpu": "1", "memory": "${Memory}Mi"}},
            }
        ],
    }


def _workflows(emitted: Sequence[Emitted]) -> str:
    """Where the workflow of each flow is, of this release."""
    return json.dumps({one.ref: _workflow_name(n) for n, one in enumerate(emitted)})


def _read(names: Sequence[str]) -> dict[str, Json]:
    return {"PERDURE_SECRETS": json.dumps({name: _place(name) for name in names})} if names else {}


def _workflow_id(number: int) -> str:
    return f"Workflow{number + 1}" if number else "Workflow"


def _workflow_name(number: int) -> str:
    more = f"-{number + 1}" if number else ""
    return f"{REGION}/workflows/${{Name}}-${{Release}}{more}"


def _workflow(one: Emitted, number: int) -> Json:
    body: dict[str, Json] = {
        "description": one.ref,
        "labels": {**_object(_labels()), "perdure-release": "${Release}"},
        "serviceAccount": f"projects/${{Project}}/serviceAccounts/{_email('flow')}",
        "sourceContents": {"file": one.file},
        "callLogLevel": "LOG_NONE",
        # The revision of this release; tokens are made out to the service, whatever its revision.
        "userEnvVars": {"PERDURE_SITES": "${Sites.tag}", "PERDURE_AUDIENCE": "${Sites.uri}"},
    }
    return _resource("workflow", _workflow_name(number), body)


def _object(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)
    return value


def _ended() -> dict[str, Json]:
    """Who tells the service of executions that Workflows itself ended (`perdure_gcp.ended`)."""
    topic = "projects/${Project}/topics/${Name}-ended"
    ended = " AND ".join(
        (
            'logName="projects/${Project}/logs/workflows.googleapis.com%2Fexecutions_system"',
            'resource.labels.location="${Region}"',
            'resource.labels.workflow_id=~"^${Name}-r[0-9a-f]{10}(-[0-9]+)?$"',
            'jsonPayload.state=("FAILED" OR "CANCELLED")',
        )
    )
    push: dict[str, Json] = {
        "pushEndpoint": "${Sites.uri}/",
        "oidcToken": {"serviceAccountEmail": _email("flow"), "audience": "${Sites.uri}"},
    }
    return {
        "EndedTopic": _resource("topic", topic, {"labels": _labels()}),
        "EndedSink": _resource(
            "sink",
            "projects/${Project}/sinks/${Name}-ended",
            {
                "destination": f"pubsub.googleapis.com/{topic}",
                "filter": ended,
                "description": "executions that ended badly",
            },
        ),
        "SinkPublishes": _binding(topic, "roles/pubsub.publisher", "${EndedSink.writerIdentity}"),
        "EndedPush": _resource(
            "subscription",
            "projects/${Project}/subscriptions/${Name}-ended",
            {
                "topic": topic,
                "labels": _labels(),
                "ackDeadlineSeconds": 60,
                "expirationPolicy": {},
                "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
                "pushConfig": push,
            },
        ),
    }


def _schedules(outside: Outside) -> Iterator[tuple[str, Json]]:
    """Cloud Scheduler tells the sites' service of each moment, at least once.

    Schedules are called after what they are: another one beside them changes none. The moment is
    in a header of the request.
    """
    for cron in {(one.expression, one.tz): one for one in outside.crons}.values():
        named = {"expression": cron.expression, "tz": cron.tz}
        content = json.dumps({"schedule": named})
        digest = sha256(content.encode()).hexdigest()[:8]
        body: dict[str, Json] = {
            "description": f"{cron.expression} in {cron.tz}",
            "schedule": _fields(cron),
            "timeZone": cron.tz,
            "attemptDeadline": f"{DOOR_SECONDS}s",
            "retryConfig": {"retryCount": 5, "maxRetryDuration": "3600s"},
            "httpTarget": {
                "uri": "${Sites.uri}/",
                "httpMethod": "POST",
                "body": b64encode(content.encode()).decode(),
                "oidcToken": {"serviceAccountEmail": _email("flow"), "audience": "${Sites.uri}"},
            },
        }
        yield f"Schedule{digest}", _resource("job", f"{REGION}/jobs/${{Name}}-{digest}", body)


def _fields(cron: CronTrigger) -> str:
    """The expression in numbers alone, as the unix cron of Cloud Scheduler has them
    (https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules).
    """
    due = parse(cron.expression, cron.tz)
    fields = [
        _listed(due.minutes, 60),
        _listed(due.hours, 24),
        "*" if due.any_day else _listed(due.days, 32),
        _listed(due.months, 12),
        "*" if due.any_weekday else _listed(due.weekdays, 8),
    ]
    return " ".join(fields)


def _listed(numbers: Sequence[int], every: int) -> str:
    return "*" if len(numbers) == every else ",".join(map(str, numbers))
