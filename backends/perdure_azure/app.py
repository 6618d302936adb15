"""`function_app.py`, and the files that stand around it.

One orchestrator for the flow, one activity for each step. The functions are plain: what a flow
does stands in the printed modules, what an operation does in `perdure.runtime.episode`.
"""

import json
from collections.abc import Sequence

from perdure.ir import Function, Program, Ref, StepInfo
from perdure.runtime.engine import Json
from perdure_azure.names import function_name

__all__ = ["app_files"]

SDK = "azure-functions-durable>=2.0.0rc3,<3"
BUNDLE = {"id": "Microsoft.Azure.Functions.ExtensionBundle.Preview", "version": "[4.*, 5.0.0)"}
"""The bundle that the guide of the SDK's version 2 names (read 2026-11)."""

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
from perdure_azure.neighbours import find_run, start_run
from perdure_azure.orchestration import orchestrate

{imports}

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
modules = {{
{table}
}}
functions = ModuleFunctions(modules)
'''

_ORCHESTRATOR = '''

@app.orchestration_trigger(context_name="context")
def {name}(context, given):
    """{file}:{line}"""
    return (yield from orchestrate(context, given, {flow}, functions))
'''

_ACTIVITY = '''

@app.activity_trigger(input_name="call")
def {name}(call):
    """{file}:{line}"""
    return run_step({step}, call)
'''

_NEIGHBOURS = '''

@app.durable_client_input(client_name="client")
@app.activity_trigger(input_name="call")
def perdure_start(call, client):
    """Starts a run, once."""
    return start_run(call, client)


@app.durable_client_input(client_name="client")
@app.activity_trigger(input_name="call")
def perdure_find(call, client):
    """Says whether a run is running, has ended, or is not there."""
    return find_run(call, client)
'''


def app_files(program: Program, modules: Sequence[str], python: tuple[int, int]) -> dict[str, str]:
    """Content by path.

    `modules` are the dotted names of the project's modules, `python` is the minor version that the
    project is compiled for.
    """
    return {
        "function_app.py": _function_app(program, modules, python),
        "host.json": _json(_host()),
        "requirements.txt": f"azure-functions>=2.3\n{SDK}\n",
    }


def _function_app(program: Program, modules: Sequence[str], python: tuple[int, int]) -> str:
    flow = program.functions[0]
    parts = [
        _HEAD.format(
            flow=flow.ref.qualname,
            file=flow.span.file,
            version=", ".join(map(str, python)),
            pinned=".".join(map(str, python)),
            imports="\n".join(f"import {name} as {_alias(name)}" for name in sorted(modules)),
            table="\n".join(f'    "{name}": {_alias(name)},' for name in sorted(modules)),
        ),
        *(_orchestrator(each) for each in program.functions if each.kind == "flow"),
        *map(_activity, program.steps),
        _NEIGHBOURS,
    ]
    return "".join(parts)


def _orchestrator(flow: Function) -> str:
    return _ORCHESTRATOR.format(
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


def _host() -> dict[str, Json]:
    return {
        "version": "2.0",
        "extensionBundle": dict(BUNDLE),
        "extensions": {"durableTask": {"storageProvider": {"type": "azureManaged"}}},
        "logging": {
            "applicationInsights": {
                "samplingSettings": {"isEnabled": True, "excludedTypes": "Request"}
            }
        },
    }


def _json(document: Json) -> str:
    return json.dumps(document, indent=2) + "\n"
