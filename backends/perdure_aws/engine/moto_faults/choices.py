# pyright: reportPrivateUsage=false
# (the corrections reach into the interpreter: that is what they are for)
"""Choice."""

from moto.stepfunctions.parser.asl.component.state.choice.choice_rule import ChoiceRule
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison import (
    ConditionStringJSONata,
)
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.eval.environment import Environment

from perdure_aws.engine.moto_faults.failures import no_choice_matched, query_failed
from perdure_aws.engine.patches import Patches

__all__ = ["conditions_are_boolean", "rules_and_default_have_their_own_assign"]


def rules_and_default_have_their_own_assign(patches: Patches) -> None:
    """The state's Assign and Output belong to the Default; no match is States.NoChoiceMatched.

    moto 5.2.5: also runs them for a rule that goes to the same state as the Default does, and
    fails with States.Runtime when nothing matches.
    AWS: state-level Assign and Output "only when Default is taken" (AWS agent-toolkit skill;
    LocalStack PR 13775); States.NoChoiceMatched (docs: concepts-error-handling).
    """

    def matching(self: StateChoice, env: Environment) -> ChoiceRule | None:
        for rule in self.choices_decl.rules:
            rule.eval(env)
            if env.stack.pop() is True:
                return rule
        return None

    def evaluate(self: StateChoice, env: Environment) -> None:
        rule = matching(self, env)
        if rule is not None and rule.next_stmt is not None:
            env.stack.append(rule.next_stmt.name)
            return
        if self.default_state is None:
            raise no_choice_matched(env, self.name)
        if self.assign_decl:
            self.assign_decl.eval(env=env)
        if self.output:
            self.output.eval(env=env)
        env.stack.append(self.default_state.state_name)

    def output(self: StateChoice, env: Environment) -> None:
        env.next_state_name = env.stack.pop()

    patches.replace(StateChoice, "_eval_state", evaluate)
    patches.replace(StateChoice, "_eval_state_output", output)


def conditions_are_boolean(patches: Patches) -> None:
    """A Condition that is no boolean is States.QueryEvaluationError.

    moto 5.2.5: a Python RuntimeError, reported as States.Runtime.
    AWS: QueryEvaluationError (docs: concepts-error-handling, "the Condition field of a Choice
    state ... must evaluate to a boolean"; sfnx docs/design.md, measured).
    """

    def evaluate(self: ConditionStringJSONata, env: Environment) -> None:
        self.string_jsonata.eval(env=env)
        if not isinstance(env.stack[-1], bool):
            raise query_failed(
                env,
                f"The JSONata expression '{self.string_jsonata.literal_value}' specified for the "
                "field 'Condition' returned an unexpected result type. Expected 'boolean'.",
            )

    patches.replace(ConditionStringJSONata, "_eval_body", evaluate)
