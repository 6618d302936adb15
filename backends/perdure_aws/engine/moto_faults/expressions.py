# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# (the corrections reach into the interpreter, which has untyped dicts at these places)
"""JSONata: moto is not wired to an evaluator at all."""

from moto.stepfunctions.parser.asl.component.common.string.string_expression import (
    StringJSONata,
    StringVariableSample,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

from perdure_aws.engine.interface import Json
from perdure_aws.engine.jsonata import QueryError
from perdure_aws.engine.moto_faults.failures import query_failed
from perdure_aws.engine.patches import Patches
from perdure_aws.engine.run import active

__all__ = ["wire_jsonata"]


def wire_jsonata(patches: Patches) -> None:
    """Expressions are evaluated, with real bindings.

    moto 5.2.5: `_eval_jsonata = None`, then calls it; with an evaluator put there variables are
    pasted into the text unescaped (a quote in a value breaks the program), `$uuid` and `$hash`
    are texts saying that they are not supported, undefined is found by evaluating twice.
    AWS: variables are values; undefined, a function and an error are States.QueryEvaluationError
    (docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html).
    """

    def evaluate(self: StringJSONata | StringVariableSample, env: Environment) -> None:
        run = active()
        store = env.variable_store
        outer: dict[str, Json] = store._outer_scope
        inner: dict[str, Json] = store._inner_scope
        states: Json = env.states._states_data  # type: ignore[assignment]  # a TypedDict of JSON
        bindings: dict[str, Json] = {**outer, **inner, "states": states}
        try:
            value = run.evaluator.evaluate(self.expression, bindings, run.scheduler.now)
        except QueryError as error:
            raise query_failed(env, str(error)) from None
        env.stack.append(value)

    patches.replace(StringJSONata, "_eval_body", evaluate)
    patches.replace(StringVariableSample, "_eval_body", evaluate)
