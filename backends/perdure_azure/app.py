"""`function_app.py`, and the files that stand around it.

One orchestrator for the flow, one activity for each step. The functions are plain: what a flow
does stands in the printed modules, what an operation does in `perdure.runtime.episode`.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, final

from perdure.cron import parse
from perdure.ir import CronTrigger, Function, Program, Ref, StepInfo, WebhookTrigger
from perdure.project import Project
from perdure.runtime.engine import Json
from perdure.webhooks.links import PATH
from perdure_azure.names import FIND, START, TELL, function_name

__all__ = ["app_files", "functions_of", "has_door"]

BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"


@final
class _Sdk(NamedTuple):
    """What differs between the versions of the SDK."""

    requirements: str
    bundle: str
    """Of host.json: version 2's guide names the preview bundle (read 2026-11)."""
    bundle_versions: str
    imports: str
    orchestrator: str
    neighbour: str
    end: str


_HEAD = '''\
"""{flow} on Azure Durable Functions, compiled by perdure from {file}.

Generated: change the flow, not this file.
"""

import sys

if sys.version_info[:2] != ({version}):
    # Before anything else is imported: another Python may not even read the files beside this one.
    raise RuntimeError(
        "this app is compiled for Python {pinned}, and runs on {{}}.{{}}: set the app's Python to "
        "{pinned}, or pin another under [tool.perdure] and compile again".format(*sys.version_info)
    )

import azure.durable_functions as df
import azure.functions as func
from perdure.runtime.attempts import run_step
from perdure.runtime.functions import ModuleFunctions
{ours}
{imports}

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
modules = {{
{table}
}}
functions = ModuleFunctions(modules)
'''

_ACTIVITY = '''

@app.activity_trigger(input_name="call")
def {name}(call):
    """{file}:{line}"""
    return run_step({step}, call)
'''

_ORCHESTRATOR_1 = '''

@app.orchestration_trigger(context_name="context")
def {name}(context):
    """{file}:{line}"""
    return (yield from orchestrate(context, {flow}, functions))
'''

_ORCHESTRATOR_2 = '''

@app.orchestration_trigger(context_name="context")
def {name}(context, given):
    """{file}:{line}"""
    return (yield from orchestrate(context, given, {flow}, functions))
'''

_NEIGHBOUR_1 = '''

@app.durable_client_input(client_name="client")
@app.activity_trigger(input_name="call")
async def {name}(call, client):
    """{about}"""
    return await {body}(call, client)
'''

_NEIGHBOUR_2 = '''

@app.durable_client_input(client_name="client")
@app.activity_trigger(input_name="call")
def {name}(call, client):
    """{about}"""
    return {body}(call, client)
'''

_END_2 = """

# Runs of older releases, which `perdure deploy` puts beside this one, go on in their own code.
older = route(app, __file__)
"""

_DOOR = """

door = AppDoor({flow}, __file__)
"""

_WEBHOOK = '''

@app.durable_client_input(client_name="client")
@app.route(route="{route}", methods={methods}, auth_level=func.AuthLevel.ANONYMOUS)
def {name}(req: func.HttpRequest, client) -> func.HttpResponse:
    """{about}"""
    return door.answer(req, client)
'''

_SCHEDULE = '''

@app.durable_client_input(client_name="client")
@app.timer_trigger(arg_name="timer", schedule="{when}")
def {name}(timer: func.TimerRequest, client) -> None:
    """{about}"""
    door.on_time({schedule}, client, away=timer.past_due)
'''

METHODS = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]
"""All come through, so that the door gives all answers."""

_NEIGHBOURS = {
    START: ("start_run", "Starts a run, once."),
    FIND: ("find_run", "Says whether a run is running, has ended, or is not there."),
    TELL: ("tell_run", "Writes to another run."),
}

SDKS: Final = {
    1: _Sdk(
        "azure-functions-durable>=1.7,<2\n",
        BUNDLE,
        "[4.32.0, 5.0.0)",
        "from perdure_azure.classic import find_run, orchestrate, start_run, tell_run\n",
        _ORCHESTRATOR_1,
        _NEIGHBOUR_1,
        "",
    ),
    2: _Sdk(
        "azure-functions>=2.3\nazure-functions-durable>=2.0.0rc3,<3\n",
        f"{BUNDLE}.Preview",
        "[4.*, 5.0.0)",
        "from perdure_azure.neighbours import find_run, start_run\n"
        "from perdure_azure.orchestration import orchestrate\n"
        "from perdure_azure.routing import route\n",
        _ORCHESTRATOR_2,
        _NEIGHBOUR_2,
        _END_2,
    ),
}


