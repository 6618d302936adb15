# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""The machine as a whole: parsed once, evaluated in the task that runs it, with AWS's context."""

from functools import lru_cache

from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

from perdure_aws.engine.moto_faults.trees import tree_of
from perdure_aws.engine.patches import Patches

__all__ = ["context_is_complete", "definitions_are_parsed_once", "programs_run_in_place"]


def programs_run_in_place(patches: Patches) -> None:
    """A machine or branch runs in the task that reached it; its timeout is the simulation's.

    moto 5.2.5: starts a thread for each and joins it in real time; parses the JSONPath `$` for
    each state's result.
    AWS: nothing of the kind can be seen.
    """

    def evaluate(self: Program, env: Environment) -> None:
        env.next_state_name = self.start_at.start_at_name
        EvalComponent.eval(self, env)

    original = ResultPath._eval_body

    def result(self: ResultPath, env: Environment) -> None:
        if self.result_path_src != ResultPath.DEFAULT_PATH:
            original(self, env)

    patches.replace(Program, "eval", evaluate)
    patches.replace(ResultPath, "_eval_body", result)


@lru_cache(maxsize=256)
def _parse(definition: str) -> EvalComponent:
    tree: EvalComponent | None = tree_of(definition)
    return tree if tree is not None else AmazonStateLanguageParser.parse(definition)[0]


def definitions_are_parsed_once(patches: Patches) -> None:
    """The tree of a definition holds no state of a run, so equal definitions share it.

    moto 5.2.5: parses at creation and again at each start. AWS: cannot be seen.
    """

    def entrypoint(self: ExecutionWorker) -> EvalComponent:
        return _parse(self._evaluation_details.state_machine_details.definition)

    patches.replace(ExecutionWorker, "_get_evaluation_entrypoint", entrypoint)


def context_is_complete(patches: Patches) -> None:
    """`$states.context` has Execution.RedriveCount.

    moto 5.2.5: it has not. AWS: 0 in a first run (docs: input-output-contextobject).
    """
    original = ExecutionWorker._get_evaluation_environment

    def environment(self: ExecutionWorker) -> Environment:
        env = original(self)
        execution = env.states.context_object.context_object_data["Execution"]
        execution["RedriveCount"] = 0  # type: ignore[typeddict-unknown-key]  # moto lacks it
        return env

    patches.replace(ExecutionWorker, "_get_evaluation_environment", environment)
