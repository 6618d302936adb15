# ruff: noqa: E501  (the paths of moto's modules are long)
# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Parallel and Map: branches as tasks of the scheduler, failures with their names."""

from typing import Final

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    iteration_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (
    InlineIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.inline_item_processor_worker import (
    InlineItemProcessorWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.iteration_worker import (
    IterationWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job, JobPool
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branch_worker import (
    BranchWorker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branches_decl import (
    BranchesDecl,
    BranchWorkerPool,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from perdure_aws.engine.moto_faults.failures import details_of, error_of
from perdure_aws.engine.moto_faults.sizes import forget_variables
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.primitives import VirtualThread, now
from perdure_aws.engine.scheduler import Task, current
from perdure_aws.limits import value_of

__all__ = [
    "branches_are_tasks",
    "iterations_are_tasks",
    "map_item_is_for_the_selector",
    "states_errors_leave_iterations",
]

_NO_CONCURRENCY: Final = 0


def _task() -> Task:
    task = current()
    if task is None:
        raise RuntimeError("not in a task of a simulation")
    return task


def branches_are_tasks(patches: Patches) -> None:
    """A failing branch ends its siblings at once and fails the state with its own error name.

    moto 5.2.5: siblings that wait go on in real time; a `States.*` error in a branch becomes
    States.Runtime ("Custom Error Names MUST NOT begin with the prefix 'States.'").
    AWS: "if any branch fails ... the whole Parallel state is considered to have failed and all its
    branches are stopped" (docs: state-parallel); the Parallel fails with the branch's error, not
    States.BranchFailed (sfnx docs/design.md, measured).
    """

    def evaluate(self: BranchesDecl, env: Environment) -> None:
        branch_input = env.stack.pop()
        pool = BranchWorkerPool(workers_num=len(self.programs))
        workers: list[BranchWorker] = []
        task = _task()
        for index, program in enumerate(self.programs):
            frame = env.open_inner_frame()
            frame.states.reset(input_value=branch_input)
            worker = BranchWorker(branch_worker_comm=pool, program=program, env=frame)
            workers.append(worker)

            def routine(frame: Environment = frame, worker: BranchWorker = worker) -> None:
                worker._program.eval(frame)
                pool.on_terminated(env=frame)

            VirtualThread(target=routine, path=(*task.path, index)).start()
        BranchWorkerPool.wait(pool)  # type: ignore[no-untyped-call]
        for worker in workers:
            forget_variables(worker.env)
        failed = pool.get_exit_event_details()
        if failed is not None:
            task.scheduler.kill_below(task.path)
            for worker in workers:
                worker.stop(stop_date=now(), cause=None, error=None)
                env.close_frame(worker.env)
            raise _branch_failed(env, failed)
        results = [worker.env.states.get_input() for worker in workers]
        for worker in workers:
            env.close_frame(worker.env)
        env.stack.append(results)

    patches.replace(BranchesDecl, "_eval_body", evaluate)


def _branch_failed(env: Environment, details: ExecutionFailedEventDetails) -> FailureEventException:
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=error_of(details.get("error")),
            event_type=HistoryEventType.ExecutionFailed,
            event_details=details_of(executionFailedEventDetails=details),
        )
    )


def iterations_are_tasks(patches: Patches) -> None:
    """An inline Map runs at most 40 iterations at once; a failing one ends the others.

    moto 5.2.5: starts a thread per item without a cap, goes deeper in recursion per item of one
    worker, and lets the other iterations go on after a failure.
    AWS: "up to 40 concurrent iterations" inline (docs: state-map-inline); a failing iteration
    fails the Map and "all other iterations are stopped" (docs: state-map-inline, error handling).
    """

    def evaluate(self: InlineIterationComponent, env: Environment) -> None:
        given = env.stack.pop()
        pool = JobPool(job_program=self._get_iteration_program(), job_inputs=given.input_items)
        cap = value_of("inline_map_concurrency")
        wanted = given.max_concurrency
        at_once = cap if wanted == _NO_CONCURRENCY else min(wanted, cap)
        task = _task()
        for index in range(min(at_once, len(given.input_items))):
            worker = self._create_worker(env=env, eval_input=given, job_pool=pool)
            VirtualThread(target=worker.eval, path=(*task.path, index)).start()
        pool.await_jobs()
        failure = pool.get_worker_exception()
        if failure is not None:
            task.scheduler.kill_below(task.path)
            raise failure
        env.stack.append([job.job_output for job in pool.get_closed_jobs()])

    def work(self: IterationWorker, job: Job | None, worker_frame: Environment) -> None:
        task = _task()
        base = task.path[:-1]
        while job is not None:
            task.path = (*base, job.job_index)
            frame = worker_frame.open_inner_frame()
            self._eval_job(env=frame, job=job)
            worker_frame.close_frame(frame)
            forget_variables(frame)
            following = None
            if not isinstance(job.job_output, Exception) and not self._stop_signal_received:
                following = self._job_pool.next_job()
            if following is None:
                worker_frame.event_history_context.source_event_id = (
                    frame.event_history_context.last_published_event_id
                )
                self._env.close_frame(worker_frame)
            self._job_pool.close_job(job)
            job = following

    patches.replace(InlineIterationComponent, "_eval_body", evaluate)
    patches.replace(IterationWorker, "_eval_pool", work)


def states_errors_leave_iterations(patches: Patches) -> None:
    """An error named `States.*` in an iteration fails the Map under that name.

    moto 5.2.5: "Custom Error Names MUST NOT begin with the prefix 'States.'" as States.Runtime.
    AWS: the Map fails with the error of its iteration (sfnx docs/design.md, measured).
    """

    def named(error_name: str) -> ErrorName | None:
        return error_of(error_name)

    patches.replace(iteration_worker, "CustomErrorName", named)


def map_item_is_for_the_selector(patches: Patches) -> None:
    """`$states.context.Map` can be read in ItemSelector only.

    moto 5.2.5: also in every state of the iteration.
    AWS: not (sfnx docs/design.md, measured).
    """
    original = InlineItemProcessorWorker._eval_input

    def evaluate(self: InlineItemProcessorWorker, env_frame: Environment) -> None:
        original(self, env_frame)
        context = env_frame.states.context_object.context_object_data
        context.pop("Map", None)  # type: ignore[misc]  # required in moto's TypedDict only

    patches.replace(InlineItemProcessorWorker, "_eval_input", evaluate)
