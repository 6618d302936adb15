"""What only a client may ask about other runs, as activities: whether they exist, and to start."""

import json
from typing import TYPE_CHECKING

from perdure.codec.text import Json
from perdure.errors import RunConflict
from perdure.runtime.envelope import is_envelope, pack, unpack
from perdure.runtime.values import failed
from perdure_azure.names import instance_id

if TYPE_CHECKING:
    from perdure_azure.sdk import Client

__all__ = ["find_run", "found", "start_run", "started"]

ENDED = {"COMPLETED", "FAILED", "TERMINATED"}


def find_run(call: object, client: "Client") -> dict[str, Json]:
    """ "running", "ended", or None where there is no such run."""
    run = instance_id(str(unpack(call)["run"]))
    state = client.get_orchestration_state(run, fetch_payloads=False)
    return found(None if state is None else state.runtime_status)


def start_run(call: object, client: "Client") -> dict[str, Json]:
    """Start a run unless it exists; RunConflict where that has another flow or input."""
    data = unpack(call)
    run, given = str(data["run"]), data["input"]
    state = client.get_orchestration_state(instance_id(run), fetch_payloads=True)
    if state is not None:
        return started(run, json.loads(state.serialized_input or "null"), given)
    name = str(data["name"])
    client.schedule_new_orchestration(name, input=given, instance_id=instance_id(run))
    return pack({"run": run})


def found(status: object) -> dict[str, Json]:
    """What a status says; None is that of no run."""
    if status is None:
        return pack({"found": None})
    name = str(getattr(status, "name", status)).removeprefix("ORCHESTRATION_STATUS_")
    return pack({"found": "ended" if name.upper() in ENDED else "running"})


def started(run: str, input: object, given: Json) -> dict[str, Json]:
    """The answer where a run of this id exists already, with this input."""
    new = unpack(given)
    # What is no envelope was started by hand.
    there = unpack(input) if is_envelope(input) else {**new, "arguments": None}
    if there["flow"] != new["flow"]:
        problem = f"run {run!r} is a run of {there['flow']}, not of {new['flow']}"
    elif there["arguments"] != new["arguments"]:
        problem = f"run {run!r} was started with another input"
    else:
        return pack({"run": run})
    return pack({"error": failed(RunConflict(problem)).error})
