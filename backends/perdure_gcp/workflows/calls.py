"""Functions of the library that wait: requests, sleeps, callbacks, logs and connectors.

https://cloud.google.com/workflows/docs/reference/stdlib/overview
"""

from typing import Final, final

from perdure_gcp.workflows.execution import Execution, Logged
from perdure_gcp.workflows.http import Request, made
from perdure_gcp.workflows.library import LIBRARY
from perdure_gcp.workflows.library_time import seconds_of
from perdure_gcp.workflows.limits import value_of
from perdure_gcp.workflows.problems import failure
from perdure_gcp.workflows.signatures import FUNCTIONS
from perdure_gcp.workflows.values import Value, is_number, to_json, type_name
from perdure_gcp.workflows.waits import Callback, Called, Sent, Until, Work

__all__ = ["CALLBACK_METHODS", "CONNECTOR_HOST", "Calls"]

CALLBACK_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
CONNECTOR_HOST: Final = "https://connectors.invalid/"
"""Connectors that nothing here knows are requests to this host, for a test's own handler."""

_RUN: Final = "googleapis.workflowexecutions.v1.projects.locations.workflows.executions.run"
_SEVERITIES: Final = (
    "DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY",
)  # fmt: skip


@final
class Calls:
    """Carries out the calls of one execution."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._doubts = execution.doubts

    def call(self, function: str, arguments: dict[str, Value]) -> Work[Value]:
        """The result of a call step that is no subworkflow."""
        if function in LIBRARY:
            parameters = FUNCTIONS[function].parameters
            return LIBRARY[function](self._execution, [arguments.get(name) for name in parameters])
        if function.startswith("http."):
            request, timeout = made(function, arguments, self._doubts)
            return (yield Sent(request, timeout))
        match function:
            case "sys.sleep":
                yield Until(self._execution.now() + self._seconds(arguments.get("seconds")))
                return None
            case "sys.sleep_until":
                time = arguments.get("time")
                if not isinstance(time, str):
                    raise failure("TypeError", f"a time is text, not {type_name(time)}")
                yield Until(max(seconds_of(time, self._doubts), self._execution.now()))
                return None
            case "sys.log":
                return self._log(arguments)
            case "events.create_callback_endpoint":
                return (yield from self._endpoint(arguments))
            case "events.await_callback":
                return (yield from self._await_callback(arguments))
            case _:
                return (yield from self._connector(function, arguments))

    def _seconds(self, value: Value) -> float:
        if not isinstance(value, int | float) or not is_number(value):
            raise failure("TypeError", f"sys.sleep takes seconds, not {type_name(value)}")
        if not 0 <= value <= value_of("sleep_seconds"):
            self._doubts.about("helper-type", f"a sleep of {value} seconds")
            raise failure("ValueError", f"a sleep of {value} seconds")
        return value

    def _log(self, arguments: dict[str, Value]) -> Value:
        given = [name for name in ("data", "text", "json") if name in arguments]
        severity = arguments.get("severity", "DEFAULT")
        if len(given) != 1:
            self._doubts.about("call-form", "sys.log without, or with more than one, content")
        if not isinstance(severity, str) or severity not in _SEVERITIES:
            self._doubts.about("call-form", f"sys.log with the severity {severity!r}")
        content = arguments[given[0]] if given else None
        self._execution.logs.append(Logged(str(severity), content))
        return None

    def _endpoint(self, arguments: dict[str, Value]) -> Work[Value]:
        method = arguments.get("http_callback_method", "POST")
        if method not in CALLBACK_METHODS:
            raise failure("ValueError", f"callbacks have no method {method!r}")
        url = yield Callback(str(method), timeout=-1)
        return {"url": url}

    def _await_callback(self, arguments: dict[str, Value]) -> Work[Value]:
        callback = arguments.get("callback")
        url = callback.get("url") if isinstance(callback, dict) else None
        if not isinstance(url, str):
            raise failure("TypeError", "`callback` is what events.create_callback_endpoint gave")
        timeout = arguments.get("timeout", value_of("callback_default_seconds"))
        if not isinstance(timeout, int | float) or not is_number(timeout):
            raise failure("TypeError", f"a timeout is a number, not {type_name(timeout)}")
        if timeout <= 0:
            self._doubts.about("call-form", f"a callback's timeout of {timeout}")
            raise failure("ValueError", "a timeout is positive")
        return (yield Callback(url, timeout))

    def _connector(self, function: str, arguments: dict[str, Value]) -> Work[Value]:
        parameters = arguments.pop("connector_params", None)
        if function in (_RUN, "experimental.executions.run"):
            workflow = arguments.get("workflow_id")
            if not isinstance(workflow, str):
                raise failure("TypeError", "`workflow_id` is text")
            if parameters not in (None, {}) and not isinstance(parameters, dict):
                raise failure("TypeError", "`connector_params` is a map")
            return (yield Called(workflow, arguments.get("argument")))
        body = to_json(dict(arguments), self._doubts).encode()
        scopes = ("https://www.googleapis.com/auth/cloud-platform",)
        request = Request("POST", CONNECTOR_HOST + function, {}, body, scopes=scopes)
        answer = yield Sent(request, value_of("http_seconds"))
        return answer["body"] if isinstance(answer, dict) else None
