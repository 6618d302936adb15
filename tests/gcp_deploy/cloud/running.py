"""Workflows that were deployed, executed by our engine; their sites are the deployed services."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, final

from perdure_gcp.workflows import Execution, Failure, Project, Request, Response
from perdure_gcp.workflows.http import Later
from tests.gcp_deploy.cloud.discovery import Asked
from tests.gcp_deploy.cloud.kept import Refused

__all__ = ["Running"]

LABEL = re.compile(r'labels\.perdure="([0-9a-f]+)"')


@final
class _Mark:
    """Ends `run_all` at an instant."""

    state = "ACTIVE"


@final
class Running:
    """The executions of one project in one region."""

    def __init__(self, project: str, region: str, clock: float) -> None:
        self.engine = Project(name=project, location=region, clock=clock)
        self.made: dict[str, tuple[Execution, dict[str, Any], float]] = {}
        """Executions by their full names, with what was asked for, and when."""
        self.ended: list[Callable[[str], None]] = []

    def serve(self, handler: Callable[[Request], Response | Failure | Later]) -> None:
        """Who answers requests to Cloud Run."""
        self.engine.route("https://", handler)

    def answer(self, asked: Asked, workflows: Mapping[str, Mapping[str, Any]]) -> Any:
        """The executions API; `workflows` are those that are deployed, by full name."""
        match asked.id.rpartition(".")[2]:
            case "create":
                return self._create(asked, workflows)
            case "get":
                return self._said(asked.path["name"], full=True)
            case "cancel":
                execution, *_ = self._one(asked.path["name"])
                if execution.state != "ACTIVE":
                    raise Refused(400, "FAILED_PRECONDITION", "it has ended")
                self.engine.cancel(execution)
                return self._said(asked.path["name"], full=True)
            case "list":
                return self._list(asked)
            case _:
                raise Refused(501, "UNIMPLEMENTED", asked.id)

    def settle(self) -> None:
        """Run what can go on now."""
        self.advance(0)

    def advance(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due by then."""
        mark: Any = _Mark()
        at = self.engine.clock + seconds

        def reached() -> None:
            mark.state = "REACHED"

        self._at_the_end(at, reached)
        self.engine.run_all(until=mark)
        self.engine.clock = max(self.engine.clock, at)

    def _at_the_end(self, at: float, reached: Callable[[], None]) -> None:
        """After what is due at that instant."""
        self.engine.happen_at(at, lambda: self.engine.at(at, reached, last=True))

    def _create(self, asked: Asked, workflows: Mapping[str, Mapping[str, Any]]) -> Any:
        workflow = asked.path["parent"]
        if workflow not in workflows:
            raise Refused(404, "NOT_FOUND", f"{workflow} was not found")
        found = workflows[workflow]
        # An execution keeps the text that it began with.
        self.engine.deploy(workflow, found["sourceContents"], found["userEnvVars"])
        execution = self.engine.start(workflow, json.loads(asked.body["argument"]))
        name = f"{workflow}/executions/{execution.name}"
        self.made[name] = execution, dict(asked.body), self.engine.clock
        execution.ended.append(lambda: self._has_ended(name))
        return self._said(name, full=True)

    def _has_ended(self, name: str) -> None:
        for told in self.ended:
            told(name)

    def _list(self, asked: Asked) -> Any:
        prefix, condition = f"{asked.path['parent']}/executions/", asked.query.get("filter", "")
        label = LABEL.fullmatch(condition)
        rows = [
            self._said(name, full=asked.query.get("view") == "FULL")
            for name, (execution, body, _) in self.made.items()
            if name.startswith(prefix)
            and (label is None or body.get("labels", {}).get("perdure") == label[1])
            and (condition != 'state="ACTIVE"' or execution.state == "ACTIVE")
        ]
        assert label or condition in ("", 'state="ACTIVE"'), condition
        return {"executions": rows} if rows else {}

    def _one(self, name: str) -> tuple[Execution, dict[str, Any], float]:
        if name not in self.made:
            raise Refused(404, "NOT_FOUND", f"{name} was not found")
        return self.made[name]

    def _said(self, name: str, *, full: bool) -> dict[str, Any]:
        execution, body, began = self._one(name)
        said: dict[str, Any] = {"name": name, "state": execution.state, "startTime": _time(began)}
        if execution.state != "ACTIVE":
            said["endTime"] = _time(self.engine.clock)
        if full:
            said |= {"argument": body["argument"], "labels": body.get("labels", {})}
            if execution.state == "FAILED":
                said["error"] = {"payload": json.dumps(execution.error)}
        return said


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
