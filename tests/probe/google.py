"""Google's two APIs as the probe uses them, on the Workflows engine."""

import json
import re
from typing import final

from perdure.codec import Json
from perdure_gcp.probe.assumed import answer_of, project
from perdure_gcp.workflows import DeployError

__all__ = ["Google"]


@final
class Google:
    """What answers `Send`; `asked` is every request, `workflows` what is there."""

    def __init__(self, *, refuse: int | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.workflows: dict[str, str] = {}
        self._refuse = refuse
        self._looks = 0
        self._ended: Json = None

    def __call__(self, method: str, url: str, body: Json) -> tuple[int, Json]:
        self.asked.append((method, url))
        assert re.match(r"https://workflow(s|executions)\.googleapis\.com/v1/projects/p/", url), url
        if self._refuse is not None and method != "DELETE":
            return self._refuse, {"error": {"message": "no"}}
        given = body if isinstance(body, dict) else {}
        name = re.findall(r"workflow(?:Id=|s/)([a-z-]+)", url)
        match method:
            case "DELETE":
                return (200, {}) if self.workflows.pop(name[-1], None) else (404, None)
            case "PATCH" if name[-1] not in self.workflows:
                return 404, {"error": {"message": "not found"}}
            case "PATCH":
                return self._deploy(name[-1], str(given["sourceContents"]))
            case "POST" if url.endswith("/executions"):
                return 200, self._execute(name[-1])
            case "POST":
                return self._deploy(name[-1], str(given["sourceContents"]))
            case _ if "/operations/" in url:
                self._looks += 1
                return 200, {"done": self._looks % 2 == 0}
            case _:
                return 200, self._ended

    def _deploy(self, name: str, source: str) -> tuple[int, Json]:
        try:
            project(strict=False).deploy("probe", source)
        except DeployError as error:
            return 400, {"error": {"message": str(error)}}
        self.workflows[name] = source
        return 200, {"name": "projects/p/locations/us-central1/operations/1"}

    def _execute(self, name: str) -> Json:
        asked = project(strict=False)
        asked.deploy("probe", self.workflows[name])
        answer = answer_of(asked.run("probe"))
        assert isinstance(answer, dict)
        ended: dict[str, Json] = {"state": "SUCCEEDED" if "value" in answer else "FAILED"}
        if "value" in answer:
            ended["result"] = json.dumps(answer["value"])
        else:
            tags = answer["error"]
            said: Json = {"tags": tags} if isinstance(tags, list) else tags
            ended["error"] = {"payload": json.dumps(said)}
        self._ended = ended
        return {"name": f"projects/p/locations/us-central1/workflows/{name}/executions/1"}
