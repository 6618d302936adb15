# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Variables: what a state assigns is seen by the next state, not by itself."""

import json
from weakref import WeakKeyDictionary

from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

from perdure_aws.engine.interface import Json
from perdure_aws.engine.moto_faults.sizes import check_assignment
from perdure_aws.engine.patches import Patches

__all__ = ["assign_at_the_end", "assigned_variables_are_json", "forget_assignments"]

_PENDING: WeakKeyDictionary[Environment, dict[str, Json]] = WeakKeyDictionary()


def forget_assignments(env: Environment) -> None:
    """What the state has assigned so far never happened."""
    _PENDING.pop(env, None)


def _commit(env: Environment) -> None:
    for name, value in _PENDING.pop(env, {}).items():
        env.variable_store.set(variable_identifier=name, variable_value=value)


def assign_at_the_end(patches: Patches) -> None:
    """Assign and Output of a state, Choice rule or catcher all read the variables at its entry,
    and nothing is assigned when any of them fails.

    moto 5.2.5: variables are set at once, so Output sees the new ones and a failing Output leaves
    them set (seen: [2,1] instead of [1,2]).
    AWS: all expressions read the snapshot at entry, "x":"{% $y %}","y":"{% $x %}" swaps (AWS
    agent-toolkit skill); a failing Assign assigns nothing (sfnx docs/design.md, measured).
    """

    def evaluate(self: AssignDecl, env: Environment) -> None:
        declared: dict[str, Json] = {}
        for binding in self.declaration_bindings:
            binding.eval(env=env)
            declared.update(env.stack.pop())
        check_assignment(env, declared)
        _PENDING.setdefault(env, {}).update(declared)

    def committing(owner: type[CommonStateField]) -> None:
        original = owner._eval_state_output

        def output(self: CommonStateField, env: Environment) -> None:
            original(self, env)
            if type(self)._eval_state_output is output:
                _commit(env)

        patches.replace(owner, "_eval_state_output", output)

    patches.replace(AssignDecl, "_eval_body", evaluate)
    for owner in (CommonStateField, StateChoice, ExecutionState):
        committing(owner)


def assigned_variables_are_json(patches: Patches) -> None:
    """`assignedVariables` of a StateExited event holds JSON texts.

    moto 5.2.5: puts quotes around a string without escaping what is in it, in the order of a set.
    AWS: JSON texts (botocore model: AssignedVariables, "the variables ... as JSON").
    """

    def assigned(self: VariableStore) -> dict[str, str]:
        return {
            name: json.dumps(self.get(name), separators=(",", ":"), ensure_ascii=False)
            for name in sorted(self._declaration_tracing)
        }

    patches.replace(VariableStore, "get_assigned_variables", assigned)