def app_files(program: Program, modules: Sequence[str], project: Project) -> dict[str, str]:
    """Content by path. `modules` are the dotted names of the project's modules."""
    sdk = SDKS[project.settings.azure_sdk]
    return {
        "function_app.py": _function_app(program, modules, project.python, sdk),
        "host.json": _json(_host(sdk, has_door(program))),
        "requirements.txt": sdk.requirements,
    }


def functions_of(program: Program) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the orchestrators and of the activities of a program."""
    flows = (each for each in program.functions if each.kind == "flow")
    names = tuple(function_name(flow.ref) for flow in flows)
    return names, tuple(function_name(step.ref) for step in program.steps)


def _function_app(
    program: Program, modules: Sequence[str], python: tuple[int, int], sdk: _Sdk
) -> str:
    flow = program.functions[0]
    parts = [
        _HEAD.format(
            flow=flow.ref.qualname,
            file=flow.span.file,
            version=", ".join(map(str, python)),
            pinned=".".join(map(str, python)),
            ours=("from perdure_azure.door import AppDoor\n" if has_door(program) else "")
            + sdk.imports,
            imports="\n".join(f"import {name} as {_alias(name)}" for name in sorted(modules)),
            table="\n".join(f'    "{name}": {_alias(name)},' for name in sorted(modules)),
        ),
        *(_orchestrator(each, sdk) for each in program.functions if each.kind == "flow"),
        *map(_activity, program.steps),
        *(
            sdk.neighbour.format(name=name, body=body, about=about)
            for name, (body, about) in _NEIGHBOURS.items()
            if body in sdk.imports
        ),
        *_outside(program),
        sdk.end,
    ]
    return "".join(parts)


def has_door(program: Program) -> bool:
    """Whether anything reaches the flow from outside."""
    return bool(program.triggers) or program.links


def _outside(program: Program) -> Iterator[str]:
    """The functions of the door: for each path, each schedule."""
    if not has_door(program):
        return
    flow = program.functions[0]
    yield _DOOR.format(flow=_expression(flow.ref))
    webhooks = [one for one in program.triggers if isinstance(one, WebhookTrigger)]
    routes = [(one.path.removeprefix("/"), f"{flow.span.file}:{one.span.line}") for one in webhooks]
    if program.links:
        routes.append((f"{PATH.removeprefix('/')}{{token}}", "Approval links."))
    for number, (route, about) in enumerate(routes, 1):
        methods = json.dumps(METHODS)
        name = f"perdure_door_{number}"
        yield _WEBHOOK.format(route=route, methods=methods, name=name, about=about)
    crons = [one for one in program.triggers if isinstance(one, CronTrigger)]
    schedules = dict.fromkeys((one.expression, one.tz) for one in crons)
    for number, (expression, tz) in enumerate(schedules, 1):
        minutes = ",".join(map(str, parse(expression, tz).minutes))
        # Each hour: which of them is due, in its time zone, the door looks up.
        yield _SCHEDULE.format(
            when=f"0 {minutes} * * * *",
            name=f"perdure_schedule_{number}",
            about=f"{expression} {tz}",
            schedule=json.dumps((expression, tz)).replace("[", "(").replace("]", ")"),
        )


def _orchestrator(flow: Function, sdk: _Sdk) -> str:
    return sdk.orchestrator.format(
        name=function_name(flow.ref),
        file=flow.span.file,
        line=flow.span.line,
        flow=_expression(flow.ref),
    )


def _activity(step: StepInfo) -> str:
    return _ACTIVITY.format(
        name=function_name(step.ref),
        file=step.span.file,
        line=step.span.line,
        step=_expression(step.ref),
    )


def _expression(ref: Ref) -> str:
    return f"{_alias(ref.module)}.{ref.qualname}"


def _alias(module: str) -> str:
    """No name of an app's own ends like this."""
    return f"{module.replace('.', '_')}_module"


def _host(sdk: _Sdk, has_door: bool) -> dict[str, Json]:
    # Webhooks have the paths that flows say.
    door: dict[str, Json] = {"http": {"routePrefix": ""}} if has_door else {}
    return {
        "version": "2.0",
        "extensionBundle": {"id": sdk.bundle, "version": sdk.bundle_versions},
        "extensions": {
            **door,
            "durableTask": {
                "hubName": "%TASKHUB_NAME%",
                "storageProvider": {
                    "type": "azureManaged",
                    "connectionStringName": "DURABLE_TASK_SCHEDULER_CONNECTION_STRING",
                },
            },
        },
        "logging": {
            "applicationInsights": {
                "samplingSettings": {"isEnabled": True, "excludedTypes": "Request"}
            }
        },
    }


def _json(document: Json) -> str:
    return json.dumps(document, indent=2) + "\n"
