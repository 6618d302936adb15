"""Runs one test request on the reference."""

from functools import partial
from typing import TYPE_CHECKING, Any

from perdure.codec.functions import FunctionTable
from perdure.errors import InvalidInput
from perdure.reference.run import ReferenceRun
from perdure.reference.world import World
from perdure.runtime.functions import ModuleFunctions
from perdure.runtime.values import encode_input, failed, result_of
from perdure.testing.request import RUN_ID, RUN_SEED, Request, Result, ScriptedEvent
from perdure.trace import End, Trace, error_json

if TYPE_CHECKING:
    from perdure.language import Flow

__all__ = ["run_flow", "run_loaded"]


def run_flow(request: Request) -> Result:
    """Load the flow of the request, instrumented, and run it."""
    from perdure.diagnostics import Report
    from perdure.frontend.loader import load
    from perdure.project import find_project

    project = find_project(request.file, Report())
    loaded = load(project, request.file, request.flow)
    request.scripts.check_names(step.name for step in loaded.analysis.steps.values())
    with loaded.active():
        return run_loaded(loaded.flow, request, ModuleFunctions(loaded.modules))


def run_loaded(
    flow: "Flow[..., Any]", request: Request, functions: FunctionTable | None = None
) -> Result:
    """Run an instrumented flow."""
    world = World(request.scripts, request.seed)
    try:
        arguments = encode_input(flow, request.arguments)
    except InvalidInput as error:
        return _refused(error)
    run = ReferenceRun(world, RUN_ID, RUN_SEED, functions=functions)
    run.finished.add_done_callback(lambda _: world.loop.stop())
    _schedule(world, run, request)
    try:
        run.execute(flow, arguments)
        world.loop.run()
        if world.failure is None and world.loop.errors:
            world.failure = world.loop.errors[0]
        result = _result(world, run, functions)
    finally:
        world.close()
    if world.failure is not None:
        raise world.failure
    return result


def _schedule(world: World, run: ReferenceRun, request: Request) -> None:
    start = world.loop.time()
    for event in request.events:
        world.loop.happen_at(start + event.after, partial(_deliver, world, run, event))
    if request.cancel is not None:
        world.loop.happen_at(start + request.cancel, run.stop)


def _deliver(world: World, run: ReferenceRun, event: ScriptedEvent) -> None:
    world.note(run.id, f"event {event.name} sent", "")
    run.inbox.store_plain(event.name, event.payload, world.loop.time())


def _result(world: World, run: ReferenceRun, functions: FunctionTable | None) -> Result:
    end = run.end or End("waiting")
    value: object = None
    error: BaseException | None = None
    if run.outcome is not None:
        try:
            value = result_of(run.outcome, functions)
        except BaseException as raised:
            error = raised
    return Result(
        Trace(tuple(run.entries), end, frozenset(run.ended)),
        result=value,
        error=error,
        history=tuple(world.history),
        logs=tuple(world.logs),
        progress=run.progress_value,
    )


def _refused(error: InvalidInput) -> Result:
    outcome = failed(error)
    end = End("failed", None, error_json(outcome))
    return Result(Trace((), end), error=error)
