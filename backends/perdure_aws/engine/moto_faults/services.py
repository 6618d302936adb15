# ruff: noqa: E501  (the paths of moto's modules are long)
# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Lambda tasks call the simulation's functions."""

import json
from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError
from moto.core.models import botocore_stubber
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import (
    StateCredentials,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.utils import boto_client

from perdure_aws.engine import lambdas
from perdure_aws.engine.interface import Json
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.run import active

__all__ = [
    "distributed_maps_are_refused",
    "lambdas_are_python_functions",
    "other_services_need_moto",
    "starting_executions_is_refused",
]


def lambdas_are_python_functions(patches: Patches) -> None:
    """`lambda:invoke` and a function's ARN call a Python function; what it raises is a
    FunctionError with errorType, so that Catch by class name works.

    moto 5.2.5: needs Docker, or echoes the event.
    AWS: the error's name is the exception's class name, the cause a JSON object
    (docs: connect-lambda).
    """

    def call(
        parameters: Mapping[str, object], region: str, state_credentials: StateCredentials
    ) -> dict[str, Json]:
        payload = parameters.get("Payload", b"{}")
        event: Json = json.loads(payload) if isinstance(payload, bytes | str) else None
        name = str(parameters["FunctionName"])
        try:
            return lambdas.invoke(active(), name, event)
        except lambdas.FunctionMissing:
            raise ClientError(
                {
                    "Error": {
                        "Code": "ResourceNotFoundException",
                        "Message": f"Function not found: {name}",
                    },
                    "ResponseMetadata": {
                        "HTTPStatusCode": 404,
                        "RequestId": "",
                        "HostId": "",
                        "HTTPHeaders": {},
                        "RetryAttempts": 0,
                    },
                },
                "Invoke",
            ) from None

    def direct(
        env: Environment,
        parameters: dict[str, object],
        region: str,
        account: str,
        credentials: StateCredentials,
    ) -> None:
        response = call(parameters, region, credentials)
        if "FunctionError" in response:
            raise lambda_eval_utils.LambdaFunctionErrorException(
                "Unhandled", json.dumps(response["Payload"], separators=(",", ":"))
            )
        env.stack.append(response)

    patches.replace(lambda_eval_utils, "_invoke_lambda_function", call)
    patches.replace(lambda_eval_utils, "exec_lambda_function", direct)


def distributed_maps_are_refused(patches: Patches) -> None:
    """A distributed Map ends the simulation with `EngineCannot`.

    moto 5.2.5: one whose children fail SUCCEEDS with [null,null].
    AWS: States.ExceedToleratedFailureThreshold.
    """

    def evaluate(self: DistributedIterationComponent, env: Environment) -> None:
        active().cannot("a distributed Map: moto's answers to failing children are wrong")

    patches.replace(DistributedIterationComponent, "_eval_body", evaluate)


def other_services_need_moto(patches: Patches) -> None:
    """A task that calls another service needs `moto.mock_aws` around the run.

    moto 5.2.5: looks for a server at localhost otherwise. AWS: calls the service.
    """

    class Boto3:
        """boto3, if its calls are intercepted."""

        @staticmethod
        def client(*args: object, **options: object) -> object:
            if not botocore_stubber.enabled:
                active().cannot(
                    f"a task calls {options.get('service_name')}: run inside moto.mock_aws"
                )
            return original(*args, **options)

    original: Callable[..., object] = vars(boto_client)["boto3"].client
    patches.replace(boto_client, "boto3", Boto3)


def starting_executions_is_refused(patches: Patches) -> None:
    """`states:startExecution` ends the simulation with `EngineCannot`.

    moto 5.2.5: `.sync:2` fails with a KeyError, and a child would run in real
    time in moto's own backend. AWS: the child's output.
    """

    def evaluate(self: StateTaskServiceSfn, *args: object, **options: object) -> None:
        active().cannot(f"{self.resource.resource_arn}: executions start no others here")

    patches.replace(StateTaskServiceSfn, "_eval_service_task", evaluate)
